import json
import struct
import time

import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from panels.admission import CLOSE_NO_TOKEN, CLOSE_REFUSED, CLOSE_UNKNOWN_TAB
from panels.frames import ACK, HEADER, MAX_IN_FLIGHT
from panels.live import LiveRegistry
from panels.stream import CLOSE_HOSTILE, MAX_ERRORS, make_router
from tests.panels.fake_live import arrow, document, make_session


class Bench:
    """A served live session and a client."""

    def __init__(self, client: TestClient, registry: LiveRegistry) -> None:
        self.client, self.registry = client, registry
        self.session = registry.create()
        self.view = self.session.view

    def open(self, token: str | None = None, **kwargs):
        token = self.session.token if token is None else token
        return self.client.websocket_connect(f"/live/{self.session.tab_id}?token={token}", **kwargs)

    def post(self, body: object, token: str | None = None, **kwargs):
        headers = {"X-Live-Token": self.session.token if token is None else token, **kwargs.pop("headers", {})}
        return self.client.post(f"/api/live/{self.session.tab_id}/command", json=body, headers=headers, **kwargs)


@pytest.fixture
def bench():
    registry = LiveRegistry(make_session, sweep_s=3600)
    app = FastAPI()
    app.include_router(make_router(registry, allowed_origins=("https://lab.example",)))
    with TestClient(app, base_url="http://testserver") as client:
        yield Bench(client, registry)
    registry.close_all()


def next_message(socket, kind: str, limit: int = 60) -> dict:
    for _ in range(limit):
        message = socket.receive()
        if message.get("text") is not None:
            data = json.loads(message["text"])
            if data["type"] == kind:
                return data
        assert message["type"] == "websocket.send", message
    raise AssertionError(f"no {kind} in {limit} messages")


def next_frame(socket, limit: int = 60) -> bytes:
    for _ in range(limit):
        message = socket.receive()
        if message.get("bytes") is not None:
            return message["bytes"]
    raise AssertionError("no frame")


def show(bench: Bench, socket, channel: int = 0, name: str = "front"):
    """Ask for a camera and return the fake channel that feeds it."""
    before = len(bench.view.channels)
    socket.send_text(json.dumps({"type": "camera", "channel": channel, "name": name, "width": 480, "height": 480}))
    wait(lambda: len(bench.view.channels) > before)
    return list(bench.view.channels.values())[-1]


