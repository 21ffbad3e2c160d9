import json

import numpy as np
import pytest
import torch

from models.pi0 import SETTINGS_ENV, Pi0Policy, load_policy, read_settings
from tests.models.test_remote import observation_at
from tests.models.tiny_pi0 import CHUNK, write_tiny_pi0
from workbench.core.errors import InvalidInput, UnknownName
from workbench.core.types import Prompt

GO = Prompt(text="pick up the red cube")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return write_tiny_pi0(tmp_path_factory.mktemp("pi0"))


@pytest.fixture(scope="module")
def policy(checkpoint):
    return Pi0Policy(read_settings(str(checkpoint)))


def act(policy, *, prompt=GO, seed=1, observation=None):
    return policy.act(observation or observation_at(0), prompt, np.random.default_rng(seed)).actions


def test_a_saved_checkpoint_is_loaded_and_acts(policy):
    assert [(c.name, c.width) for c in policy.spec.cameras] == [("front", 224), ("wrist", 224)]
    assert policy.spec.action_horizon == CHUNK // 2
    actions = act(policy)
    assert actions.shape == (CHUNK, 7) and actions.dtype == np.float32
    assert np.isfinite(actions).all() and actions[:, 6].min() >= 0 and actions[:, 6].max() <= 1


def test_noise_comes_from_the_generator_alone(policy):
    torch.manual_seed(1)
    first = act(policy)
    torch.manual_seed(2)
    assert np.array_equal(first, act(policy))
    assert not np.array_equal(first, act(policy, seed=2))


def test_words_pictures_and_state_matter(policy):
    base = act(policy)
    assert not np.array_equal(base, act(policy, prompt=Prompt(text="push the blue one")))
    dark, bent = observation_at(0), observation_at(0)
    dark.images["wrist"][:] = 0
    bent.proprio[0] = 2.0
    assert not np.array_equal(base, act(policy, observation=dark))
    assert not np.array_equal(base, act(policy, observation=bent))


def test_actions_are_in_the_units_of_the_statistics(policy):
    processor, layout = policy._processor, policy._settings.layout
    before = act(policy)
    try:
        processor.actions_mean = [0.1, *processor.actions_mean[1:]]
        np.testing.assert_allclose(act(policy)[:, 0], before[:, 0] + 0.1, atol=1e-5)
    finally:
        processor.actions_mean = [0.0, *processor.actions_mean[1:]]
    assert layout.action.kind == "delta"


def test_its_inside_is_described(policy):
    assert [s.name for s in policy.sites.stacks] == ["vlm", "expert"]
    assert [i.camera for i in policy.sites.stack("vlm").images] == ["front", "wrist"]


def test_presets_give_another_layout(checkpoint):
    with pytest.raises(InvalidInput, match="state"):
        act(Pi0Policy(read_settings(f"{checkpoint},libero")))  # eight numbers, where this checkpoint takes sixteen


def copy_of(checkpoint, folder):
    for path in checkpoint.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def remove(name):
    return lambda folder: (folder / name).unlink()


def cut_weights(folder):
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[: len(data) // 2])


def pickle_weights(folder):
    (folder / "model.safetensors").unlink()
    torch.save({"a": torch.zeros(1)}, folder / "pytorch_model.bin")


def change_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def rename_weight(folder):
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    weights["foreign.weight"] = weights.pop("action_out_proj.weight")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


BREAKS = {
    "no config": (remove("config.json"), r"config\.json"),
    "no weights": (remove("model.safetensors"), "weights"),
    "cut weights": (cut_weights, "weights"),
    "pickled weights": (pickle_weights, "weights"),
    "another model": (lambda folder: change_config(folder, model_type="llama"), "llama"),
    "another size": (lambda folder: change_config(folder, max_action_dim=24), "weights"),
    "foreign weights": (rename_weight, "keys, such as"),
    "no tokenizer": (remove("tokenizer.json"), "processor|tokenizer"),
    "broken config": (lambda folder: (folder / "config.json").write_text("{"), r"config\.json"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_or_foreign_checkpoint_is_named_and_what_to_do(checkpoint, tmp_path, name):
    break_it, said = BREAKS[name]
    folder = copy_of(checkpoint, tmp_path)
    break_it(folder)
    with pytest.raises(InvalidInput, match=said):
        Pi0Policy(read_settings(str(folder)))


def test_a_processor_without_statistics_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match="state_mean"):
        Pi0Policy(read_settings(str(write_tiny_pi0(tmp_path, statistics=False))))


def test_settings_are_read_from_a_file(tmp_path, checkpoint):
    path = tmp_path / "pi0.yaml"
    path.write_text(f"path: {checkpoint}\nnum_steps: 1\nlayout: {{execute_steps: 3}}\n")
    policy = Pi0Policy(read_settings(str(path)))
    assert policy.spec.action_horizon == 3
    for text in ("path: 3", "dtype: float12\npath: x", "colour: red\npath: x", "layout: 3\npath: x", "[1]", "path: ''"):
        path.write_text(text)
        with pytest.raises((InvalidInput, UnknownName)):
            read_settings(str(path))


def test_without_a_checkpoint_the_message_says_how_to_give_one(monkeypatch):
    monkeypatch.delenv(SETTINGS_ENV, raising=False)
    with pytest.raises(InvalidInput, match=SETTINGS_ENV):
        load_policy(None)
