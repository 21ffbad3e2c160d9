import pickle

import pytest
import torch
from safetensors.torch import save_file
from sam2.build_sam import build_sam2

from models.sam2 import SETTINGS_ENV, find_file, identify, load_network, load_segmenter, read_settings, read_tensors
from tests.models.tiny_sam2 import TINY
from workbench.core.errors import InvalidInput, NotStored, UnknownName


@pytest.fixture(scope="module")
def tiny_network():
    """SAM 2.1 tiny: the real architecture with random weights."""
    return build_sam2("configs/sam2.1/sam2.1_hiera_t.yaml", device="cpu", apply_postprocessing=False)


@pytest.fixture(scope="module")
def tiny_checkpoint(tiny_network, tmp_path_factory):
    """The same as Meta stores it."""
    path = tmp_path_factory.mktemp("sam2") / "sam2.1_hiera_tiny.pt"
    torch.save({"model": tiny_network.state_dict()}, path)
    return path


def test_a_checkpoint_is_recognised_by_its_tensors_and_loaded(tiny_checkpoint, monkeypatch):
    network = load_network(tiny_checkpoint)
    stored = read_tensors(tiny_checkpoint)
    assert network.image_size == 1024 and not network.training
    assert all(torch.equal(tensor, stored[name]) for name, tensor in network.state_dict().items())
    monkeypatch.setenv(SETTINGS_ENV, f"{tiny_checkpoint},cpu")
    monkeypatch.setattr("models.sam2.load_network", lambda path: network)
    spec = load_segmenter().spec
    assert spec.name == "sam2" and "1024 px" in spec.description and not spec.is_live and not spec.is_privileged


@pytest.mark.parametrize(("width", "blocks", "letter"), [(96, 12, "t"), (96, 16, "s"), (112, 24, "b+"), (144, 48, "l")])
def test_sizes_and_versions_are_told_apart(width, blocks, letter):
    tensors = {f"image_encoder.trunk.blocks.{i}.norm1.weight": torch.zeros(1) for i in range(blocks)}
    tensors["image_encoder.trunk.patch_embed.proj.weight"] = torch.zeros(width, 3, 7, 7)
    assert identify(tensors, "x") == f"configs/sam2/sam2_hiera_{letter}.yaml"
    assert identify(tensors | {"no_obj_embed_spatial": torch.zeros(1)}, "x") == f"configs/sam2.1/sam2.1_hiera_{letter}.yaml"


def test_a_checkpoint_of_another_model_says_what_it_seems_to_be(tmp_path):
    from models.sam2_bench.network import build_network

    other, small = tmp_path / "other.safetensors", tmp_path / "small.safetensors"
    save_file({"model.embed_tokens.weight": torch.zeros(4, 4)}, other)
    save_file({name: t.contiguous() for name, t in build_network(TINY).state_dict().items()}, small)
    with pytest.raises(InvalidInput, match=r"embed_tokens.*sam2\.1_hiera_tiny\.pt"):
        load_network(other)
    with pytest.raises(InvalidInput, match="5 blocks and 8 channels"):
        load_network(small)


def test_a_checkpoint_that_lacks_tensors_is_refused(tiny_network, tiny_checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr("models.sam2.build_sam2", lambda *_, **__: tiny_network)
    tensors = read_tensors(tiny_checkpoint)
    tensors.pop("maskmem_tpos_enc")
    path = tmp_path / "part.pt"
    torch.save(tensors, path)
    with pytest.raises(InvalidInput, match="maskmem_tpos_enc"):
        load_network(path)


@pytest.mark.parametrize("name", ["broken.pt", "broken.safetensors", "empty.pt", "empty.safetensors"])
def test_a_broken_file_is_refused_with_its_name(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"" if name.startswith("empty") else b"PK\x03\x04 not a checkpoint at all")
    with pytest.raises(InvalidInput, match=name):
        read_tensors(path)


def test_nothing_but_tensors_is_unpickled(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "was here"), "w"))

    path, raw = tmp_path / "evil.pt", tmp_path / "raw.pt"
    torch.save({"model": Evil()}, path)
    raw.write_bytes(pickle.dumps(Evil()))
    for file in (path, raw):
        with pytest.raises(InvalidInput, match="whole file of tensors"):
            read_tensors(file)
    assert not (tmp_path / "was here").exists()


def test_settings_name_a_file_or_hub_id_and_a_device():
    assert read_settings("facebook/sam2.1-hiera-tiny, cpu") == ("facebook/sam2.1-hiera-tiny", "cpu")
    assert read_settings("a.pt").device in ("cpu", "cuda")
    with pytest.raises(InvalidInput, match=SETTINGS_ENV):
        read_settings(" ")
    with pytest.raises(InvalidInput, match="toaster"):
        read_settings("a.pt,toaster")


def test_what_is_no_file_and_no_hub_id_is_told_apart():
    with pytest.raises(NotStored, match="there is no file"):
        find_file("nowhere/sam2.1_hiera_tiny.pt")
    with pytest.raises(UnknownName, match=r"Did you mean 'facebook/sam2\.1-hiera-tiny'"):
        find_file("facebook/sam2.1-hiera-tinny")
