"""The study ``bench-vla``: what the model card of our own policy claims, measured.

The ten tasks told in words; the same by masks and by traces without any words, where these can express them; ambiguous scenes, which
words do not resolve; words for manners against what is then driven; the predicted trace against what is then driven.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from workbench.evaluation.campaign import Cell, CellResult, draw_seeds
from workbench.evaluation.driver import Campaign
from workbench.evaluation.planned import TRACE_TASKS
from workbench.evaluation.pointing import MASK_TASKS
from workbench.evaluation.studies import Finding, Study, StudyOptions, mean_of, paired_of, success_of

POLICY: Final = "bench-vla"
TARGETS: Final[Mapping[str, float]] = {
    "touch": 0.95,
    "push_to_zone": 0.95,
    "pick": 0.95,
    "place_on_plate": 0.90,
    "place_in_bowl": 0.90,
    "press_button": 0.90,
    "open_drawer": 0.90,
    "close_drawer": 0.90,
    "turn_knob": 0.80,
    "stack": 0.80,
}
"""The ten tasks, and the share of episodes that words shall solve."""
WORDLESS_TARGET: Final = 0.90
AMBIGUOUS: Final = ("ambiguous_cubes", "ambiguous_plates")
CHANCE: Final = 0.5
MANNER_TASK: Final = "place_on_plate"
MIN_SPEED_RATIO: Final = 1.5
MIN_HEIGHT_GAP: Final = 0.04
"""[m]"""
MAX_TRACE_PX: Final = 12.0


def plan(options: StudyOptions) -> Campaign:
    """Return the cells."""
    policy, seeds = options.policy or POLICY, draw_seeds(options.episodes, options.seed)
    told = [(task, "words") for task in TARGETS]
    told += [(task, "mask") for task in MASK_TASKS if task in TARGETS]
    told += [(task, "trace") for task in TRACE_TASKS if task in TARGETS]
    told += [(task, telling) for task in AMBIGUOUS for telling in ("words", "mask", "trace")]
    told += [(MANNER_TASK, f"words:{manner}") for manner in ("slow", "quick", "low", "high")]
    return Campaign("bench-vla", tuple(Cell(policy, task, telling, seeds) for task, telling in told))


def conclude(results: Sequence[CellResult]) -> list[Finding]:
    """Return the figures of the model card."""
    cells = {(r.cell.task, r.cell.prompt): r for r in results}
    found = [success_of(f"{task} by words", [cells[task, "words"]], target) for task, target in TARGETS.items()]
    for telling in ("mask", "trace"):
        found += [
            success_of(f"{task} by {telling} without words", [cells[task, telling]], WORDLESS_TARGET)
            for task in TARGETS
            if (task, telling) in cells
        ]
    for task in AMBIGUOUS:
        found.append(success_of(f"{task} by words alone", [cells[task, "words"]], CHANCE, "around"))
        found += [success_of(f"{task} by {telling}", [cells[task, telling]], WORDLESS_TARGET) for telling in ("mask", "trace")]
    slow, quick, low, high = (cells[MANNER_TASK, f"words:{manner}"] for manner in ("slow", "quick", "low", "high"))
    by_words = [r for r in results if r.cell.prompt == "words"]
    measured = [
        paired_of("speed, quickly / slowly", slow, quick, "mean_speed", kind="ratio", unit="", target=MIN_SPEED_RATIO),
        paired_of("clearance, high less low", low, high, "clearance", kind="difference", unit="m", target=MIN_HEIGHT_GAP),
        mean_of("predicted trace to driven path", by_words, "trace_px", unit="px of 256", target=MAX_TRACE_PX, goal="at most"),
    ]
    return found + [f for f in measured if f is not None]


STUDY: Final = Study(
    "bench-vla",
    "What the bench VLA does",
    "How often does our own policy do what it is told, by words, by masks and by traces, and does it do it in the manner that it is told?",
    "Held-out seeds from 1,000,000 on; the demonstrations of its training have seeds below.",
    plan,
    conclude,
)
