"""Talking with the robot while it acts: what a person says becomes typed events that map to what the session does.

Source: VITA-E (arXiv:2510.21817), whose control tokens these are. There two copies of a large model act and listen; here a small grammar
listens beside whatever policy acts, so that an answer never makes the robot wait, and HALT never waits for a model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple


class Token(StrEnum):
    """What an event of an answer is."""

    RES = "RES"
    """Words for the person."""
    ACT = "ACT"
    """An action follows."""
    INST = "INST"
    """The instruction that the policy is told."""
    HALT = "HALT"
    """Stop at once."""
    END = "END"
    """The answer is over."""


class Intent(StrEnum):
    """What a person wants by saying something."""

    HALT = "halt"
    RESUME = "resume"
    PAUSE = "pause"
    QUESTION = "question"
    INSTRUCTION = "instruction"


class Said(NamedTuple):
    """One typed event."""

    token: Token
    text: str = ""


_HALT: Final = re.compile(
    r"^\W*(?:no[,!. ]+|please[,!. ]+|robot[,!. ]+)*(stop|halt|freeze|emergency|don'?t move|abort|whoa|hold it)\b", re.I
)
_PAUSE: Final = re.compile(r"^\W*(?:please[, ]+)?(pause|wait|hold on|one moment|just a (moment|second))\W*$", re.I)
_RESUME: Final = re.compile(r"^\W*(?:please[, ]+)?(go on|continue|resume|carry on|go ahead|proceed|go)\W*$", re.I)
_ASKED: Final = (
    r"(what|where|why|who|when|which|how|whose|is|are|was|were|did|does|do|can|could|will|would|have|has|am)\b(?!.*\b(?:please)\b)"
)
_QUESTION: Final = re.compile(rf"^\W*{_ASKED}|\?\s*$", re.I)
_POLITE: Final = re.compile(r"^\W*(?:can|could|would|will) you (?:please )?(?!see|hear|tell)", re.I)


def intent_of(text: str) -> Intent:
    """Return what words want; a stop is found first, whatever else is said, because a false stop harms less than a missed one."""
    if _HALT.search(text) or text.strip().upper().rstrip("!. ") in ("STOP", "HALT", "NO"):
        return Intent.HALT
    if _PAUSE.match(text):
        return Intent.PAUSE
    if _RESUME.match(text):
        return Intent.RESUME
    if _QUESTION.search(text) and not _POLITE.match(text):
        return Intent.QUESTION
    return Intent.INSTRUCTION


def instruction_in(text: str) -> str:
    """Return an instruction without the politeness around it: ``could you pick up the cube?`` is ``pick up the cube``."""
    return _POLITE.sub("", text).strip().rstrip("?").strip() if _POLITE.match(text) else text.strip()


@dataclass(frozen=True)
class Facts:
    """What an answer can be made of."""

    mode: str
    instruction: str
    policy: str
    step: int
    time_s: float
    is_success: bool
    error: str = ""
    note: str = ""
    places: Mapping[str, tuple[float, float, float]] | None = None
    """Name of each thing on the table -> position [m]; None where the simulator does not tell."""
    suggestions: tuple[str, ...] = ()
    """What could be asked of it here."""


_DOING: Final = {
    "idle": "Nothing: there is no episode.",
    "paused": "I stand still; the rollout is paused.",
    "halted": "I stand still after a HALT. Release it to go on.",
    "correcting": "You drive me.",
}


def answer(text: str, facts: Facts) -> str:
    """Answer a question from facts; one that cannot be answered says what can be."""
    words = text.lower()
    if re.search(r"\b(who|which policy|what policy|who'?s driving)\b", words) and re.search(r"driv|control|policy|are you|act", words):
        return "You are driving." if facts.mode == "correcting" else f"The policy {facts.policy} drives; the mode is {facts.mode}."
    if re.search(r"\bwhere\b", words):
        return _where(words, facts)
    if re.search(r"\bwhat (do|can) you see|what is (there|on the table)|what'?s there\b", words):
        return f"On the table: {', '.join(facts.places)}." if facts.places else "I cannot tell what is on this table."
    if re.search(r"\bwhat can (you|i)|what could\b", words):
        return "For example: " + "; ".join(facts.suggestions) + "." if facts.suggestions else "I do not know what can be done here."
    if re.search(r"\bwhy\b", words):
        return _why(facts)
    if re.search(r"\b(done|finished|ready|succe|work(ed)?|solved)\b", words):
        return "Yes, the task is solved now." if facts.is_success else "Not yet."
    if re.search(r"\bhow (long|many)|what time\b", words):
        return f"{facts.step} steps, {facts.time_s:.1f} s of simulated time."
    if re.search(r"\bwhat\b", words) and re.search(r"do|task|instruction|told|plan|next", words):
        doing = _DOING.get(facts.mode) or "I am at work."
        return f"{doing} I was told: {facts.instruction}." if facts.instruction else f"{doing} I was told nothing in words."
    return "I can say what I was told, who drives, where things are, whether it is done, how long it took, and why I stand still."


def _where(words: str, facts: Facts) -> str:
    if not facts.places:
        return "I cannot tell where things are in this scene."
    asked = set(re.findall(r"[a-z]+", words))
    scored = sorted(((len(asked & set(name.lower().split())), name) for name in facts.places), reverse=True)
    best = [name for score, name in scored if score and score == scored[0][0]]
    if not best:
        return f"I know only of: {', '.join(facts.places)}."
    parts = []
    for name in best:
        x, y, z = facts.places[name]
        side = "in the middle" if abs(y) < 0.03 else f"{abs(y) * 100:.0f} cm to the {'left' if y > 0 else 'right'} as seen from the robot"
        parts.append(f"The {name} is {x * 100:.0f} cm ahead of the base, {side}, {max(z, 0) * 100:.0f} cm up")
    return ". ".join(parts) + "."


def _why(facts: Facts) -> str:
    if facts.error:
        return f"Because of this: {facts.error}"
    if facts.note:
        return f"Because: {facts.note}"
    return _DOING.get(facts.mode, f"Because I was told: {facts.instruction or 'nothing in words'}.")


_MARK: Final = re.compile(r"\[(RES|ACT|INST|HALT|END)\]")


def to_stream(said: list[Said]) -> str:
    """Write typed events as VITA-E writes them: ``[ACT] [RES] I will. [INST] pick up the cube [END]``."""
    return " ".join(f"[{event.token}] {event.text}".strip() for event in said)


def from_stream(text: str) -> list[Said]:
    """Read what :func:`to_stream` or such a model wrote; words before the first mark are for the person, what follows END is left out."""
    parts = _MARK.split(text)
    found = [Said(Token.RES, parts[0].strip())] if parts[0].strip() else []
    for name, words in zip(parts[1::2], parts[2::2], strict=True):
        found.append(Said(Token(name), words.strip()))
        if found[-1].token is Token.END:
            break
    return found
