"""Control, keys, cameras and the connection of the stage, in a real browser."""

import time

import pytest

from panels.stream import MAX_QUEUED_MESSAGES
from tests.browser.stage_driver import StageDriver, leaving, reload

MODE_PATIENCE_S = 10


def wait_mode(stage, mode):
    stage.wait_data("mode", mode)
    assert stage.session.controller.status().mode == mode


def test_space_escape_and_the_halt_button_control_the_rollout(stage):
    stage.focus()
    stage.key("Space")
    wait_mode(stage, "autonomous")
    assert "POLICY" in stage.page.locator("#stage .mode").inner_text()
    stage.page.click("#stage [data-command=halt]")
    wait_mode(stage, "halted")
    assert "HALTED" in stage.page.locator("#stage .mode").inner_text()
    stage.focus()
    stage.key("Space")
    wait_mode(stage, "paused")
    stage.focus()
    stage.key("Tab")
    wait_mode(stage, "correcting")
    assert "HUMAN" in stage.page.locator("#stage .mode").inner_text()
    stage.key("Shift+Escape")
    wait_mode(stage, "halted")


def test_escape_deselects_before_it_halts(stage):
    stage.drag((0.3, 0.7), (0.6, 0.7))
    stage.commits(1)
    stage.key("v")
    stage.click(0.45, 0.7)
    stage.key("Escape")
    time.sleep(0.8)
    assert stage.data("mode") == "paused" and stage.page.locator("#stage .handle").count() == 0
    stage.key("Escape")
    wait_mode(stage, "halted")


def test_escape_closes_a_list_or_leaves_a_field_and_halts_only_then(stage):
    page = stage.page
    lists = page.locator("ul[role=listbox] li")
    for box in ("#scene-task input", "#scene-seed input"):
        page.locator(box).click()
        if box == "#scene-task input":
            lists.first.wait_for()
        stage.key("Escape")
        page.wait_for_function("document.activeElement === document.body")
        lists.first.wait_for(state="hidden")
        assert stage.data("mode") == "paused"
        time.sleep(0.6)
        stage.key("Escape")
        wait_mode(stage, "halted")
        stage.focus()
        stage.key("Space")
        wait_mode(stage, "paused")
        time.sleep(0.6)  # the next Escape is no second one


@pytest.mark.parametrize("keys", [("Escape", "Escape"), ("Shift+Escape",)])
def test_nothing_that_is_open_keeps_halt_away(stage, keys):
    def show_sheet():
        stage.focus()
        stage.key("?")

    for look in (stage.page.locator("#scene-task input").click, stage.page.locator("#scene-seed input").click, show_sheet):
        look()
        for key in keys:
            stage.key(key)
        wait_mode(stage, "halted")
        if stage.page.locator(".key-sheet").is_visible():
            stage.key("Escape")
        stage.focus()
        stage.key("Space")
        wait_mode(stage, "paused")


def test_driving_by_keys_moves_the_hand_and_stops_with_the_key(stage):
    def hand():
        return stage.session.in_simulator(lambda s: s.observe(()).part("ee_position").copy())

    stage.focus()
    stage.key("Tab")
    wait_mode(stage, "correcting")
    before = hand()
    stage.page.keyboard.down("PageDown")
    time.sleep(1.2)
    stage.page.keyboard.up("PageDown")
    time.sleep(1.0)
    lower = hand()
    assert lower[2] < before[2] - 0.01
    time.sleep(0.6)
    assert abs(hand()[2] - lower[2]) < 0.005


def test_keys_do_nothing_while_somebody_types(stage):
    stage.page.keyboard.press("n")
    note = stage.page.locator(".stage-dialog input")
    note.fill("slipped ")
    stage.page.keyboard.type("t b c")
    assert note.input_value() == "slipped t b c" and stage.data("mode") == "paused"
    stage.key("Enter")
    deadline = time.monotonic() + MODE_PATIENCE_S
    while not any(e.kind == "note" and e.payload["text"] == "slipped t b c" for e in stage.session.controller.history().events()):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_palette_finds_and_runs_a_command_and_the_sheet_lists_keys(stage):
    stage.focus()
    stage.key("Control+k")
    stage.page.keyboard.type("circle")
    assert "Circle" in stage.page.locator(".palette-list li").first.inner_text()
    stage.key("Enter")
    assert stage.page.locator("#stage .surface").get_attribute("data-tool") == "circle"
    stage.key("?")
    sheet = stage.page.locator(".key-sheet").inner_text()
    assert "HALT" in sheet and "Pause / resume" in sheet
    stage.key("Escape")
    assert stage.data("mode") == "paused", "Escape closed the sheet, nothing else"


