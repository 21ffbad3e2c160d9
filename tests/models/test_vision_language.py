import json
import logging
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.vision_language import ANSWER_SCHEMA, VisionLanguageInterpreter
from workbench.core.errors import InvalidInput, ServiceFailed
from workbench.core.sketches import Sketch, Stroke, StrokeKind, Verb

KEY = "sk-secret-42"
IMAGE = np.full((240, 320, 3), 90, np.uint8)
SKETCH = Sketch("s", "front", 640, 480, (Stroke("a", StrokeKind.ARROW, ((0.25, 0.5), (0.5, 0.5))),))
GOOD = {
    "reasoning": "One cube is to be moved.",
    "steps": [
        {"verb": "move", "keypoints": [[80, 120], [160, 120]], "angle_deg": None, "note": "the cube"},
        {"verb": "rotate", "keypoints": [[200, 100]], "angle_deg": -200, "note": ""},
    ],
}


def completion(content, **more):
    return {"choices": [{"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"} | more]}


class Stub:
    """A local server that speaks the API and does what a test tells it."""

    def __init__(self) -> None:
        self.status, self.body, self.delay_s, self.drip = 200, b"{}", 0.0, False
        self.requests: list[dict] = []
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                stub.requests.append({"path": self.path, "key": self.headers.get("Authorization"), "body": json.loads(body)})
                time.sleep(stub.delay_s)
                try:
                    self.send_response(stub.status)
                    self.send_header("Content-Length", str(len(stub.body)))
                    self.end_headers()
                    for i in range(0, len(stub.body), 1 if stub.drip else len(stub.body)):
                        self.wfile.write(stub.body[i : i + (1 if stub.drip else len(stub.body))])
                        time.sleep(0.05 if stub.drip else 0)
                except OSError:
                    pass  # the client gave up, as it should

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def answer(self, value, status=200):
        self.status, self.body = status, value if isinstance(value, bytes) else json.dumps(value).encode()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def stub():
    server = Stub()
    yield server
    server.close()


def ask(stub, timeout_s=10.0, instruction=""):
    return VisionLanguageInterpreter(stub.url, "tiny-vlm", timeout_s=timeout_s).read(SKETCH, IMAGE, instruction=instruction)


def test_a_good_answer_becomes_a_checked_plan_in_the_frame_of_the_sketch(stub):
    stub.answer(completion(json.dumps(GOOD)))
    reading = ask(stub)
    assert reading.reasoning == GOOD["reasoning"] and reading.plan.source == "tiny-vlm" and reading.plan.sketch_id == "s"
    move, rotate = reading.plan.steps
    assert move.verb is Verb.MOVE and move.keypoints == ((160.0, 240.0), (320.0, 240.0)) and move.note == "the cube"
    assert rotate.angle_rad == pytest.approx(np.radians(-200)) and rotate.keypoints == ((400.0, 200.0),)


def test_the_request_holds_prompt_schema_two_pictures_and_the_typed_words(stub, monkeypatch):
    monkeypatch.setenv("VLAW_VLM_API_KEY", KEY)
    stub.answer(completion(json.dumps(GOOD)))
    ask(stub, instruction="put it down gently")
    (request,) = stub.requests
    assert request["path"] == "/v1/chat/completions" and request["key"] == f"Bearer {KEY}"
    body = request["body"]
    assert body["model"] == "tiny-vlm"
    assert body["response_format"]["json_schema"] == {"name": "plan", "strict": True, "schema": ANSWER_SCHEMA}
    text, *pictures = body["messages"][1]["content"]
    assert "put it down gently" in text["text"] and "[80, 120], [160, 120]" in text["text"]
    assert len(pictures) == 2 and all(p["image_url"]["url"].startswith("data:image/png;base64,") for p in pictures)
    assert pictures[0] != pictures[1]


def test_without_a_key_no_authorization_is_sent(stub, monkeypatch):
    monkeypatch.delenv("VLAW_VLM_API_KEY", raising=False)
    stub.answer(completion(json.dumps(GOOD)))
    ask(stub)
    assert stub.requests[0]["key"] is None


