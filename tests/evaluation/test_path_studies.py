"""The four studies of drawn paths: grades and ratios by hand."""

import numpy as np
import pytest

from tests.evaluation.test_studies import findings
from workbench.core.types import Prompt, Trace
from workbench.evaluation.campaign import TrialResult
from workbench.evaluation.cards.molmoact_steer import grade
from workbench.evaluation.cards.rt_trajectory import HURDLE, seeds_with_hurdle
from workbench.evaluation.episodes import overlay_trace
from workbench.evaluation.perturbing import options_of
from workbench.evaluation.telling import parse_telling
from workbench.simulation.episode_options import apply_options
from workbench.simulation.tasks import TASKS


@pytest.mark.parametrize(
    ("measures", "is_success", "expected"),
    [
        ({"went": 0.0, "held": 0.0}, False, 0.0),
        ({"went": 1.0, "held": 0.0}, False, 0.5),
        ({"went": 1.0, "held": 1.0, "clearance": 0.03}, False, 0.85),
        ({"went": 1.0, "held": 1.0, "clearance": 0.12}, False, 1.0),
        ({"went": 1.0, "held": 1.0, "clearance": 0.12}, True, 1.0),
    ],
)
def test_an_episode_is_graded_as_published(measures, is_success, expected):
    assert grade(TrialResult(1, is_success, 9, "", measures)) == expected


def test_a_path_that_always_works_is_told_against_words_that_never_do():
    found = findings("molmoact-steer", lambda cell, seed: cell.prompt.startswith("trace"))
    assert found["grade 0 to 1, path on the picture"]["value"] == 1.0 and found["grade 0 to 1, ambiguous words"]["value"] == 0.5
    assert found["put on the plate, path on the picture less words, same scenes"]["value"] == 1.0


def test_effort_of_planners_is_compared_on_the_layouts_that_both_solved():
    tries = {"action-tree": 30.0, "informed-tree": 10.0, "random-tree": 3.0}

    def measures(cell, seed):
        is_planned = cell.policy in tries and not (cell.policy == "informed-tree" and seed == 0)
        return {"bumped": 0.0, **({"planning_tries": tries[cell.policy] * (1 + seed), "planning_s": 1.0} if is_planned else {})}

    found = findings("ditree", lambda cell, seed: True, measures=measures)
    ratio = found["tries, VLA as sampler / none"]
    assert ratio["value"] == pytest.approx(1 / 3) and ratio["n"] == 7


def test_every_scene_of_the_card_on_heights_has_a_hurdle_that_is_high():
    seeds = seeds_with_hurdle(6, 100)
    assert len(set(seeds)) == 6 and min(seeds) >= 100
    for seed in seeds:
        instance = apply_options(TASKS.load("place_on_plate").initialize(np.random.default_rng(seed)), options_of(HURDLE, seed))
        (box,) = instance.scene.obstacles
        assert box.height > 0.1


@pytest.mark.parametrize("text", ["words+trace:high", "trace:high-flat", "trace:overlay", "words:slow+trace:flat"])
def test_ways_of_telling_a_path_are_written_as_they_were_read(text):
    assert str(parse_telling(text)) == text


def test_an_overlaid_path_is_on_the_picture_and_nowhere_else():
    from workbench.core.types import PROPRIO_DIM, Observation

    grey = np.full((64, 64, 3), 90, np.uint8)
    observation = Observation({"front": grey, "wrist": grey}, {}, {}, np.zeros(PROPRIO_DIM, np.float32), 0, 0.0)
    seen, told = overlay_trace(observation, Prompt("go", trace=Trace("front", 256, 256, ((20.0, 20.0), (200.0, 200.0)))))
    assert told.trace is None and told.text == "go"
    assert (seen.images["front"] != grey).any() and (seen.images["wrist"] == grey).all() and (grey == 90).all()
