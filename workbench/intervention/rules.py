"""Rules of a person that say when the robot asks before it acts.

The idea of stopping at sensitive steps to ask the user is MobileAgent's (arXiv:2401.04124), asking only when confidence is low is
Mobile-Aptus' (arXiv:2605.28629). A question stops the motion before the step that it is about; without an answer nothing moves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import InvalidInput
from workbench.core.events import new_id

TIMEOUT_S: Final = 20.0
"""A question that nobody answers for so long is withdrawn; the robot stays paused."""
MAX_RULES: Final = 20
_AXES: Final = ("x", "y", "z")


class RuleKind(StrEnum):
    """What a rule looks at."""

    REGION = "region"
    """The hand is about to enter a box, or is in it."""
    OBJECT = "object"
    """The hand is about to come near a thing."""
    SPEED = "speed"
    """The hand is about to move faster than a speed."""
    CONFIDENCE = "confidence"
    """The policy is less sure of its action than a probability."""


@dataclass(frozen=True)
class Situation:
    """The step that is about to be taken."""

    position: NDArray[np.float64]
    """``(3,)``: where the hand will be, in the base frame [m]."""
    speed: float
    """Of the hand in this step [m/s]."""
    confidence: float | None
    """Mean probability of the chosen bins, 0..1; None when the policy does not tell."""
    places: Mapping[str, NDArray[np.float64]]
    """Name of each thing -> ``(3,)`` position [m]."""


@dataclass(frozen=True)
class Rule:
    """One rule. ``low`` and ``high`` belong to a region, ``thing`` to an object; ``limit`` is a distance [m], a speed [m/s] or a probability."""

    kind: RuleKind
    limit: float = 0.0
    low: tuple[float, float, float] = (-9.0, -9.0, -9.0)
    high: tuple[float, float, float] = (9.0, 9.0, 9.0)
    thing: str = ""

    def reason(self, situation: Situation) -> str:
        """Return why this step needs a yes, or nothing."""
        if self.kind is RuleKind.REGION:
            is_inside = bool(np.all(situation.position >= self.low) and np.all(situation.position <= self.high))
            return f"The hand enters the region {self.region_in_words()}." if is_inside else ""
        if self.kind is RuleKind.OBJECT:
            place = situation.places.get(self.thing)
            distance = float("inf") if place is None else float(np.linalg.norm(situation.position - place))
            return f"The hand comes within {self.limit * 100:.0f} cm of the {self.thing}." if distance < self.limit else ""
        if self.kind is RuleKind.SPEED:
            return f"The hand would move at {situation.speed:.2f} m/s." if situation.speed > self.limit else ""
        if situation.confidence is None or situation.confidence >= self.limit:
            return ""
        return f"The policy is only {situation.confidence:.0%} sure of this action."

    def region_in_words(self) -> str:
        """Return the bounds that matter."""
        parts = []
        for axis, low, high in zip(_AXES, self.low, self.high, strict=True):
            if low > -9.0 or high < 9.0:
                parts.append(
                    f"{axis} {f'from {low:.2f}' if low > -9.0 else ''}{' ' if low > -9.0 and high < 9.0 else ''}{f'to {high:.2f}' if high < 9.0 else ''} m"
                )
        return ", ".join(parts) or "of the whole table"

    def in_words(self) -> str:
        """Return the rule as a person reads it."""
        return {
            RuleKind.REGION: f"Ask before the hand enters {self.region_in_words()}",
            RuleKind.OBJECT: f"Ask before the hand comes within {self.limit * 100:.0f} cm of the {self.thing}",
            RuleKind.SPEED: f"Ask before the hand moves faster than {self.limit:.2f} m/s",
            RuleKind.CONFIDENCE: f"Ask before an action of which the policy is less than {self.limit:.0%} sure",
        }[self.kind]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values; :func:`parse_rule` reads them."""
        return {"kind": self.kind.value, "limit": self.limit, "low": list(self.low), "high": list(self.high), "thing": self.thing}


def parse_rule(data: Mapping[str, Any]) -> Rule:
    """Read a rule.

    Raises:
        InvalidInput: it does not follow its format; the message says what does.
    """
    try:
        kind = RuleKind(str(data.get("kind")))
        low, high = (_corner(data.get(name), bound) for name, bound in (("low", -9.0), ("high", 9.0)))
        rule = Rule(kind, float(data.get("limit", 0.0)), low, high, str(data.get("thing", ""))[:80])
    except (ValueError, TypeError) as error:
        raise InvalidInput("rule", expected=f"a kind of {[k.value for k in RuleKind]} and finite numbers", found=str(error)[:80]) from error
    if kind is RuleKind.REGION and not all(a < b for a, b in zip(low, high, strict=True)):
        raise InvalidInput("rule, region", expected="each lower bound below its upper one", found=f"{low} and {high}")
    if kind is not RuleKind.REGION and not 0.0 < rule.limit < 10.0:
        raise InvalidInput("rule, limit", expected="a number above 0", found=str(rule.limit))
    if kind is RuleKind.OBJECT and not rule.thing:
        raise InvalidInput("rule, thing", expected="the name of a thing on the table", found="none")
    return rule


def _corner(values: Any, default: float) -> tuple[float, float, float]:
    numbers = [default if v is None or v == "" else float(v) for v in (values or (None,) * 3)]
    if len(numbers) != 3 or not np.isfinite(numbers).all():
        raise ValueError(f"a corner of {len(numbers)} numbers")
    return (numbers[0], numbers[1], numbers[2])


@dataclass(frozen=True)
class Question:
    """What the robot asks before a step."""

    id: str
    text: str
    rule: int
    """Which rule asks, counted from 0."""
    asked_at: float
    """By the clock of the rollout [s]."""


class Gate:
    """Holds the rules of one rollout and the answers given; used by the stepping thread, rules set by any."""

    def __init__(self) -> None:
        self.rules: tuple[Rule, ...] = ()
        self.question: Question | None = None
        self._granted: frozenset[int] = frozenset()

    def set_rules(self, rules: Sequence[Rule]) -> None:
        """Replace all rules.

        Raises:
            InvalidInput: there are too many.
        """
        if len(rules) > MAX_RULES:
            raise InvalidInput("rules", expected=f"at most {MAX_RULES}", found=str(len(rules)))
        self.rules, self._granted, self.question = tuple(rules), frozenset(), None

    def restart(self) -> None:
        """Forget answers: another episode begins."""
        self._granted, self.question = frozenset(), None

    @property
    def needs_places(self) -> bool:
        """Whether a rule asks where things are."""
        return any(rule.kind is RuleKind.OBJECT for rule in self.rules)

    def check(self, situation: Situation, now_s: float) -> Question | None:
        """Return the question that has to be answered before this step, or None.

        A yes holds until its rule applies no more; when it applies again later, the robot asks again.
        """
        reasons = {i: reason for i, rule in enumerate(self.rules) if (reason := rule.reason(situation))}
        self._granted &= frozenset(reasons)
        asking = next((i for i in reasons if i not in self._granted), None)
        self.question = None if asking is None else Question(new_id(), reasons[asking], asking, now_s)
        return self.question

    def answer(self, is_allowed: bool) -> Question | None:
        """Answer the open question and return it; None when there is none."""
        question, self.question = self.question, None
        if question is not None and is_allowed:
            self._granted |= {question.rule}
        return question
