"""Masks told to servers that know none, and the refusal of weights of Grounding DINO that are not there."""

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


def test_weights_that_are_not_there_are_named(tmp_path):
    with pytest.raises(InvalidInput, match="grounding-dino-tiny"):
        GroundingDino.load(str(tmp_path))
