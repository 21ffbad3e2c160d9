"""The WebSocket of a live tab, its HTTP twin, and the scripts of the stage. docs/protocol.md describes the wire."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.abc
from fastapi import APIRouter, Header, HTTPException, Query, Response
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from panels.admission import CLOSE_UNKNOWN_TAB, Admission, Refused
from panels.commands import COMMANDS
from panels.frames import ACK, HEADER, Feed, FrameHub, Viewer, with_channel
from panels.intention import IntentionWish, intention_message
from panels.keymap import Keys, command_sheet
from panels.live import STAGE_SIZE, LiveRegistry, LiveSession
from panels.trail import TrailMark
from workbench.core.errors import InvalidInput, TooLarge, UnknownName, WorkbenchError
from workbench.core.types import CameraRequest, Intention

logger = logging.getLogger(__name__)

STAGE_ASSETS: Final = Path(__file__).parent / "assets" / "stage"
MEDIA_TYPES: Final = {".js": "text/javascript", ".css": "text/css"}
STATUS_HZ: Final = 15.0
HEARTBEAT_S: Final = 1.0
MAX_MESSAGE_BYTES: Final = 1 << 20
MAX_QUEUED_MESSAGES: Final = 2000
MAX_QUEUED_COMMANDS: Final = 100
MAX_ERRORS: Final = 50
"""After so many bad messages on one socket it is closed."""
MAX_CHANNELS: Final = 4

CLOSE_TOO_SLOW: Final = 4408
CLOSE_HOSTILE: Final = 1008

UVICORN_OPTIONS: Final[dict[str, Any]] = {"ws": "websockets-sansio", "ws_max_size": MAX_MESSAGE_BYTES, "ws_per_message_deflate": False}
"""What the server must be started with: JPEG does not shrink, and deflating it costs a core."""
SWITCH_INTERVAL_S: Final = 0.0005
"""A thread that comes back from a system call waits up to this long for the interpreter, several times a frame; Python's own 5 ms are seen."""


class CameraMessage(BaseModel):
    """Up: show a camera on a channel; ``name`` null closes the channel."""

    model_config = ConfigDict(extra="forbid")
    type: str
    channel: int = Field(0, ge=0, lt=MAX_CHANNELS)
    name: str | None = Field(max_length=100)
    width: int = Field(STAGE_SIZE, ge=16, le=1280)
    height: int = Field(STAGE_SIZE, ge=16, le=1280)


class CommandMessage(BaseModel):
    """Up: run a command; answered by an ``ack`` with the same seq."""

    model_config = ConfigDict(extra="forbid")
    type: str
    name: str = Field(max_length=100)
    args: dict[str, Any] = Field(default_factory=dict)
    seq: int = Field(0, ge=0, le=2**53)


class CommandBody(BaseModel):
    """Body of the HTTP twin."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(max_length=100)
    args: dict[str, Any] = Field(default_factory=dict)


def error_fields(error: Exception) -> dict[str, Any]:
    """Return what the page shows of an error: the message for a person, or for a bug a calm sentence and an id in the log."""
    if isinstance(error, WorkbenchError):
        return {"error": str(error), "kind": type(error).__name__}
    bug_id = secrets.token_hex(4)
    logger.error("bug %s", bug_id, exc_info=error)
    return {"error": f"Something went wrong here that is not your doing (report id {bug_id}).", "kind": "Bug"}


class Hubs:
    """One :class:`FrameHub` for each live session that somebody watches."""

    def __init__(self) -> None:
        self._hubs: dict[str, tuple[FrameHub, int]] = {}

    @contextlib.contextmanager
    def open(self, session: LiveSession) -> Any:
        """Give the session's hub, kept while anybody is inside."""
        hub, users = self._hubs.get(session.tab_id) or (FrameHub(session.view, session.cameras), 0)
        self._hubs[session.tab_id] = (hub, users + 1)
        try:
            yield hub
        finally:
            hub, users = self._hubs[session.tab_id]
            if users <= 1:
                del self._hubs[session.tab_id]
            else:
                self._hubs[session.tab_id] = (hub, users - 1)


