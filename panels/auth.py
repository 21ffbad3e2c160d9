"""Who may use the page: a file of users and password hashes, a login page, and one gate before every route.

The file has one ``user:hash`` a line; ``#`` starts a comment. A hash is made by ``python -m panels.auth USER`` (asks for the
password and prints the line). Hashes are ``scrypt$<salt>$<key>``, hexadecimal, with n = 2^14, r = 8, p = 1.
"""

from __future__ import annotations

import base64
import getpass
import hashlib
import hmac
import html
import secrets
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from workbench.core.errors import InvalidInput

COOKIE: Final = "vlaw-login"
LOGIN_S: Final = 14 * 24 * 3600.0
OPEN_PATHS: Final = frozenset({"/healthz", "/login", "/favicon.ico"})
"""Served without a login."""
MAX_LOGIN_BYTES: Final = 4096


def hash_password(password: str, *, salt: bytes | None = None) -> str:
    """Return the text that the auth file holds for a password."""
    salt = secrets.token_bytes(16) if salt is None else salt
    key = hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1)
    return f"scrypt${salt.hex()}${key.hex()}"


def is_password(password: str, stored: str) -> bool:
    """Tell whether a password belongs to a stored hash, in constant time."""
    _, salt, _ = stored.split("$")
    return hmac.compare_digest(hash_password(password, salt=bytes.fromhex(salt)), stored)


def read_auth_file(path: Path) -> dict[str, str]:
    """Read ``user:hash`` lines.

    Raises:
        InvalidInput: the file cannot be read, is empty, or a line does not follow the format.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput("auth file", expected=f"a readable text file at {path}", found=str(error)) from error
    users: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        text = line.split("#", 1)[0].strip()
        if not text:
            continue
        user, _, stored = text.partition(":")
        if not user or not _is_hash(stored):
            raise InvalidInput(
                f"auth file, line {number}",
                expected="user:scrypt$salt$key",
                found="another format",
                fix="Make a line with: python -m panels.auth USER",
            )
        users[user] = stored
    if not users:
        raise InvalidInput("auth file", expected="at least one user", found="none", fix="Make a line with: python -m panels.auth USER")
    return users


def _is_hash(stored: str) -> bool:
    parts = stored.split("$")
    try:
        return len(parts) == 3 and parts[0] == "scrypt" and len(bytes.fromhex(parts[1])) >= 8 and len(bytes.fromhex(parts[2])) == 64
    except ValueError:
        return False


class LoginGate:
    """ASGI layer that lets nobody through without a login: pages are sent to ``/login``, everything else is refused.

    A login is a signed cookie, or HTTP Basic for scripts. The key lives in the process, so a restart asks everyone to log in again.
    """

    def __init__(self, app: ASGIApp, *, users: Mapping[str, str], clock: Callable[[], float] = time.time) -> None:
        self._app, self._users, self._clock = app, dict(users), clock
        self._key = secrets.token_bytes(32)
        self._basic: set[bytes] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        path = connection.url.path
        if path == "/login" and scope["type"] == "http":
            await (await self._login(Request(scope, receive)))(scope, receive, send)
        elif path in OPEN_PATHS or await self._is_known(connection):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 4401, "reason": "log in first"})
        else:
            await self._refuse(connection)(scope, receive, send)

    def _refuse(self, connection: HTTPConnection) -> Response:
        if "text/html" in connection.headers.get("accept", ""):
            return RedirectResponse("/login", status_code=303)
        return JSONResponse({"error": "Log in first."}, status_code=401, headers={"WWW-Authenticate": 'Basic realm="VLA Workbench"'})

    async def _login(self, request: Request) -> Response:
        if request.method != "POST":
            return HTMLResponse(login_page(""))
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_LOGIN_BYTES:
                return HTMLResponse(login_page("That is too long for a login."), status_code=413)
        form = parse_qs(body.decode("utf-8", "replace"))
        user, password = form.get("user", [""])[0], form.get("password", [""])[0]
        if not await run_in_threadpool(self._is_user, user, password):
            return HTMLResponse(login_page("User name or password is wrong."), status_code=401)
        response = RedirectResponse("/", status_code=303)
        response.set_cookie(
            COOKIE, self._sign(user), max_age=int(LOGIN_S), httponly=True, samesite="lax", secure=request.url.scheme == "https"
        )
        return response

    def _is_user(self, user: str, password: str) -> bool:
        # An unknown user costs one hash as well, so that the answer's time does not tell which names exist.
        stored = self._users.get(user)
        return is_password(password, stored or hash_password("", salt=b"no such user")) and stored is not None

    def _sign(self, user: str) -> str:
        name = base64.urlsafe_b64encode(user.encode()).decode()
        text = f"{name}.{int(self._clock() + LOGIN_S)}"
        return f"{text}.{hmac.new(self._key, text.encode(), 'sha256').hexdigest()}"

    def _is_signed(self, cookie: str) -> bool:
        text, _, signature = cookie.rpartition(".")
        wanted = hmac.new(self._key, text.encode(), "sha256").hexdigest()
        return hmac.compare_digest(signature.encode(), wanted.encode()) and int(text.rpartition(".")[2]) > self._clock()

    async def _is_known(self, connection: HTTPConnection) -> bool:
        if self._is_signed(connection.cookies.get(COOKIE, "")):
            return True
        scheme, _, encoded = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return False
        # scrypt costs 50 ms: a Basic login that was right once is remembered by its keyed digest.
        digest = hmac.new(self._key, encoded.encode(), "sha256").digest()
        if digest in self._basic:
            return True
        try:
            user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except ValueError:
            return False
        if await run_in_threadpool(self._is_user, user, password):
            self._basic.add(digest)
            return True
        return False


def login_page(message: str) -> str:
    """Return the login page."""
    return f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Log in to the VLA Workbench</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>
:root {{ color-scheme: light dark; font: 16px system-ui, sans-serif }} body {{ display: grid; place-items: center; min-height: 90vh; margin: 0 }}
form {{ display: grid; gap: 12px; width: 280px }} h1 {{ font-size: 20px; margin: 0 }} label {{ display: grid; gap: 4px; font-size: 14px }}
input, button {{ font: inherit; padding: 8px 10px; border-radius: 8px; border: 1px solid #8888 }} button {{ cursor: pointer }}
p {{ margin: 0; color: #c2410c; min-height: 1.2em; font-size: 14px }}</style>
<form method="post" action="/login"><h1>VLA Workbench</h1><label>User<input name="user" autocomplete="username" required autofocus></label>
<label>Password<input name="password" type="password" autocomplete="current-password" required></label>
<button>Log in</button><p role="alert">{html.escape(message)}</p></form></html>"""


if __name__ == "__main__":
    if len(sys.argv) != 2 or ":" in sys.argv[1] or "#" in sys.argv[1]:
        sys.exit("usage: python -m panels.auth USER   (asks for the password, prints the line for --auth-file)")
    print(f"{sys.argv[1]}:{hash_password(getpass.getpass())}")
