"""A Chromium that is driven through its DevTools and otherwise left alone.

Playwright listens to the network of its pages, so that each frame on a WebSocket is copied through the browser to Playwright: a tenth
of a core for each viewer of a live picture. What is to be measured must not be watched like that.
"""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from websockets.sync.client import connect
from websockets.sync.connection import Connection

from workbench.core.errors import MissingDependency, ServiceFailed

ARGS: Final = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
    "--force-prefers-reduced-motion",
)
START_TIMEOUT_S: Final = 60.0
ANSWER_TIMEOUT_S: Final = 60.0
_LOOK_S: Final = 0.1


@dataclass(eq=False)
class Browser:
    """A running Chromium."""

    connection: Connection
    _ids: Iterator[int] = field(default_factory=itertools.count)

    def call(self, method: str, session_id: str | None = None, /, **params: Any) -> dict[str, Any]:
        """Run a DevTools method and return its result.

        Raises:
            ServiceFailed: the browser refuses.
        """
        number = next(self._ids)
        message: dict[str, Any] = {"id": number, "method": method, "params": params}
        if session_id is not None:
            message["sessionId"] = session_id
        self.connection.send(json.dumps(message))
        while (answer := json.loads(self.connection.recv(timeout=ANSWER_TIMEOUT_S))).get("id") != number:
            pass  # an event; none is asked for but those of a page that opens
        if "error" in answer:
            raise ServiceFailed("Chromium", reason=f"{method}: {answer['error'].get('message', '')}")
        result: dict[str, Any] = answer["result"]
        return result

    def open_page(self, url: str, *, width: int, height: int, first_script: str) -> Page:
        """Open an address in a context of its own; ``first_script`` runs before any script of the page."""
        context_id = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context_id, width=width, height=height)
        session_id = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        self.call("Page.enable", session_id)
        self.call("Page.addScriptToEvaluateOnNewDocument", session_id, source=first_script)
        self.call("Page.navigate", session_id, url=url)
        return Page(self, context_id, session_id)


@dataclass(frozen=True, eq=False)
class Page:
    """One page of a browser."""

    browser: Browser
    context_id: str
    session_id: str

    def evaluate(self, expression: str) -> Any:
        """Return the JSON value of a JavaScript expression, or what its promise brings.

        Raises:
            ServiceFailed: it throws.
        """
        answer = self.browser.call("Runtime.evaluate", self.session_id, expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise ServiceFailed("The page", reason=str(answer["exceptionDetails"].get("exception", {}).get("description", ""))[:300])
        return answer["result"].get("value")

    def wait_for(self, expression: str, timeout_s: float) -> None:
        """Wait until an expression is true.

        Raises:
            ServiceFailed: it does not become true in time.
        """
        deadline = time.monotonic() + timeout_s
        while not self.evaluate(f"Boolean({expression})"):
            if time.monotonic() > deadline:
                raise ServiceFailed("The page", reason=f"not true within {timeout_s:.0f} s: {expression}")
            time.sleep(_LOOK_S)

    def close(self) -> None:
        """Close the page with its context."""
        self.browser.call("Target.disposeBrowserContext", browserContextId=self.context_id)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run Chromium with a fresh profile.

    Raises:
        MissingDependency: there is none.
        ServiceFailed: it does not start.
    """
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        raise MissingDependency("The stream bench", needs="Chromium", install="apt-get install chromium")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        command = [path, *ARGS, "--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            with connect(_address(Path(folder), process), max_size=None, proxy=None) as connection:
                yield Browser(connection)
        finally:
            process.terminate()
            process.wait()


def _address(folder: Path, process: subprocess.Popen[bytes]) -> str:
    """Return the address of the DevTools, which Chromium writes into its profile's folder."""
    deadline = time.monotonic() + START_TIMEOUT_S
    file = folder / "DevToolsActivePort"
    while not file.exists() or len(lines := file.read_text().splitlines()) < 2:
        if process.poll() is not None or time.monotonic() > deadline:
            raise ServiceFailed("Chromium", reason="it did not start")
        time.sleep(_LOOK_S)
    return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
