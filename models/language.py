"""Free words of a person, and the instruction that a policy with a closed vocabulary was trained with.

A sentence is read as an action, the things it names in their parts (what is acted on, where it goes), a turn, and a manner; the same is
done with every wording that is possible in the scene, and the one that agrees best is told to the policy. Words that are not known are
compared by their letters and, where the optional package is installed, by their meaning. Whoever asks is always shown what was
understood; a sentence that fits nothing well, or several things equally well, is refused with what would be possible instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from functools import partial
from typing import Final

import numpy as np

from models.sentence_reading import Reading, Thing, read
from models.sentences import Embed
from workbench.simulation.manner import say, strip_manner

MAX_LETTERS: Final = 400
"""Longer texts are no instruction."""
ACCEPT: Final = 0.72
"""Least agreement of a sentence that is understood."""
TIE: Final = 0.02
"""Sentences that agree equally well within this are not told apart."""
UNKNOWN: Final = 0.3
"""Price of a word that means nothing here."""
NUM_SUGGESTIONS: Final = 3
NAMED: Final = 0.84
"""Agreement without an action of a sentence that names all things."""
LIKE: Final = 0.7
MARGIN: Final = 0.1
"""Least likeness by meaning of a sentence with an unknown action, and how much less like the next must be."""
_RELATED: Final[Mapping[frozenset[str], float]] = {
    frozenset({"touch", "press"}): 0.6,
    frozenset({"push", "press"}): 0.8,
    frozenset({"push", "put"}): 0.7,
    frozenset({"stack", "put"}): 0.9,
    frozenset({"put", "turn"}): 0.3,
    frozenset({"push", "close"}): 0.7,
    frozenset({"press", "turn"}): 0.3,
}
"""How near two actions are to each other, 0..1; the things that are named decide then."""
_OTHER_RELATION: Final = 0.7
_UNSAID_RELATION: Final = 0.9
_LEADS_TO: Final[Mapping[str, frozenset[str]]] = {
    "put": frozenset({"pick", "stack", "push"}),
    "stack": frozenset({"pick", "put"}),
    "push": frozenset({"put", "press"}),
    "press": frozenset({"push"}),
    "close": frozenset({"push", "press"}),
    "turn": frozenset({"pick"}),
}
"""Actions that may be said beside another one that they are a part of."""


@dataclass(frozen=True)
class Understanding:
    """What became of a person's words."""

    text: str
    """As typed."""
    instruction: str = ""
    """What is told to the policy; empty when the words were not understood."""
    score: float = 0.0
    """Agreement, 0..1."""
    reason: str = ""
    """Why they were not understood, for the person."""
    suggestions: tuple[str, ...] = ()
    """What could be said instead, the nearest first."""

    @property
    def is_understood(self) -> bool:
        """Whether there is something to tell."""
        return bool(self.instruction)

    @property
    def is_changed(self) -> bool:
        """Whether other words than the person's are told."""
        return self.instruction != self.text.strip()


@dataclass(frozen=True)
class _Candidate:
    """One wording of one thing that is possible in the scene."""

    saying: int
    wording: str
    reading: Reading


