"""Who may use a live tab: a page of our own site that has the tab's token."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from fastapi import HTTPException

from panels.guard import is_same_origin
from panels.live import LiveRegistry, LiveSession
from workbench.core.errors import UnknownName

CLOSE_NO_TOKEN: Final = 4401
CLOSE_REFUSED: Final = 4403
CLOSE_UNKNOWN_TAB: Final = 4404


class Refused(HTTPException):
    """Somebody may not use a live tab; on HTTP it is answered as it is, a WebSocket closes with ``close_code``."""

    def __init__(self, status: int, reason: str, close_code: int) -> None:
        super().__init__(status, reason)
        self.close_code = close_code


@dataclass(frozen=True, eq=False)
class Admission:
    """Checks whoever asks for a live tab."""

    registry: LiveRegistry
    allowed_origins: Collection[str] = ()
    """Origins besides our own whose pages may connect, for example ``https://lab.example``."""

    def admit(self, tab_id: str, token: str, headers: Mapping[str, str]) -> LiveSession:
        """Return the session of a tab for a connection with these headers.

        Raises:
            Refused: as :meth:`session_of`, or a page of another site asks.
        """
        if not is_same_origin(headers.get("origin"), headers.get("host", ""), self.allowed_origins):
            raise Refused(403, "A page of another site may not use the live view.", CLOSE_REFUSED)
        return self.session_of(tab_id, token)

    def session_of(self, tab_id: str, token: str) -> LiveSession:
        """Return the session of a tab whose token is shown.

        Raises:
            Refused: there is no such tab, or the token is not its.
        """
        try:
            session = self.registry.get(tab_id)
        except UnknownName as error:
            raise Refused(404, "This tab is closed. Reload the page.", CLOSE_UNKNOWN_TAB if token else CLOSE_NO_TOKEN) from error
        if not secrets.compare_digest(session.token.encode(), token.encode()):
            text = "The token does not belong to this tab. Reload the page."
            raise Refused(403, text, CLOSE_REFUSED) if token else Refused(401, text, CLOSE_NO_TOKEN)
        return session
