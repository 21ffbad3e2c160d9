"""The policy server, seen by a plain client of openpi's protocol."""

import ast
import threading
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from models.serve import ACTIVATIONS, STEERING, Listening, PolicyServer, Service, read_wishes
from tests.models.wire_servers import PlainClient, dumps, wait_until
from workbench.core.errors import InvalidInput, ServiceFailed

ROOT = Path(__file__).parents[2]


class Echo:
    """A session that does what the request says."""

    open_sessions = 0
    running = 0
    most_at_once = 0

    def __init__(self):
        type(self).open_sessions += 1
        self.thread = threading.get_ident()

    def infer(self, request):
        assert threading.get_ident() == self.thread
        cls = type(self)
        cls.running += 1
        cls.most_at_once = max(cls.most_at_once, cls.running)
        time.sleep(request.get("sleep_s", 0.0))
        cls.running -= 1
        if "fail" in request:
            raise RuntimeError("secret path /home/somebody/weights.bin")
        if "refuse" in request:
            raise InvalidInput("state", expected="8 numbers", found="3")
        return {"actions": np.asarray(request.get("actions", np.zeros((2, 7)))) * 2, "edits": list(read_wishes(request).edits)}

    def close(self):
        type(self).open_sessions -= 1


@pytest.fixture
def server():
    Echo.open_sessions = Echo.most_at_once = 0
    with PolicyServer(Service("echo", Echo, {"action_dim": 7}), Listening(port=0)) as server:
        yield server
    assert Echo.open_sessions == 0


def test_health_is_told_by_plain_http_also_while_the_policy_thinks(server):
    url = server.url.replace("ws", "http") + "/healthz"
    with PlainClient(server.url) as client:
        client.connection.send(dumps({"sleep_s": 1.0}))
        wait_until(lambda: Echo.running == 1)
        with urllib.request.urlopen(url, timeout=0.8) as response:
            assert response.status == 200 and response.read() == b"OK\n"
        assert Echo.running == 1


def test_the_first_frame_is_metadata_and_then_each_request_has_a_reply(server):
    with PlainClient(server.url) as client:
        assert client.metadata == {"action_dim": 7, "policy": "echo", "protocol": "openpi-websocket", "abilities": []}
        for scale in (1.0, 3.0):
            sent = np.full((4, 7), scale, np.float32)
            reply = client.infer({"actions": sent, "prompt": "go"})
            assert reply["actions"].dtype == np.float32 and np.array_equal(reply["actions"], 2 * sent)


def test_the_time_of_the_previous_request_is_told_from_the_second_reply_on(server):
    with PlainClient(server.url) as client:
        first, second = (client.infer({"sleep_s": 0.05})["server_timing"] for _ in range(2))
    assert set(first) == {"infer_ms"} and first["infer_ms"] >= 50
    assert second["prev_total_ms"] >= first["infer_ms"]


@pytest.mark.parametrize(
    ("request_", "said"),
    [({"fail": 1}, "RuntimeError in the policy"), ({"refuse": 1}, "state: expected 8 numbers, found 3")],
)
def test_an_error_is_one_short_text_and_then_the_server_hangs_up(server, request_, said):
    client = PlainClient(server.url)
    client.connection.send(dumps(request_))
    text = client.connection.recv(timeout=5)
    assert isinstance(text, str) and said in text
    assert "/home" not in text and len(text) < 300
    with pytest.raises(ConnectionClosed) as closed:
        client.connection.recv(timeout=5)
    assert closed.value.rcvd.code == 1011
    with PlainClient(server.url) as other:
        assert "actions" in other.infer({})


@pytest.mark.parametrize("frame", [b"\xc1", b"", b"\x93\x01\x02\x03", "text", dumps(7)])
def test_what_is_no_request_is_answered_in_text(server, frame):
    client = PlainClient(server.url)
    client.connection.send(frame)
    assert "message" in (text := client.connection.recv(timeout=5)) or "request" in text
    assert isinstance(text, str)


def test_a_message_over_the_limit_is_refused():
    with PolicyServer(Service("echo", Echo, {}), Listening(port=0, max_message_bytes=1000)) as server:
        client = PlainClient(server.url)
        client.connection.send(dumps({"actions": np.zeros(1000)}))
        with pytest.raises(ConnectionClosed) as closed:
            client.connection.recv(timeout=5)
        assert closed.value.rcvd.code == 1009


