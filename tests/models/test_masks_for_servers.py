"""Masks told to servers that know none, and words to boxes by a tiny Grounding DINO."""

import numpy as np
import pytest

from models.grounding import GroundingDino
from models.remote_mapping import RemoteMapping
from models.remote_masks import as_picture, drawn_on, told
from models.remote_settings import ImageSource, settings_from
from workbench.core.errors import InvalidInput
from workbench.core.types import Interaction, Mask, Observation, Prompt

PIXELS = np.zeros((8, 8), bool)
PIXELS[2:4, 4:8] = True
MASK = Mask("front", PIXELS)
IMAGE = np.full((8, 8, 3), 100, np.uint8)


def request(way):
    settings = settings_from({"url": "ws://127.0.0.1:1", "images": {"image": {"camera": "front", "width": 8, "height": 8}}, "mask": way})
    observation = Observation({"front": IMAGE}, {}, {}, np.zeros(16, np.float32), 0, 0.0)
    return RemoteMapping(settings).request(observation, Prompt(text="do it", mask=MASK, interaction=Interaction.GRASP))


def test_a_mask_is_drawn_sent_or_told_as_the_settings_say():
    plain = request("none")
    assert np.array_equal(plain["image"], IMAGE) and plain["prompt"] == "do it" and set(plain) == {"image", "prompt"}
    drawn = request("overlay")
    assert np.array_equal((drawn["image"] != IMAGE).any(axis=2), PIXELS) and set(drawn) == {"image", "prompt"}
    sent = request("image")
    assert np.array_equal(sent["observation/mask"][..., 0] == 255, PIXELS) and np.array_equal(sent["image"], IMAGE)
    assert request("text")["prompt"] == "do it: pick up the object in the box 0.50, 0.25, 1.00, 0.50 of the front picture"
    with pytest.raises(InvalidInput, match="none, overlay, image, text"):
        request("smell")


def test_drawing_leaves_the_picture_as_it_is_and_no_mask_is_black():
    before = IMAGE.copy()
    drawn_on(IMAGE, Mask("front", np.ones((16, 16), bool)))
    assert np.array_equal(IMAGE, before) and not as_picture(None, ImageSource("front", 4, 4)).any()
    settings = settings_from({"url": "ws://127.0.0.1:1", "mask": "text"})
    assert told(Prompt(text="go", mask=Mask("front", np.zeros((8, 8), bool))), settings) == "go"


class FakeProcessor:
    """Stands in for the tokenizer, whose vocabulary is not in this repository."""

    def __call__(self, images, text, return_tensors):
        import torch

        assert text.endswith(".") and text == text.lower()
        ids = torch.tensor([[101, 5, 6, 1012, 102]])
        return {"pixel_values": torch.zeros(1, 3, 64, 64), "input_ids": ids, "attention_mask": torch.ones_like(ids)}

    def post_process_grounded_object_detection(self, outputs, input_ids, threshold, text_threshold, target_sizes):
        from transformers import GroundingDinoProcessor  # the real way from logits to boxes

        class Tokens:
            def decode(self, ids):
                return "red cube"

        processor = object.__new__(GroundingDinoProcessor)
        processor.tokenizer = Tokens()
        processor.batch_decode = lambda ids, **_: ["red cube"] * len(ids)
        return processor.post_process_grounded_object_detection(
            outputs, input_ids, threshold=threshold, text_threshold=text_threshold, target_sizes=target_sizes
        )


@pytest.mark.slow
def test_a_tiny_grounding_dino_gives_boxes_on_the_picture():
    import torch
    from transformers import GroundingDinoConfig, GroundingDinoForObjectDetection, SwinConfig

    torch.manual_seed(0)
    swin = SwinConfig(
        image_size=64, embed_dim=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 1, 1], window_size=2, out_features=["stage2", "stage3", "stage4"]
    )
    config = GroundingDinoConfig(
        backbone_config=swin,
        text_config={"model_type": "bert", "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32},
        d_model=32,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        num_queries=6,
        max_text_len=16,
        use_timm_backbone=False,
    )
    model = GroundingDino(GroundingDinoForObjectDetection(config), FakeProcessor(), threshold=0.0)
    found = model.find(np.zeros((48, 64, 3), np.uint8), "Red cube")
    assert found and [g.score for g in found] == sorted((g.score for g in found), reverse=True)
    assert all(g.box[0] < g.box[2] and g.box[1] < g.box[3] for g in found)


def test_weights_that_are_not_there_are_named(tmp_path):
    with pytest.raises(InvalidInput, match="grounding-dino-tiny"):
        GroundingDino.load(str(tmp_path))
