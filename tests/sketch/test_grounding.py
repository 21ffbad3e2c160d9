import numpy as np
import pytest

from tests.sketch.scenes import observe, pixel_of
from workbench.core.errors import Unreachable
from workbench.core.types import Observation
from workbench.simulation.scene import Prop, PropKind
from workbench.sketch.grounding import find_anchor, make_anchor


def cube(x, y, colour="red", name="cube", yaw=0.3):
    return Prop(PropKind.CUBE, name, colour, x, y, yaw)


OTHERS = (Prop(PropKind.PLATE, "plate", "white", 0.42, -0.18), cube(0.6, -0.2, "blue", "blue"))


@pytest.mark.parametrize("camera", ["front", "top"])
@pytest.mark.parametrize("kind", [PropKind.CUBE, PropKind.PLATE, PropKind.BLOCK, PropKind.PUCK, PropKind.BUTTON, PropKind.ZONE])
def test_a_moved_thing_is_found_again_within_a_centimetre(camera, kind):
    here, there = (0.42, 0.15), (0.55, 0.05)
    top = {PropKind.CUBE: 0.044, PropKind.PLATE: 0.012, PropKind.BLOCK: 0.036, PropKind.PUCK: 0.03, PropKind.BUTTON: 0.046}.get(kind, 0)
    before, after = (observe(Prop(kind, "it", "green", *at), *OTHERS, camera=camera) for at in (here, there))
    anchor = make_anchor(before, camera, pixel_of(before, camera, (*here, top)))
    found = find_anchor(after, anchor)
    assert found is not None
    truth = pixel_of(after, camera, (*there, top))
    metres = np.linalg.norm(np.subtract(found, truth)) / (after.cameras[camera].fx / 1.0)
    assert metres < 0.012


def test_a_thing_that_stays_is_found_where_it_was():
    scene = observe(cube(0.45, 0.1), *OTHERS)
    pixel = pixel_of(scene, "front", (0.45, 0.1, 0.044))
    assert find_anchor(scene, make_anchor(scene, "front", pixel)) == pytest.approx(pixel, abs=1.0)


def test_of_two_alike_the_nearer_one_is_taken():
    before = observe(cube(0.45, 0.2), cube(0.45, -0.1, name="twin"))
    after = observe(cube(0.48, 0.17), cube(0.45, -0.1, name="twin"))
    anchor = make_anchor(before, "front", pixel_of(before, "front", (0.45, 0.2, 0.044)))
    assert find_anchor(after, anchor) == pytest.approx(pixel_of(after, "front", (0.48, 0.17, 0.044)), abs=4)


def test_a_thing_that_went_away_is_not_found():
    before, after = observe(cube(0.45, 0.1), *OTHERS), observe(*OTHERS)
    assert find_anchor(after, make_anchor(before, "front", pixel_of(before, "front", (0.45, 0.1, 0.044)))) is None


def test_a_thing_of_another_colour_or_size_is_not_taken_for_it():
    before = observe(cube(0.45, 0.1))
    anchor = make_anchor(before, "front", pixel_of(before, "front", (0.45, 0.1, 0.044)))
    assert find_anchor(observe(cube(0.45, 0.1, "green")), anchor) is None
    assert find_anchor(observe(Prop(PropKind.BOWL, "bowl", "red", 0.45, 0.1)), anchor) is None


def test_a_place_on_the_table_stays():
    before, after = observe(cube(0.45, 0.1)), observe(cube(0.5, -0.1))
    pixel = pixel_of(before, "front", (0.6, 0.2, 0.0))
    assert find_anchor(after, make_anchor(before, "front", pixel)) == pytest.approx(pixel, abs=0.6)


def test_without_depth_there_is_no_anchor():
    scene = observe(cube(0.45, 0.1))
    blind = Observation(scene.images, {}, scene.cameras, scene.proprio, 0, 0.0)
    with pytest.raises(Unreachable, match="no depth picture"):
        make_anchor(blind, "front", (10.0, 10.0))
    assert find_anchor(blind, make_anchor(scene, "front", (160.0, 160.0))) is None
