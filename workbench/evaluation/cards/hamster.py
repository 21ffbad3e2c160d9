"""The card ``hamster``: a path as channels of its own beside the picture, or drawn on the picture; camera as trained, or moved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from workbench.evaluation.bench_vla import POLICY
from workbench.evaluation.campaign import Cell, CellResult, draw_seeds
from workbench.evaluation.driver import Campaign
from workbench.evaluation.studies import Finding, Study, StudyOptions, compared, success_of

TASKS: Final = ("place_on_plate", "ambiguous_cubes")
WAYS: Final = {"words": "words alone", "words+trace:flat": "path as channels", "words+trace:overlay": "path drawn on the picture"}
CAMERAS: Final = {"": "original camera", "camera=0.5": "moved camera"}


def plan(options: StudyOptions) -> Campaign:
    """Return the cells."""
    policy, seeds = options.policy or POLICY, draw_seeds(options.episodes, options.seed)
    cells = [Cell(policy, task, way, seeds, perturbation=camera) for camera in CAMERAS for way in WAYS for task in TASKS]
    return Campaign("hamster", tuple(cells))


def conclude(results: Sequence[CellResult]) -> list[Finding]:
    """Return success of each way with each camera, and channels against overlay."""
    found = []
    for camera, title in CAMERAS.items():
        cells = {way: [r for r in results if r.cell.perturbation == camera and r.cell.prompt == way] for way in WAYS}
        found += [success_of(f"{title}, {name}", cells[way]) for way, name in WAYS.items()]
        found.append(compared(f"{title}, channels less overlay, same scenes", cells["words+trace:overlay"], cells["words+trace:flat"]))
    return found


STUDY: Final = Study(
    "hamster",
    "A path beside the picture or on it",
    "Does a policy follow a path better that comes as channels of its own than one that is drawn over the picture, and what is left when the "
    "camera was moved?",
    "HAMSTER (arXiv:2502.05485) finds for RVT-2 that channels beat the overlay: 1.00 against 0.70 with the original camera, 0.90 against 0.40 "
    "with a new one; there each was trained. Here one network serves both, and it was trained on channels only: the overlay is what happens "
    "when a path is drawn for a policy that never saw one. The moved camera is at half strength: 5 cm and 3 degrees.",
    plan,
    conclude,
)
