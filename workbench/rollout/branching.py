"""What a branch starts with: who was told what at a step of an episode, and what its policy has to see again to continue exactly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from workbench.core.events import EpisodeStart, Event, EventKind, new_id
from workbench.core.types import EpisodeConfig, Prompt, SimState
from workbench.rollout.prompts import TRACKED, parse_interaction, parse_mask, parse_trace
from workbench.rollout.steering_marks import NO_ASSETS, SteeringMark, marks_since
from workbench.sketch.plan import parse_plan
from workbench.sketch.strokes import parse_sketch
from workbench.steering.assets import Library

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
    steering: Sequence[SteeringMark] = ()
    """The edits that were in force during the lead, and are in the end."""
    assets: Library = NO_ASSETS
    """What those edits name, unless the rollout knows it already."""


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
    steering: tuple[SteeringMark, ...] = ()
    """The edits that were in force from ``lead_start`` on."""


def standing_at(events: Iterable[Event], step: int, *, instruction: str, policy: str) -> Standing:
    """Read from an episode's events what was in force before ``step``.

    Args:
        events: of the episode, in order.
        step: of the episode; what happened before this step counts, also at the very moment.
        instruction: what the episode began with.
        policy: who drove at the beginning.

    Raises:
        InvalidInput: a stored sketch, plan, trace, mask or steering does not follow its format.
    """
    events = [event for event in events if event.step <= step]
    last: dict[EventKind, Mapping[str, Any]] = {}
    lead_start, is_inherited = 0, True
    for event in events:
        if event.kind in _TOLD and event.payload.get(TRACKED):
            last[event.kind] = event.payload
        elif event.kind in _TOLD:
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
    marks = marks_since([event for event in events if event.kind is EventKind.STEERING], lead_start)
    return Standing(prompt, str(last.get(EventKind.POLICY, {}).get("policy", policy)), lead_start, is_inherited, marks)


def head_of(config: EpisodeConfig, prompt: Prompt, policy: str, *, session_id: str, lineage: Lineage | None) -> EpisodeStart:
    """Return the head of a new episode, or of a new branch."""
    return EpisodeStart(
        new_id(),
        session_id,
        config.to_dict(),
        prompt.text,
        policy,
        parent_id=lineage.parent_id if lineage else None,
        branch_step=lineage.step if lineage else None,
        start_state=lineage.state.to_bytes() if lineage else None,
    )