def wait(condition, seconds: float = 3.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def ack(socket, seq: int, channel: int = 0) -> None:
    socket.send_bytes(ACK.pack(channel, seq))


def close_code(bench: Bench, path: str, **kwargs) -> int:
    with bench.client.websocket_connect(path, **kwargs) as socket, pytest.raises(WebSocketDisconnect) as caught:
        socket.receive_text()
    return caught.value.code


# --- who may connect ---


def test_a_socket_needs_the_token_of_its_tab(bench):
    path = f"/live/{bench.session.tab_id}"
    assert close_code(bench, path) == CLOSE_NO_TOKEN
    assert close_code(bench, f"{path}?token=wrong") == CLOSE_REFUSED
    assert close_code(bench, f"{path}?token={bench.registry.create().token}") == CLOSE_REFUSED
    assert close_code(bench, "/live/nobody?token=x") == CLOSE_UNKNOWN_TAB


@pytest.mark.parametrize("origin", ["https://evil.example", "http://testserver:81", "null", "http://testserver.evil.example"])
def test_pages_of_other_sites_are_refused_also_with_the_token(bench, origin):
    path = f"/live/{bench.session.tab_id}?token={bench.session.token}"
    assert close_code(bench, path, headers={"origin": origin}) == CLOSE_REFUSED
    assert bench.post({"name": "halt"}, headers={"origin": origin}).status_code == 403


@pytest.mark.parametrize("origin", ["http://testserver", "https://lab.example", None])
def test_our_page_allowed_pages_and_scripts_may_connect(bench, origin):
    headers = {"origin": origin} if origin else {}
    with bench.open(headers=headers) as socket:
        assert json.loads(socket.receive_text())["type"] == "hello"


# --- the first message ---


def test_hello_holds_what_rebuilds_the_stage(bench):
    bench.session.commit_sketch(document(arrow("a")))
    with bench.open() as socket:
        hello = next_message(socket, "hello")
    assert hello["drawing"]["sketch"]["strokes"][0]["id"] == "a"
    assert hello["status"]["mode"] == "paused" and hello["cameras"] == ["front", "top", "wrist"]
    assert {"halt", "toggle", "tool_arrow"} <= {c["name"] for c in hello["commands"]}


# --- frames ---


def test_a_frame_carries_its_numbers_before_the_picture(bench):
    with bench.open() as socket:
        channel = show(bench, socket, name="top")
        bench.view.send(channel, "top")
        data = next_frame(socket)
    version, number, camera, flags, seq, step, width, height, time_s, wall_time, *projection = HEADER.unpack_from(data)
    assert (version, number, camera, flags, seq, step, width, height) == (1, 0, 1, 1, 1, 1, 480, 480)
    assert (time_s, wall_time) == (1 / 20, 1001.0)
    assert len(projection) == 12 and projection[0] == pytest.approx(400 / 480)
    assert data[HEADER.size :] == b"\xff\xd8jpeg1"


def test_without_acknowledgements_three_frames_are_sent_and_then_the_latest(bench):
    with bench.open() as socket:
        channel = show(bench, socket)
        for _ in range(10):
            bench.view.send(channel)
            time.sleep(0.01)
        seqs = [struct.unpack_from("<I", next_frame(socket), 4)[0] for _ in range(MAX_IN_FLIGHT)]
        assert seqs == [1, 2, 3]
        ack(socket, 3)
        assert struct.unpack_from("<I", next_frame(socket), 4)[0] == 10, "frames 4 to 9 are old news"


def test_a_viewer_who_does_not_acknowledge_does_not_slow_down_another(bench):
    with bench.open() as lazy, bench.open() as keen:
        channel = show(bench, lazy)
        keen.send_text(json.dumps({"type": "camera", "channel": 0, "name": "front", "width": 480, "height": 480}))
        next_message(keen, "hello")
        time.sleep(0.1)
        for n in range(1, 9):
            bench.view.send(channel)
            assert struct.unpack_from("<I", next_frame(keen), 4)[0] == n
            ack(keen, n)
    assert len(bench.view.channels) == 1, "two viewers of one camera share its rendering"


def test_rendering_is_asked_for_only_while_somebody_can_take_it(bench):
    with bench.open() as socket:
        channel = show(bench, socket)
        wait(lambda: channel.credits == 1)
        for n in range(2, 2 + MAX_IN_FLIGHT - 1):
            bench.view.send(channel)
            wait(lambda n=n: channel.credits == n)
        bench.view.send(channel)
        time.sleep(0.15)
        assert channel.credits == MAX_IN_FLIGHT, "three are on their way: no more rendering"
        ack(socket, 1)
        wait(lambda: channel.credits == MAX_IN_FLIGHT + 1)


def test_a_second_camera_has_its_own_channel(bench):
    with bench.open() as socket:
        show(bench, socket, 0, "front")
        second = show(bench, socket, 1, "wrist")
        bench.view.send(second, "wrist")
        assert next_frame(socket)[1] == 1
        socket.send_text(json.dumps({"type": "camera", "channel": 1, "name": None}))
        wait(lambda: second.is_closed)


def test_a_closed_socket_releases_its_channels(bench):
    with bench.open() as socket:
        channel = show(bench, socket)
    wait(lambda: channel.is_closed)
    wait(lambda: bench.session.unwatched_s > 0)


def test_mjpeg_needs_the_token_and_a_known_camera(bench):
    path = f"/live/{bench.session.tab_id}.mjpeg"
    assert bench.client.get(path).status_code == 401
    assert bench.client.get(path, params={"token": "wrong"}).status_code == 403
    assert bench.client.get(path, params={"token": bench.session.token, "camera": "nose"}).status_code == 404


# --- commands ---


def send_command(socket, name: str, args: dict | None = None, seq: int = 1) -> dict:
    socket.send_text(json.dumps({"type": "command", "name": name, "args": args or {}, "seq": seq}))
    answer = next_message(socket, "ack")
    assert answer["seq"] == seq
    return answer


def test_socket_and_http_run_the_same_commands(bench):
    with bench.open() as socket:
        assert send_command(socket, "halt")["ok"]
    assert bench.session.controller.mode == "halted"
    assert bench.post({"name": "release_halt"}).json() == {"ok": True, "result": {}}
    assert bench.session.controller.mode == "paused"
    assert bench.post({"name": "step_back"}).json()["result"] == {"shown_step": 9}


def test_a_refused_command_says_why_and_the_socket_goes_on(bench):
    with bench.open() as socket:
        answer = send_command(socket, "hand_back", seq=7)
        assert not answer["ok"] and answer["kind"] == "WrongMode" and "correcting" in answer["error"]
        assert send_command(socket, "commit_sketch", {"document": document(arrow())}, seq=8)["ok"]
    refused = bench.post({"name": "hand_back"})
    assert refused.status_code == 400 and refused.json()["kind"] == "WrongMode"


def test_http_commands_need_the_token(bench):
    assert bench.post({"name": "halt"}, token="").status_code == 401
    assert bench.post({"name": "halt"}, token="wrong").status_code == 403
    assert bench.client.post("/api/live/nobody/command", json={"name": "halt"}).status_code == 404
    assert bench.session.controller.mode == "paused"


def test_a_drawing_on_one_socket_appears_on_the_other(bench):
    with bench.open() as first, bench.open() as second:
        next_message(second, "hello")
        send_command(first, "commit_sketch", {"document": document(arrow("a"))})
        assert next_message(second, "drawing")["sketch"]["strokes"][0]["id"] == "a"


def test_halt_does_not_wait_for_a_slow_command(bench):
    entered = []

    def slow(*_args, **_kwargs):
        entered.append(1)
        time.sleep(0.6)
        raise RuntimeError("a bug")

    bench.session.reader.interpret = slow
    with bench.open() as socket:
        socket.send_text(json.dumps({"type": "command", "name": "commit_sketch", "args": {"document": document(arrow())}, "seq": 1}))
        wait(lambda: entered)
        begun = time.monotonic()
        assert send_command(socket, "halt", seq=2)["ok"]
        assert time.monotonic() - begun < 0.3
        late = next_message(socket, "ack")
        assert late["seq"] == 1 and late["kind"] == "Bug" and "RuntimeError" not in late["error"], "no inner detail leaves the server"


def test_status_is_told_on_change(bench):
    with bench.open() as socket:
        assert next_message(socket, "status")["mode"] == "paused"
        bench.session.controller.mode = "autonomous"
        assert next_message(socket, "status")["mode"] == "autonomous"


def test_closing_the_session_tells_the_socket_and_ends_it(bench):
    with bench.open() as socket:
        next_message(socket, "status")
        bench.registry.close(bench.session.tab_id)
        next_message(socket, "closed")
        with pytest.raises(WebSocketDisconnect) as caught:
            for _ in range(10):
                socket.receive_text()
    assert caught.value.code == CLOSE_UNKNOWN_TAB


# --- hostile messages ---


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[" * 100_000,
        "null",
        "[]",
        '"halt"',
        "{}",
        '{"type": "explode"}',
        '{"type": {"a": 1}}',
        '{"type": "command"}',
        '{"type": "command", "name": 3}',
        '{"type": "command", "name": "halt", "args": []}',
        '{"type": "command", "name": "halt", "seq": -1}',
        '{"type": "camera", "name": "nose"}',
        '{"type": "camera", "name": "front", "width": 1e9, "height": 480}',
        '{"type": "camera", "name": "front", "channel": 99}',
        "x" * 10_000_000,
    ],
    ids=lambda text: text[:24] or "empty",
)
def test_a_malformed_message_gets_an_error_and_the_socket_goes_on(bench, text):
    with bench.open() as socket:
        socket.send_text(text)
        assert next_message(socket, "error")["error"]
        assert send_command(socket, "halt")["ok"]


