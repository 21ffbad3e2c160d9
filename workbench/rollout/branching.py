"""What a branch starts with: who was told what at a step of an episode, and what its policy has to see again to continue exactly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from workbench.core.events import Event, EventKind
from workbench.core.types import Prompt, SimState
from workbench.rollout.prompts import parse_interaction, parse_mask, parse_trace
from workbench.sketch.plan import parse_plan
from workbench.sketch.strokes import parse_sketch

MAX_LEAD: Final = 2_000
"""Steps that a policy is shown again at most; beyond that it starts afresh."""
_TOLD: Final = frozenset({EventKind.INSTRUCTION, EventKind.SKETCH, EventKind.PLAN, EventKind.TRACE, EventKind.MASK, EventKind.POLICY})


class Lineage(NamedTuple):
    """Where a branch comes from."""

    state: SimState
    parent_id: str
    step: int
    lead: Sequence[SimState] = ()
    """States before the parent's steps since its prompt and policy were last set; the policy is shown them again."""


@dataclass(frozen=True, eq=False)
class Standing:
    """What was in force before a step."""

    prompt: Prompt
    """Everything that was told."""
    policy: str
    lead_start: int
    """The step before which prompt or policy were last changed: from here on a fresh policy can follow what the old one saw."""
    is_inherited: bool
    """Whether they are those that the episode began with, so that a branch also inherits what its parent's policy had seen."""


def standing_at(events: Iterable[Event], step: int, *, instruction: str, policy: str) -> Standing:
    """Read from an episode's events what was in force before ``step``.

    Args:
        events: of the episode, in order.
        step: of the episode; what happened before this step counts, also at the very moment.
        instruction: what the episode began with.
        policy: who drove at the beginning.

    Raises:
        InvalidInput: a stored sketch, plan, trace or mask does not follow its format.
    """
    last: dict[EventKind, Mapping[str, Any]] = {}
    lead_start, is_inherited = 0, True
    for event in events:
        if event.kind in _TOLD and event.step <= step:
            # An episode announces each part of its first prompt once; whatever comes again, or later, was changed.
            is_inherited &= event.step == 0 and event.kind not in last and event.kind is not EventKind.POLICY
            last[event.kind] = event.payload
            lead_start = event.step
    sketch = last.get(EventKind.SKETCH, {}).get("sketch")
    plan = last.get(EventKind.PLAN, {}).get("plan")
    trace = last.get(EventKind.TRACE, {}).get("trace")
    masked = last.get(EventKind.MASK, {})
    prompt = Prompt(
        text=str(last.get(EventKind.INSTRUCTION, {}).get("text", instruction)),
        sketch=parse_sketch(sketch) if sketch else None,
        plan=parse_plan(plan) if plan else None,
        trace=parse_trace(trace) if trace else None,
        mask=parse_mask(masked["mask"]) if masked.get("mask") else None,
        interaction=parse_interaction(masked.get("interaction")),
    )
    return Standing(prompt, str(last.get(EventKind.POLICY, {}).get("policy", policy)), lead_start, is_inherited)
