import re
from pathlib import Path

import gradio as gr
import pytest

from panels.live import LiveRegistry
from panels.stage import STORED_TAB_JS, StageCanvas, make_stage, open_stage
from tests.panels.fake_live import make_session

ASSETS = Path(__file__).parents[2] / "panels" / "assets"


@pytest.fixture
def registry():
    made = LiveRegistry(make_session, sweep_s=3600)
    yield made
    made.close_all()


def test_the_page_with_a_stage_builds_its_configuration_and_api():
    with gr.Blocks() as page:
        stage = make_stage()
        box = gr.Textbox()
        stage.on_commit(lambda: "", None, [box])
        stage.on_changed(lambda: "", None, [box])
    component = next(c for c in page.get_config_file()["components"] if c["props"].get("elem_id") == "stage")
    assert component["props"]["html_template"] == StageCanvas().html_template
    assert page.get_api_info()["named_endpoints"] == {}, "plumbing stays out of the public API"


def test_the_stage_passes_its_value_to_handlers_as_it_is():
    value = {"tab_id": "t", "token": "x", "sketch": {"strokes": []}, "seq": 3}
    assert StageCanvas().preprocess(value) == value
    assert StageCanvas().api_info()["type"] == "object"


def test_templates_are_constant_and_hold_no_place_for_text():
    canvas = StageCanvas({"tab_id": "${1+1}", "token": "{{1+1}}"})
    for text in (canvas.html_template, canvas.css_template or ""):
        assert "${" not in text and "{{" not in text


def test_scripts_never_make_markup_from_text():
    for path in (ASSETS / "stage").glob("*.js"):
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", path.read_text()), path.name


def test_scripts_and_styles_ask_no_other_host():
    for path in [*(ASSETS / "stage").glob("*.js"), ASSETS / "stage.css"]:
        found = set(re.findall(r"https?://[^\s\"'`)]+", path.read_text())) - {"http://www.w3.org/2000/svg"}
        assert not found, (path.name, found)


def test_scripts_stay_small_and_are_reached_from_the_first():
    names = {p.name for p in (ASSETS / "stage").glob("*.js")}
    reached, todo = set(), ["stage.js"]
    while todo:
        name = todo.pop()
        if name not in reached:
            reached.add(name)
            text = (ASSETS / "stage" / name).read_text()
            assert len(text.splitlines()) <= 350, name
            todo += re.findall(r'from "\./([a-z_]+\.js)"', text)
    assert reached == names


@pytest.mark.parametrize(
    "stored", [None, [], "x", 5, {}, {"tab_id": 5, "token": []}, {"tab_id": "nobody", "token": "x"}, {"tab_id": None, "token": None}]
)
def test_whatever_the_browser_stored_a_page_gets_a_session(registry, stored):
    session, value = open_stage(registry, stored)
    assert value == {"tab_id": session.tab_id, "token": session.token}


def test_a_reloaded_page_gets_its_session_back(registry):
    session, value = open_stage(registry, None)
    assert open_stage(registry, value)[0] is session
    assert open_stage(registry, {**value, "token": "guessed"})[0] is not session


def test_the_page_and_the_loader_agree_on_the_storage_key():
    key = re.search(r"getItem\('([^']+)'\)", STORED_TAB_JS).group(1)
    assert f'"{key}"' in (ASSETS / "stage" / "stage.js").read_text()
