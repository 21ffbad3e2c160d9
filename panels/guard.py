"""ASGI layers that every connection passes: known host, same origin, size of uploads, security headers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, MutableMapping
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK_HOSTS: Final = ("127.0.0.1", "localhost", "::1", "[::1]")
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'self'",
        # Gradio compiles templates and js_on_load in the browser, which needs eval.
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' ws: wss: data: blob:",
        "worker-src 'self' blob:",
        "frame-src 'self' http://127.0.0.1:* http://localhost:*",
        "frame-ancestors 'self'",
        "base-uri 'self'",
        "form-action 'self'",
        "object-src 'none'",
    )
)
"""The page talks to its own server only."""

SECURITY_HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class Guard:
    """Refuses connections for other hosts or from other sites and bodies that are too large; adds security headers.

    The host check stops a foreign page from reaching a local server under its own name (DNS rebinding); the origin check stops it
    from sending commands or opening a WebSocket.
    """

    def __init__(self, app: ASGIApp, *, max_upload_mb: int, allowed_hosts: Iterable[str] = ()) -> None:
        self._app, self._max_bytes, self._max_mb = app, max_upload_mb * 2**20, max_upload_mb
        self._hosts = frozenset(allowed_hosts)
        """Host names without port; empty allows all."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is None:
            await self._pass(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 4403, "reason": refusal[1]})
        else:
            await self._refuse(scope, receive, send, *refusal)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = _CountedBody(receive, with_headers(send), self._max_bytes)
        try:
            await self._app(scope, body.receive, body.send)
        except Exception:
            if not body.is_too_large:
                raise
        if body.is_too_large and not body.has_started:
            await self._refuse(scope, receive, send, 413, self._too_large())

    @staticmethod
    async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, text: str) -> None:
        await JSONResponse({"error": text, "detail": text}, status_code=status)(scope, receive, with_headers(send))

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._hosts and host_name(host) not in self._hosts:
            return 421, f"This server does not answer for the host {host_name(host)!r}; open it as {sorted(self._hosts)[0]}."
        is_unsafe = scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS
        origin = headers.get("origin")
        if is_unsafe and origin is not None and urlsplit(origin).netloc != host:
            return 403, "A page of another site may not send commands to the workbench."
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > self._max_bytes:
            return 413, self._too_large()
        return None

    def _too_large(self) -> str:
        return f"The upload is larger than {self._max_mb} MB. Choose a smaller file, or start the server with a larger --max-upload-mb."


class _CountedBody:
    """Counts the bytes of a request body while they are read; one that grows too large looks cut off, and its answer is dropped."""

    def __init__(self, receive: Receive, send: Send, max_bytes: int) -> None:
        self._receive, self._send, self._left = receive, send, max_bytes
        self.has_started = False

    @property
    def is_too_large(self) -> bool:
        return self._left < 0

    async def receive(self) -> MutableMapping[str, Any]:
        message = await self._receive()
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
        return {"type": "http.disconnect"} if self.is_too_large else message

    async def send(self, message: Message) -> None:
        if self.is_too_large and not self.has_started:
            return
        self.has_started = True
        await self._send(message)


def host_name(host: str) -> str:
    """Return a Host header without its port."""
    return host.rsplit(":", 1)[0] if host.rpartition(":")[2].isdigit() else host


def with_headers(send: Send) -> Send:
    """Return a ``send`` that adds the security headers to each response, where it did not set them itself."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return send_with_headers


def is_same_origin(origin: str | None, host: str, allowed: Collection[str]) -> bool:
    """Tell whether a request comes from our own page, an allowed origin, or no browser at all."""
    return origin is None or urlsplit(origin).netloc == host or origin in allowed
