"""The connection to a policy server: a thread of its own, one request at a time, reconnecting with growing pauses."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any, Final, NamedTuple

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from models.remote_settings import RemoteSettings
from models.wire import pack, unpack
from workbench.core.errors import InvalidInput, ServiceFailed, WorkbenchError

_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 3.0
_POLL_S: Final = 0.1
"""How often a waiting thread looks whether it shall stop."""
_MAX_REPLY_BYTES: Final = 256 * 2**20
_LOG = logging.getLogger(__name__)


class Reply(NamedTuple):
    """An answer."""

    message: Mapping[str, Any]
    latency_ms: float
    """From the request to the answer, as the client saw it."""


class _Job(NamedTuple):
    request: bytes
    future: Future[Reply]


class RemoteLink:
    """Talks to one server. Requests may come from any thread and are answered in order, by futures.

    A connection that breaks is made anew, with growing pauses, until the time for the present request is over. What the server
    says in text is an error that asking again would not mend, so it is reported at once.
    """

    def __init__(self, settings: RemoteSettings) -> None:
        """Connect, and learn what is served.

        Raises:
            ServiceFailed: the server cannot be reached, or speaks something else.
        """
        self._settings = settings
        self.service = f"Policy server {settings.url}"
        self._connection: ClientConnection | None = None
        self._has_answered = False
        self.metadata: Mapping[str, Any] = {}
        """What the server said of itself when it was last connected to."""
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._stop = threading.Event()
        try:
            self._open(settings.connect_timeout_s)
        except (OSError, InvalidHandshake, ConnectionClosed) as error:
            raise self._unreachable(error) from error
        self._thread = threading.Thread(target=self._run, name="remote-policy", daemon=True)
        self._thread.start()

    def submit(self, request: Mapping[str, Any]) -> Future[Reply]:
        """Ask; the future raises :class:`ServiceFailed` when the server does not answer as agreed.

        Raises:
            InvalidInput: the request cannot be written.
        """
        future: Future[Reply] = Future()
        if self._stop.is_set():
            raise ServiceFailed(self.service, reason="the connection was closed on this side")
        self._jobs.put(_Job(pack(request), future))
        return future

    def close(self) -> None:
        """Hang up, without waiting; again is harmless."""
        self._stop.set()
        self._jobs.put(None)

    def _run(self) -> None:
        try:
            while not self._stop.is_set() and (job := self._jobs.get()) is not None:
                if not job.future.set_running_or_notify_cancel():
                    continue
                try:
                    job.future.set_result(self._answer(job.request))
                except WorkbenchError as error:
                    job.future.set_exception(error)
                except Exception as error:
                    _LOG.exception("%s: unexpected trouble", self.service)
                    job.future.set_exception(error)
        finally:
            self._hang_up()

    def _answer(self, request: bytes) -> Reply:
        began = time.monotonic()
        limit_s = self._settings.timeout_s if self._has_answered else self._settings.warm_up_s
        deadline, pause_s = began + limit_s, _FIRST_PAUSE_S
        while True:
            try:
                sent = time.monotonic()
                message = self._exchange(request, deadline)
                self._has_answered = True
                return Reply(message, 1e3 * (time.monotonic() - sent))
            except TimeoutError as error:
                self._hang_up()  # its answer may still come, and would be taken for the next one's
                raise self._failed(f"no answer within {limit_s:g} s", "Resume to ask again, or allow more time.") from error
            except (OSError, ConnectionClosed, InvalidHandshake) as error:
                self._hang_up()
                if isinstance(error, InvalidStatus) or time.monotonic() + pause_s > deadline or self._stop.is_set():
                    raise self._unreachable(error) from error
                _LOG.warning("%s is gone (%s); trying again in %.1f s", self.service, type(error).__name__, pause_s)
                self._stop.wait(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _exchange(self, request: bytes, deadline: float) -> Mapping[str, Any]:
        """Send a request and return the answer, connecting first where needed."""
        if self._connection is None:
            self._open(max(0.01, min(self._settings.connect_timeout_s, deadline - time.monotonic())))
        assert self._connection is not None
        self._connection.send(request)
        return self._read(self._connection, deadline)

    def _open(self, timeout_s: float) -> None:
        settings = self._settings
        key = os.environ.get(settings.api_key_env, "") if settings.api_key_env else ""
        deadline = time.monotonic() + timeout_s
        connection = connect(
            settings.url,
            additional_headers={"Authorization": f"Api-Key {key}"} if key else None,
            compression=None,
            max_size=_MAX_REPLY_BYTES,
            open_timeout=timeout_s,
            close_timeout=1.0,
            ping_interval=None,  # a server that thinks in its event loop answers no pings
            proxy=None,
        )
        try:
            self.metadata = self._read(connection, deadline)
        except TimeoutError as error:
            connection.close()
            raise self._failed(
                f"it sent no metadata within {timeout_s:g} s", "Check that it is a policy server of openpi's protocol."
            ) from error
        except BaseException:
            connection.close()
            raise
        self._connection, self._has_answered = connection, False

    def _read(self, connection: ClientConnection, deadline: float) -> Mapping[str, Any]:
        """Return the next message.

        Raises:
            TimeoutError: there was none in time.
            ServiceFailed: the server reported an error, or sent something else.
        """
        while True:
            try:
                frame = connection.recv(timeout=max(0.0, min(_POLL_S, deadline - time.monotonic())))
                break
            except TimeoutError:
                if time.monotonic() >= deadline:
                    raise
                if self._stop.is_set():
                    raise self._failed("the connection was closed on this side") from None
        if isinstance(frame, str):
            self._hang_up()
            lines = [line.strip() for line in frame.strip().splitlines() if line.strip()]
            raise self._failed(f"it reported an error: {lines[-1][:300] if lines else 'no text'}", "See the server's log.")
        try:
            message = unpack(frame)
        except InvalidInput as error:
            self._hang_up()
            raise self._failed(f"its answer cannot be read: {error}") from error
        if not isinstance(message, Mapping):
            self._hang_up()
            raise self._failed(f"its answer is a {type(message).__name__}, not a map")
        return message

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(OSError, ConnectionClosed):
                connection.close()

    def _unreachable(self, error: BaseException) -> ServiceFailed:
        if isinstance(error, InvalidStatus):
            status = error.response.status_code
            fix = f"Put a valid key into {self._settings.api_key_env}." if status in (401, 403) else "Check the address."
            return self._failed(f"it refused the connection with status {status}", fix)
        if isinstance(error, ConnectionClosed):
            code = error.rcvd.code if error.rcvd else "none"
            return self._failed(f"it closed the connection (code {code})", "See the server's log, and start it again.")
        if isinstance(error, TimeoutError):
            return self._failed(f"no connection within {self._settings.connect_timeout_s:g} s", "Check the address, or allow more time.")
        if isinstance(error, InvalidHandshake):
            return self._failed("it does not speak WebSocket", "Check the address.")
        return self._failed(f"it could not be reached ({_reason(error)})", "Check the address and that it runs.")

    def _failed(self, reason: str, fix: str = "") -> ServiceFailed:
        return ServiceFailed(self.service, reason=reason, fix=fix)


def _reason(error: BaseException) -> str:
    return (getattr(error, "strerror", None) or type(error).__name__).lower()
