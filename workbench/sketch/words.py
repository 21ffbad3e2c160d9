"""Which verbs the words of an instruction suggest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from workbench.core.sketches import Verb

_ON_ARROW: Final[dict[str, Verb]] = {
    **dict.fromkeys(("move", "put", "place", "stack", "sort", "bring", "carry", "drop", "lay", "transfer"), Verb.MOVE),
    **dict.fromkeys(("push", "slide", "shove", "close", "shut", "nudge"), Verb.PUSH),
    **dict.fromkeys(("pull", "open"), Verb.PULL),
    **dict.fromkeys(("follow", "trace", "track"), Verb.FOLLOW),
    **dict.fromkeys(("turn", "rotate", "twist", "spin"), Verb.ROTATE),
}
_ON_CIRCLE: Final[dict[str, Verb]] = {
    **dict.fromkeys(("pick", "grasp", "grab", "lift", "take", "raise"), Verb.PICK),
    **dict.fromkeys(("press", "push", "click", "hit"), Verb.PRESS),
    **dict.fromkeys(("touch", "tap", "reach", "poke", "point"), Verb.TOUCH),
}
_ENDINGS: Final = ("", "s", "es", "ed", "ing", "ping", "ped", "bing", "bed", "ning", "ting")
_CLAUSE_END: Final = re.compile(r"\bthen\b|\bafterwards?\b|\band\b|[;,.]")


class SpokenVerb(NamedTuple):
    """A verb and the word that suggested it."""

    verb: Verb
    word: str


def spoken_verbs(instruction: str, is_arrow: Sequence[bool]) -> tuple[SpokenVerb | None, ...]:
    """Return for each drawn step the verb that the instruction suggests, or None.

    A word counts only for a symbol that can mean it: "push" is to press on a circle and to slide on an arrow. When as many
    clauses hold such words as there are steps, they are matched one to one; otherwise each step takes the first fitting word.

    Args:
        instruction: what the person typed.
        is_arrow: for each step, whether its symbol is an arrow (else a circle).
    """
    clauses = [re.findall(r"[a-z]+", part) for part in _CLAUSE_END.split(instruction.lower())]
    with_verbs = [c for c in clauses if _first(c, True) or _first(c, False)]
    if len(with_verbs) == len(is_arrow):
        matched = tuple(_first(c, arrow) for c, arrow in zip(with_verbs, is_arrow, strict=True))
        if all(matched):
            return matched
    words = [w for c in clauses for w in c]
    return tuple(_first(words, arrow) for arrow in is_arrow)


def _first(words: Sequence[str], is_arrow: bool) -> SpokenVerb | None:
    meanings = _ON_ARROW if is_arrow else _ON_CIRCLE
    for word in words:
        verb = _meaning(word, meanings)
        if verb is not None:
            return SpokenVerb(verb, word)
    return None


def _meaning(word: str, meanings: dict[str, Verb]) -> Verb | None:
    for ending in _ENDINGS:
        stem = word.removesuffix(ending) if ending else word
        if ending and stem == word:
            continue
        # "closing", "placing": the final e is lost.
        for base in (stem, stem + "e"):
            if base in meanings:
                return meanings[base]
    return None
