"""Compare: the same moment lived again without edits, with them, with random ones and with words instead, and what differs.

The robot is put back into one state of one episode, and into other scenes of the same task from their beginning; every arm starts from
the same states with the same random numbers. Everything that crosses to the process that runs them is plain data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from workbench.core.errors import InvalidInput, WorkbenchError
from workbench.core.types import EpisodeConfig, Prompt, SimState
from workbench.evaluation.steering_text import Source, parse_steering
from workbench.evaluation.worker import EpisodeTape
from workbench.simulation.manner import PLAIN
from workbench.steering.assets import Asset
from workbench.steering.comparison import Episode, compare_episodes, measure_path
from workbench.steering.dose import ArmKind, Difference, compare_paired, find_largest_dose

BASELINE: Final = "no edits"
STEERED: Final = "steered"
MAX_STARTS: Final = 200
MAX_RANDOM: Final = 20
FIRST_DOSE: Final = 0.25
LARGEST_DOSE: Final = 8.0
"""Of a sweep, as multiples of the strengths that are compared."""
QUANTITIES: Final[Mapping[str, str]] = {
    "height": "Mean height [m]",
    "speed": "Mean speed [m/s]",
    "velocity x": "Mean velocity away from the robot [m/s]",
    "velocity y": "Mean velocity to its left [m/s]",
    "velocity z": "Mean velocity upwards [m/s]",
}
"""What steering may be meant to change."""
OTHERS: Final[Mapping[str, str]] = {"success": "Solved", "jerk": "Jerk, 0 is smooth [m/s³]", "duration": "Duration [s]"}


@dataclass(frozen=True, eq=False)
class Start:
    """Where a run begins."""

    config: EpisodeConfig
    prompt: Prompt | None = None
    """What is told; None: the scene's own instruction."""
    state: SimState | None = None
    """None: the beginning of the configuration's episode."""
    parent_id: str = ""
    """Episode that the run branches from; empty for one of its own."""
    step: int = 0
    lead: tuple[SimState, ...] = ()
    """States that the policy is shown again first, without edits, so that it remembers what it remembered."""


@dataclass(frozen=True)
class CompareArm:
    """One way to act."""

    name: str
    kind: ArmKind | None = None
    """None: the baseline."""
    dose: float = 1.0
    """Factor of every strength."""
    draw: int | None = None
    """Which random counterpart of the edits is taken."""
    manner: str = PLAIN
    """Words that are said instead of edits."""


@dataclass(frozen=True, eq=False)
class CompareJob:
    """One run."""

    arm: CompareArm
    start: Start
    mix: Mapping[str, Any]
    """The edits, see :meth:`workbench.steering.mix.Mix.to_dict`; used by steered and random arms."""
    assets: Mapping[str, Asset]
    policy: str
    text: str = ""
    """Edits in words instead of a desk, see :mod:`workbench.evaluation.steering_text`."""
    session_id: str = ""
    limit_s: float | None = None
    """Longest time [s]; None for the task's own limit, which holds in any case."""


@dataclass(frozen=True, eq=False)
class RunOutcome:
    """What became of one run."""

    path: tuple[tuple[float, float, float], ...]
    """Where the end-effector was, at the start and after each step [m]."""
    is_success: bool
    action: tuple[float, ...]
    """The first action ``(7,)``."""
    tape: EpisodeTape
    assets: Mapping[str, Asset] = field(default_factory=dict)
    """What the edits of the run name."""
    note: str = ""
    """Why it ended early, if it did."""

    @property
    def episode(self) -> Episode:
        """What the table of a comparison needs."""
        return Episode(np.array(self.path), self.is_success)


