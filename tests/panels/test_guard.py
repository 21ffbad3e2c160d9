import asyncio

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from panels.guard import LOOPBACK_HOSTS, Guard, host_name


async def echo(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


async def greet(websocket) -> None:
    await websocket.accept()
    await websocket.send_text("hello")
    await websocket.close()


@pytest.fixture
def guarded():
    app = Starlette(routes=[Route("/", echo, methods=["GET", "POST"]), WebSocketRoute("/ws", greet)])
    return Guard(app, max_upload_mb=1, allowed_hosts=LOOPBACK_HOSTS)


@pytest.fixture
def client(guarded):
    return TestClient(guarded, base_url="http://127.0.0.1:7860")


def test_security_headers_are_on_every_answer(client):
    headers = client.get("/").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'self'" in headers["content-security-policy"]


def test_another_host_name_is_refused_with_the_right_one(client):
    answer = client.get("/", headers={"host": "evil.example"})
    assert answer.status_code == 421
    assert "127.0.0.1" in answer.json()["error"]


@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1:1", "null"])
def test_a_page_of_another_site_cannot_post(client, origin):
    assert client.post("/", headers={"origin": origin}).status_code == 403


def test_our_own_page_and_scripts_without_origin_can_post(client):
    assert client.post("/", headers={"origin": "http://127.0.0.1:7860"}, content=b"abc").text == "3"
    assert client.post("/", content=b"abc").text == "3"


def test_a_page_of_another_site_cannot_open_a_socket(client):
    with (
        pytest.raises(WebSocketDisconnect) as refused,
        client.websocket_connect("/ws", headers={"host": "127.0.0.1:7860", "origin": "https://evil.example"}),
    ):
        pass
    assert refused.value.code == 4403
    with client.websocket_connect("/ws", headers={"host": "127.0.0.1:7860", "origin": "http://127.0.0.1:7860"}) as socket:
        assert socket.receive_text() == "hello"


def test_an_upload_over_the_limit_is_refused_with_the_limit(client):
    answer = client.post("/", content=b"x" * (2**20 + 1))
    assert answer.status_code == 413
    assert "1 MB" in answer.json()["error"]


def test_a_body_of_undeclared_length_is_counted_too(guarded):
    async def chunks():
        for _ in range(5):
            yield b"x" * 2**18

    async def post():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(guarded), base_url="http://localhost") as client:
            return await client.post("/", content=chunks())

    assert asyncio.run(post()).status_code == 413


@pytest.mark.parametrize(
    ("host", "name"), [("localhost:7860", "localhost"), ("localhost", "localhost"), ("[::1]:80", "[::1]"), ("10.0.0.1", "10.0.0.1")]
)
def test_host_names_lose_their_port_only(host, name):
    assert host_name(host) == name