STEP = GOOD["steps"][0]


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"error": "boom"}, 500, "status 500"),
        ({"error": "no such key"}, 401, "VLAW_VLM_API_KEY"),
        ({"error": "gone"}, 307, "status 307"),
        (b"<html>hello</html>", 200, "did not answer in JSON"),
        (b"[" * 100_000, 200, "did not answer in JSON"),
        ({"choices": []}, 200, "no choices"),
        ([1, 2], 200, "no choices"),
        (completion(None), 200, "empty"),
        (completion("I think you should move the cube."), 200, "not JSON"),
        (completion("{}", finish_reason="length"), 200, "cut off"),
        (completion(json.dumps({"steps": []})), 200, "'reasoning'"),
        (completion(json.dumps({"reasoning": "", "steps": []})), 200, "at least 1"),
        (completion(json.dumps({"reasoning": "", "steps": [STEP | {"verb": "fly"}]})), 200, "one of move"),
        (completion(json.dumps({"reasoning": "", "steps": [STEP | {"keypoints": [[1, 2]]}]})), 200, "a goal"),
        (completion(json.dumps({"reasoning": "", "steps": [STEP | {"keypoints": [[1, 2], [900, 3]]}]})), 200, "320 x 240 frame"),
        (completion(json.dumps({"reasoning": "", "steps": [STEP | {"angle_deg": 9}]})), 200, "no angle"),
        (completion('{"reasoning": "", "steps": [{"verb": "pick", "keypoints": [[NaN, 2]]}]}'), 200, "from -8192 to 8192"),
        (completion("__import__('os').system('true')"), 200, "not JSON"),
        (b"x" * 1_100_000, 200, "longer than 1000 kB"),
    ],
)
def test_every_bad_answer_is_a_service_failure_that_says_what_was_wrong(stub, body, status, message):
    stub.answer(body, status)
    with pytest.raises(ServiceFailed, match=message) as failure:
        ask(stub)
    assert "tiny-vlm" in str(failure.value)


def test_a_refusal_is_shown(stub):
    answer = completion(None)
    answer["choices"][0]["message"]["refusal"] = "I cannot help with robots."
    stub.answer(answer)
    with pytest.raises(ServiceFailed, match="cannot help with robots"):
        ask(stub)


@pytest.mark.parametrize("is_dripping", [False, True])
def test_a_server_that_hangs_or_drips_is_given_up_in_time(stub, is_dripping):
    stub.answer(completion(json.dumps(GOOD)))
    stub.delay_s, stub.drip = (0.0, True) if is_dripping else (3.0, False)
    started = time.monotonic()
    with pytest.raises(ServiceFailed, match=r"within 0\.5 s"):
        ask(stub, timeout_s=0.5)
    assert time.monotonic() - started < 2.5


def test_a_server_that_is_not_there_is_named(stub):
    stub.close()
    with pytest.raises(ServiceFailed, match="could not be reached"):
        ask(stub)
    stub.__init__()


def test_the_key_never_shows_in_errors_or_logs(stub, monkeypatch, caplog):
    monkeypatch.setenv("VLAW_VLM_API_KEY", KEY)
    stub.answer({"error": f"bad key {KEY}"}, 401)
    with caplog.at_level(logging.DEBUG), pytest.raises(ServiceFailed) as failure:
        ask(stub)
    assert "bad key ***" in str(failure.value)
    stub.answer(completion(json.dumps(GOOD)))
    with caplog.at_level(logging.DEBUG):
        ask(stub)
    assert caplog.records and KEY not in str(failure.value) + caplog.text


@pytest.mark.parametrize("url", ["", "ftp://host/v1", "host:80/v1", "http://user:key@host/v1", "http:///v1"])
def test_an_address_that_is_none_is_refused_at_once(url):
    with pytest.raises(InvalidInput, match="base URL"):
        VisionLanguageInterpreter(url, "m")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["choices", "message", "content", "x"]), inner, max_size=3),
    max_leaves=10,
)


def test_any_json_gives_a_plan_or_a_service_failure(stub):
    @settings(max_examples=40, deadline=None)
    @given(JSON, st.booleans())
    def check(value, is_content):
        stub.answer(completion(json.dumps(value)) if is_content else value)
        with pytest.raises(ServiceFailed):
            ask(stub)

    check()
