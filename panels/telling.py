"""Telling a policy something in words: free text is mapped to what the policy knows and the scene allows, or refused with what would do."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from models.language import MAX_LETTERS, Interpreter, Understanding, in_manner, interpreter_of
from models.sentences import find_embed
from workbench.core.errors import InvalidInput
from workbench.core.protocols import PolicySpec, Simulator
from workbench.simulation.manner import MANNERS, PLAIN, manner_of, strip_manner
from workbench.simulation.sayings import own_words, sayings_in

if TYPE_CHECKING:
    from panels.live import LiveSession

NO_WORDS: Final = PolicySpec("")
"""Stands for a policy that is not there yet."""


@dataclass
class WordReader:
    """What understands words about one scene; made anew when the scene or the policy's words change."""

    key: tuple[str, frozenset[str]] = ("", frozenset())
    interpreter: Interpreter = field(default_factory=lambda: interpreter_of(()))


def tell(session: LiveSession, text: str) -> dict[str, Any]:
    """Tell the policy something else from the next step on, in words that it knows.

    Returns:
        ``is_told``, ``text`` as typed, ``instruction`` that is in force then, ``is_changed`` when it is not what was typed; when it was not
        told, the ``reason`` and ``suggestions``; ``is_read``: whether the policy that drives reads words at all.
    """
    status = session.controller.status()
    spec = status.spec or NO_WORDS
    if not spec.known_words:
        session.controller.set_prompt(text=text)
        return _answer(Understanding(text, text.strip() or text, 1.0), spec)
    found = understand(session, text, spec.known_words)
    if found.is_understood:
        session.controller.set_prompt(text=found.instruction, trace=None)  # words take the place of a drawing
    return _answer(found, spec)


def settle_words(session: LiveSession) -> None:
    """Give a policy that knows only some words something that it knows: what was told before in its words, else the task's own.

    May be called in the stepping thread, which does it at its next turn.
    """
    session.controller.call(lambda simulator: _settle(session, simulator))


def _settle(session: LiveSession, simulator: Simulator) -> None:
    status = session.controller.status()
    words = status.spec.known_words if status.spec else frozenset()
    if not words or _is_known(status.instruction, words):
        return
    found = _interpreter_for(simulator, words).understand(status.instruction)
    session.controller.set_prompt(text=found.instruction or own_words(simulator))


def understand(session: LiveSession, text: str, words: Collection[str]) -> Understanding:
    """Return what free words mean in the present scene to a policy that knows only some words."""
    config = session.config
    own = session.controller.status().instruction
    if config is None or (text.strip() == own and _is_known(own, words)):
        return Understanding(text, own, 1.0)
    key = (config.digest(), frozenset(words))
    if session.words.key != key:
        session.words = WordReader(key, session.in_simulator(lambda simulator: _interpreter_for(simulator, words)))
    return session.words.interpreter.understand(text, find_embed)


def tell_manner(session: LiveSession, name: str) -> dict[str, Any]:
    """Tell the policy to do the same in another manner; the manner that is in force already is taken back.

    Raises:
        InvalidInput: there is no such manner, or nothing was told yet.
    """
    if name not in MANNERS:
        raise InvalidInput("manner", expected=", ".join(MANNERS), found=repr(name)[:60])
    present = session.controller.status().instruction
    if not present:
        raise InvalidInput("manner", expected="an instruction to put it in", found="none", fix="Say what to do first.")
    wanted = PLAIN if manner_of(present) == name else name
    return tell(session, in_manner(strip_manner(present), wanted, present))


def _answer(found: Understanding, spec: PolicySpec) -> dict[str, Any]:
    return {
        "is_told": found.is_understood or not spec.known_words,
        "text": found.text[:MAX_LETTERS],
        "instruction": found.instruction,
        "is_changed": found.is_understood and found.is_changed,
        "reason": found.reason,
        "suggestions": list(found.suggestions),
        "is_read": "text" in spec.prompts,
    }


def _interpreter_for(simulator: Simulator, words: Collection[str]) -> Interpreter:
    """Return what understands words about the present scene, as far as a policy knows them."""
    known = [[w for w in saying.wordings if _is_known(w, words)] for saying in sayings_in(simulator)]
    return interpreter_of([wordings for wordings in known if wordings])


def _is_known(sentence: str, words: Collection[str]) -> bool:
    return all(word in words for word in sentence.lower().replace(",", " ").replace(":", " ").split())
