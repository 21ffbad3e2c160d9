"""The card ``rt-trajectory``: paths with and without heights, where a thing has to be brought over a hurdle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from workbench.evaluation.bench_vla import POLICY
from workbench.evaluation.campaign import Cell, CellResult, draw_seeds
from workbench.evaluation.driver import Campaign
from workbench.evaluation.perturbing import options_of
from workbench.evaluation.studies import Finding, Study, StudyOptions, compared, mean_of, success_of
from workbench.simulation.episode_options import apply_options
from workbench.simulation.obstacle_layouts import LOW_M
from workbench.simulation.tasks import TASKS

TASK: Final = "place_on_plate"
FOLLOWER: Final = "trace-follower"
HURDLE: Final = "hurdle=0.75"
WAYS: Final = {"words": "words", "words+trace:high-flat": "2-D path", "words+trace:high": "2.5-D path"}


def plan(options: StudyOptions) -> Campaign:
    """Return the cells: the VLA by words and both kinds of path, with and without the hurdle; the way-point follower by the one with heights."""
    policy, seeds = options.policy or POLICY, seeds_with_hurdle(options.episodes, options.seed)
    cells = [Cell(policy, TASK, way, seeds, perturbation=change) for change in ("", HURDLE) for way in WAYS]
    return Campaign("rt-trajectory", (*cells, Cell(FOLLOWER, TASK, "trace:high", seeds, perturbation=HURDLE)))


def seeds_with_hurdle(episodes: int, first: int) -> tuple[int, ...]:
    """Return the first seeds from ``first`` on in whose scenes there is room for a high hurdle; in the others nothing would be in the way.

    Raises:
        InvalidInput: fewer than one episode.
    """
    task, found = TASKS.load(TASK), list[int]()
    seed = draw_seeds(episodes, first)[0]
    while len(found) < episodes:
        scene = apply_options(task.initialize(np.random.default_rng(seed)), options_of(HURDLE, seed)).scene
        if any(box.height > LOW_M for box in scene.obstacles):
            found.append(seed)
        seed += 1
    return tuple(found)


def conclude(results: Sequence[CellResult]) -> list[Finding]:
    """Return success, bumps and clearance of each way, and what heights change."""
    found: list[Finding | None] = []
    for change, title in (("", "free table"), (HURDLE, "hurdle")):
        cells = {
            way: [r for r in results if r.cell.perturbation == change and r.cell.prompt == way and r.cell.policy != FOLLOWER]
            for way in WAYS
        }
        for way, name in WAYS.items():
            found.append(success_of(f"{title}, {name}", cells[way]))
            found.append(mean_of(f"{title}, {name}: highest place while carrying", cells[way], "clearance", unit="m"))
            if change:
                found.append(mean_of(f"{title}, {name}: ran into it", cells[way], "bumped", unit="%"))
        found.append(compared(f"{title}, 2.5-D less 2-D, same scenes", cells["words+trace:high-flat"], cells["words+trace:high"]))
    follower = [r for r in results if r.cell.policy == FOLLOWER]
    found.append(success_of("hurdle, 2.5-D path, way-point follower", follower))
    found.append(mean_of("hurdle, 2.5-D path, way-point follower: ran into it", follower, "bumped", unit="%"))
    return [f for f in found if f is not None]


STUDY: Final = Study(
    "rt-trajectory",
    "Heights along a path",
    "Do the heights of a drawn path help where a thing has to be brought over a hurdle, which a path on the picture alone does not tell?",
    "RT-Trajectory (arXiv:2311.01977) colours a path by height as well as by time: over seven unseen skills 67 % with heights, 50 % without. Here: "
    "a cube is brought to a plate, the path keeps 22 cm over the table, and a wall of 12 to 14 cm stands half-way, on the first seeds whose scenes have "
    "room for it and for the hand beside it.",
    plan,
    conclude,
)
