"""All live tabs of the process, and the sweeper that ends those nobody watches."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from workbench.core.errors import InvalidInput, UnknownName
from workbench.core.events import new_id

if TYPE_CHECKING:
    from panels.live import LiveSession

logger = logging.getLogger(__name__)

CORRECTING_GRACE_S = 2.0
"""With a human in control and nobody watching, the rollout pauses after this."""

OpenLive = Callable[[str], "LiveSession"]
"""``open_live(tab_id)`` makes the session of a new tab: controller, view, reader."""


class LiveRegistry:
    """All live tabs of this process. A tab that lost its last socket is closed after a grace time."""

    def __init__(self, open_live: OpenLive, *, grace_s: float = 120.0, max_tabs: int = 32, sweep_s: float = 0.5) -> None:
        self._open_live = open_live
        self._grace_s, self._max_tabs, self._sweep_s = grace_s, max_tabs, sweep_s
        self._lock = threading.Lock()
        self._sessions: dict[str, LiveSession] = {}
        self._stop = threading.Event()
        self._sweeper: threading.Thread | None = None

    def create(self, tab_id: str | None = None) -> LiveSession:
        """Open a live session for a new tab.

        Raises:
            InvalidInput: too many tabs are open.
        """
        tab_id = tab_id or new_id()
        with self._lock:
            if len(self._sessions) >= self._max_tabs:
                raise InvalidInput(
                    "tabs", expected=f"at most {self._max_tabs} open at once", found="one more", fix="Close a tab and reload."
                )
        session = self._open_live(tab_id)
        with self._lock:
            assert tab_id not in self._sessions, f"tab {tab_id} opened twice"
            self._sessions[tab_id] = session
            if self._sweeper is None:
                self._sweeper = threading.Thread(target=self._sweep_forever, name="live-sweeper", daemon=True)
                self._sweeper.start()
        return session

    def get(self, tab_id: str) -> LiveSession:
        """Return the session of a tab.

        Raises:
            UnknownName: it was closed, or never opened.
        """
        with self._lock:
            session = self._sessions.get(tab_id)
        if session is None:
            raise UnknownName("tab", tab_id, ())
        return session

    def resume_or_create(self, tab_id: str | None, token: str | None) -> LiveSession:
        """Return the live session that a reloaded page had, if its token fits and it still lives; else a new one."""
        if tab_id and token:
            with self._lock:
                session = self._sessions.get(tab_id)
            if session is not None and secrets.compare_digest(session.token.encode(), token.encode()):
                return session
        return self.create()

    def close(self, tab_id: str) -> None:
        """Close one tab; an unknown one is fine."""
        with self._lock:
            session = self._sessions.pop(tab_id, None)
        if session is not None:
            session.close()

    def close_all(self) -> None:
        """Close every tab and stop sweeping; for the end of the process."""
        self._stop.set()
        for tab_id in self.tab_ids():
            self.close(tab_id)
        if self._sweeper is not None:
            self._sweeper.join(timeout=5.0)

    def tab_ids(self) -> tuple[str, ...]:
        """Return the ids of the open tabs."""
        with self._lock:
            return tuple(self._sessions)

    def __len__(self) -> int:
        with self._lock:
            return len(self._sessions)

    def push(self, message: dict[str, Any]) -> None:
        """Send a JSON message to every open tab; returns at once."""
        with self._lock:
            sessions = tuple(self._sessions.values())
        for session in sessions:
            session.push(message)

    def sweep(self) -> None:
        """Pause a correction that nobody watches, close tabs that nobody came back to."""
        with self._lock:
            sessions = list(self._sessions.values())
        for session in sessions:
            if session.unwatched_s > self._grace_s:
                logger.info("Closing tab %s: nobody watched it for %.0f s.", session.tab_id, session.unwatched_s)
                self.close(session.tab_id)
            elif session.unwatched_s > CORRECTING_GRACE_S and session.controller.status().mode == "correcting":
                session.controller.pause()

    def _sweep_forever(self) -> None:
        while not self._stop.wait(self._sweep_s):
            try:
                self.sweep()
            except Exception:
                logger.exception("Sweeping the live tabs failed.")
