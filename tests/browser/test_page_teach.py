"""A person improves the bench VLA on a correction, compares the new version with its parent, uses it, and rolls back."""

import numpy as np
import pytest

from models.bench_vla.shards import write_synthetic
from sessions.campaigns import insert_tape
from sessions.versions import FIRST, list_versions, version_in_use
from tests.browser.test_page_evaluation import choose
from workbench.core.types import EpisodeConfig
from workbench.evaluation.scripted_corrections import supervise
from workbench.evaluation.worker import EpisodeTape
from workbench.rollout.hold import HoldPolicy
from workbench.simulation.simulator import BenchSimulator

WAIT_MS = 400_000


@pytest.fixture
def corrected(workbench):
    """A correction in the store; demonstrations of noise to rehearse, so that none have to be made."""
    simulator, tape = BenchSimulator(), EpisodeTape()
    simulator.reset(EpisodeConfig("touch", 0))
    supervise(simulator, HoldPolicy(), "touch", 5, observers=(tape,), session_id="lesson", name=FIRST)
    simulator.close()
    with workbench.store.transaction() as connection:
        insert_tape(connection, tape)
    folder = workbench.teaching.rehearsal_dir
    write_synthetic(folder / "made", np.random.default_rng(0), num_shards=2)
    for number in range(2):
        (folder / "made" / f"shard-{number:05d}").rename(folder / f"shard-09-{number:05d}")


def says(page, elem_id, text):
    page.wait_for_function(f"document.querySelector('#{elem_id}')?.innerText.includes({text!r})", timeout=WAIT_MS)


def wait_until(page, condition):
    for _ in range(WAIT_MS // 200):
        if condition():
            return
        page.wait_for_timeout(200)
    raise AssertionError("it did not come")


@pytest.mark.slow
def test_improve_compare_use_and_roll_back(corrected, page, workbench):
    page.get_by_role("tab", name="Teach").click()
    says(page, "teach-plan", "1 correction with")
    choose(page, "teach-length", "Short try")
    page.locator("#teach-run").click()
    says(page, "teach-state", "step")
    says(page, "teach-state", "is listed below")
    (version,) = list_versions(workbench.store)
    says(page, "teach-versions-table", version.name)
    choose(page, "teach-version", version.name)
    says(page, "teach-about", "Not compared yet")
    page.locator("#teach-episodes input").fill("1")
    page.locator("#teach-compare").click()
    says(page, "teach-about", "on 2 common scenes")
    page.locator("#teach-use").click()
    wait_until(page, lambda: version_in_use(workbench.store) == version.name)
    page.locator("#teach-back").click()
    wait_until(page, lambda: version_in_use(workbench.store) == FIRST)
