"""Serves a policy to other processes by openpi's WebSocket protocol.

Thin on purpose: it needs numpy, msgpack, websockets, :mod:`models.wire` and the core's errors, so that it runs in any environment
in which a policy lives. The protocol: ``GET /healthz`` is answered with 200; every other request becomes a WebSocket. The server's
first frame is its metadata; then frames alternate, a request and a reply, both binary msgpack maps. When something goes wrong the
server sends one frame of text and closes with code 1011.

What is asked of the policy runs in one thread, never in the event loop, so that a slow policy delays neither health checks nor
pings, and two clients never use the policy at once.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hmac
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, NamedTuple, Protocol

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from models.wire import pack, unpack
from workbench.core.errors import InvalidInput, ServiceFailed, WorkbenchError

STEERING: Final = "steering"
"""Ability to act under edits of its activations."""
ACTIVATIONS: Final = "activations"
"""Ability to return activations."""
PROTOCOL: Final = "openpi-websocket"
_CLOSE_ERROR: Final = 1011
_LOG = logging.getLogger(__name__)


class Session(Protocol):
    """One client's view of a policy; made, used and closed in the policy's thread."""

    def infer(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Answer one request; the reply holds at least ``actions`` ``(T, D)``."""
        ...

    def close(self) -> None:
        """The client has gone."""
        ...


class Wishes(NamedTuple):
    """What a request asks for beside actions."""

    edits: tuple[Mapping[str, Any], ...] = ()
    """Steering edits, each a map with at least ``site``, the name of a place in the network."""
    sites: tuple[str, ...] = ()
    """Places whose activations are wanted back."""


@dataclass(frozen=True)
class Service:
    """What is served."""

    name: str
    open_session: Callable[[], Session]
    metadata: Mapping[str, Any]
    """Sent to each client first, beside ``policy``, ``protocol`` and ``abilities``."""
    abilities: frozenset[str] = frozenset()
    """Any of :data:`STEERING` and :data:`ACTIVATIONS`."""


@dataclass(frozen=True)
class Listening:
    """Where and to whom a server answers."""

    host: str = "127.0.0.1"
    port: int = 8000
    """0 takes any free port."""
    api_key_env: str = ""
    """Variable of the environment that holds the key which clients must send; empty: no key is asked for."""
    max_message_bytes: int = 64 * 2**20


def read_wishes(request: Mapping[str, Any]) -> Wishes:
    """Return the optional fields ``steering`` and ``activations`` of a request.

    Raises:
        InvalidInput: they do not follow the form.
    """
    edits, sites = (() if request.get(name) is None else request[name] for name in (STEERING, ACTIVATIONS))
    if not isinstance(edits, list | tuple) or not all(isinstance(e, Mapping) and isinstance(e.get("site"), str) for e in edits):
        raise InvalidInput(STEERING, expected="a list of maps, each with a text 'site'", found=repr(edits)[:80])
    if not isinstance(sites, list | tuple) or not all(isinstance(s, str) for s in sites):
        raise InvalidInput(ACTIVATIONS, expected="a list of names of sites", found=repr(sites)[:80])
    return Wishes(tuple(edits), tuple(sites))


