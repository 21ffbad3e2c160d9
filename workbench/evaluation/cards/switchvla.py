"""The card ``switchvla``: another instruction comes before, during or at the end of a first one, with the modes and without."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from workbench.evaluation.bench_vla import POLICY
from workbench.evaluation.campaign import Cell, CellResult, draw_seeds
from workbench.evaluation.driver import Campaign
from workbench.evaluation.settings import SWITCHES
from workbench.evaluation.studies import Finding, Study, StudyOptions, compared, mean_of, success_of

TASKS: Final = ("place_on_plate", "place_in_bowl")
MODES: Final = "modes"
PUBLISHED: Final = {"": 0.93, "early": 0.935, "mid": 0.509, "late": 0.687}
"""Success of SwitchVLA on LIBERO-Goal; OpenVLA-OFT: 98.0, 40.6, 11.1, 13.0 %."""


def setting_of(switch: str, *, has_modes: bool) -> str:
    """Return the setting of one condition."""
    return ",".join([f"switch={switch}"] * bool(switch) + [MODES] * has_modes)


def plan(options: StudyOptions) -> Campaign:
    """Return the cells: each moment of the switch, and none, with the modes and without."""
    policy, seeds = options.policy or POLICY, draw_seeds(options.episodes, options.seed)
    settings = [setting_of(switch, has_modes=has) for switch in ("", *SWITCHES) for has in (False, True)]
    return Campaign("switchvla", tuple(Cell(policy, task, "words", seeds, setting=setting) for setting in settings for task in TASKS))


def conclude(results: Sequence[CellResult]) -> list[Finding]:
    """Return success of each condition, what the modes change, and what became of the first thing."""
    found: list[Finding | None] = []
    for switch in ("", *SWITCHES):
        title = f"switch {switch}" if switch else "no switch"
        bare, led = ([r for r in results if r.cell.setting == setting_of(switch, has_modes=has)] for has in (False, True))
        found += [success_of(f"{title}, just told", bare), success_of(f"{title}, with the modes", led, PUBLISHED[switch])]
        found.append(compared(f"{title}: with the modes less just told, same scenes", bare, led))
        if switch:
            for name, cells in (("just told", bare), ("with the modes", led)):
                found.append(mean_of(f"{title}, {name}: the first thing is back where it stood", cells, "undone", unit="%"))
                found.append(mean_of(f"{title}, {name}: time from the switch to the end", cells, "after_switch_s", unit="s"))
    return [f for f in found if f is not None]


STUDY: Final = Study(
    "switchvla",
    "Another instruction in the middle of the first",
    "When the instruction changes before, during or at the end of another task, does undoing first help over just telling the policy?",
    "SwitchVLA (arXiv:2506.03574) reports 93.0, 93.5, 50.9 and 68.7 % for no, early, mid and late switches on LIBERO-Goal, OpenVLA-OFT 98.0, "
    "40.6, 11.1 and 13.0 %. Its network is trained to roll back and to advance; ours is a state machine beside an unchanged policy: contact is "
    "read from the simulator, the way back is what was driven, played backwards. A first cube is told to go elsewhere, then the task's own; "
    "early: half of the way to it; mid: lifted by 3 cm; late: within 6 cm over its goal. The time to do the second starts with the switch.",
    plan,
    conclude,
)