class LiveSocket:
    """One socket on one tab: a receiving, a sending, a working and a status task."""

    def __init__(self, websocket: WebSocket, session: LiveSession, hub: FrameHub) -> None:
        self._websocket, self._session, self._hub = websocket, session, hub
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._messages: deque[dict[str, Any]] = deque()
        self._frames: dict[int, bytes] = {}
        self._watched: dict[int, tuple[Feed, Viewer]] = {}
        self._slow: asyncio.Queue[CommandMessage] = asyncio.Queue(MAX_QUEUED_COMMANDS)
        self._num_errors = 0
        self._close_code: int | None = None

    async def run(self) -> None:
        """Serve until the socket closes."""
        self._session.attach(self._push)
        try:
            async with anyio.create_task_group() as group:
                for task in (self._send, self._work, self._tell_status):
                    group.start_soon(self._until_closed, task, group)
                await self._until_closed(self._receive, group)
        finally:
            self._session.detach(self._push)
            for channel in list(self._watched):
                self._leave(channel)
        if self._close_code is not None and self._websocket.application_state is WebSocketState.CONNECTED:
            with contextlib.suppress(RuntimeError, OSError):
                await self._websocket.close(self._close_code)

    async def _until_closed(self, task: Callable[[], Awaitable[None]], group: anyio.abc.TaskGroup) -> None:
        try:
            await task()
        except (WebSocketDisconnect, OSError):
            pass  # The browser has gone; that is how every socket ends.
        except RuntimeError as error:
            if self._websocket.application_state is WebSocketState.CONNECTED and self._websocket.client_state is WebSocketState.CONNECTED:
                logger.error("Serving tab %s failed.", self._session.tab_id, exc_info=error)
        finally:
            group.cancel_scope.cancel()

    # --- down ---

    def _push(self, message: dict[str, Any]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._enqueue, message)

    def _enqueue(self, message: dict[str, Any]) -> None:
        if len(self._messages) >= MAX_QUEUED_MESSAGES:
            self._close_code = CLOSE_TOO_SLOW
        self._messages.append(message)
        self._wake.set()

    def _deliver(self, channel: int, packed: bytes) -> None:
        self._frames[channel] = packed
        self._wake.set()

    async def _send(self) -> None:
        while self._close_code is None:
            await self._wake.wait()
            self._wake.clear()
            while self._messages and self._close_code is None:
                message = self._messages.popleft()
                await self._websocket.send_text(json.dumps(message, separators=(",", ":"), default=str))
                if message["type"] == "closed":
                    self._close_code = CLOSE_UNKNOWN_TAB
            for channel in list(self._frames):
                await self._websocket.send_bytes(with_channel(self._frames.pop(channel), channel))

    async def _tell_status(self) -> None:
        last: dict[str, Any] = {}
        quiet_s, trail, masked = 0.0, TrailMark(), self._session.masks.key()
        intended: tuple[Intention | None, IntentionWish] = (None, IntentionWish(is_on=False))
        while True:
            status = self._session.status()
            quiet_s += 1.0 / STATUS_HZ
            points, trail = self._session.trail.since(trail)
            if points:
                self._enqueue({"type": "trail", "from": trail.num_points - len(points), "points": points})
            self._session.trajectory.poll()
            self._session.steering.poll()
            if (seen := self._session.masks.key()) != masked:
                masked = seen
                self._enqueue(self._session.masks.message())
            intention = self._session.intention()
            if (intention, self._session.intention_wish) != intended:
                intended = (intention, self._session.intention_wish)
                self._enqueue(intention_message(*intended))
            if status != last or quiet_s >= HEARTBEAT_S:
                last, quiet_s = status, 0.0
                self._enqueue({"type": "status", **status})
            await asyncio.sleep(1.0 / STATUS_HZ)

    # --- up ---

    async def _receive(self) -> None:
        while self._close_code is None:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            try:
                if message.get("bytes") is not None:
                    self._take_ack(message["bytes"])
                else:
                    self._take_text(message.get("text") or "")
            except WorkbenchError as error:
                self._num_errors += 1
                self._enqueue({"type": "error", **error_fields(error)})
                if self._num_errors >= MAX_ERRORS:
                    self._close_code = CLOSE_HOSTILE

    def _take_ack(self, data: bytes) -> None:
        if len(data) != ACK.size:
            raise InvalidInput("frame acknowledgement", expected=f"{ACK.size} bytes", found=f"{len(data)} bytes")
        channel, seq = ACK.unpack(data)
        if channel in self._watched:
            feed, viewer = self._watched[channel]
            feed.acknowledge(viewer, seq)

    def _take_text(self, text: str) -> None:
        if len(text) > MAX_MESSAGE_BYTES:
            raise TooLarge("message", limit=f"{MAX_MESSAGE_BYTES} bytes", found=f"{len(text)}")
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InvalidInput("message", expected="JSON", found=text[:60]) from error
        kind = data.get("type") if isinstance(data, dict) else None
        if kind == "ping":
            self._enqueue({"type": "pong", "sent": data.get("sent"), "time": time.time()})
        elif kind == "camera":
            self._show_camera(_checked(CameraMessage, data))
        elif kind == "command":
            self._take_command(_checked(CommandMessage, data))
        else:
            raise InvalidInput("message", expected="type camera, command or ping", found=str(kind)[:60])

    def _show_camera(self, message: CameraMessage) -> None:
        if message.name is not None and message.name not in self._session.cameras:
            raise UnknownName("camera", message.name, self._session.cameras)
        self._leave(message.channel)
        if message.name is not None:
            request = CameraRequest(message.name, message.width, message.height)
            channel = message.channel
            self._watched[channel] = self._hub.watch(request, lambda packed: self._deliver(channel, packed))

    def _leave(self, channel: int) -> None:
        if channel in self._watched:
            self._hub.leave(*self._watched.pop(channel))
            self._frames.pop(channel, None)

    def _take_command(self, message: CommandMessage) -> None:
        command = COMMANDS.get(message.name)
        if command is not None and command.is_quick:
            self._enqueue(self._answer(message))
        elif self._slow.full():
            error = InvalidInput("commands", expected=f"at most {MAX_QUEUED_COMMANDS} waiting", found="more", fix="Wait a moment.")
            self._enqueue({"type": "ack", "seq": message.seq, "name": message.name, "ok": False, **error_fields(error)})
        else:
            self._slow.put_nowait(message)

    async def _work(self) -> None:
        while True:
            message = await self._slow.get()
            self._enqueue(await run_in_threadpool(self._answer, message))

    def _answer(self, message: CommandMessage) -> dict[str, Any]:
        head = {"type": "ack", "seq": message.seq, "name": message.name}
        try:
            return {**head, "ok": True, "result": self._session.command(message.name, message.args)}
        except Exception as error:
            return {**head, "ok": False, **error_fields(error)}


