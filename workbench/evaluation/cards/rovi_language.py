"""The card ``rovi-language``: words against sketches, where words do not tell which thing, and where much stands around."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from workbench.evaluation.bench_vla import AMBIGUOUS, POLICY
from workbench.evaluation.campaign import Cell, CellResult, draw_seeds
from workbench.evaluation.driver import Campaign
from workbench.evaluation.studies import Finding, Study, StudyOptions, compared, success_of

FOLLOWER: Final = "sketch"
CROWDED: Final = ("pick", "place_on_plate")
CROWD: Final = "distractors=1"
SCENES: Final = tuple((task, "") for task in AMBIGUOUS) + tuple((task, CROWD) for task in CROWDED)


def plan(options: StudyOptions) -> Campaign:
    """Return the cells: the VLA by words and by a drawn path, the way-point follower by a hand's sketch."""
    vla, seeds = options.policy or POLICY, draw_seeds(options.episodes, options.seed)
    told = ((vla, "words"), (vla, "trace:flat"), (FOLLOWER, "sketch:hand"))
    cells = tuple(Cell(policy, task, how, seeds, perturbation=change) for task, change in SCENES for policy, how in told)
    return Campaign("rovi-language", cells)


def conclude(results: Sequence[CellResult]) -> list[Finding]:
    """Return success of each way in each kind of scene, and what drawing changes on the same scenes."""
    found = []
    for kind, change in (("ambiguous", ""), ("crowded", CROWD)):
        here = [r for r in results if r.cell.perturbation == change]
        words, path, sketch = ([r for r in here if r.cell.prompt == how] for how in ("words", "trace:flat", "sketch:hand"))
        found += [
            success_of(f"{kind} scenes, words, {words[0].cell.policy}", words),
            success_of(f"{kind} scenes, drawn path, {path[0].cell.policy}", path),
            success_of(f"{kind} scenes, hand-drawn sketch, way-point follower", sketch),
            compared(f"{kind} scenes, drawn path less words, same policy and scenes", words, path),
            compared(f"{kind} scenes, sketch with follower less words with VLA, same scenes", words, sketch),
        ]
    return found


STUDY: Final = Study(
    "rovi-language",
    "Words against sketches",
    "Does drawing tell a robot what words do not: which of two equal things, and which thing in a crowd?",
    "Robotic Visual Instruction (arXiv:2505.00693) compares sketches with language in its own real and simulated scenes. Here: two scenes "
    "that are ambiguous in words, and two with four more things on the table; sketches come from a program that draws as a hand does, the "
    "drawn path of the VLA is the expert's, without depths.",
    plan,
    conclude,
)
