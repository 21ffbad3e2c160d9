"""The page as a whole: clean loads, two tabs, links, reloads, and text that tries to be code."""

from urllib.parse import quote

import pytest

from tests.browser.stage_driver import reload

HOSTILE = ("${1+1}", "{{constructor}}", "<img src=x onerror=\"window.hacked = 1; alert('x')\">", "';alert(1)//", "`${(window.hacked = 2)}`")


def session_of(page, workbench):
    return workbench.live.get(page.evaluate("window.VLAW.socket.tab.tab_id"))


def run_some_steps(page, workbench, num_steps=12):
    """Let the arm hold still for some steps, and wait until they are on disk."""
    session = session_of(page, workbench)
    session.controller.step_once(num_steps)
    session.in_simulator(lambda simulator: None)
    page.wait_for_function("n => Number(document.querySelector('.timeline').dataset.steps) >= n", arg=num_steps)
    assert workbench.recorder.flush()
    return session


def open_tab(page, name):
    page.get_by_role("tab", name=name).click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080)])
def test_the_page_loads_clean_and_fits_its_window(open_page, scheme, size):
    page = open_page(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    for name in ("Sketch", "History", "Scene"):
        open_tab(page, name)
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight + 1 && document.documentElement.scrollWidth <= innerWidth")
    for selector in ("#stage .surface", ".timeline", "#scene-start"):
        box = page.locator(selector).bounding_box()
        assert box["x"] >= 0 and box["y"] + box["height"] <= size[1], selector
    fonts = page.evaluate("[...document.fonts].filter(f => f.status === 'loaded').map(f => f.family)")
    assert not fonts, fonts


def test_two_tabs_are_two_worlds(open_page, workbench):
    first, second = open_page(), open_page()
    one, two = session_of(first, workbench), session_of(second, workbench)
    assert one is not two
    run_some_steps(first, workbench)
    assert (one.controller.status().step, two.controller.status().step) == (12, 0)
    assert second.locator(".timeline").get_attribute("data-steps") == "0"


def test_the_history_lists_an_episode_after_it_ran_and_opens_it(page, workbench):
    session = run_some_steps(page, workbench)
    old = session.controller.status().episode_id
    page.evaluate("window.VLAW.run('reset')")
    page.wait_for_function("id => document.querySelector('#stage .stage').dataset.episode !== id", arg=old)
    open_tab(page, "History")
    row = page.locator(f'#history li[data-id="{old}"]')
    row.click()
    page.wait_for_selector("#history-open", state="visible")
    page.locator("#history-open").click()
    page.wait_for_function("id => window.VLAW.timeline.episode === id", arg=old)
    page.locator(".timeline").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('#stage .stage').dataset.shownStep === '1'")
    page.locator('.timeline [data-do="follow"]').click()
    page.wait_for_function("document.querySelector('#stage .stage').dataset.shownStep === ''")


def press(page, locator):
    """Put the mouse down in the middle of an element, as a person does a tenth of a second before they let go."""
    locator.scroll_into_view_if_needed()
    box = locator.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()


def test_a_row_that_changes_under_a_pressed_mouse_is_chosen_all_the_same(page, workbench):
    session = run_some_steps(page, workbench)
    episode_id = session.controller.status().episode_id
    open_tab(page, "History")
    row = page.locator(f'#history li[data-id="{episode_id}"]')
    row.wait_for()
    press(page, row.locator(".outcome"))
    workbench.store.rename(episode_id, "renamed meanwhile")
    with page.expect_response("**/api/episodes?*"):
        page.evaluate("window.VLAW.history.later(0)")
    page.wait_for_timeout(100)
    assert row.locator(".title").text_content() != "renamed meanwhile"
    page.mouse.up()
    page.wait_for_selector("#history-branch", state="visible")
    page.wait_for_selector('#history .chosen .title >> text="renamed meanwhile"')


def test_a_row_that_says_the_same_stays_the_same_element(open_page, workbench):
    page = open_page()
    episode_id = run_some_steps(page, workbench).controller.status().episode_id
    open_tab(page, "History")
    row = page.locator(f'#history li[data-id="{episode_id}"]')
    row.wait_for()
    page.evaluate("id => { window.kept = document.querySelector(`#history li[data-id='${id}']`); }", episode_id)
    run_some_steps(open_page(), workbench)
    page.evaluate("window.VLAW.history.later(0)")
    page.wait_for_function("document.querySelectorAll('#history li').length >= 2")
    page.wait_for_function("document.querySelector('#history .episodes').dataset.total >= 2")
    assert page.evaluate("window.kept.isConnected")


def test_a_late_answer_of_the_server_does_not_undo_the_choice(page, workbench):
    first = run_some_steps(page, workbench).controller.status().episode_id
    page.evaluate("window.VLAW.run('reset')")
    page.wait_for_function("id => document.querySelector('#stage .stage').dataset.episode !== id", arg=first)
    open_tab(page, "History")
    page.locator(f'#history li[data-id="{first}"]').click()
    page.wait_for_selector("#history-branch", state="visible")
    page.evaluate("window.VLAW.history.props.value = {...window.VLAW.history.props.value, chosen: ''}; window.VLAW.history.keepChoice()")
    page.locator("#history-branch").click()
    page.wait_for_function("id => !['', id].includes(document.querySelector('#stage .stage').dataset.episode)", arg=first)
    page.wait_for_selector("#history li >> text=branch from step 0")


def test_a_stroke_in_the_list_is_deleted_though_the_list_changes_under_the_mouse(page, workbench):
    session = session_of(page, workbench)
    stroke = {"id": "s1", "kind": "arrow", "points": [[0.4, 0.8], [0.6, 0.7]]}
    other = {"id": "s2", "kind": "arrow", "points": [[0.3, 0.8], [0.3, 0.6]]}
    document = {"version": 1, "id": "d1", "camera": "front", "width": 480, "height": 480, "step": 0, "strokes": [stroke]}
    session.commit_sketch(document)
    open_tab(page, "Sketch")
    remove = page.locator("#plan [data-key='stroke-s1'] button[title='Delete this stroke']")
    remove.wait_for()
    press(page, remove)
    session.commit_sketch({**document, "strokes": [stroke, other]})
    page.wait_for_function("document.querySelector('#stage .stage').dataset.strokes === '2'")
    page.mouse.up()
    page.wait_for_function("document.querySelector('#stage .stage').dataset.strokes === '1'")
    assert [s.id for s in session.sketch.strokes] == ["s2"]


def test_what_is_asked_for_while_the_connection_is_lost_is_refused_aloud(page):
    page.evaluate("window.VLAW.socket.socket.onclose = null; window.VLAW.socket.socket.close()")
    page.evaluate("window.VLAW.run('step_forward')")
    page.wait_for_selector(".toast >> text=Not connected")


def test_a_rating_and_a_note_are_kept(page, workbench):
    session = run_some_steps(page, workbench)
    episode_id = session.controller.status().episode_id
    open_tab(page, "History")
    page.locator(f'#history li[data-id="{episode_id}"]').click()
    page.locator("#history-note textarea, #history-note input").fill("slipped at the rim")
    page.keyboard.press("Enter")
    page.wait_for_selector("#history-facts >> text=slipped at the rim")
    page.locator("#history-rating label", has_text="4").click()
    page.wait_for_selector(f'#history li[data-id="{episode_id}"] .stars')
    assert workbench.store.episode(episode_id).rating == 4
    assert [note.text for note in workbench.store.notes(episode_id)] == ["slipped at the rim"]


def test_a_link_to_a_moment_opens_that_moment(page, open_page, workbench):
    session = run_some_steps(page, workbench)
    start = session.controller.history().start
    other = open_page(f"/?session={start.session_id}&episode={start.episode_id}&step=7")
    other.wait_for_function("document.querySelector('#stage .stage').dataset.shownStep === '7'")
    assert other.evaluate("window.VLAW.timeline.episode") == start.episode_id


@pytest.mark.parametrize("query", ["episode=nonsense", f"episode={quote(HOSTILE[2])}&step={quote(HOSTILE[0])}", "step=-1&episode=00"])
def test_a_link_that_leads_nowhere_says_so_and_the_page_works(open_page, query):
    page = open_page(f"/?{query}")
    page.wait_for_selector("text=leads nowhere")
    assert page.evaluate("window.hacked") is None


def test_a_reload_brings_the_episode_and_the_drawing_back(page, workbench):
    session = run_some_steps(page, workbench)
    stroke = {"id": "s1", "kind": "arrow", "points": [[0.4, 0.8], [0.6, 0.7]]}
    document = {"version": 1, "id": "d1", "camera": "front", "width": 480, "height": 480, "step": 0, "strokes": [stroke]}
    session.commit_sketch(document)
    reload(page)
    page.wait_for_function("document.querySelector('#stage .stage')?.dataset.frames > 0", timeout=60_000)
    assert session_of(page, workbench) is session
    page.wait_for_function("document.querySelector('#stage .stage').dataset.strokes === '1'")
    page.wait_for_function("document.querySelector('.timeline').dataset.steps === '12'")


def test_seeking_with_the_mouse_and_branching_from_there(page, workbench):
    session = run_some_steps(page, workbench, 20)
    box = page.locator(".timeline canvas").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.25, box["y"] + 28)
    page.wait_for_function("Number(document.querySelector('#stage .stage').dataset.shownStep) > 3")
    parent = session.controller.status().episode_id
    page.locator('.timeline [data-do="branch"]').click()
    page.wait_for_function("id => document.querySelector('#stage .stage').dataset.episode !== id", arg=parent)
    status = session.controller.status()
    assert status.parent_id == parent and 3 < session.controller.history().start.branch_step < 20


