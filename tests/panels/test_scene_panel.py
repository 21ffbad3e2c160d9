import gradio as gr
import pytest

from panels import scene
from panels.state import UiState
from workbench.core.errors import UnknownName, WorkbenchError


def test_every_task_is_described_in_a_line(app):
    for entry in app.tasks:
        text = scene.describe(app, entry.name)
        assert "For example" in text and "\n" not in text and "{" not in text, entry.name


def test_ambiguous_tasks_ask_for_a_drawing(app):
    assert "draw it" in scene.describe(app, "ambiguous_cubes")


def test_an_unknown_task_has_no_description(app):
    assert scene.describe(app, "${1+1}") == ""


def test_a_rolled_seed_is_one_for_development():
    assert all(0 <= scene.on_dice() <= scene.MAX_SEED for _ in range(50))


def test_a_new_task_clears_the_words_of_the_old_one(app):
    about, instruction = scene.on_task(app, "pick")
    assert "For example" in about["text"] and instruction == {"text": ""}


def test_a_new_episode_gets_what_the_fields_say(app, live, ui):
    scene.on_start(app, "pick", 5, 10.0, "bench", "expert", {"text": "  take the cube  "}, ui)
    status = live.controller.status()
    assert (status.task, status.policy, status.instruction) == ("pick", "expert", "take the cube")
    assert (live.config.seed, live.config.control_hz) == (5, 10.0)


def test_the_table_with_several_things_is_offered_begun_and_shown_again(app, live, ui):
    assert "several" in [name for _, name in scene.task_choices(app, "bench")]
    assert scene.describe(app, "several")
    scene.on_start(app, "several", 5, 20.0, "bench", "sketch", None, ui)
    assert live.config.options == {"several": {"steps": 1, "seed": 5}}
    kinds = live.in_simulator(lambda simulator: {prop.kind.value for prop in simulator.instance.scene.props})
    assert {"cube", "bowl", "plate", "button"} <= kinds
    assert scene.on_changed(app, "", "", ui)[1].value == "several"


def test_every_driver_is_called_by_a_name_that_begins_with_what_it_is(app):
    titles = [title for title, _ in scene.choices(app.policies, scene.POLICY_TITLES)]
    assert all(title[0].isupper() or title.startswith(name) for title, name in scene.choices(app.policies, scene.POLICY_TITLES)), titles


def test_an_unknown_policy_is_named_with_the_known_ones(app, ui):
    with pytest.raises(UnknownName, match="expert"):
        scene.on_start(app, "pick", 5, 20.0, "bench", "opnvla", None, ui)


def test_the_instruction_changes_in_the_middle_of_an_episode(app, live, ui):
    live.command("set_instruction", {"text": "now the other one ${1+1}"})
    live.in_simulator(lambda simulator: None)
    assert live.controller.status().instruction == "now the other one ${1+1}"


def test_a_new_episode_shows_in_the_fields_once_and_choices_stay_after(app, live, ui):
    scene.on_start(app, "stack", 11, 20.0, "bench", "sketch", {"text": ""}, ui)
    seen, task, about, seed, rate, simulator, policy, *_ = scene.on_changed(app, "", "", ui)
    assert seen == live.controller.status().episode_id
    assert (task.value, seed, rate, simulator, policy.value) == ("stack", 11, 20.0, "bench", "sketch")
    assert about["text"]
    again = scene.on_changed(app, seen, "", ui)
    assert [gr.skip()] * 6 == list(again[:6]) and again[6].value == "sketch"


def test_reset_starts_the_same_scene_anew(app, live, ui):
    before = live.controller.status().episode_id
    scene.on_reset(app, ui)
    live.in_simulator(lambda simulator: None)
    after = live.controller.status()
    assert after.episode_id != before and after.task == live.config.task


def test_a_closed_tab_says_so(app):
    with pytest.raises(UnknownName):
        scene.on_reset(app, UiState(tab_id="gone"))


def test_another_simulator_gets_a_new_live_session_with_its_own_cameras(app, live):
    pytest.importorskip("gymnasium")
    old = app.live.create()
    before = UiState(tab_id=old.tab_id)
    value, after = scene.on_start(app, "Reacher-v5", 3, 50.0, "gym", "hold", {"text": 3}, before)
    new = app.live.get(value["tab_id"])
    assert after.tab_id == new.tab_id and old.is_closed
    assert new.hello()["cameras"] and "front" not in new.hello()["cameras"]
    app.live.close(new.tab_id)


def test_a_simulator_that_does_not_start_leaves_the_tab_as_it_was(app, live, ui):
    count = len(app.live)
    with pytest.raises(WorkbenchError):
        scene.on_start(app, "NoSuchThing-v9", 3, 20.0, "gym", "hold", [], ui)
    assert len(app.live) == count and not live.is_closed
