"""How a policy's chunks are executed in a trial, and when it ends, written as parts joined by commas: ``horizon=4``, ``held``, ``decoding=token``.

How answers are weighed and chunks put together: see :mod:`workbench.evaluation.weighing`.
``until=done`` lets a trial go on until the policy says that it is done; ``limit=5`` ends it after five seconds at the latest; ``watch=actions`` measures which
things take part. ``goals=verify+recover`` takes the instruction apart and follows its sub-goals, ``goals=bare`` without looking whether they
are done, ``goals=whole`` tells it as it stands; ``switch=mid`` tells something else at first, ``modes`` takes a change up by its mode.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from workbench.core.errors import InvalidInput, UnknownName
from workbench.evaluation.weighing import CANDIDATE_PARTS, CANDIDATES, CHUNK_PARTS, parse_candidates, parse_handling
from workbench.rollout.candidates import CandidateSettings
from workbench.rollout.chunking import ChunkHandling

PARALLEL: Final = "parallel"
BY_TOKEN: Final = "token"
_DECODINGS: Final = (PARALLEL, BY_TOKEN)
DONE: Final = "done"
ACTIONS: Final = "actions"
FAILURE: Final = "failure"
WHOLE: Final = "whole"
BARE_PLAN: Final = "bare"
GOALS: Final = (WHOLE, BARE_PLAN, "verify", "verify+recover")
EARLY: Final = "early"
MID: Final = "mid"
LATE: Final = "late"
SWITCHES: Final = (EARLY, MID, LATE)
_PARTS: Final = ("horizon", "held", "decoding", "until", "limit", "watch", "goals", "switch", "modes", *CANDIDATE_PARTS, *CHUNK_PARTS)
MAX_HORIZON: Final = 1000


@dataclass(frozen=True)
class Setting:
    """How chunks are made and executed."""

    horizon: int | None = None
    """Actions of each chunk that are executed before the policy is asked again; None for what it asks for."""
    is_held: bool = False
    """Execute the first action of each chunk again and again instead of the chunk: what a policy without chunks would do."""
    decoding: str = ""
    """``parallel`` or ``token``; empty for the policy's own."""
    is_until_done: bool = False
    """Whether it ends when the policy says that it is done, solved or not, instead of when the task is first solved."""
    limit_s: float | None = None
    """Longest time [s]; None for the task's own limit, which holds in any case."""
    watched: str = ""
    """What is measured besides: ``actions``, see :mod:`workbench.evaluation.action_meter`, ``candidates``, or ``failure``: what detectors say."""
    candidates: CandidateSettings | None = None
    """Which answers of the policy are weighed; None for none but its own."""
    handling: ChunkHandling = ChunkHandling()  # noqa: RUF009 - frozen
    """How chunks are put together."""
    goals: str = ""
    """How an instruction of several steps is followed, one of :data:`GOALS`; empty: the task's own measure judges."""
    switch: str = ""
    """When the task's own instruction takes the place of another, one of :data:`SWITCHES`; empty: it is told from the start."""
    has_modes: bool = False
    """Whether a pilot takes up a change of the instruction, see :mod:`workbench.planning.switching`."""

    @property
    def is_piloted(self) -> bool:
        """Whether :mod:`workbench.evaluation.piloted` has a part in the trial."""
        return bool(self.goals or self.switch or self.has_modes)


def parse_setting(text: str) -> Setting:
    """Read a setting; an empty text changes nothing.

    Raises:
        UnknownName: a part is not known.
        InvalidInput: its value is not of its form.
    """
    parts = dict(part.strip().partition("=")[::2] for part in text.split(",") if part.strip())
    for name in parts:
        if name not in _PARTS:
            raise UnknownName("setting", name, _PARTS)
    horizon = parts.get("horizon")
    if horizon is not None and not (horizon.isascii() and horizon.isdigit() and 1 <= int(horizon) <= MAX_HORIZON):
        raise InvalidInput("setting horizon", expected=f"a whole number from 1 to {MAX_HORIZON}", found=repr(horizon))
    for flag in ("held", "modes"):
        if parts.get(flag):
            raise InvalidInput(f"setting {flag}", expected="no value", found=repr(parts[flag]))
    for name, known in (("goals", GOALS), ("switch", SWITCHES)):
        if name in parts and parts[name] not in known:
            raise UnknownName(f"setting {name}", parts[name], known)
    decoding = parts.get("decoding", "")
    if "decoding" in parts and decoding not in _DECODINGS:
        raise UnknownName("decoding", decoding, _DECODINGS)
    if "until" in parts and parts["until"] != DONE:
        raise UnknownName("setting until", parts["until"], (DONE,))
    if "watch" in parts and parts["watch"] not in (ACTIONS, CANDIDATES, FAILURE):
        raise UnknownName("setting watch", parts["watch"], (ACTIONS, CANDIDATES, FAILURE))
    steps, watched = int(horizon) if horizon is not None else None, parts.get("watch", "")
    setting = Setting(steps, "held" in parts, decoding, "until" in parts, _seconds(parts.get("limit")), watched)
    setting = replace(setting, candidates=parse_candidates(parts), handling=parse_handling(parts, steps))
    return replace(setting, goals=parts.get("goals", ""), switch=parts.get("switch", ""), has_modes="modes" in parts)


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    if not re.fullmatch(r"\d+(\.\d+)?", text) or float(text) <= 0:
        raise InvalidInput("setting limit", expected="a positive number of seconds", found=repr(text))
    return float(text)
