import importlib.util
import socket

import pytest
from starlette.testclient import TestClient

from panels import PANELS, build_page, server, theme
from panels.auth import hash_password
from panels.opening import close_app, open_app
from panels.server import make_server, run, serving
from panels.state import Settings
from workbench.core.errors import InvalidInput, MissingDependency, StoreLocked
from workbench.simulation.simulators import SIMULATORS
from workbench.simulation.tasks import TASKS


def test_every_panel_follows_the_form():
    assert len({panel.NAME for panel in PANELS}) == len(PANELS)
    for panel in PANELS:
        assert panel.TITLE and callable(panel.build) and panel.__doc__


def test_no_template_of_ours_takes_text_in(app):
    for block in build_page(app).blocks.values():
        template = getattr(block, "html_template", None)
        if template is not None and type(block).__module__.startswith("panels"):
            assert "${" not in template and "{{" not in template, block


def test_handlers_are_no_public_endpoints(app):
    page = build_page(app)
    assert page.get_api_info()["named_endpoints"] == {}


def test_nothing_waits_for_another_tab(app):
    page = build_page(app)
    assert page._queue.default_concurrency_limit is None
    assert all(fn.concurrency_limit in ("default", None) for fn in page.fns.values())


def test_the_theme_loads_no_fonts():
    made = theme.make_theme()
    assert made._stylesheets == [] and not any("font-face" in css for css in made._font_css)


def test_a_missing_websocket_library_is_named_with_its_cure(app, monkeypatch):
    monkeypatch.setattr(server, "find_spec", lambda name: None if name == "websockets" else importlib.util.find_spec(name))
    with pytest.raises(MissingDependency, match="pip install websockets"):
        make_server(app)


def test_logins_guard_page_routes_and_sockets(app, live):
    guarded = make_server(app, auth={"ali": hash_password("x")})
    client = TestClient(guarded, base_url="http://127.0.0.1:7860", follow_redirects=False)
    for address in ("/api/episodes", f"/api/live/{live.tab_id}/timeline", "/gradio_api/info", "/assets/timeline.js"):
        assert client.get(address).status_code == 401, address
    assert client.get("/", headers={"accept": "text/html"}).headers["location"] == "/login"


def test_an_upload_over_the_limit_is_told_how_to_raise_it(tmp_path):
    small = open_app(Settings(tmp_path, max_upload_mb=1), simulators=SIMULATORS, policies=SIMULATORS, tasks=TASKS)
    try:
        client = TestClient(make_server(small), base_url="http://127.0.0.1:7860")
        answer = client.post("/gradio_api/upload", files={"files": ("big.png", b"x" * (2**20 + 10))})
        assert answer.status_code == 413 and "--max-upload-mb" in answer.json()["error"]
    finally:
        close_app(small)


def test_a_second_workbench_on_the_same_folder_is_told_so(tmp_path):
    first = open_app(Settings(tmp_path), simulators=SIMULATORS, policies=SIMULATORS, tasks=TASKS)
    try:
        with pytest.raises(StoreLocked):
            open_app(Settings(tmp_path), simulators=SIMULATORS, policies=SIMULATORS, tasks=TASKS)
    finally:
        close_app(first)
        close_app(first)


def test_a_port_in_use_is_an_error_for_people(app):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(InvalidInput, match="--port"):
            run(make_server(app), host="127.0.0.1", port=taken.getsockname()[1])


def test_stopping_the_server_closes_the_live_tabs(app):
    with serving(make_server(app)):
        session = app.live.create()
        assert not session.is_closed
    assert session.is_closed


def test_an_unknown_error_on_a_route_tells_an_id_only(app, monkeypatch):
    client = TestClient(make_server(app), base_url="http://127.0.0.1:7860", raise_server_exceptions=False)
    monkeypatch.setattr(type(app.store), "facets", lambda self: 1 / 0)
    answer = client.get("/api/facets")
    assert answer.status_code == 500 and "ZeroDivision" not in answer.text and "Report id" in answer.json()["error"]
