import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panels import header, timeline
from panels.state import UiState

actors = st.lists(st.sampled_from(["policy", "human", "hold"]), max_size=60)


@given(actors)
def test_runs_of_actors_unfold_to_what_went_in(names):
    runs = timeline.actor_runs(list(enumerate(names)))
    ends = [first for first, _ in runs[1:]] + [len(names)]
    unfolded = [name for (first, name), end in zip(runs, ends, strict=False) for _ in range(first, end)]
    assert unfolded == names


@given(actors)
def test_neighbouring_runs_differ(names):
    runs = timeline.actor_runs(list(enumerate(names)))
    assert all(a[1] != b[1] for a, b in itertools.pairwise(runs))


@pytest.fixture
def ui(live):
    return UiState(tab_id=live.tab_id)


def test_a_session_is_renamed_and_shows_its_name(app, ui):
    header.on_rename(app, {"name": "  ${1+1} <b>night</b> shift  "}, ui)
    assert header.on_changed(app, ui) == {"name": "${1+1} <b>night</b> shift"}


def test_a_name_is_cut_at_its_limit(app, ui):
    header.on_rename(app, {"name": "x" * 500}, ui)
    assert len(header.on_changed(app, ui)["name"]) == header.MAX_NAME


def test_a_session_without_an_episode_on_disk_has_no_name_yet(app):
    session = app.live.create("fresh")
    session.controller.history().start  # noqa: B018 - it has one, in memory
    assert header.on_changed(app, UiState(tab_id="fresh"))["name"] == ""
    app.live.close("fresh")


def test_a_branch_that_was_clicked_opens_on_the_stage(app, live, ui, steps):
    parent = live.controller.status().episode_id
    live.command("branch", {"step": 3})
    steps(live, 2)
    branch = live.controller.status().episode_id
    live.command("reset")
    live.in_simulator(lambda simulator: None)
    timeline.on_open(app, {"episode_id": branch, "step": 0}, ui)
    assert live.stored.episode_id == branch
    timeline.on_branch(app, {"episode_id": parent, "step": 2}, ui)
    assert live.controller.history().start.branch_step == 2