@dataclass(frozen=True)
class Interpreter:
    """Knows what can be said about one scene; make it with :func:`interpreter_of`."""

    candidates: tuple[_Candidate, ...]
    sayings: tuple[tuple[str, ...], ...]
    things: frozenset[Thing]
    """What can be named."""

    def understand(self, text: str, find_embed: Callable[[], Embed | None] = lambda: None) -> Understanding:
        """Map free words to the nearest instruction that is possible in the scene.

        Args:
            text: as typed.
            find_embed: gives what compares sentences by their meaning, if there is such a thing; asked only when words are not known.
        """
        words = text.strip()
        if not self.sayings:
            return Understanding(text, reason="Nothing here can be named in words.")
        if not words:
            return self._refused(text, "Nothing was said.")
        if len(words) > MAX_LETTERS:
            return self._refused(text, f"That is too long for an instruction: {len(words)} letters, at most {MAX_LETTERS}.")
        reading = read(words, self.things)
        if reading.is_negated:
            return self._refused(text, "It only understands what to do, not what to leave.", reading)
        ranked = self._rank(reading, words)
        score, best = ranked[0]
        if score < ACCEPT:
            meant = self._by_meaning(reading, words, find_embed) if reading.unknown else None
            if meant is not None:
                return Understanding(text, in_manner(self.sayings[meant][0], reading.manner, words), score)
            return self._refused(text, self._why_not(reading), reading)
        rivals = [c for s, c in ranked if s > score - TIE and c.saying != best.saying]
        if rivals:
            named = dict.fromkeys([best.wording, *(self.sayings[c.saying][0] for c in rivals)])
            return Understanding(text, score=score, reason="That could mean several things.", suggestions=tuple(named)[:NUM_SUGGESTIONS])
        return Understanding(text, in_manner(best.wording, reading.manner, words), score)

    def _rank(self, reading: Reading, text: str) -> list[tuple[float, _Candidate]]:
        """Return a wording of every saying with its agreement, best first: the person's own, else the plainest of the best."""
        plain = strip_manner(" ".join(text.lower().split()))
        best: dict[int, tuple[tuple[float, bool], _Candidate]] = {}
        for candidate in self.candidates:
            key = (round(agreement(reading, candidate.reading), 6), candidate.wording == plain)
            if candidate.saying not in best or key > best[candidate.saying][0]:
                best[candidate.saying] = (key, candidate)
        likeness = {i: SequenceMatcher(None, plain, c.wording).ratio() for i, (_, c) in best.items()}
        ordered = sorted(best.values(), key=lambda e: (-e[0][0], -likeness[e[1].saying], e[1].saying))
        return [(key[0], candidate) for key, candidate in ordered]

    def _by_meaning(self, reading: Reading, text: str, find_embed: Callable[[], Embed | None]) -> int | None:
        """Return the saying that names the very things and is nearest in meaning, when an action is not known; None when none stands out."""
        bare = replace(reading, unknown=(), actions=())
        fitting = [c.saying for score, c in self._rank(bare, text) if score >= NAMED]
        embed = find_embed() if fitting else None
        if embed is None:
            return None
        rows = embed([text, *(self.sayings[i][0] for i in fitting)])
        likeness = rows[1:] @ rows[0]
        order = np.argsort(-likeness)
        margin = float(likeness[order[0]] - likeness[order[1]]) if len(order) > 1 else 1.0
        return fitting[int(order[0])] if likeness[order[0]] >= LIKE and margin >= MARGIN else None

    def _refused(self, text: str, reason: str, reading: Reading | None = None) -> Understanding:
        if reading is None:
            nearest = [self.sayings[i][0] for i in range(len(self.sayings))]
        else:
            softened = replace(reading, unknown=(), objects=self._known(reading.objects), goals=self._known(reading.goals))
            nearest = [self.sayings[c.saying][0] for _, c in self._rank(softened, text[:MAX_LETTERS])]
        return Understanding(text, reason=reason, suggestions=tuple(dict.fromkeys(nearest))[:NUM_SUGGESTIONS])

    def _known(self, things: Sequence[Thing]) -> tuple[Thing, ...]:
        """Return things without what none here has."""
        return tuple(thing if any(_thing_agrees(thing, known) for known in self.things) else replace(thing, colour="") for thing in things)

    def _why_not(self, reading: Reading) -> str:
        """Say what does not fit."""
        for thing in (*reading.objects, *reading.goals):
            if not any(_thing_agrees(thing, known) for known in self.things):
                return f"There is no {' '.join(part for part in (thing.colour, thing.kind) if part)} here."
        if reading.unknown:
            return f"It does not know {_listed(reading.unknown)}."
        if len(reading.objects) + len(reading.goals) > 2:
            return "It does one thing at a time."
        turns = sorted({int(t) for c in self.candidates for t in c.reading.turn if t.isdigit()})
        if turns and any(t.isdigit() for t in reading.turn):
            return f"It turns things by {turns[0]}, {turns[1]} … {turns[-1]} degrees."
        return "Nothing like that can be done here."


