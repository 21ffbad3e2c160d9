"""A running workbench and a real Chromium, shared by every browser test.

- ``workbench``: the process's :class:`AppState`, for looking behind the page.
- ``server_url``: address of the running server.
- ``open_page(path="/", **context_options)``: opens a page in a fresh browser context; at the end of the test every page that was
  opened must have logged no console error and asked no other host.
- ``page``: one such page at 1280x720.
"""

import shutil
from urllib.parse import urlsplit

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CHROMIUM_ARGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-background-timer-throttling", "--disable-renderer-backgrounding"]
READY_MS = 30_000


def pytest_collection_modifyitems(items):
    for item in items:
        if "tests/browser" in str(item.path).replace("\\", "/"):
            item.add_marker(pytest.mark.browser)
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason="Chromium is not installed (apt-get install chromium)"))


@pytest.fixture(scope="session")
def workbench(tmp_path_factory):
    from app import make_app_state
    from panels.opening import close_app

    state = make_app_state(tmp_path_factory.mktemp("root"))
    yield state
    close_app(state)


@pytest.fixture(scope="session")
def server_url(workbench):
    from panels.server import make_server, serving

    with serving(make_server(workbench)) as url:
        yield url


@pytest.fixture(scope="session")
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        yield browser
        browser.close()


CUT_OFF = ("AbortError: signal is aborted without reason", "Unexpected error Connection errored out.")
"""What Gradio logs of its event stream when a test reloads the page on purpose; at any other time these are errors as well."""


class PageWatch:
    """Collects what a page must not do."""

    def __init__(self, page, own_host):
        self.errors, self.foreign, self.dialogs = [], [], []
        self.is_leaving = False
        page.on("console", self._hear)
        page.on("pageerror", lambda e: self.errors.append(str(e)))
        page.on("dialog", lambda d: (self.dialogs.append(d.message), d.dismiss()))
        page.on("request", lambda r: self._note(r.url, own_host))
        page.on("websocket", lambda ws: self._note(ws.url, own_host))

    def _hear(self, message):
        text = message.text
        if message.type == "error" and not (self.is_leaving and text.startswith(CUT_OFF)):
            self.errors.append(f"{text} ({message.location.get('url', '')})")

    def _note(self, url, own_host):
        parts = urlsplit(url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != own_host:
            self.foreign.append(url)


@pytest.fixture
def open_page(chromium, server_url, workbench):
    contexts, watches = [], []

    def open_one(path="/", *, is_ready_wanted=True, **options):
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 720}, **options})
        contexts.append(context)
        page = context.new_page()
        page.watch = PageWatch(page, urlsplit(server_url).netloc)
        watches.append(page.watch)
        page.goto(server_url + path)
        if is_ready_wanted:
            wait_ready(page)
        return page

    yield open_one
    for context in contexts:
        context.close()
    for tab_id in workbench.live.tab_ids():  # they would live on for a grace time, and slow the next test
        workbench.live.close(tab_id)
    for watch in watches:
        assert not watch.errors, watch.errors
        assert not watch.foreign, watch.foreign
        assert not watch.dialogs, watch.dialogs


@pytest.fixture
def page(open_page):
    return open_page()


def wait_ready(page):
    """Wait until the stage shows live frames."""
    page.wait_for_function("document.querySelector('#stage .stage')?.dataset.frames > 0", timeout=READY_MS)


@pytest.fixture
def stage(page, workbench):
    """A person at the stage of ``page``."""
    from tests.browser.stage_driver import StageDriver

    return StageDriver(page, workbench)
