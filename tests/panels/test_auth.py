import base64

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from panels.auth import COOKIE, LOGIN_S, LoginGate, hash_password, is_password, read_auth_file
from workbench.core.errors import InvalidInput


async def secret(request):
    return PlainTextResponse("secret")


async def greet(websocket):
    await websocket.accept()
    await websocket.send_text("hello")
    await websocket.close()


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture(scope="module")
def stored():
    return hash_password("open sesame")


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def client(stored, clock):
    app = Starlette(routes=[Route("/", secret), Route("/healthz", secret), WebSocketRoute("/ws", greet)])
    return TestClient(LoginGate(app, users={"ali": stored}, clock=clock), follow_redirects=False)


def log_in(client, user="ali", password="open sesame"):
    return client.post("/login", data={"user": user, "password": password})


def test_a_hash_knows_its_password_only(stored):
    assert is_password("open sesame", stored)
    assert not is_password("open sesame ", stored)
    assert hash_password("open sesame") != stored


def test_without_a_login_pages_lead_to_the_login_and_scripts_are_refused(client):
    assert client.get("/", headers={"accept": "text/html"}).headers["location"] == "/login"
    assert client.get("/").status_code == 401
    with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect("/ws"):
        pass
    assert refused.value.code == 4401


def test_health_needs_no_login(client):
    assert client.get("/healthz").status_code == 200


def test_a_login_opens_pages_and_sockets(client):
    answer = log_in(client)
    assert answer.status_code == 303
    assert "httponly" in answer.headers["set-cookie"].lower() and "samesite=lax" in answer.headers["set-cookie"].lower()
    assert client.get("/").text == "secret"
    with client.websocket_connect("/ws") as socket:
        assert socket.receive_text() == "hello"


@pytest.mark.parametrize(("user", "password"), [("ali", "wrong"), ("nobody", "open sesame"), ("", ""), ("ali", "")])
def test_a_wrong_login_opens_nothing(client, user, password):
    assert log_in(client, user, password).status_code == 401
    assert client.get("/").status_code == 401


def test_a_login_ends(client, clock):
    log_in(client)
    clock.now += LOGIN_S + 1
    assert client.get("/").status_code == 401


@pytest.mark.parametrize(
    "forge",
    [lambda c: c[:-1] + "0" * (c[-1] != "0") + "1" * (c[-1] == "0"), lambda c: "x", lambda c: "", lambda c: c.replace(".", "..", 1)],
)
def test_a_forged_cookie_opens_nothing(client, forge):
    log_in(client)
    cookie = client.cookies[COOKIE]
    client.cookies.clear()
    client.cookies.set(COOKIE, forge(cookie))
    assert client.get("/").status_code == 401


def test_scripts_may_use_basic_authentication(client):
    def header(text):
        return {"authorization": "Basic " + base64.b64encode(text.encode()).decode()}

    assert client.get("/", headers=header("ali:open sesame")).status_code == 200
    assert client.get("/", headers=header("ali:nonsense")).status_code == 401
    assert client.get("/", headers={"authorization": "Basic %%%"}).status_code == 401


def test_a_huge_login_is_not_read(client):
    assert client.post("/login", content=b"user=" + b"x" * 100_000).status_code == 413


def test_a_login_message_never_holds_markup():
    from panels.auth import login_page

    assert "<img" not in login_page("<img src=x onerror=alert(1)>")


def test_an_auth_file_is_read_line_by_line(tmp_path, stored):
    path = tmp_path / "users"
    path.write_text(f"# lab\n\nali:{stored}\nbo:{stored} # night shift\n")
    assert read_auth_file(path) == {"ali": stored, "bo": stored}


@pytest.mark.parametrize("text", ["", "ali", "ali:password", "ali:scrypt$zz$zz", ":scrypt$00$00", "ali:scrypt$0011$22"])
def test_a_wrong_auth_file_names_the_way_out(tmp_path, text):
    path = tmp_path / "users"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=r"panels\.auth USER"):
        read_auth_file(path)


def test_a_missing_auth_file_is_an_error_for_people(tmp_path):
    with pytest.raises(InvalidInput, match="readable text file"):
        read_auth_file(tmp_path / "none")