def interpreter_of(sayings: Sequence[Sequence[str]]) -> Interpreter:
    """Return what understands words about a scene.

    Args:
        sayings: everything that can be asked there, each in all its wordings, the plainest first.
    """
    read_alone = partial(read, known=frozenset())
    candidates = tuple(_Candidate(i, wording, read_alone(wording)) for i, wordings in enumerate(sayings) for wording in wordings)
    things = frozenset(thing for c in candidates for thing in (*c.reading.objects, *c.reading.goals))
    return Interpreter(candidates, tuple(tuple(w) for w in sayings), things)


def in_manner(instruction: str, manner: str, text: str) -> str:
    """Return an instruction with words for a manner; as typed when the text is that very instruction in that manner."""
    rng = np.random.default_rng(0)
    wordings = {say(instruction, manner, rng) for _ in range(12)}
    plain = " ".join(text.lower().split())
    return plain if plain in wordings else min(wordings, key=lambda w: (len(w), w))


def agreement(said: Reading, possible: Reading) -> float:
    """Return how well what was said agrees with one thing that is possible, 0..1; 0 when they contradict each other."""
    things = _things_agree(said, possible)
    if things == 0.0 or not _turns_agree(said, possible):
        return 0.0
    relation = (
        1.0
        if said.relation == possible.relation or not possible.goals
        else _OTHER_RELATION
        if said.relation and possible.relation
        else _UNSAID_RELATION
    )
    score = 0.35 * _actions_agree(said, possible) + 0.45 * things + 0.2 * relation
    score -= 0.05 * len(possible.turn - said.turn) + UNKNOWN * len(said.unknown)
    is_goal_missing = bool(possible.goals) and len(said.objects) + len(said.goals) < len(possible.objects) + len(possible.goals)
    return max(0.0, score * (0.8 if is_goal_missing else 1.0))


def _actions_agree(said: Reading, possible: Reading) -> float:
    if not said.actions:
        return 0.6
    pairs = [(a, b) for a in said.actions for b in possible.actions]
    best = max((1.0 if a == b else _RELATED.get(frozenset({a, b}), 0.0) for a, b in pairs), default=0.0)
    allowed = set(possible.actions).union(*(_LEADS_TO.get(b, frozenset()) for b in possible.actions))
    return max(0.0, best - 0.3 * len(set(said.actions) - allowed) * (best == 1.0))


def _things_agree(said: Reading, possible: Reading) -> float:
    """Compare the things that are named in their parts; the parts may be unsaid when no preposition tells them."""
    wanted = (*possible.objects, *possible.goals)
    if (len(said.objects), len(said.goals)) == (len(possible.objects), len(possible.goals)):
        return _all_agree((*said.objects, *said.goals), wanted)
    named = (*said.objects, *said.goals)
    if len(named) > len(wanted):
        return 0.0
    if len(named) == len(wanted):
        return 0.85 * _all_agree(named, wanted)
    return max((_all_agree(named, (thing,)) for thing in wanted[:1]), default=0.0) * 0.6 if named else 0.3


def _all_agree(named: Sequence[Thing], wanted: Sequence[Thing]) -> float:
    scores = [_thing_agrees(a, b) for a, b in zip(named, wanted, strict=True)]
    return 0.0 if 0.0 in scores else sum(scores) / max(1, len(scores))


def _thing_agrees(named: Thing, wanted: Thing) -> float:
    is_other = (named.colour and named.colour != wanted.colour) or (named.kind and named.kind != wanted.kind)
    if is_other:
        return 0.0
    return 1.0 - 0.2 * (named.colour != wanted.colour) - 0.1 * (named.kind != wanted.kind)


def _turns_agree(said: Reading, possible: Reading) -> bool:
    return said.turn <= possible.turn if possible.turn else not any(t.isdigit() for t in said.turn)


def _listed(words: Sequence[str]) -> str:
    quoted = [f"\u201c{w[:30]}\u201d" for w in words[:3]]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
