"""When and where an edit acts: token group, layers, forward passes, time window, and a gate on a measured quantity."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from workbench.core.anatomy import ALL_TOKENS, Span, Stack
from workbench.core.errors import InvalidInput

_COMPARE: Final = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


@dataclass(frozen=True)
class Moment:
    """What gates and time windows look at: the episode at the call of the policy."""

    step: int = 0
    time_s: float = 0.0
    quantities: Mapping[str, float] = field(default_factory=dict)
    """For example ``gripper`` 0..1, ``height`` [m], ``speed`` [m/s], ``alarm`` 0 or 1."""


@dataclass(frozen=True)
class Gate:
    """A condition on one measured quantity, for example ``gripper > 0.5``."""

    quantity: str
    compare: str
    """One of ``<``, ``<=``, ``>``, ``>=``."""
    bound: float

    def __post_init__(self) -> None:
        if self.compare not in _COMPARE:
            raise InvalidInput("comparison of a gate", expected=f"one of {', '.join(_COMPARE)}", found=repr(self.compare))

    def is_open(self, moment: Moment) -> bool:
        """Tell whether the condition holds; a quantity that is not measured keeps the gate shut."""
        value = moment.quantities.get(self.quantity)
        return value is not None and bool(_COMPARE[self.compare](value, self.bound))


@dataclass(frozen=True)
class Scope:
    """Where and when an edit acts; the default is always and everywhere."""

    tokens: str = ALL_TOKENS
    """``all``, ``last`` or a token group of the stack."""
    first_pass: int = 0
    """First forward pass of a policy call: 0 is the prefill; decoded tokens and denoising steps count on."""
    last_pass: int | None = None
    start_s: float = 0.0
    stop_s: float | None = None
    """Time window of the episode [s]; the stop is outside."""
    gate: Gate | None = None

    def is_active(self, moment: Moment) -> bool:
        """Tell whether the edit acts in this call of the policy."""
        is_in_time = self.start_s <= moment.time_s and (self.stop_s is None or moment.time_s < self.stop_s)
        return is_in_time and (self.gate is None or self.gate.is_open(moment))

    def has_pass(self, index: int) -> bool:
        """Tell whether the edit acts in this forward pass of the call."""
        return self.first_pass <= index and (self.last_pass is None or index <= self.last_pass)


def spans_in(stack: Stack, tokens: str, num_tokens: int, index: int) -> tuple[Span, ...]:
    """Return the positions of a token group in one forward pass, within ``0..num_tokens``.

    A later pass of a single token, as in token-by-token decoding, holds the newest action token alone: it is ``all``, ``last`` and
    ``action``, and nothing else.

    Raises:
        UnknownName: the stack has no such group, which a stack that decodes token by token need not name ``action``.
    """
    if index > 0 and num_tokens == 1:
        return (Span(0, 1),) if tokens in (ALL_TOKENS, "last", "action") else ()
    spans = []
    for start, stop in stack.group(tokens):
        begin = max(0, num_tokens + start) if start < 0 else start
        end = num_tokens if stop is None else min(stop, num_tokens)
        if begin < end:
            spans.append(Span(begin, end))
    return tuple(spans)