def test_two_clients_never_use_the_policy_at_once(server):
    def ask():
        with PlainClient(server.url) as client:
            for _ in range(3):
                client.infer({"sleep_s": 0.02})

    threads = [threading.Thread(target=ask) for _ in range(3)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert Echo.most_at_once == 1


def test_a_session_ends_with_its_client_also_in_the_middle_of_a_request(server):
    client = PlainClient(server.url)
    client.connection.send(dumps({"sleep_s": 0.2}))
    wait_until(lambda: Echo.running == 1)
    client.connection.close_socket()
    wait_until(lambda: Echo.open_sessions == 0)


def test_a_key_is_asked_for_when_one_is_set(monkeypatch):
    monkeypatch.setenv("A_KEY", "s3cret")
    with PolicyServer(Service("echo", Echo, {}), Listening(port=0, api_key_env="A_KEY")) as server:
        for key in (None, "other"):
            with pytest.raises(InvalidStatus, match="401"):
                PlainClient(server.url, key)
        with PlainClient(server.url, "s3cret") as client:
            assert "actions" in client.infer({})
    monkeypatch.delenv("A_KEY")
    with pytest.raises(InvalidInput, match="A_KEY"):
        PolicyServer(Service("echo", Echo, {}), Listening(port=0, api_key_env="A_KEY"))


def test_a_page_in_a_browser_is_turned_away(server):
    with pytest.raises(InvalidStatus, match="403"):
        connect(server.url, origin="https://example.org", proxy=None)


def test_steering_is_refused_clearly_where_the_policy_cannot_do_it(server):
    for field, value in ((STEERING, [{"site": "layer.3", "value": 2.0}]), (ACTIVATIONS, ["layer.3"])):
        client = PlainClient(server.url)
        client.connection.send(dumps({field: value}))
        assert f"{field!r}" in (text := client.connection.recv(timeout=5)) and "cannot do it" in text and "'echo'" in text
    with PlainClient(server.url) as client:
        assert client.infer({STEERING: [], ACTIVATIONS: []})["edits"] == []


def test_edits_reach_a_policy_that_can_be_steered():
    with PolicyServer(Service("echo", Echo, {}, frozenset({STEERING})), Listening(port=0)) as server, PlainClient(server.url) as client:
        assert client.metadata["abilities"] == [STEERING]
        assert client.infer({STEERING: [{"site": "layer.3", "value": 2.0}]})["edits"] == [{"site": "layer.3", "value": 2.0}]


@pytest.mark.parametrize("request_", [{STEERING: "all"}, {STEERING: [{"value": 1}]}, {ACTIVATIONS: [3]}, {ACTIVATIONS: {"a": 1}}])
def test_wishes_of_another_form_are_refused(request_):
    with pytest.raises(InvalidInput):
        read_wishes(request_)


def test_a_port_in_use_is_told(server):
    port = int(server.url.rsplit(":", 1)[1])
    with pytest.raises(ServiceFailed, match=str(port)), PolicyServer(Service("echo", Echo, {}), Listening(port=port)):
        pass


def test_a_policy_that_cannot_be_made_is_told_to_the_client():
    def broken():
        raise InvalidInput("weights", expected="a file", found="nothing")

    with PolicyServer(Service("broken", broken, {}), Listening(port=0)) as server:
        connection = connect(server.url, compression=None, proxy=None)
        assert "weights: expected a file" in connection.recv(timeout=5)


def closure(names):
    """Return every module of ours that is imported, directly or by another, whatever the place of the import."""
    found, waiting = set(), list(names)
    while waiting:
        name = waiting.pop()
        path = next(
            (p for p in (ROOT / f"{name.replace('.', '/')}.py", ROOT / name.replace(".", "/") / "__init__.py") if p.is_file()), None
        )
        if name in found or path is None:
            continue
        found.add(name)
        waiting += [name.rpartition(".")[0]] if "." in name else []  # importing a module imports its packages
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                waiting += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                waiting += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return found


def test_what_runs_in_other_environments_needs_little_of_ours():
    servers = [f"models.servers.{p.stem}" for p in (ROOT / "models" / "servers").glob("*.py") if p.stem != "__init__"]
    allowed = {"models", "models.serve", "models.wire", "models.servers", "workbench", *servers}
    for name in closure(["models.serve", *servers]):
        assert name in allowed or name.startswith(("workbench.core", "workbench.steering")), f"{name} is needed"
