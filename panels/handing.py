"""Handing a drawing to a policy that follows traces, in place of the way point follower."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from panels.loading import announce
from workbench.core.errors import InvalidInput
from workbench.rollout.tracing import trace_of_step

if TYPE_CHECKING:
    from panels.live import LiveSession

TRACER: Final = "bench-vla"
"""The policy that follows traces."""


def hand_trace(session: LiveSession, step: int) -> dict[str, Any]:
    """Let the bench VLA do one step of the drawing, without words, and start it; from an earlier moment that is looked at, on a branch.

    Returns:
        ``step`` that it does, counted from 0, and ``num_steps`` of the drawing.

    Raises:
        InvalidInput: nothing is drawn, the drawing could not be read, or it has no such step.
        Unreachable: the step cannot be told as a trace.
    """
    reading = session.reading
    plan = reading.plan
    if plan is None or not plan.steps:
        raise InvalidInput(
            "drawing",
            expected="at least one arrow or circle",
            found=reading.error or "no strokes",
            fix="Draw an arrow from a thing to its goal, then hand it over.",
        )
    if session.shown_step is not None:
        session.branch(None)
    trace = session.in_simulator(lambda simulator: trace_of_step(simulator, plan, step))
    announce(session, TRACER)
    session.controller.run_prompt(TRACER, text="", plan=None, sketch=reading.sketch, trace=trace)
    session.changed("mode")
    return {"step": step, "num_steps": len(plan.steps)}
