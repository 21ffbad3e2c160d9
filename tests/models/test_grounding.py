"""Words to boxes by the real classes of Grounding DINO, in a tiny random configuration that is written to a folder and read back."""

import numpy as np
import pytest

from models.grounding import GroundingDino
from workbench.core.errors import InvalidInput

WORDS = ("red", "cube", "plate", "blue", ".")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    import torch
    from transformers import (
        BertTokenizerFast,
        GroundingDinoConfig,
        GroundingDinoForObjectDetection,
        GroundingDinoImageProcessor,
        GroundingDinoProcessor,
        SwinConfig,
    )

    folder = tmp_path_factory.mktemp("dino")
    vocabulary = folder / "words.txt"
    vocabulary.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]))
    tokenizer = BertTokenizerFast(str(vocabulary))
    torch.manual_seed(0)
    config = GroundingDinoConfig(
        backbone_config=SwinConfig(
            image_size=128, embed_dim=8, depths=[1] * 4, num_heads=[1] * 4, window_size=2, out_features=["stage2", "stage3", "stage4"]
        ),
        text_config={
            "model_type": "bert",
            "vocab_size": len(tokenizer),
            "hidden_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 32,
        },
        d_model=32,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        num_queries=6,
        max_text_len=16,
        use_timm_backbone=False,
    )
    GroundingDinoForObjectDetection(config).save_pretrained(folder)
    pictures = GroundingDinoImageProcessor(size={"shortest_edge": 128, "longest_edge": 192})
    GroundingDinoProcessor(pictures, tokenizer).save_pretrained(folder)
    return folder


def test_boxes_lie_on_the_picture_surest_first(folder):
    loaded = GroundingDino.load(str(folder))
    found = GroundingDino(loaded._model, loaded._processor, threshold=0.0).find(np.zeros((48, 64, 3), np.uint8), "Red cube")
    assert found and [g.score for g in found] == sorted((g.score for g in found), reverse=True)
    for grounded in found:
        u0, v0, u1, v1 = grounded.box
        assert -64 <= u0 < u1 <= 128 and -48 <= v0 < v1 <= 96


def test_words_are_put_as_the_model_was_trained(folder):
    loaded = GroundingDino.load(str(folder))
    picture = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    assert loaded.find(picture, " RED Cube. ") == loaded.find(picture, "red cube")


def test_what_is_not_sure_enough_is_left_out(folder):
    loaded = GroundingDino.load(str(folder))
    assert GroundingDino(loaded._model, loaded._processor, threshold=1.0).find(np.zeros((48, 64, 3), np.uint8), "red cube") == ()


def test_pickled_weights_are_not_read(folder, tmp_path):
    for path in folder.iterdir():
        if path.suffix != ".safetensors":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(InvalidInput, match="Grounding DINO"):
        GroundingDino.load(str(tmp_path))
