"""What the rater's page asks for, over HTTP."""

from types import SimpleNamespace

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from panels.rating_routes import make_rating_router
from sessions.recorder import Recorder
from sessions.store import Store
from tests.sessions.recordings import record, start


@pytest.fixture
def client(tmp_path):
    with Store.open(tmp_path / "workbench.db") as store, Recorder(store) as recorder:
        for policy in ("hidden-one", "hidden-two"):
            record(recorder, start(policy=policy), 8)
        assert recorder.flush()
        server = FastAPI()
        app = SimpleNamespace(store=store, recorder=recorder, simulators=None, settings=SimpleNamespace(exports_dir=tmp_path))
        server.include_router(make_rating_router(app))
        yield TestClient(server)


def test_a_rater_compares_and_rates_without_learning_whose_it_is(client):
    found = client.get("/api/feedback/next", params={"rater": "Ann"})
    assert found.status_code == 200 and "hidden" not in found.text
    pair = found.json()["item"]["id"]
    assert client.post("/api/feedback/preferences", json={"rater": "Ann", "pair": pair, "choice": "a"}).status_code == 200
    assert client.get("/api/feedback/next", params={"rater": "Ann"}).json()["item"] is None
    episode = client.get("/api/feedback/next", params={"rater": "Ann", "kind": "episode"})
    assert "hidden" not in episode.text
    body = {"rater": "Ann", "episode_id": episode.json()["item"]["id"], "rating": {"quality": 4}}
    assert client.post("/api/feedback/ratings", json=body).status_code == 200
    (rater,) = client.get("/api/feedback/summary").json()["raters"]
    assert (rater["num_ratings"], rater["num_preferences"]) == (1, 1)


def test_the_page_and_the_files_are_served(client):
    assert "rate.js" in client.get("/rate").text
    assert client.get("/api/feedback/export/csv").text.startswith("episode_id,rater")