@dataclass(frozen=True, eq=False)
class ComparePlan:
    """What is compared."""

    policy: str
    starts: tuple[Start, ...]
    mix: Mapping[str, Any]
    assets: Mapping[str, Asset] = field(default_factory=dict)
    text: str = ""
    """Edits in words instead of a desk, see :mod:`workbench.evaluation.steering_text`."""
    quantity: str = "height"
    """What the edits are meant to change, of :data:`QUANTITIES`."""
    num_random: int = 2
    manner: str = PLAIN
    """What the prompt-only arm says; :data:`PLAIN` leaves that arm out."""
    is_sweep: bool = False
    """Whether several doses are tried as well."""

    def __post_init__(self) -> None:
        if self.quantity not in QUANTITIES:
            raise InvalidInput("quantity to compare", expected=f"one of {', '.join(QUANTITIES)}", found=repr(self.quantity))
        if not 1 <= len(self.starts) <= MAX_STARTS or not 0 <= self.num_random <= MAX_RANDOM:
            expected = f"1 to {MAX_STARTS} starts and at most {MAX_RANDOM} random controls"
            raise InvalidInput("comparison", expected=expected, found=f"{len(self.starts)} and {self.num_random}")
        parts = parse_steering(self.text)
        if any(part.source is Source.RECONSTRUCT for part in parts):
            raise InvalidInput("edits to compare", expected="edits with a random counterpart", found=repr(self.text))
        if not parts and not self.mix.get("slots"):
            fix = "Put an edit on the desk, or write one, for example neurons:up=4."
            raise InvalidInput("edits to compare", expected="at least one", found="none", fix=fix)

    def arms(self) -> tuple[CompareArm, ...]:
        """Return the arms at full strength, the baseline first."""
        randoms = [CompareArm(f"random {i}", ArmKind.RANDOM, draw=i) for i in range(1, self.num_random + 1)]
        words = [CompareArm(f"words: {self.manner}", ArmKind.PROMPT, manner=self.manner)] if self.manner != PLAIN else []
        return (CompareArm(BASELINE), CompareArm(STEERED, ArmKind.STEERED), *randoms, *words)


@dataclass(frozen=True, eq=False)
class SweepPoint:
    """The steered arm, or a random one, at one dose."""

    dose: float
    kind: ArmKind
    change: Difference
    """Of the quantity, paths cut to the shorter of each pair."""
    success: Difference


@dataclass(frozen=True, eq=False)
class CompareResult:
    """Everything that a comparison came to."""

    plan: ComparePlan
    runs: Mapping[str, tuple[RunOutcome, ...]]
    """By arm, in the order of the starts."""
    table: Mapping[str, Mapping[str, Difference]]
    """By arm but the baseline, then by quantity; those on paths of equal length end in " (equal length)"."""
    sweep: tuple[SweepPoint, ...] = ()


class Cancelled(WorkbenchError):
    """A comparison was stopped by who asked for it."""


Run = Callable[[CompareJob], RunOutcome]
"""Runs one job somewhere and waits for it; raises when the comparison was cancelled."""


def compare(
    plan: ComparePlan, run: Run, *, session_id: str = "", progress: Callable[[float, str], None] = lambda share, text: None
) -> CompareResult:
    """Run every arm from every start, then the sweep, and compare pair by pair.

    Args:
        plan: what to compare.
        run: runs one job.
        session_id: of the episodes that are recorded.
        progress: told the share that is done and what comes next.
    """
    arms, runs = plan.arms(), {}
    share = 0.5 if plan.is_sweep else 1.0
    for i, arm in enumerate(arms):
        outcomes = []
        for j, start in enumerate(plan.starts):
            progress(share * (i + j / len(plan.starts)) / len(arms), f"{arm.name}, start {j + 1} of {len(plan.starts)}")
            outcomes.append(run(_job(plan, arm, start, session_id)))
        runs[arm.name] = tuple(outcomes)
    table = table_of(plan, runs)
    sweep = _sweep(plan, run, runs, progress, session_id) if plan.is_sweep else ()
    return CompareResult(plan, runs, table, sweep)


def table_of(plan: ComparePlan, runs: Mapping[str, Sequence[RunOutcome]]) -> dict[str, dict[str, Difference]]:
    """Return each arm's paired comparison with the baseline; a start from which an arm could not run a step is left out of all."""
    usable = [i for i in range(len(plan.starts)) if all(len(outcomes[i].path) > 1 for outcomes in runs.values())]
    if not usable:
        raise InvalidInput("comparison", expected="runs of at least one step", found="none", fix=next(o.note for o in runs[STEERED]))
    episodes = {name: [outcomes[i].episode for i in usable] for name, outcomes in runs.items()}
    baseline = episodes.pop(BASELINE)
    rate = plan.starts[0].config.control_hz
    return compare_episodes(baseline, episodes, rate_hz=rate, rng=np.random.default_rng(0))


