"""What a scene looks like changes with its look, and what happens in it does not."""

import colorsys
import json

import mujoco
import numpy as np
import pytest

from workbench.core.errors import InvalidInput, UnknownName
from workbench.core.types import CameraRequest
from workbench.simulation.appearance import Look, draw_colours, draw_look, read_look
from workbench.simulation.build import build_model
from workbench.simulation.cameras import FreeCamera, SceneRenderer
from workbench.simulation.scene import COLOURS, Prop, PropKind, Scene

PROPS = (Prop(PropKind.CUBE, "cube_red", "red", 0.5, 0.0), Prop(PropKind.PLATE, "plate_white", "white", 0.5, 0.2))
REQUEST = CameraRequest("front", 96, 96)


ASIDE = {"aside": FreeCamera((0.5, 0.0, 0.4), 1.5, 0.5, 0.3)}
"""Sees the sky, which the bench's own cameras do not."""


def picture(look, camera=REQUEST):
    model = build_model(Scene(PROPS, look=look))
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    renderer = SceneRenderer(model, ASIDE)
    try:
        return renderer.rgb(data, camera)
    finally:
        renderer.close()


def test_an_empty_look_is_the_plain_bench():
    assert read_look({}) == Look()
    assert read_look(draw_look(np.random.default_rng(0), strength=0.0) | {"table_texture": {"tint": [1, 1, 1]}}).light == 1.0


def test_a_look_of_no_strength_draws_the_plain_picture():
    look = draw_look(np.random.default_rng(3), strength=0.0)
    assert np.abs(picture(look).astype(int) - picture({}).astype(int)).max() <= 2


def test_the_same_look_gives_the_same_picture_also_after_json():
    look = draw_look(np.random.default_rng(4))
    assert json.loads(json.dumps(look)) == look
    assert np.array_equal(picture(look), picture(json.loads(json.dumps(look))))


@pytest.mark.parametrize(
    "look",
    [
        {"table": [0.2, 0.5, 0.2]},
        {"mat": [0.2, 0.5, 0.2]},
        {"table_texture": {"pattern": "checker", "tint": [0.5, 0.6, 0.7], "repeat": 6}},
        {"table_texture": {"pattern": "gradient", "tint": [0.4, 0.4, 0.4]}},
        {"table_texture": {"pattern": "flat", "tint": [0.4, 0.4, 0.4], "speckle": 0.2}},
        {"floor": [0.5, 0.3, 0.1]},
        {"sky": [[0.1, 0.1, 0.5], [0.5, 0.1, 0.1]]},
        {"light": 0.5},
        {"light_colour": [1.2, 1.0, 0.8]},
        {"light_direction": [0.6, 0.2, -1.0]},
        {"ambient": 0.7},
        {"camera_jitter": {"front": [0.02, 0.0, 0.0, 0.0, 0.02, 0.0]}},
        {"colours": {"red": [0.7, 0.05, 0.1]}},
    ],
)
def test_each_part_of_a_look_is_seen(look):
    camera = CameraRequest("aside", 96, 96) if "sky" in look else REQUEST
    assert np.count_nonzero(np.any(picture(look, camera) != picture({}, camera), axis=-1)) > 10


def test_things_keep_colours_that_no_other_word_fits_better():
    saturated = [w for w in COLOURS if colorsys.rgb_to_hsv(*COLOURS[w])[1] > 0.4]
    for seed in range(200):
        drawn = draw_colours(np.random.default_rng(seed), 1.0)
        for word, rgb in drawn.items():
            assert min(COLOURS, key=lambda w: np.linalg.norm(np.subtract(COLOURS[w], rgb))) == word
        hues = {w: colorsys.rgb_to_hsv(*drawn[w])[0] for w in saturated}
        for word, hue in hues.items():
            gaps = {w: abs((hue - colorsys.rgb_to_hsv(*COLOURS[w])[0] + 0.5) % 1.0 - 0.5) for w in saturated}
            assert min(gaps, key=gaps.__getitem__) == word


def test_every_drawn_look_can_be_read_and_cameras_move_by_little():
    for seed in range(200):
        look = read_look(draw_look(np.random.default_rng(seed)))
        jitter = {name: np.abs(values) for name, values in look.camera_jitter.items()}
        assert set(jitter) == {"front", "top", "wrist"}
        assert max(jitter["front"][:3]) <= 0.03 and max(jitter["wrist"][:3]) <= 0.003
        assert max(jitter["front"][3:]) <= np.deg2rad(2.5) and max(jitter["wrist"][3:]) <= np.deg2rad(2.5)


@pytest.mark.parametrize(
    "look, words",
    [
        ({"tabel": [1, 1, 1]}, "Did you mean 'table'"),
        ({"table": [1, 1]}, "3 numbers"),
        ({"table": "red"}, "3 numbers"),
        ({"table": [1, 1, float("nan")]}, "3 numbers"),
        ({"table": [2, 1, 1]}, "from 0 to 1"),
        ({"light": True}, "number"),
        ({"light": -1}, "from 0 to 4"),
        ({"light_direction": [0, 0, 1]}, "points down"),
        ({"camera_jitter": {"frnt": [0] * 6}}, "Did you mean 'front'"),
        ({"camera_jitter": {"front": [0] * 3}}, "6 numbers"),
        ({"camera_jitter": [0] * 6}, "by camera"),
        ({"colours": {"rde": [1, 0, 0]}}, "Did you mean 'red'"),
        ({"sky": [[1, 1, 1]]}, "two colours"),
        ({"table_texture": {"pattern": "stripes"}}, "checker"),
        ({"table_texture": {"colour": 1}}, "texture"),
    ],
)
def test_a_look_that_is_none_is_refused_with_a_message(look, words):
    with pytest.raises((InvalidInput, UnknownName), match=words):
        read_look(look)


def test_a_strength_beyond_the_range_is_refused():
    with pytest.raises(InvalidInput, match="from 0 to 1"):
        draw_look(np.random.default_rng(0), strength=1.5)
