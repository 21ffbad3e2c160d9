"""One process, one port: our routes and the Gradio page on one FastAPI application."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import gradio as gr
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from panels import build_page, theme
from panels.asset_urls import ASSETS_DIR, asset_url, asset_version
from panels.auth import LoginGate
from panels.errors import bug_message
from panels.guard import LOOPBACK_HOSTS, Guard
from panels.human_routes import make_human_router
from panels.keymap import load_keys
from panels.rating_routes import make_rating_router
from panels.routes import make_router
from panels.state import APP_NAME, AppState
from panels.stream import UVICORN_OPTIONS
from panels.stream import make_router as make_stream_router
from workbench.core.errors import InvalidInput, MissingDependency, NotStored, TooLarge, UnknownName, WorkbenchError, WrongMode

MEDIA_TYPES: Final = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".png": "image/png"}
STATUS_OF: Final[tuple[tuple[type[WorkbenchError], int], ...]] = (
    (TooLarge, 413),
    (NotStored, 404),
    (UnknownName, 404),
    (InvalidInput, 422),
    (WrongMode, 409),
    (WorkbenchError, 400),
)
"""HTTP status of an error, first match."""

log = logging.getLogger(__name__)


def page_head() -> str:
    """Return the tags that load our icon and styles; scripts come with the components that need them (:func:`panels.asset_urls.scripts`)."""
    tags = ['<link rel="icon" href="/favicon.ico" type="image/svg+xml">']
    for path in sorted(ASSETS_DIR.glob("*.css")):
        tags.append(f'<link rel="stylesheet" href="{asset_url(path.name)}">')
    return "\n".join(tags)


def make_server(
    app: AppState, *, auth: Mapping[str, str] | None = None, allowed_hosts: Iterable[str] = LOOPBACK_HOSTS, port: int = 7860
) -> FastAPI:
    """Return the application: REST, WebSocket and page behind one guard.

    Args:
        app: Everything that the page shows.
        auth: User names and password hashes (:func:`panels.auth.read_auth_file`); None lets everyone in who reaches the port.
        allowed_hosts: Host names under which the server answers; empty for all.
        port: Port that uvicorn will listen on, for Gradio's own records.

    Raises:
        MissingDependency: the WebSocket library is not installed.
        InvalidInput: the file of keys cannot be used.
    """
    if find_spec("websockets") is None:
        raise MissingDependency("The live view", needs="websockets", install="pip install websockets")
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(app.live.close_all)

    server = FastAPI(title=APP_NAME, lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url="/api/openapi.json")
    server.add_exception_handler(WorkbenchError, _on_workbench_error)
    server.add_exception_handler(Exception, _on_bug)
    _add_assets(server)
    server.include_router(make_stream_router(app.live, keys=load_keys(app.settings.root_dir)))
    server.include_router(make_router(app))
    server.include_router(make_human_router(app))
    server.include_router(make_rating_router(app))
    gr.mount_gradio_app(
        server,
        build_page(app),
        path="/",
        server_port=port,
        run_history=False,
        footer_links=[],
        max_file_size=app.settings.max_upload_mb * 2**20,
        theme=theme.make_theme(),
        head=page_head(),
        show_error=True,
        ssr_mode=False,
        enable_monitoring=False,
        allowed_paths=[str(app.settings.exports_dir)],
    )
    if auth:
        server.add_middleware(LoginGate, users=auth)
    server.add_middleware(Guard, max_upload_mb=app.settings.max_upload_mb, allowed_hosts=tuple(allowed_hosts))
    return server


def _add_assets(server: FastAPI) -> None:
    # One exact route a file: a folder mounted at /assets would hide Gradio's own files there.
    def add(path: Path) -> None:
        def serve_asset(request: Request) -> Response:
            is_versioned = request.query_params.get("v") == asset_version(path.name)
            cache = "public, max-age=31536000, immutable" if is_versioned else "no-cache"
            return FileResponse(path, media_type=MEDIA_TYPES[path.suffix], headers={"Cache-Control": cache})

        server.add_api_route(f"/assets/{path.name}", serve_asset, methods=["GET"], include_in_schema=False)

    for path in sorted(ASSETS_DIR.iterdir()):
        if path.suffix in MEDIA_TYPES:
            add(path)

    @server.get("/favicon.ico", include_in_schema=False)
    def favicon() -> Response:
        return FileResponse(ASSETS_DIR / "favicon.svg", media_type="image/svg+xml", headers={"Cache-Control": "max-age=86400"})


async def _on_workbench_error(_: Request, error: Exception) -> Response:
    status = next(code for kind, code in STATUS_OF if isinstance(error, kind))
    return JSONResponse({"error": str(error), "kind": type(error).__name__}, status_code=status)


async def _on_bug(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": bug_message(error), "kind": "Bug"}, status_code=500)


def run(server: FastAPI, *, host: str, port: int) -> None:
    """Serve until interrupted.

    Raises:
        InvalidInput: the address cannot be bound.
    """
    config = uvicorn.Config(server, host=host, port=port, log_level="warning", timeout_graceful_shutdown=3, **UVICORN_OPTIONS)
    try:
        socket = config.bind_socket()
    except SystemExit as error:
        raise InvalidInput(
            "server address", expected=f"a free port on {host}", found=f"port {port} cannot be bound", fix="Give another --port."
        ) from error
    try:
        uvicorn.Server(config).run(sockets=[socket])
    finally:
        socket.close()


@contextmanager
def serving(server: FastAPI) -> Iterator[str]:
    """Serve on a free port of this computer, in a thread, and give the address; for tests, measurements and screenshots."""
    config = uvicorn.Config(server, host="127.0.0.1", port=0, log_level="warning", timeout_graceful_shutdown=3, **UVICORN_OPTIONS)
    socket = config.bind_socket()
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [socket]}, name="server", daemon=True)
    thread.start()
    try:
        while not running.started:
            assert thread.is_alive(), "the server did not start; its log says why"
            time.sleep(0.02)
        yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    finally:
        running.should_exit = True
        thread.join(timeout=15.0)
        socket.close()
