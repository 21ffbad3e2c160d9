"""A sitting goes out of the Teach tab as a LeRobot dataset, and comes in again: it is listed in the History tab."""

import math
import time
import zipfile

from tests.browser.test_page_whole import session_of
from workbench.core.types import EpisodeConfig

WAIT_MS = 120_000


def says(page, text):
    page.wait_for_function(f"document.querySelector('#teach-dataset-lines')?.innerText.includes({text!r})", timeout=WAIT_MS)


def record(workbench, session, num_steps):
    """Let the expert drive for some steps, end that episode, and return its id."""
    session.controller.set_speed(math.inf)
    episode = session.controller.start(EpisodeConfig("touch", 4), policy="expert").result(60)
    session.controller.step_once(num_steps)
    deadline = time.monotonic() + 60
    while session.controller.status().step < num_steps:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    session.controller.start(EpisodeConfig("touch", 4), policy="hold").result(60)
    assert workbench.recorder.flush()
    return episode


def test_a_session_is_exported_downloaded_and_imported_again(page, workbench, tmp_path):
    session = session_of(page, workbench)
    episode = record(workbench, session, 12)
    page.get_by_role("tab", name="Teach").click()
    page.locator("#teach-dataset > button").first.click()
    page.wait_for_function("document.querySelector('#teach-dataset-session input')?.value.includes('12 steps')", timeout=WAIT_MS)
    page.get_by_label("wrist").uncheck()
    page.get_by_label("top").uncheck()
    page.locator("#teach-dataset-export").click()
    says(page, "1 episode with 12 frames")
    with page.expect_download(timeout=WAIT_MS) as found:
        page.locator("#teach-dataset-file a").first.click()
    dataset = tmp_path / "out.zip"
    found.value.save_as(dataset)
    names = zipfile.ZipFile(dataset).namelist()
    assert any(name.endswith("meta/info.json") for name in names) and any(name.endswith(".mp4") for name in names)

    workbench.store.delete(episode)
    workbench.store.purge()
    with page.expect_file_chooser(timeout=WAIT_MS) as chooser:
        page.get_by_role("button", name="Import a zip").click()
    chooser.value.set_files(dataset)
    says(page, "1 episode with exact states")
    page.get_by_role("tab", name="History").click()
    page.wait_for_selector(f'#history li[data-id="{episode}"]', timeout=WAIT_MS)
    assert workbench.store.episode(episode).num_steps == 12
