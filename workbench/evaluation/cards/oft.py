"""The card ``oft``: all action tokens of a chunk decoded in one pass, against one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from workbench.evaluation.bench_vla import POLICY
from workbench.evaluation.campaign import Cell, CellResult, draw_seeds
from workbench.evaluation.driver import Campaign
from workbench.evaluation.settings import BY_TOKEN, PARALLEL
from workbench.evaluation.statistics import MeanInterval, mean_interval, ratio_interval
from workbench.evaluation.studies import Finding, Study, StudyOptions, compared, mean_of, success_of

TASKS: Final = ("pick", "place_on_plate")


def plan(options: StudyOptions) -> Campaign:
    """Return the cells."""
    policy, seeds = options.policy or POLICY, draw_seeds(options.episodes, options.seed)
    cells = tuple(Cell(policy, task, "words", seeds, setting=f"decoding={how}") for how in (PARALLEL, BY_TOKEN) for task in TASKS)
    return Campaign("oft", cells)


def conclude(results: Sequence[CellResult]) -> list[Finding]:
    """Return success, time of a call and agreement."""
    ways = {how: [r for r in results if r.cell.setting == f"decoding={how}"] for how in (PARALLEL, BY_TOKEN)}
    times = {how: [t.policy_ms for r in cells for t in r.trials] for how, cells in ways.items()}
    agreement = mean_of("tokens on which both agree, in the same states", ways[BY_TOKEN], "agreement", unit="%")
    return [
        *(success_of(f"success, {how}", cells) for how, cells in ways.items()),
        compared("success, token by token less parallel, same seeds", ways[PARALLEL], ways[BY_TOKEN]),
        *(_timed(f"policy call, {how}", mean_interval(values), "ms") for how, values in times.items()),
        _timed("policy call, token by token / parallel", ratio_interval(times[PARALLEL], times[BY_TOKEN]), ""),
        *([agreement] if agreement else []),
    ]


def _timed(name: str, found: MeanInterval, unit: str) -> Finding:
    return Finding(name, found.mean, found.low, found.high, found.n, unit)


STUDY: Final = Study(
    "oft",
    "All tokens at once",
    "What does decoding a chunk in one pass cost in success, and what does it gain in speed?",
    "OpenVLA-OFT (arXiv:2502.19645) decodes all action tokens of a chunk in parallel, many times faster than token by token, without loss of "
    "success. Here the same network decodes both ways: in one pass, or each token in a pass of its own that is given the tokens before it. "
    "OpenVLA-OFT trained a network for each way; ours was trained for one pass alone and never saw an action token as an input, so token by "
    "token shows what the other way costs, and how far a network that was not trained for it stays with its own answer.",
    plan,
    conclude,
)
