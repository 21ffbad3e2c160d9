import base64
import json

import numpy as np

from panels.intention import IntentionWish, intention_message
from workbench.core.types import Intention, Target, Trace

HEAT = np.zeros((3, 4), dtype=np.float32)
HEAT[1, 2] = 0.5
FULL = Intention(
    Trace("front", 256, 128, ((64.0, 64.0), (128.0, 32.0)), gripper=(1.0, 0.0), source="model"),
    (Target("wrist", (0.25, 0.75), "goal", 0.9, HEAT),),
    np.full((8, 7), 1 / 3, dtype=np.float32),
)


def test_an_intention_is_told_in_shares_of_its_pictures():
    message = json.loads(json.dumps(intention_message(FULL, IntentionWish())))
    assert message["trace"] == {"camera": "front", "points": [[0.25, 0.5], [0.5, 0.25]], "gripper": [1.0, 0.0], "source": "model"}
    assert message["targets"] == [{"camera": "wrist", "role": "goal", "point": [0.25, 0.75], "confidence": 0.9, "heat": None}]
    assert np.array(message["confidences"]).shape == (8, len(message["names"])) and message["confidences"][0][0] == 0.33


def test_a_map_is_sent_only_on_wish_with_its_peak_at_full_brightness():
    heat = intention_message(FULL, IntentionWish(has_heat=True))["targets"][0]["heat"]
    levels = np.frombuffer(base64.b64decode(heat["levels"]), np.uint8).reshape(heat["height"], heat["width"])
    assert levels[1, 2] == 255 and levels.sum() == 255


def test_a_flat_map_is_dark():
    flat = Intention(targets=(Target("front", (0.5, 0.5), heatmap=np.zeros((2, 2), dtype=np.float32)),))
    heat = intention_message(flat, IntentionWish(has_heat=True))["targets"][0]["heat"]
    assert not any(base64.b64decode(heat["levels"]))


def test_nothing_intended_is_told_as_nothing():
    message = intention_message(None, IntentionWish())
    assert message["trace"] is None and message["targets"] == [] and message["confidences"] is None
