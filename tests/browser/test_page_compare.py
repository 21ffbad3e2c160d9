"""Comparing on the page: an edit in words, the moment on the stage lived again, its table, a run of it opened on the stage."""

import pytest

from sessions.steering_comparisons import list_comparisons

WAIT_MS = 400_000


@pytest.mark.slow
def test_a_moment_is_compared_and_a_run_of_it_opens_on_the_stage(page, workbench):
    page.get_by_role("tab", name="Steering").click()
    page.locator("#steering-compare > button").first.click()
    page.locator("#compare-text textarea, #compare-text input").first.fill("neurons:quick=2")
    page.locator("#compare-starts input").fill("1")
    page.locator("#compare-randoms input").fill("0")
    page.locator("#compare-run").click()
    page.wait_for_function("/[0-9] %/.test(document.querySelector('#compare-state').innerText)", timeout=WAIT_MS)
    page.wait_for_function("document.querySelector('#compare-state').innerText.includes('Done')", timeout=WAIT_MS)
    page.wait_for_function("document.querySelector('#compare-verdict').innerText.includes('Solved:')", timeout=60_000)
    (stored,) = [c for c in list_comparisons(workbench.store) if "neurons:quick=2" in c.title]
    assert stored.status == "done" and list(stored.found["arms"]) == ["no edits", "steered"]
    assert "one start: no interval" in page.locator("#compare-verdict").inner_text()
    page.locator("#compare-open").click()
    page.wait_for_function("document.querySelector('#stage').innerText.includes('STORED · STEP')", timeout=60_000)
