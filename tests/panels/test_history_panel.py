import zipfile

import gradio as gr
import pytest

from panels import history
from panels.export import EXPORTS, Thumbnails, export_episode
from panels.replay import StoredStates, branch_from, open_replay
from panels.state import UiState
from workbench.core.errors import InvalidInput, NotStored, UnknownName

HOSTILE = "${1+1} <img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def stored(app, live):
    """An ended episode of six steps, and a live one after it in the same tab."""
    episode_id = live.controller.status().episode_id
    live.command("reset")
    live.in_simulator(lambda simulator: None)
    assert app.recorder.flush()
    return episode_id


@pytest.fixture
def ui(live, stored):
    return UiState(tab_id=live.tab_id)


def value(**changes):
    return {"chosen": "", "compared": [], "session": "", "serial": 0, **changes}


def test_choosing_an_episode_shows_what_is_known_of_it(app, stored):
    details, facts, name, rating, step, delete = history.on_choose(app, value(chosen=stored))
    assert details.visible
    assert any("6 steps" in line for line in facts["lines"])
    assert (name, rating, step.maximum, delete.value) == ("", None, 6, "Delete")


def test_nothing_chosen_asks_for_a_click(app):
    with pytest.raises(InvalidInput, match="Click an episode"):
        history.on_rate(app, 3, value())


def test_each_change_makes_the_list_read_again(app, stored):
    serials = [
        history.on_rename(app, HOSTILE, value(chosen=stored, serial=4))["serial"],
        history.on_rate(app, 4, value(chosen=stored, serial=5))["serial"],
        history.on_note(app, HOSTILE, 3, value(chosen=stored, serial=6))[2]["serial"],
    ]
    assert serials == [5, 6, 7]
    info = app.store.episode(stored)
    assert (info.name, info.rating) == (HOSTILE, 4)
    assert [(n.text, n.step) for n in app.store.notes(stored)] == [(HOSTILE, 3)]


def test_an_empty_note_is_refused(app, stored):
    with pytest.raises(InvalidInput):
        history.on_note(app, "  ", 0, value(chosen=stored))


def test_delete_and_restore_are_one_button(app, stored):
    assert history.on_delete(app, value(chosen=stored))[-1].value == "Restore"
    assert app.store.episode(stored).deleted_at is not None
    assert history.on_delete(app, value(chosen=stored))[-1].value == "Delete"
    assert app.store.episode(stored).deleted_at is None


def test_states_of_a_stored_episode_are_those_that_were_recorded(app, stored):
    states = StoredStates(app.store, app.store.episode(stored))
    assert len(states) == 7
    assert states[0].equals(app.store.state_at(stored, 0)) and states[-1].equals(app.store.state_at(stored, 6))
    assert len(states[2:5]) == 3
    with pytest.raises(IndexError):
        states[7]


def test_a_stored_episode_opens_on_the_stage_at_a_step_and_live_comes_back(app, live, ui, stored):
    history.on_open(app, 4, value(chosen=stored), ui)
    assert live.stored.episode_id == stored and live.shown_step == 4
    live.show_step(None)
    assert live.stored is None


def test_the_live_episode_opens_as_itself(app, live, steps):
    steps(live, 3)
    open_replay(app, live, live.controller.status().episode_id, 2)
    assert live.stored is None and live.shown_step == 2
    live.show_step(None)


@pytest.mark.parametrize("episode_id", ["", "nonsense", HOSTILE])
def test_an_unknown_episode_is_not_stored(app, live, episode_id):
    with pytest.raises(NotStored):
        open_replay(app, live, episode_id, 0)


@pytest.mark.parametrize("step", [0, 3, 6, 10_000])
def test_a_branch_starts_in_the_state_of_its_step(app, live, stored, step):
    branch_id = branch_from(app, live, stored, step)
    at = min(step, 6)
    start = live.controller.history().start
    assert (start.episode_id, start.parent_id, start.branch_step) == (branch_id, stored, at)
    assert live.in_simulator(lambda simulator: simulator.state()).equals(app.store.state_at(stored, at))


def test_comparing_needs_two_and_tells_outcomes(app, live, stored, steps, ui):
    told = []
    live.attach(told.append)
    assert history.on_compare(app, value(compared=[stored]), ui)[1] == {"lines": []}
    branch_id = branch_from(app, live, stored, 3)
    steps(live, 4)
    plot, lines = history.on_compare(app, value(compared=[stored, branch_id]), ui)
    assert plot.visible and "cm" in lines["lines"][-1] and len(lines["lines"]) == 3
    drawn = [message["paths"] for message in told if message["type"] == "compared"]
    assert drawn[0] == [] and [len(path["points"]) for path in drawn[-1]] == [6, 4]
    assert len({path["colour"] for path in drawn[-1]}) == 2 and all(len(point) == 3 for path in drawn[-1] for point in path["points"])


def test_a_figure_is_built_of_paths_without_markup(app, stored):
    from sessions.comparison import compare

    app.store.rename(stored, HOSTILE)
    found = compare(app.store, [stored, stored])
    figure = history.paths_figure([history.path_of(e) for e in found.episodes])
    assert all("<img" not in str(trace.name) for trace in figure.data)


@pytest.mark.parametrize("kind", EXPORTS)
def test_every_kind_of_file_is_made(app, stored, kind):
    shown = history.on_export(app, kind, 2, value(chosen=stored))
    assert isinstance(shown, gr.File)
    path = export_episode(app, stored, kind=kind, step=2)
    data = path.read_bytes()
    starts = {".mp4": b"ftyp", ".png": b"\x89PNG", ".json": b"{", ".zip": b"PK"}
    assert starts[path.suffix] in data[:16]


def test_an_unknown_kind_of_file_is_named_with_the_known_ones(app, stored):
    with pytest.raises(UnknownName, match="MP4"):
        export_episode(app, stored, kind="AVI", step=0)


def test_an_archive_comes_back_in(app, stored):
    path = export_episode(app, stored, kind="Whole session (archive)", step=0)
    assert zipfile.is_zipfile(path)
    assert history.on_import(app, str(path), value(serial=1))["serial"] == 2


def test_a_file_that_is_no_archive_is_refused(app, tmp_path):
    path = tmp_path / "x.zip"
    path.write_bytes(b"not a zip")
    with pytest.raises(InvalidInput):
        history.on_import(app, str(path), value())


def test_a_thumbnail_is_drawn_once_and_kept(app, stored):
    jpeg = Thumbnails(app).get(stored)
    assert jpeg.startswith(b"\xff\xd8") and app.store.thumbnail(stored) == jpeg


def test_a_running_episode_has_no_thumbnail_yet(app, live):
    app.recorder.flush()
    assert Thumbnails(app).get(live.controller.status().episode_id) is None


def test_storage_is_told_in_words(app):
    assert "MB" in history.on_storage(app)["lines"][0]


def test_the_list_knows_the_session_of_its_tab(app, live, ui):
    assert history.on_changed(app, value(), ui)["session"] == live.controller.history().start.session_id
