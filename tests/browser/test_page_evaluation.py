"""A campaign of twenty trials from the panel: run, cancelled, gone on with, its trial opened on the stage, which never stops."""

import pytest

from sessions.campaigns import find_campaign, list_campaigns

WAIT_MS = 400_000


def choose(page, elem_id, *options):
    """Choose options of a Gradio dropdown by typing."""
    for option in options:
        box = page.locator(f"#{elem_id} input").first
        box.click()
        box.fill(option)
        page.locator(f"#{elem_id} ul[role=listbox] li, ul[role=listbox] li").filter(has_text=option).first.click()
    page.keyboard.press("Escape")


@pytest.mark.slow
def test_twenty_trials_are_run_cancelled_and_gone_on_with(page, workbench):
    page.get_by_role("tab", name="Evaluation").click()
    choose(page, "evaluation-policies", "Scripted expert")
    choose(page, "evaluation-tasks", "Put a cube on a plate")
    page.locator("#evaluation-episodes input").fill("20")
    page.locator("#evaluation-seed input").fill("40")
    page.locator("#evaluation-run").click()
    page.wait_for_function("/[1-9] of 20 trials/.test(document.querySelector('#evaluation-state').innerText)", timeout=WAIT_MS)
    frames = page.evaluate("Number(document.querySelector('#stage .stage').dataset.frames)")
    page.locator("#evaluation-cancel").click()
    page.wait_for_selector("#evaluation-resume:not([disabled])", timeout=WAIT_MS)
    (stored,) = list_campaigns(workbench.store)
    assert stored.status == "cancelled" and 0 < stored.num_trials < 20
    page.locator("#evaluation-resume").click()
    state = "document.querySelector('#evaluation-state').innerText"
    page.wait_for_function(f"{state}.includes('20 of 20 trials') && !{state}.includes('running')", timeout=WAIT_MS)
    page.wait_for_function("document.querySelector('#evaluation-table').innerText.includes('to 100')", timeout=30_000)
    assert find_campaign(workbench.store, stored.id).status == "done"
    assert page.evaluate("Number(document.querySelector('#stage .stage').dataset.frames)") >= frames
    choose(page, "evaluation-trial", "seed 43")
    page.locator("#evaluation-open").click()
    page.wait_for_function("document.querySelector('#stage').innerText.includes('STORED · STEP')", timeout=60_000)
    assert any(workbench.live.get(tab).stored for tab in workbench.live.tab_ids())
