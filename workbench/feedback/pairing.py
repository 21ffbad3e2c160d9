"""Which two episodes a rater compares next, in which order, without knowing whose they are."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple


class Candidate(NamedTuple):
    """An episode that may be compared."""

    episode_id: str
    start: str
    """Equal for episodes that began in the same state."""
    group: str
    """What is compared, usually the policy; two of one group are compared last."""


@dataclass(frozen=True)
class Pair:
    """Two episodes of the same start, in the order in which one rater sees them."""

    first: str
    second: str

    @property
    def id(self) -> str:
        """The same for both orders; tells nothing of the episodes."""
        return pair_id(self.first, self.second)


def pair_id(a: str, b: str) -> str:
    """Return the id of a pair, whatever its order."""
    return hashlib.sha256("\n".join(sorted((a, b))).encode()).hexdigest()[:20]


def order_for(rater: str, a: str, b: str) -> Pair:
    """Return a pair in the order in which a rater sees it: by chance, but always the same for the same rater and pair."""
    low, high = sorted((a, b))
    is_swapped = hashlib.sha256(f"{rater}\n{low}\n{high}".encode()).digest()[0] & 1
    return Pair(high, low) if is_swapped else Pair(low, high)


def pairs_of(candidates: Iterable[Candidate], *, most_per_start: int = 10) -> tuple[tuple[str, str], ...]:
    """Return pairs of episodes with the same start, those of different groups first, at most so many for each start."""
    starts: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        starts.setdefault(candidate.start, []).append(candidate)
    found: list[tuple[int, str, str, str]] = []
    for start, members in starts.items():
        both = [(int(a.group == b.group), start, a.episode_id, b.episode_id) for a, b in combinations(members, 2)]
        found += sorted(both)[:most_per_start]
    return tuple((a, b) for _, _, a, b in sorted(found))


def next_pair(rater: str, pairs: Sequence[tuple[str, str]], judged: Collection[str], counts: dict[str, int]) -> Pair | None:
    """Return the pair that a rater sees next: one he has not judged, the least judged by others first; None when he is done.

    Args:
        rater: who.
        pairs: all of them.
        judged: ids of pairs that this rater has judged or skipped.
        counts: id of a pair -> judgements by anybody.
    """
    left = [(counts.get(pair_id(a, b), 0), i, a, b) for i, (a, b) in enumerate(pairs) if pair_id(a, b) not in judged]
    if not left:
        return None
    _, _, a, b = min(left)
    return order_for(rater, a, b)