class PolicyServer:
    """A server in a thread of its own; ``with PolicyServer(...) as server:`` or :meth:`serve_forever`."""

    def __init__(self, service: Service, listening: Listening | None = None) -> None:
        """Prepare; nothing listens yet.

        Raises:
            InvalidInput: a key is asked for, but its variable is empty.
        """
        self.service, self.listening = service, listening or Listening()
        self.url = ""
        """Where it listens, once it does."""
        self._key = os.environ.get(self.listening.api_key_env, "") if self.listening.api_key_env else ""
        if self.listening.api_key_env and not self._key:
            name = self.listening.api_key_env
            raise InvalidInput("API key of the policy server", expected=f"a key in the variable {name}", found="nothing")
        self._policy_thread = ThreadPoolExecutor(1, thread_name_prefix="policy")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self._failure: OSError | None = None
        self._thread = threading.Thread(target=self._run, name="policy-server", daemon=True)

    def __enter__(self) -> PolicyServer:
        """Listen.

        Raises:
            ServiceFailed: the address cannot be used.
        """
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            where = f"{self.listening.host}:{self.listening.port}"
            raise ServiceFailed(f"Policy server at {where}", reason=str(self._failure), fix="Choose another --port.")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop listening, and wait until the policy's thread is free; again is harmless."""
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()

    def serve_forever(self) -> None:
        """Wait in the calling thread until it is interrupted."""
        with contextlib.suppress(KeyboardInterrupt):
            while self._thread.is_alive():
                self._thread.join(0.5)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except OSError as error:
            self._failure = error
        finally:
            self._ready.set()
            self._policy_thread.shutdown(wait=True, cancel_futures=True)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        where = self.listening
        # Pages in a browser send an origin; only programs, which send none, may talk to a policy.
        async with serve(
            self._serve_client,
            where.host,
            where.port,
            origins=[None],
            compression=None,
            max_size=where.max_message_bytes,
            process_request=self._admit,
            ping_timeout=None,
        ) as server:
            self.url = f"ws://{where.host}:{_port(server)}"
            self._ready.set()
            await self._stop.wait()

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer health checks, and turn away who has no key."""
        if request.path == "/healthz":
            return connection.respond(HTTPStatus.OK, "OK\n")
        given = request.headers.get("Authorization", "")
        if self._key and not hmac.compare_digest(given.encode(), f"Api-Key {self._key}".encode()):
            return connection.respond(HTTPStatus.UNAUTHORIZED, "This policy server asks for an API key.\n")
        return None

    async def _serve_client(self, connection: ServerConnection) -> None:
        loop = asyncio.get_running_loop()
        session: Session | None = None
        try:
            session = await loop.run_in_executor(self._policy_thread, self.service.open_session)
            await connection.send(pack(self._metadata()))
            await self._converse(connection, session)
        except ConnectionClosed:
            pass
        except Exception as error:
            text = _short(error)
            _LOG.warning("A client was turned away: %s", text, exc_info=None if isinstance(error, WorkbenchError) else error)
            await _tell_and_close(connection, text)
        finally:
            if session is not None:
                await loop.run_in_executor(self._policy_thread, session.close)

    async def _converse(self, connection: ServerConnection, session: Session) -> None:
        previous_ms: float | None = None
        while True:
            began = time.perf_counter()
            frame = await connection.recv()
            reply = await asyncio.get_running_loop().run_in_executor(self._policy_thread, self._answer, session, frame)
            if previous_ms is not None:
                reply["server_timing"]["prev_total_ms"] = previous_ms
            await connection.send(pack(reply))
            previous_ms = 1e3 * (time.perf_counter() - began)

    def _answer(self, session: Session, frame: str | bytes) -> dict[str, Any]:
        """Return the reply to a frame; in the policy's thread."""
        request = unpack(frame) if isinstance(frame, bytes) else None
        if not isinstance(request, dict):
            raise InvalidInput(
                "request", expected="a binary frame with a msgpack map", found="text" if request is None else "another value"
            )
        wishes = read_wishes(request)
        for wish, ability in ((wishes.edits, STEERING), (wishes.sites, ACTIVATIONS)):
            if wish and ability not in self.service.abilities:
                raise InvalidInput(
                    f"the field {ability!r} of a request",
                    expected="nothing, since the served policy cannot do it",
                    found=f"{len(wish)} entries",
                    fix=f"Abilities of {self.service.name!r}: {', '.join(sorted(self.service.abilities)) or 'none'}.",
                )
        began = time.perf_counter()
        reply = session.infer(request)
        return {**reply, "server_timing": {"infer_ms": 1e3 * (time.perf_counter() - began)}}

    def _metadata(self) -> dict[str, Any]:
        service = self.service
        return {**service.metadata, "policy": service.name, "protocol": PROTOCOL, "abilities": sorted(service.abilities)}


def add_listening_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that :class:`Listening` is made of: ``--host``, ``--port``, ``--api-key-env``."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1: this computer only)")
    parser.add_argument("--port", type=int, default=8000, help="port (default 8000; 0 takes any)")
    parser.add_argument("--api-key-env", default="", metavar="NAME", help="variable that holds the key which clients must send")


def serve_until_interrupted(service: Service, listening: Listening) -> None:
    """Serve, say on stderr where, and return when interrupted.

    Raises:
        InvalidInput: a key is asked for, but its variable is empty.
        ServiceFailed: it cannot listen there.
    """
    with PolicyServer(service, listening) as server:
        print(f"Policy {service.name!r} answers at {server.url} (health: /healthz)", file=sys.stderr, flush=True)
        server.serve_forever()


async def _tell_and_close(connection: ServerConnection, text: str) -> None:
    try:
        await connection.send(text)
        await connection.close(_CLOSE_ERROR, "the policy failed")
    except ConnectionClosed:
        pass


def _short(error: Exception) -> str:
    """Return what a client may read: our own messages whole; of anything else its kind, since a traceback tells paths."""
    if isinstance(error, WorkbenchError):
        return f"{type(error).__name__}: {error}"
    return f"{type(error).__name__} in the policy; the server's log tells more."


def _port(server: Server) -> int:
    return int(next(iter(server.sockets)).getsockname()[1])
