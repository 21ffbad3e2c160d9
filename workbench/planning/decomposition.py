"""An instruction taken apart by a small grammar: numbers, "then", "after" and "before", full stops, commas, "and".

What a clause means is not known here: the caller passes in what understands one. So a comma or an "and" parts two steps only where the
whole is not understood as one thing to do ("grasp the red cube and raise it" is one), while "then" always does. A clause without a verb
takes the verb of the one before it, or is a "put" ("put the red cube on the white plate, then the blue one on the black plate"), and an "it" that comes
before any name is what the clause before acted on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from workbench.core.errors import InvalidInput
from workbench.planning.subgoals import MAX_GOALS, MAX_LETTERS

Understand = Callable[[str], str]
"""``understand(clause)``: the instruction that a clause means, or nothing when it means none."""

UNSAID_VERB: Final = "put"
"""What is meant where no clause has a verb: "the red cube on the white plate"."""
_NUMBERED: Final = re.compile(r"(?:^|(?<=[\s,;.]))\(?\d{1,2}\s*[.):]\s+")
_HARD: Final = re.compile(
    r"\s*(?:[;\n]|\.(?=\s|$)|,?\s*\b(?:and\s+)?(?:then|afterwards|after that|after this|next|finally|lastly|subsequently)\b)[\s,:]*", re.I
)
_SOFT: Final = re.compile(r"\s*(?:,\s*(?:and\b\s*)?|\band\b(?:\s+also\b)?)\s*", re.I)
_LEADING: Final = re.compile(r"^\W*(?:(?:first(?:ly)?|second(?:ly)?|third(?:ly)?|now|also|please|and)\b[\s,:]*)+", re.I)
_AFTER: Final = re.compile(r"^(?:after|once|when)\s+(?:you\s+(?:have\s+)?)?(?P<first>[^,]+),\s*(?P<second>.+)$", re.I)
_BEFORE: Final = re.compile(r"^before\s+(?:you\s+)?(?P<second>[^,]+),\s*(?P<first>.+)$", re.I)
_INNER: Final = re.compile(r"^(?P<a>.+?)\s*,?\s*\b(?P<how>before|after)\b\s+(?:you\s+(?:have\s+)?)?(?P<b>.+)$", re.I)
_PRONOUN: Final = re.compile(r"\b(?:it|that one|this one)\b", re.I)
_THING: Final = re.compile(r"\b(?:the|a|that|this)\s+((?:[a-z-]+\s+)?[a-z-]+)", re.I)
_WORD: Final = re.compile(r"[a-z]+(?:-[a-z]+)*", re.I)


@dataclass(frozen=True)
class Step:
    """One step that was found in an instruction."""

    text: str
    """As said; of one that is understood with a verb or a name put in where it was left out."""
    instruction: str
    """What it means; empty when it was not understood."""


def decompose(text: str, understand: Understand, verbs: Collection[str]) -> tuple[Step, ...]:
    """Take an instruction apart, in the order in which it shall be done.

    Args:
        text: as typed, on one line or several.
        understand: what a clause means.
        verbs: words that name an action, lower case.

    Raises:
        InvalidInput: there are no words, too many letters, or too many steps.
    """
    if not text.strip() or len(text) > MAX_GOALS * MAX_LETTERS:
        raise InvalidInput("instruction", expected="what to do, in words", found=f"{len(text.strip())} letters")
    reader = _Reader(understand, frozenset(v.lower() for v in verbs))
    steps = tuple(step for clause in hard_clauses(text) for step in reader.read(clause))
    if not steps:
        raise InvalidInput("instruction", expected="what to do, in words", found=repr(text.strip()[:60]))
    if len(steps) > MAX_GOALS:
        raise InvalidInput("instruction", expected=f"at most {MAX_GOALS} steps", found=str(len(steps)))
    return steps


def hard_clauses(text: str) -> tuple[str, ...]:
    """Return the clauses that numbers, lines, full stops and words like "then" part, "after" and "before" put in their order."""
    parts = [p for line in text.splitlines() for p in (_NUMBERED.split(line) if _NUMBERED.search(line) else [line])]
    clauses = (_LEADING.sub("", clause.strip()).strip(" ,.").strip() for part in parts for clause in _HARD.split(part))
    return tuple(c for clause in clauses if clause for c in _in_order(clause))


def _in_order(clause: str) -> tuple[str, ...]:
    """Return the two sides of an "after" or "before" in the order in which they shall be done."""
    found = _AFTER.match(clause) or _BEFORE.match(clause)
    if found:
        return (found["first"].strip(), found["second"].strip())
    found = _INNER.match(clause)
    if not found or not _WORD.search(found["b"]):
        return (clause,)
    a, b = found["a"].strip(" ,"), found["b"].strip(" ,")
    return (a, b) if found["how"].lower() == "before" else (b, a)


class _Reader:
    """Reads clauses one after the other: each may lean on the one before."""

    def __init__(self, understand: Understand, verbs: frozenset[str]) -> None:
        self._understand, self._verbs = understand, verbs
        self._verb, self._thing = "", ""

    def read(self, clause: str) -> tuple[Step, ...]:
        """Return the steps of a clause: one, or those that commas and "and" part when the whole means nothing."""
        whole = clause if ":" in clause else self._completed(clause)
        meant = self._understand(whole)
        if not meant and ":" in clause:  # "sort the cubes: the red one on ..."
            self._verb = ""
            return self.read(clause.split(":", 1)[1].strip())
        parts = [p for p in (part.strip() for part in _SOFT.split(clause)) if p]
        found = None if meant or len(parts) < 2 else self._read_parts(parts)
        if found is not None:
            return found
        self._remember(whole)
        return (Step(whole if meant else clause, meant),)

    def _read_parts(self, parts: Sequence[str]) -> tuple[Step, ...] | None:
        """Return the steps of the parts of a clause, the fewest that are all understood; None when there is no such reading."""
        state = (self._verb, self._thing)
        steps: list[Step] = []
        start = 0
        while start < len(parts):
            for stop in range(len(parts), start, -1):
                text = self._completed(" and ".join(parts[start:stop]))
                meant = self._understand(text) if start or stop < len(parts) else ""
                if meant:
                    break
            else:
                if not self._has_verb(parts[start]):
                    self._verb, self._thing = state
                    return None
                text, meant, stop = parts[start], "", start + 1
            steps.append(Step(text, meant))
            self._remember(text)
            start = stop
        return tuple(steps)

    def _completed(self, clause: str) -> str:
        """Return a clause with the verb that it leaves out, and a name in place of "it"."""
        pronoun, thing = _PRONOUN.search(clause), _THING.search(clause)
        if self._thing and pronoun and (thing is None or pronoun.start() < thing.start()):
            clause = _PRONOUN.sub(f"the {self._thing}", clause, count=1)
        if self._has_verb(clause):
            return clause
        article = "" if _THING.match(clause) else "the "
        return f"{self._verb or UNSAID_VERB} {article}{clause}"

    def _has_verb(self, clause: str) -> bool:
        return any(form in self._verbs for word in _WORD.findall(clause)[:3] for form in _forms(word.lower()))

    def _remember(self, clause: str) -> None:
        words = [w.lower() for w in _WORD.findall(clause)]
        verb = next((w for w in words[:3] if any(form in self._verbs for form in _forms(w))), "")
        self._verb = verb or self._verb
        things = _THING.findall(clause)
        self._thing = things[0] if things else self._thing


def _forms(word: str) -> tuple[str, ...]:
    """Return a word and what it may be a form of: "putting" of "put", "placing" of "place"."""
    if not word.endswith("ing") or len(word) < 6:
        return (word,)
    stem = word[:-3]
    return (word, stem, stem + "e", stem[:-1] if stem[-1] == stem[-2] else stem)
