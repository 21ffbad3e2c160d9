"""What the mask follower makes of masks that are not whole."""

import numpy as np
import pytest

from workbench.core.sketches import SketchPlan
from workbench.core.types import CameraRequest, EpisodeConfig
from workbench.rollout.looking import look
from workbench.rollout.mask_follower import LOOK_PX, crown_of, grown, moated
from workbench.simulation.simulators import SIMULATORS
from workbench.trajectory.things import find_thing


@pytest.fixture(scope="module")
def simulator():
    made = SIMULATORS.load("bench")
    made.reset(EpisodeConfig("place_on_plate", 7))
    yield made
    made.close()


@pytest.mark.parametrize("kind", ["plate", "cube"])
@pytest.mark.parametrize("part", ["left", "right", "upper", "lower"])
def test_what_a_mask_of_an_earlier_moment_lacks_is_found_by_depth(simulator, kind, part):
    ids, names = simulator.object_ids(CameraRequest("front", LOOK_PX, LOOK_PX))
    name = next(n for n in names if n.startswith(kind))
    truth = ids == names.index(name)
    (rows, columns), (v, u) = np.nonzero(truth), np.mgrid[:LOOK_PX, :LOOK_PX]
    middle = {"left": u < np.median(columns), "right": u >= np.median(columns), "upper": v < np.median(rows), "lower": v >= np.median(rows)}
    picture = look(simulator, SketchPlan("", "", "front", LOOK_PX, LOOK_PX, ())).picture
    stale = truth & middle[part]
    whole = grown(picture, stale)
    assert not (whole & ~truth).sum() > 0.03 * truth.sum(), "what lies beside it does not belong to it"
    prop = next(p for p in simulator.instance.scene.props if p.name == name)
    centre = find_thing(moated(picture, whole), crown_of(picture, whole)).centre
    assert np.hypot(*(centre - [prop.x, prop.y])) < 0.01
