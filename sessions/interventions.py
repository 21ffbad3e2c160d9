"""How much people helped each policy, over all stored episodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sessions.store import Store

MAX_TREND: Final = 30
"""Newest episodes of a policy whose shares are given one by one."""
MIN_STEPS: Final = 5
"""Shorter episodes do not count: somebody only looked."""


@dataclass(frozen=True)
class PolicyHelp:
    """What people did for one policy version."""

    policy: str
    num_episodes: int
    num_successes: int
    num_interventions: int
    """Take-overs that were not discarded."""
    num_steps: int
    """Of policy and human together."""
    num_human_steps: int
    trend: tuple[float, ...]
    """Share of the steps that a person drove, 0..1, in each of the newest episodes, oldest first."""

    @property
    def share(self) -> float:
        """Part of all steps that a person drove, 0..1."""
        return self.num_human_steps / self.num_steps if self.num_steps else 0.0


_QUERY: Final = """
    SELECT e.policy, e.outcome,
        (SELECT count(*) FROM steps s WHERE s.episode = e.num AND s.actor IN ('policy', 'human')) AS num_steps,
        (SELECT count(*) FROM steps s WHERE s.episode = e.num AND s.actor = 'human') AS num_human_steps,
        (SELECT count(*) FROM events v WHERE v.episode = e.num AND v.kind = 'takeover')
            - (SELECT count(*) FROM events v WHERE v.episode = e.num AND v.kind = 'discard') AS num_interventions
    FROM episodes e
    WHERE e.deleted_at IS NULL AND e.ended IS NOT NULL AND e.num_steps >= ?
    ORDER BY e.num DESC LIMIT ?"""


def help_by_policy(store: Store, *, limit: int = 400) -> tuple[PolicyHelp, ...]:
    """Return what people did for each policy in the newest ``limit`` episodes that have ended, most episodes first."""
    with store.reading() as connection:
        rows = connection.execute(_QUERY, [MIN_STEPS, limit]).fetchall()
    found: dict[str, list[tuple[str, int, int, int]]] = {}
    for policy, outcome, num_steps, num_human, num_interventions in reversed(rows):
        if num_steps:
            found.setdefault(str(policy), []).append((str(outcome), int(num_steps), int(num_human), max(0, int(num_interventions))))
    helped = [
        PolicyHelp(
            policy=policy,
            num_episodes=len(episodes),
            num_successes=sum(outcome == "success" for outcome, *_ in episodes),
            num_interventions=sum(n for *_, n in episodes),
            num_steps=sum(n for _, n, _, _ in episodes),
            num_human_steps=sum(n for _, _, n, _ in episodes),
            trend=tuple(round(human / steps, 4) for _, steps, human, _ in episodes[-MAX_TREND:]),
        )
        for policy, episodes in found.items()
    ]
    return tuple(sorted(helped, key=lambda h: -h.num_episodes))