def test_cameras_are_switched_and_a_second_one_is_shown(stage):
    stage.page.click("#stage [data-camera=top]")
    stage.wait_data("camera", "top")
    stage.focus()
    stage.key("i")
    stage.page.wait_for_function("Number(document.querySelector('.pip').dataset.seq) > 0", timeout=20_000)
    stage.page.click(".pip [aria-label='Swap cameras']")
    stage.wait_data("camera", "wrist")
    stage.key("i")
    assert stage.page.locator(".pip").is_hidden()


def test_overlays_hide_while_h_is_held(stage):
    stage.drag((0.3, 0.7), (0.6, 0.6))
    stage.commits(1)
    stage.page.keyboard.down("h")
    assert stage.page.locator("#stage .overlay").is_hidden()
    stage.page.keyboard.up("h")
    assert stage.page.locator("#stage .overlay").is_visible()


def test_a_reload_brings_back_session_drawing_and_undo(stage):
    stage.drag((0.3, 0.7), (0.6, 0.6))
    stage.commits(1)
    reload(stage.page)
    stage.page.wait_for_function("document.querySelector('#stage .stage')?.dataset.frames > 0", timeout=30_000)
    assert stage.page.evaluate("VLAW.socket.tab.tab_id") == stage.tab_id
    stage.strokes(1)
    stage.focus()
    stage.key("Control+z")
    stage.strokes(0)


def drop_socket(session):
    """Let the server close the socket, as it does with a viewer who takes nothing for too long."""
    (listener,) = session._listeners
    socket = listener.__self__
    socket._loop.call_soon_threadsafe(lambda: [socket._enqueue({"type": "flood"}) for _ in range(MAX_QUEUED_MESSAGES + 1)])


def test_a_dropped_socket_says_so_and_reconnects(stage):
    stage.page.evaluate(
        """() => { window.states = []; VLAW.socket.on('connection', (m) => window.states.push(m.state + ':' + document.querySelector('.curtain').innerText)); }"""
    )
    drop_socket(stage.session)
    stage.page.wait_for_function("window.states.length >= 2", timeout=20_000)
    states = stage.page.evaluate("window.states")
    assert states[0].startswith("reconnecting") and states[-1].startswith("live")
    before = int(stage.data("frames") or 0)
    stage.focus()
    stage.key(".")
    stage.page.wait_for_function("(n) => Number(document.querySelector('#stage .stage').dataset.frames) > n", arg=before, timeout=20_000)


def test_a_closed_session_offers_a_new_one(stage, workbench):
    workbench.live.close(stage.tab_id)
    stage.wait_data("connection", "gone")
    with leaving(stage.page):
        stage.page.click("#stage .reload")
        stage.page.wait_for_function("document.querySelector('#stage .stage')?.dataset.frames > 0", timeout=30_000)
    new_tab = stage.page.evaluate("VLAW.socket.tab.tab_id")
    assert new_tab != stage.tab_id
    workbench.live.close(new_tab)


def test_two_tabs_have_two_robots(open_page, workbench):
    first, second = (StageDriver(open_page(), workbench) for _ in range(2))
    assert first.tab_id != second.tab_id
    first.drag((0.3, 0.7), (0.6, 0.6))
    first.commits(1)
    first.page.click("#stage [data-command=halt]")
    wait_mode(first, "halted")
    assert second.data("mode") == "paused" and not second.session.sketch.strokes


@pytest.mark.parametrize("text", ["${1+1}{{1+1}}", "<img src=x onerror=\"alert('x')\">"])
def test_hostile_words_are_shown_as_words(stage, text):
    stage.session.command("set_instruction", {"text": text})
    stage.page.wait_for_function("(t) => document.querySelector('#stage .task').textContent === t", arg=text, timeout=20_000)
