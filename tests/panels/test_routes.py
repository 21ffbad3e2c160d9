import pytest
from starlette.testclient import TestClient

from panels.server import make_server


@pytest.fixture(scope="module")
def client(app):
    with TestClient(make_server(app), base_url="http://127.0.0.1:7860") as found:
        yield found


@pytest.fixture
def episode_id(app, live):
    app.recorder.flush()
    return live.controller.status().episode_id


def test_health_counts_live_tabs(client, live):
    assert client.get("/healthz").json()["live"] >= 1


def test_episodes_are_listed_and_filtered(client, episode_id):
    found = client.get("/api/episodes").json()
    assert episode_id in [e["id"] for e in found["episodes"]]
    assert client.get("/api/episodes", params={"task": "stack"}).json()["total"] == 0
    assert client.get("/api/episodes", params={"q": "nothing like it"}).json()["total"] == 0


@pytest.mark.parametrize("query", ["limit=0", "limit=100000", "rating=9", "order=random", "surprise=1", "offset=-1"])
def test_a_wrong_filter_is_refused(client, query):
    assert client.get(f"/api/episodes?{query}").status_code == 422


def test_an_episode_comes_with_events_and_notes(client, episode_id):
    for address in (f"/api/episodes/{episode_id}", f"/api/episodes/{episode_id}.json"):
        found = client.get(address).json()
        assert found["id"] == episode_id and found["events"][0]["kind"] == "start" and found["notes"] == []


def test_steps_come_as_columns_of_equal_length(client, episode_id):
    found = client.get(f"/api/episodes/{episode_id}/steps").json()
    assert {len(column) for column in found.values()} == {6}
    assert len(found["ee"][0]) == 3 and len(found["actions"][0]) == 7


def test_sessions_lead_to_their_episodes(client, episode_id):
    sessions = client.get("/api/sessions").json()
    found = client.get(f"/api/sessions/{sessions[0]['id']}").json()
    assert episode_id in [e["id"] for e in found["episodes"]]


def test_stored_and_live_timelines_agree(client, live, episode_id):
    stored = client.get(f"/api/episodes/{episode_id}/timeline").json()
    present = client.get(f"/api/live/{live.tab_id}/timeline", headers={"X-Live-Token": live.token}).json()
    for name in ("episode_id", "num_steps", "control_hz", "actors", "parent", "branches"):
        assert stored[name] == present[name], name
    assert [e["id"] for e in stored["events"]] == [e["id"] for e in present["events"]]


@pytest.mark.parametrize(("token", "status"), [("", 401), ("wrong", 403), ("ünïcode".encode(), 403)])
def test_a_live_timeline_needs_the_token_of_its_tab(client, live, token, status):
    assert client.get(f"/api/live/{live.tab_id}/timeline", headers={"X-Live-Token": token}).status_code == status


def test_a_closed_tab_is_not_found(client):
    assert client.get("/api/live/gone/timeline").status_code == 404


@pytest.mark.parametrize("what", ["", ".json", "/events", "/steps", "/timeline"])
def test_what_is_not_stored_is_not_found_in_words(client, what):
    answer = client.get(f"/api/episodes/nonsense{what}")
    assert answer.status_code == 404 and "there is none of that id" in answer.json()["error"]


def test_an_episode_without_a_picture_has_a_plain_one(client, episode_id):
    answer = client.get("/api/episodes/nonsense/thumbnail.jpg")
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("image/svg")


def test_assets_are_cached_for_ever_only_under_their_digest(client):
    from panels.asset_urls import asset_version

    assert "immutable" in client.get("/assets/timeline.js", params={"v": asset_version("timeline.js")}).headers["cache-control"]
    assert client.get("/assets/timeline.js", params={"v": "old"}).headers["cache-control"] == "no-cache"
    assert client.get("/favicon.ico").headers["content-type"] == "image/svg+xml"


def test_the_page_and_its_descriptions_build(client):
    assert client.get("/").status_code == 200
    config = client.get("/config").json()
    assert config["dependencies"] and client.get("/gradio_api/info").status_code == 200


def test_only_the_loading_of_the_page_waits_in_a_queue(client):
    """An event that comes while the queue's stream closes would show its outcome only after the next one."""
    queued = [d["targets"] for d in client.get("/config").json()["dependencies"] if d["backend_fn"] and d["queue"] is not False]
    assert [event for targets in queued for _, event in targets] == ["load"]


def test_the_page_asks_no_other_host(client):
    page = client.get("/").text
    assert "fonts.googleapis" not in page and "cdn" not in client.get("/theme.css").text.lower()
