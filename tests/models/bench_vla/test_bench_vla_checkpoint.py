"""Weights are written whole, read back, and refused when broken or foreign."""

import pytest
import torch
from safetensors.torch import save_file

from models.bench_vla.checkpoint import load_network, read_about, save_network
from models.bench_vla.config import BenchVlaConfig
from models.bench_vla.network import BenchVla
from workbench.core.errors import InvalidInput, NotStored

CONFIG = BenchVlaConfig(words=("red",), width=32, num_layers=1, num_heads=2, ffn_width=32, stem_width=16)


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "w.safetensors"
    save_network(path, CONFIG, BenchVla(CONFIG).state_dict(), about={"steps": 3}, dtype=torch.float16)
    return path


def test_weights_are_read_back_with_their_configuration(weights):
    network = load_network(weights)
    assert network.config == CONFIG
    assert not network.training
    assert read_about(weights) == {"steps": 3}
    again = weights.with_name("again.safetensors")
    save_network(again, CONFIG, network.state_dict(), about={}, dtype=torch.float16)
    for name, tensor in load_network(again).state_dict().items():
        assert torch.equal(tensor, network.state_dict()[name]), name


def test_missing_weights_tell_how_to_train_them(tmp_path):
    with pytest.raises(NotStored, match="train bench-vla"):
        load_network(tmp_path / "none.safetensors")


def test_a_truncated_file_is_refused(weights):
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(InvalidInput, match="whole safetensors"):
        load_network(weights)


def test_a_pickle_is_refused_unread(tmp_path):
    path = tmp_path / "evil.safetensors"
    torch.save({"a": torch.zeros(1)}, path)
    with pytest.raises(InvalidInput, match="whole safetensors"):
        load_network(path)


def test_weights_of_another_model_are_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(2)}, path)
    with pytest.raises(InvalidInput, match="bench-vla-1"):
        load_network(path)


def test_tensors_that_do_not_fit_the_configuration_are_named(tmp_path):
    path = tmp_path / "w.safetensors"
    tensors = BenchVla(CONFIG).state_dict()
    tensors["done.weight"] = torch.zeros(1, 5)
    save_network(path, CONFIG, tensors, about={}, dtype=torch.float32)
    with pytest.raises(InvalidInput, match=r"done\.weight"):
        load_network(path)
