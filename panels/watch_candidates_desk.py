"""Candidates of one live tab: what is weighed, what was drawn last, and what a person picks. Nobody waits for the page."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.core.errors import UnknownName
from workbench.core.events import EventKind
from workbench.core.types import Step
from workbench.rollout.candidates import LIKELIHOOD, OWN, CandidateSet, CandidateSettings, Draw, When
from workbench.rollout.chunking import ChunkHandling, ChunkMode
from workbench.rollout.loop import LiveEpisode, look_ahead
from workbench.rollout.pilot import Pilot

if TYPE_CHECKING:
    from panels.live import LiveSession

ANSWER_S: Final = 20.0
"""Longest wait for the stepping thread."""
SHARES_PERIOD_S: Final = 0.1
"""Between two messages about how chunks are put together."""
_BUILT_IN: Final = (
    {"name": LIKELIHOOD, "description": "how probable the policy itself finds it", "is_privileged": False},
    {"name": OWN, "description": "nothing; the policy's own answer stays, and the others are only shown", "is_privileged": False},
)
PRIVILEGED: Final = frozenset({"oracle"})
"""Verifiers that read the simulator's truth."""


class CandidateDesk:
    """Every method is thread-safe; what changes the choice is an event on the timeline."""

    def __init__(self, session: LiveSession) -> None:
        self._session = session
        self._told_at = 0.0
        self._selection = session.controller.selection
        self._selection.on_choice = self._tell

    # --- what a person asks for ---

    def set_candidates(self, changes: dict[str, Any]) -> dict[str, Any]:
        """Change which candidates are weighed, from the policy's next call on.

        Raises:
            UnknownName: there is no such verifier.
            InvalidInput: a number is out of its range.
        """
        if "when" in changes:
            changes["when"] = When(changes["when"])
        if "draw" in changes:
            changes["draw"] = Draw(changes["draw"])
        settings: CandidateSettings = replace(self._selection.settings, **changes)
        if settings.verifier not in self._names():
            raise UnknownName("verifier", settings.verifier, self._names())
        self._selection.settings = settings
        self._record({"settings": settings.to_dict()})
        if settings.when is When.NEVER:
            self._session.push({"type": "candidates", "candidates": None})
        return self.state()

    def set_chunks(self, changes: dict[str, Any]) -> dict[str, Any]:
        """Change how chunks are executed, from the policy's next call on; errors as :class:`ChunkHandling`."""
        if "mode" in changes:
            changes["mode"] = ChunkMode(changes["mode"])
        handling: ChunkHandling = replace(self._selection.handling, **changes)
        self._selection.handling = handling
        self._record({"handling": handling.to_dict()})
        return self.state()

    def draw_now(self) -> dict[str, Any]:
        """Draw candidates before the next step: at once while the world stands still, else at the policy's next call, which is now.

        Raises:
            WrongMode: there is no episode.
        """

        def now(pilot: Pilot, episode: LiveEpisode) -> None:
            self._selection.ask_once()
            if self._session.controller.status().mode == "paused":
                look_ahead(episode)

        self._session.controller.lead(now).result(ANSWER_S)
        return self.state()

    def pick(self, index: int) -> dict[str, Any]:
        """Execute another candidate of this moment.

        Raises:
            InvalidInput: there are none of this moment, or the checks refuse that one.
        """
        self._session.controller.lead(lambda pilot, episode: self._selection.pick(index)).result(ANSWER_S)
        return self.state()

    # --- what the page shows ---

    def state(self) -> dict[str, Any]:
        """Return everything that the part of the Watch tab shows, as JSON values."""
        found = self._selection.latest
        return {
            "settings": self._selection.settings.to_dict(),
            "handling": self._selection.handling.to_dict(),
            "verifiers": self._offered(),
            "candidates": None if found is None else candidates_to_dict(found),
        }

    def _offered(self) -> list[dict[str, Any]]:
        more = self._selection.verifiers
        entries = (
            [] if more is None else [{"name": e.name, "description": e.description, "is_privileged": e.name in PRIVILEGED} for e in more]
        )
        return [*_BUILT_IN, *entries]

    def _names(self) -> list[str]:
        return [str(offered["name"]) for offered in self._offered()]

    def _record(self, payload: dict[str, Any]) -> None:
        if self._session.controller.status().mode != "idle":
            self._session.controller.record(EventKind.CANDIDATE, payload)

    # --- told by the rollout, in the stepping thread ---

    def _tell(self, found: CandidateSet) -> None:
        self._session.push({"type": "candidates", "candidates": candidates_to_dict(found)})

    def on_step(self, step: Step) -> None:
        """Tell how the executed action was put together, while an ensemble does that."""
        shares, now = self._selection.shares, time.monotonic()
        if len(shares) > 1 and now - self._told_at >= SHARES_PERIOD_S:
            self._told_at = now
            told = [{"age": share.age, "weight": round(share.weight, 4)} for share in shares]
            self._session.push({"type": "chunk_shares", "step": step.index, "shares": told})


def candidates_to_dict(found: CandidateSet) -> dict[str, Any]:
    """Return a set of candidates with the way of each [m], as JSON values."""
    paths = found.paths()
    return {
        **found.to_payload(),
        "step": found.step,
        "num_executed": found.num_executed,
        "paths": np.round(paths, 4).tolist(),
        "reach_cm": [round(100 * float(np.linalg.norm(p[-1] - paths[0][-1])), 1) for p in paths],
        "grips": [round(float(chunk[found.num_executed - 1, 6]), 2) for chunk in found.chunks],
    }
