"""Answering what a person says to the robot while it acts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from panels.errors import bug_message
from panels.telling import tell
from workbench.core.errors import WorkbenchError
from workbench.core.protocols import Simulator
from workbench.intervention.dialogue import Facts, Intent, Said, Token, answer, instruction_in, intent_of
from workbench.rollout.places import places_of
from workbench.simulation.sayings import sayings_in

if TYPE_CHECKING:
    from panels.live import LiveSession

Tell = Callable[[str, list[dict[str, str]]], None]
"""``tell(text, events)``."""


def reply(session: LiveSession, text: str, tell_person: Tell) -> None:
    """Do what words ask for, and tell the person; returns at once. A stop is done here and now, everything else in a thread of its own."""
    text = text.strip()
    intent = intent_of(text)
    if intent is Intent.HALT:
        session.controller.halt()
        tell_person(text, as_events([Said(Token.HALT), Said(Token.RES, "I stopped at once."), Said(Token.END)]))
        return
    threading.Thread(target=_reply, args=(session, text, intent, tell_person), name="talk", daemon=True).start()


def _reply(session: LiveSession, text: str, intent: Intent, tell_person: Tell) -> None:
    try:
        said = _answers(session, text, intent)
    except WorkbenchError as error:
        said = [Said(Token.RES, str(error))]
    except Exception as error:
        said = [Said(Token.RES, bug_message(error))]
    if not session.is_closed:
        tell_person(text, as_events([*said, Said(Token.END)]))


def _answers(session: LiveSession, text: str, intent: Intent) -> list[Said]:
    if intent is Intent.PAUSE:
        session.controller.pause()
        return [Said(Token.RES, "I wait. Say go on, or press Space.")]
    if intent is Intent.RESUME:
        session.command("resume")
        return [Said(Token.RES, "I go on."), Said(Token.ACT)]
    if intent is Intent.QUESTION:
        return [Said(Token.RES, answer(text, facts_of(session)))]
    return _instruct(session, instruction_in(text))


def _instruct(session: LiveSession, text: str) -> list[Said]:
    found = tell(session, text)
    if not found["is_told"]:
        offers = "; ".join(found["suggestions"])
        return [Said(Token.RES, f"{found['reason']}{f' I could: {offers}.' if offers else ''}")]
    if not found["is_read"]:
        policy = session.controller.status().policy
        return [Said(Token.RES, f"{policy} drives and does not read words. Choose another driver in the Scene tab.")]
    mode = session.controller.status().mode
    waits = " Press Space to let me go." if mode == "paused" else ""
    return [Said(Token.ACT), Said(Token.RES, f"I understood: {found['instruction']}.{waits}"), Said(Token.INST, found["instruction"])]


def facts_of(session: LiveSession) -> Facts:
    """Return what answers are made of; the simulator is asked between two control steps, the robot does not wait."""
    places, suggestions = session.in_simulator(_look)
    status = session.controller.status()
    return Facts(
        mode=str(status.mode),
        instruction=status.instruction,
        policy=status.policy,
        step=status.step,
        time_s=status.time_s,
        is_success=status.is_success,
        error=status.error,
        note=status.question.text if status.question else status.note,
        places=places or None,
        suggestions=suggestions,
    )


def _look(simulator: Simulator) -> tuple[dict[str, tuple[float, float, float]], tuple[str, ...]]:
    places = {name: (float(p[0]), float(p[1]), float(p[2])) for name, p in places_of(simulator).items()}
    return places, tuple(saying.wordings[0] for saying in sayings_in(simulator)[:4])


def as_events(said: list[Said]) -> list[dict[str, str]]:
    """Return typed events as JSON values."""
    return [{"token": event.token.value, "text": event.text} for event in said]