def tell_difference(found: Difference, unit: str = "") -> str:
    """Return one line: the change, its interval, the test, the sample size; what is not clear is called no effect."""
    unit = f" {unit}" if unit else ""
    if not found.n:
        return "not measured"
    if found.n == 1:
        return f"{found.change:+.3g}{unit}, one start: no interval"
    line = f"{found.change:+.3g}{unit}, 95 % interval {found.low:+.3g} to {found.high:+.3g}, p = {found.p_value:.2g}, n = {found.n}"
    return line if found.is_clear else f"no effect found ({line})"


def _job(plan: ComparePlan, arm: CompareArm, start: Start, session_id: str) -> CompareJob:
    return CompareJob(arm, start, plan.mix, plan.assets, plan.policy, plan.text, session_id)


def _sweep(
    plan: ComparePlan,
    run: Run,
    known: Mapping[str, Sequence[RunOutcome]],
    progress: Callable[[float, str], None],
    session_id: str,
) -> tuple[SweepPoint, ...]:
    """Try growing doses of the edits and of one random counterpart, until success falls below 85 % of the baseline's."""
    found: dict[tuple[ArmKind, float], list[RunOutcome]] = {(ArmKind.STEERED, 1.0): list(known[STEERED])}
    if plan.num_random:
        found[ArmKind.RANDOM, 1.0] = list(known["random 1"])
    num_doses = 1 + int(np.log2(LARGEST_DOSE / FIRST_DOSE))

    def outcomes(kind: ArmKind, dose: float) -> list[RunOutcome]:
        if (kind, dose) not in found:
            progress(0.5 + 0.5 * len(found) / (2 * num_doses + 1), f"dose {dose:g}, {kind.value}")
            draw = 1 if kind is ArmKind.RANDOM else None
            arm = CompareArm(f"{kind.value} x {dose:g}", kind, dose, draw)
            found[kind, dose] = [run(_job(plan, arm, start, session_id)) for start in plan.starts]
        return found[kind, dose]

    def guarded(dose: float, index: int) -> Mapping[str, float]:
        side = known[BASELINE] if dose == 0 else outcomes(ArmKind.STEERED, dose)
        return {"success": float(side[index].is_success)}

    doses = find_largest_dose(guarded, range(len(plan.starts)), start=FIRST_DOSE, limit=LARGEST_DOSE)
    kinds = [ArmKind.STEERED, *([ArmKind.RANDOM] if plan.num_random else [])]
    return tuple(_point(plan, kind, dose, outcomes(kind, dose), known[BASELINE]) for kind in kinds for dose in doses if dose)


def _point(plan: ComparePlan, kind: ArmKind, dose: float, arm: Sequence[RunOutcome], baseline: Sequence[RunOutcome]) -> SweepPoint:
    rng, rate = np.random.default_rng(0), plan.starts[0].config.control_hz
    pairs = [(np.array(a.path), np.array(b.path)) for a, b in zip(arm, baseline, strict=True) if min(len(a.path), len(b.path)) > 1]
    cut = [(a[: len(b)], b[: len(a)]) for a, b in pairs]
    values = [[measure_path(path, rate)[plan.quantity] for path in side] for side in zip(*cut, strict=True)] or [[], []]
    solved = [[float(o.is_success) for o in side] for side in (arm, baseline)]
    return SweepPoint(dose, kind, compare_paired(values[0], values[1], rng), compare_paired(solved[0], solved[1], rng))


def other_scenes(start: Start, count: int) -> tuple[Start, ...]:
    """Return further starts: other scenes of the same task, from their beginning, told their own instruction."""
    seeds = range(start.config.seed + 1, start.config.seed + 1 + count)
    return tuple(Start(replace(start.config, seed=seed, instruction="")) for seed in seeds)