def test_a_malformed_acknowledgement_gets_an_error(bench):
    with bench.open() as socket:
        socket.send_bytes(b"\x00" * 99)
        assert "acknowledgement" in next_message(socket, "error")["error"]
        ack(socket, 12345, channel=7)
        assert send_command(socket, "halt")["ok"]


def test_a_socket_that_sends_nothing_but_nonsense_is_closed(bench):
    with bench.open() as socket, pytest.raises(WebSocketDisconnect) as caught:
        for _ in range(MAX_ERRORS):
            socket.send_text("nonsense")
        for _ in range(MAX_ERRORS + 30):
            socket.receive_text()
    assert caught.value.code == CLOSE_HOSTILE


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda c: st.lists(c, max_size=3) | st.dictionaries(st.text(max_size=5), c, max_size=3),
)
KEYS = st.sampled_from(["type", "name", "args", "seq", "channel", "width", "height", "sent"])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(KEYS, JSON | st.sampled_from(["command", "camera", "ping", "halt", "front"]), max_size=6))
def test_no_message_breaks_the_socket(bench, message):
    with bench.open() as socket:
        socket.send_text(json.dumps(message))
        socket.send_text(json.dumps({"type": "ping", "sent": "end"}))
        while next_message(socket, "pong")["sent"] != "end":
            pass


# --- scripts ---


def test_only_scripts_of_the_stage_are_served(bench):
    found = bench.client.get("/assets/stage/stage.js")
    assert found.status_code == 200 and found.headers["content-type"].startswith("text/javascript")
    for name in ("..%2f..%2fstream.py", "nothing.js", "%2e%2e"):
        assert bench.client.get(f"/assets/stage/{name}").status_code == 404
