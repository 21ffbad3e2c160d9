"""Going on with a training, and the whole command at its smallest."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open

from app import main
from models.bench_vla.checkpoint import WEIGHTS_ENV, load_network, read_about
from models.bench_vla.config import BenchVlaConfig
from models.bench_vla.train import Settings, Trainer
from workbench.core.errors import InvalidInput

CONFIG = BenchVlaConfig(words=("cube", "red"), width=16, num_layers=1, num_heads=2, ffn_width=16, stem_width=8)
SETTINGS = Settings(minutes=1.0)


def test_a_training_goes_on_with_the_weights_that_it_saved(tmp_path):
    trainer = Trainer(CONFIG, SETTINGS, tmp_path)
    trainer.step, trainer.seconds = 7, 3.5
    trainer.save({})
    again = Trainer(CONFIG, replace(SETTINGS, seed=9), tmp_path)
    again.resume(tmp_path / "training.safetensors")
    assert (again.step, again.seconds) == (7, 3.5)
    for name, tensor in trainer.network.state_dict().items():
        assert torch.equal(again.network.state_dict()[name], tensor)


@pytest.mark.parametrize(
    ("change", "told"), [({"width": 32}, "width"), ({"words": ("cube", "blue")}, "words"), ({"num_layers": 2}, "num_layers")]
)
def test_a_training_of_another_configuration_is_refused_and_nothing_is_changed(tmp_path, change, told):
    Trainer(CONFIG, SETTINGS, tmp_path).save({})
    other = Trainer(replace(CONFIG, **change), SETTINGS, tmp_path)
    before = {name: tensor.clone() for name, tensor in other.network.state_dict().items()}
    with pytest.raises(InvalidInput, match=f"difference in {told}.*--out"):
        other.resume(tmp_path / "training.safetensors")
    assert other.step == 0 and all(torch.equal(before[name], tensor) for name, tensor in other.network.state_dict().items())


@pytest.mark.slow
def test_the_smoke_training_goes_through_everything_and_goes_on(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv(WEIGHTS_ENV, "")

    def train(*options):
        status = main(["--root-dir", str(tmp_path), "train", "bench-vla", "--smoke", "--workers", "1", "--json", *options])
        said = capsys.readouterr()
        assert status == 0, said.err
        return json.loads(said.out), said.err

    first, _ = train()
    weights = tmp_path / "training" / "bench-vla-smoke" / "bench-vla.safetensors"
    assert load_network(weights) and read_about(weights)["steps"] == first["steps"] > 0
    card = weights.with_name("MODEL_CARD.md").read_text()
    assert first["findings"] and "touch by words" in card and "Losses over the training" in card
    second, told = train("--minutes", str(2 * first["minutes"] + 0.1), "--episodes", "0")
    assert "going on after step" in told and second["steps"] > first["steps"]
    with safe_open(weights.with_name("training.safetensors"), framework="pt") as file:
        assert int(file.metadata()["step"]) == second["steps"]
