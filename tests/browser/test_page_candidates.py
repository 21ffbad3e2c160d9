"""A person looks at what else the robot could do, picks another answer, and says how chunks are put together."""

import numpy as np

from tests.browser.stage_driver import StageDriver
from workbench.core.events import EventKind
from workbench.core.types import EpisodeConfig
from workbench.rollout.chunking import ChunkMode

PART = "#watch-candidates .candidates"


def test_a_person_draws_candidates_picks_another_one_and_it_is_executed(page, stage: StageDriver):
    session = stage.session
    session.controller.start(EpisodeConfig("place_on_plate", 11), policy="expert").result(60)
    page.get_by_role("tab", name="Watch").click()
    part = page.locator(PART)
    page.wait_for_function(f"document.querySelector('{PART}').dataset.when === 'never'", timeout=60_000)
    assert "Draw now" in part.locator('[data-is="empty"]').inner_text()
    part.get_by_role("button", name="Draw now").click()
    stage.wait_data("candidates", "16")
    page.wait_for_function(f"document.querySelector('{PART}').dataset.count === '16'")
    assert page.locator(".layer-candidates .candidate").count() == 16
    assert part.locator("li.chosen").get_attribute("data-index") == "0"

    part.get_by_role("button", name="Pick", exact=True).first.click()
    page.wait_for_function(f"document.querySelector('{PART}').dataset.chosen !== '0'", timeout=30_000)
    found = session.controller.selection.latest
    assert found.is_picked and part.locator("li.chosen").get_attribute("data-index") == str(found.chosen)
    session.controller.step_once()
    page.wait_for_function("document.querySelector('#stage .stage').dataset.candidates === '0'", timeout=30_000)
    step = session.controller.history().step(0)
    assert np.allclose(step.proposal, found.chunks[found.chosen][0], atol=1e-6)
    picked = [e for e in session.controller.history().events() if e.kind is EventKind.CANDIDATE and e.payload.get("is_picked")]
    assert [e.payload["chosen"] for e in picked] == [found.chosen] and len(picked[0].payload["scores"]) == 16

    part.locator('[data-is="mode"]').select_option("adaptive")
    page.wait_for_function(f"document.querySelector('{PART}').dataset.mode === 'adaptive'", timeout=30_000)
    assert session.controller.selection.handling.mode is ChunkMode.ADAPTIVE
    assert part.locator('[data-is="alpha"]').is_visible() and not part.locator('[data-is="decay"]').is_visible()