def _checked(model: Any, data: dict[str, Any]) -> Any:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(f"message, {where}", expected=first["msg"], found=repr(first.get("input"))[:80]) from error


def make_router(registry: LiveRegistry, *, allowed_origins: Collection[str] = (), keys: Keys | None = None) -> APIRouter:
    """Return the routes of the stage: WebSocket, HTTP commands, MJPEG, scripts.

    Args:
        registry: all live tabs.
        allowed_origins: as :attr:`Admission.allowed_origins`.
        keys: those of every command; None for those of the table of commands.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    router = APIRouter()
    admission, hubs = Admission(registry, allowed_origins), Hubs()
    _add_pictures(router, admission, hubs, keys)
    _add_commands(router, admission, keys)
    router.add_api_route("/assets/stage/{name}", serve_stage_asset, include_in_schema=False)
    return router


def _add_pictures(router: APIRouter, admission: Admission, hubs: Hubs, keys: Keys | None) -> None:
    """Add the ways to watch a live tab."""

    @router.websocket("/live/{tab_id}")
    async def live_socket(websocket: WebSocket, tab_id: str, token: str = "") -> None:
        """Serve one viewer of a tab."""
        # Accepted first, because a browser hides the reason of a refused handshake from the page.
        await websocket.accept()
        try:
            session = admission.admit(tab_id, token, websocket.headers)
        except Refused as refusal:
            await websocket.close(refusal.close_code)
            return
        opening = await run_in_threadpool(_opening, session, keys)
        try:
            await websocket.send_text(json.dumps(opening, default=str))
        except WebSocketDisconnect:
            return  # the page went while this was put together
        with hubs.open(session) as hub:
            await LiveSocket(websocket, session, hub).run()

    @router.get("/live/{tab_id}.mjpeg", include_in_schema=False)
    async def watch_mjpeg(tab_id: str, request: Request, token: str = "", camera: str = Query("front", max_length=100)) -> Response:
        """Stream a camera to a bare ``<img>``, for a look without our page."""
        session = admission.admit(tab_id, token, request.headers)
        await run_in_threadpool(session.hello)
        if camera not in session.cameras:
            raise HTTPException(404, f"No camera {camera!r}; there are: {', '.join(session.cameras)}.")
        return StreamingResponse(_mjpeg(hubs, session, camera, request), media_type="multipart/x-mixed-replace; boundary=frame")


def _opening(session: LiveSession, keys: Keys | None) -> dict[str, Any]:
    """Return the first message of a socket: the page tells whoever comes late again of every state that it brings."""
    states = {"trajectory": session.trajectory.message(), "masks": session.masks.message(), "steering": session.steering.message()}
    return {**session.hello(), "commands": command_sheet(keys), **states}


def _add_commands(router: APIRouter, admission: Admission, keys: Keys | None) -> None:
    """Add the HTTP twin of the socket's commands."""

    @router.post("/api/live/{tab_id}/command", name="live_command")
    def run_command(tab_id: str, body: CommandBody, request: Request, x_live_token: str = Header("")) -> JSONResponse:
        """Run a command by name, as a key or button would; the token of the tab goes into ``X-Live-Token``."""
        session = admission.admit(tab_id, x_live_token, request.headers)
        try:
            return JSONResponse({"ok": True, "result": session.command(body.name, body.args)})
        except Exception as error:
            return JSONResponse({"ok": False, **error_fields(error)}, status_code=400 if isinstance(error, WorkbenchError) else 500)

    @router.get("/api/commands")
    def list_commands() -> list[dict[str, Any]]:
        """List all commands with their keys."""
        return command_sheet(keys)


def serve_stage_asset(name: str) -> Response:
    """Serve a script of the stage."""
    path = STAGE_ASSETS / name
    if path.parent != STAGE_ASSETS or path.suffix not in MEDIA_TYPES or not path.is_file():
        raise HTTPException(404, "No such file.")
    return FileResponse(path, media_type=MEDIA_TYPES[path.suffix], headers={"Cache-Control": "no-cache"})


async def _mjpeg(hubs: Hubs, session: LiveSession, camera: str, request: Request) -> AsyncIterator[bytes]:
    with hubs.open(session) as hub:
        slot: asyncio.Queue[bytes] = asyncio.Queue()
        feed, viewer = hub.watch(CameraRequest(camera, STAGE_SIZE, STAGE_SIZE), slot.put_nowait)
        try:
            while not session.is_closed and not await request.is_disconnected():
                try:
                    packed = await asyncio.wait_for(slot.get(), 1.0)
                except TimeoutError:
                    continue
                jpeg = packed[HEADER.size :]
                yield b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg) + jpeg + b"\r\n"
                feed.acknowledge(viewer, viewer.last_seq)
        finally:
            hub.leave(feed, viewer)
