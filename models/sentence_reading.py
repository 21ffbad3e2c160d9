"""What a sentence says: actions, the things it names in their parts, a turn, a manner, and words that mean nothing here."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from typing import Final

from models import lexicon
from workbench.simulation.manner import PLAIN

TYPO: Final = 0.8
"""Least likeness of the letters of a misspelt word."""
_TOKEN: Final = re.compile(r"[a-z0-9]+(?:['-][a-z0-9]+)*")


@dataclass(frozen=True)
class Thing:
    """A thing that is named; an empty part was not said."""

    colour: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Reading:
    """What a sentence says."""

    actions: tuple[str, ...] = ()
    objects: tuple[Thing, ...] = ()
    """Things without a preposition."""
    goals: tuple[Thing, ...] = ()
    """Things after a preposition."""
    relation: str = ""
    turn: frozenset[str] = frozenset()
    """Direction and degrees, as far as said."""
    manner: str = PLAIN
    unknown: tuple[str, ...] = ()
    """Words that mean nothing here."""
    is_negated: bool = False


@dataclass
class _Scan:
    """A sentence while it is read, word by word."""

    words: list[str]
    known: frozenset[Thing]
    actions: list[str] = field(default_factory=list)
    objects: list[Thing] = field(default_factory=list)
    goals: list[Thing] = field(default_factory=list)
    relation: str = ""
    turn: set[str] = field(default_factory=set)
    manner: str = PLAIN
    unknown: list[str] = field(default_factory=list)
    is_goal: bool = False
    """Whether a preposition stands before what comes."""
    colour: str = ""
    """Of a thing whose noun may still come."""

    def close_thing(self, kind: str = "", *, is_wild: bool = False) -> None:
        """Note the thing that was named, if there is one."""
        if self.colour or kind or is_wild:
            thing, things = Thing(self.colour, kind), self.goals if self.is_goal else self.objects
            if thing not in things:
                things.append(thing)
            self.is_goal = False
        self.colour = ""


def read(text: str, known: frozenset[Thing]) -> Reading:
    """Read a sentence.

    Args:
        text: any words.
        known: the things that are there; a word that may mean several things means one of these.
    """
    words = _TOKEN.findall(text.lower().replace("\u2019", "'"))
    scan = _Scan([_spelt(word) for word in words], known)
    position = 0
    while position < len(scan.words):
        length = next((n for n in range(min(5, len(words) - position), 0, -1) if _take(scan, position, n)), 1)
        position += length
    scan.close_thing()
    return Reading(
        tuple(dict.fromkeys(scan.actions)),
        tuple(scan.objects),
        tuple(scan.goals),
        scan.relation,
        frozenset(scan.turn),
        scan.manner,
        tuple(scan.unknown),
        not lexicon.NEGATIONS.isdisjoint(scan.words),
    )


def _take(scan: _Scan, position: int, length: int) -> bool:
    """Read ``length`` words at a place as one phrase; tell whether they are one."""
    phrase = " ".join(scan.words[position : position + length])
    if phrase in lexicon.COLOURS:
        scan.close_thing()
        scan.colour = lexicon.COLOURS[phrase][0]
    elif phrase in lexicon.KINDS and _names_thing(scan, phrase):
        scan.close_thing(_meant(phrase, scan.colour, scan.known))
    elif phrase in lexicon.WILD:
        scan.close_thing(is_wild=True)
    elif phrase in lexicon.IDLE:
        pass
    elif phrase in lexicon.DIRECTIONS and ("turn" in scan.actions or "clockwise" in phrase):
        scan.turn.add(lexicon.DIRECTIONS[phrase][0])
    elif phrase in lexicon.MANNERS:
        scan.manner = lexicon.MANNERS[phrase][0] if scan.manner == PLAIN else scan.manner
    elif phrase in lexicon.VERBS:
        scan.close_thing()
        scan.actions.append(lexicon.VERBS[phrase][0])
    elif phrase in lexicon.RELATIONS:
        scan.close_thing()
        scan.relation, scan.is_goal = lexicon.RELATIONS[phrase][0], True
    elif phrase.isdigit() or phrase in lexicon.NUMBERS:
        scan.turn.add(str(lexicon.NUMBERS.get(phrase, phrase)))
    elif length == 1 and phrase not in lexicon.NEGATIONS:
        scan.unknown.append(phrase)
    else:
        return False
    return True


def _meant(phrase: str, colour: str, known: frozenset[Thing]) -> str:
    """Return the kind of thing that a noun means: its own, or one that stands there in that colour, or at all, or the likeliest."""
    meanings = sorted(lexicon.KINDS[phrase], key=lambda kind: kind != phrase)
    here = [k for k in meanings if Thing(colour, k) in known] or [k for k in meanings if k in {thing.kind for thing in known}]
    return (here or meanings)[0]


def _names_thing(scan: _Scan, phrase: str) -> bool:
    """Tell whether a word that may also be an action ("tap", "dial") names a thing: behind its colour, or behind an action."""
    return phrase not in lexicon.VERBS or bool(scan.colour) or bool(scan.actions)


@cache
def _known_words() -> tuple[str, ...]:
    """Return every word of the lexicon."""
    tables = (lexicon.COLOURS, lexicon.KINDS, lexicon.VERBS, lexicon.RELATIONS, lexicon.DIRECTIONS, lexicon.MANNERS, lexicon.NUMBERS)
    phrases = [phrase for table in tables for phrase in table]
    single = {word for phrase in phrases for word in phrase.split()}
    return tuple(sorted(single | lexicon.WILD | lexicon.IDLE | lexicon.NEGATIONS))


def _spelt(word: str) -> str:
    """Return a word as the lexicon spells it: without its ending, or with its letters put right; one that is like none as it is."""
    known = _known_words()
    if word in known or len(word) < 3 or any(c.isdigit() for c in word):
        return word
    stems = [
        stem + end for cut in ("ing", "ed", "es", "s") if word.endswith(cut) for stem in _stems(word[: -len(cut)]) for end in ("", "e")
    ]
    found = next((stem for stem in stems if stem in known), None)
    return found or next(iter(get_close_matches(word, [k for k in known if len(k) >= 3], n=1, cutoff=TYPO)), word)


def _stems(stem: str) -> tuple[str, ...]:
    """Return a stem, and without a doubled last letter."""
    return (stem, stem[:-1]) if len(stem) > 2 and stem[-1] == stem[-2] else (stem,)