def test_hostile_text_in_every_field_is_only_text(page, workbench):
    session = run_some_steps(page, workbench)
    episode_id = session.controller.status().episode_id
    hostile = " ".join(HOSTILE)
    name = page.locator('#topbar [data-is="name"]')
    name.fill(hostile[:110])
    name.blur()
    open_tab(page, "Scene")
    page.locator("#scene-instruction textarea").fill(hostile)
    page.locator("#scene-tell").click()
    page.evaluate("text => window.VLAW.socket.request('note', { text })", hostile)
    open_tab(page, "Sketch")
    page.locator("#sketch-reader button").first.click()
    page.locator("#sketch-address textarea, #sketch-address input").fill(hostile)
    page.locator("#sketch-model textarea, #sketch-model input").fill(hostile)
    page.locator("#sketch-use").click()
    open_tab(page, "History")
    page.locator(f'#history li[data-id="{episode_id}"]').click()
    page.locator("#history-name textarea, #history-name input").fill(hostile)
    page.keyboard.press("Enter")
    note = page.locator("#history-note textarea, #history-note input")
    note.fill(hostile)
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('#history-note textarea, #history-note input').value === ''")
    page.locator('#history input[name="q"]').fill(hostile)
    page.wait_for_function("document.querySelector('#history .episodes').dataset.total === '1'")
    title = page.locator(f'#history li[data-id="{episode_id}"] .title').text_content()
    assert title == hostile, title
    reload(page)
    page.wait_for_function("document.querySelector('#stage .stage')?.dataset.frames > 0", timeout=60_000)
    assert page.evaluate("window.hacked") is None
    assert session.controller.status().instruction == hostile
    assert "2" not in (page.locator("#topbar").text_content() or "")


def test_an_episode_and_its_branch_are_compared_side_by_side(page, workbench):
    session = run_some_steps(page, workbench)
    parent = session.controller.status().episode_id
    session.command("branch", {"step": 6})
    run_some_steps(page, workbench, 8)
    branch = session.controller.status().episode_id
    page.evaluate("window.VLAW.run('reset')")
    page.wait_for_function("id => document.querySelector('#stage .stage').dataset.episode !== id", arg=branch)
    open_tab(page, "History")
    for episode_id in (parent, branch):
        page.locator(f'#history li[data-id="{episode_id}"] input').check()
    page.wait_for_selector("#history-paths .plot-container", timeout=60_000)
    page.wait_for_selector("#history-compared >> text=Largest distance at equal times")
    page.wait_for_function("document.querySelector('#stage .stage').dataset.compared === '2'")
    assert page.locator("#stage .compared-path").count() == 2, "both ways lie over the picture as well"
    page.get_by_role("button", name="Hide the compared paths").click()
    assert page.locator("#stage .compared-path").count() == 0
    assert page.locator("#history li input:checked").count() == 2
