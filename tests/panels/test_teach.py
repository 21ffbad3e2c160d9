"""Improving behind the page: what it would do, how it goes, what becomes a version, and which may be used."""

import dataclasses
import threading
import time
from types import SimpleNamespace

import pytest

from models.bench_vla.versions import name_versions, version_names, weights_of
from panels import teach_improve, teach_versions
from panels.teach_desk import TeachDesk
from panels.teach_improve import ALL, NEW, NOTHING
from sessions.campaigns import StoredJournal, begin_campaign, insert_tape, set_status
from sessions.versions import FIRST, find_version, keep_comparison, version_in_use
from workbench.core.errors import InvalidInput, NotStored, WrongMode
from workbench.core.types import EpisodeConfig
from workbench.evaluation.campaign import TrialResult
from workbench.evaluation.scripted_corrections import supervise
from workbench.evaluation.worker import EpisodeTape, TrialOutcome
from workbench.rollout.hold import HoldPolicy
from workbench.simulation.simulator import BenchSimulator

FORM = ("bench-vla", ALL, 20, "sirius", 50, True)
CHANGED = SimpleNamespace(what="versions")


class FakeTeaching:
    """Teaches nothing, in steps that a test lets go on."""

    def __init__(self, folder):
        self.weights, self.go, self.answer = folder / "made.safetensors", threading.Event(), None
        self.weights.write_bytes(b"weights")

    def __call__(self, job, tell, is_cancelled):
        tell(0.5, "learning, step 10 of 20")
        while not (self.go.wait(0.01) or is_cancelled()):
            pass
        if is_cancelled():
            return None
        lineage = {"parent": job.parent, "episodes": list(job.episodes), "tasks": ["touch"], "num_corrections": 1, "num_human_steps": 9}
        told = {"settings": job.settings.to_dict(), "shares": {"human": 0.5}, "seconds": 3.0, "parent_digest": "0" * 64, "left_out": []}
        return self.answer or {"outcome": {"weights": self.weights, "digest": "f" * 64, "lineage": {**lineage, **told}}}


@pytest.fixture(scope="module")
def corrected(app):
    """One episode in the store in which the script took over from a policy that stood still."""
    simulator, tape = BenchSimulator(), EpisodeTape()
    simulator.reset(EpisodeConfig("touch", 0))
    found = supervise(simulator, HoldPolicy(), "touch", 3, observers=(tape,), session_id="s", name="bench-vla")
    simulator.close()
    with app.store.transaction() as connection:
        insert_tape(connection, tape)
    assert found.was_corrected and found.is_success
    return found


@pytest.fixture
def taught(app, tmp_path):
    """The workbench with a teaching that a test controls."""
    fake = FakeTeaching(tmp_path)
    name_versions(app.settings.root_dir)
    desk = TeachDesk(app.store, app.settings.root_dir, teach=fake)
    yield dataclasses.replace(app, teaching=desk), fake
    desk.close()


def wait_idle(app):
    deadline = time.monotonic() + 60
    while app.teaching.status().is_running:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return app.teaching.status()


def make_version(app, fake):
    fake.go.set()
    teach_improve.on_run(app, *FORM)
    return wait_idle(app).version


def test_with_nothing_corrected_the_page_says_what_to_do(app, taught):
    workbench, _ = taught
    if not teach_improve.chosen_episodes(app, ALL):
        assert teach_improve.tell_plan(workbench, *FORM) == {"lines": [NOTHING]}
        with pytest.raises(InvalidInput, match="take over"):
            teach_improve.on_run(workbench, *FORM)


def test_the_plan_tells_what_is_learnt_from_and_how_long_it_takes(taught, corrected):
    workbench, _ = taught
    (line,) = teach_improve.tell_plan(workbench, *FORM)["lines"]
    assert f"1 correction with {corrected.num_human_steps} steps by hand, in 1 episode (touch)." in line
    assert "A copy of bench-vla" in line and "on two free cores" in line


def test_an_improvement_becomes_a_version_with_its_lineage_and_a_policy(taught, corrected):
    workbench, fake = taught
    _, clock, run, cancel = teach_improve.on_run(workbench, *FORM)
    assert clock.active and not run.interactive and cancel.interactive
    with pytest.raises(WrongMode, match="teaching"):
        teach_improve.on_run(workbench, *FORM)
    fake.go.set()
    name = wait_idle(workbench).version
    assert name in version_names() and weights_of(name).read_bytes() == b"weights"
    assert find_version(workbench.store, name).lineage["episodes"] == [corrected.episode_id]
    assert f"{name} is listed below" in workbench.teaching.updates()[0]["lines"][0]
    assert teach_improve.tell_plan(workbench, FIRST, NEW, *FORM[2:]) == {"lines": ["Every correction was learnt by some version."]}
    assert name in [row[0] for row in teach_versions.version_rows(workbench)]
    assert any("1 correction with 9 steps" in line for line in teach_versions.describe(workbench, name)["lines"])
    dropdown, *_ = teach_improve.on_changed(workbench, *FORM, CHANGED)
    assert name in [value for _, value in dropdown.choices]


def test_the_page_s_process_learns_paths_without_loading_torch():
    import subprocess
    import sys

    code = (
        "import sys; from models.bench_vla.versions import FIRST, weights_of; "
        "assert weights_of(FIRST).name == 'bench-vla.safetensors'; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_cancelled_improvement_makes_no_version_and_says_that_it_goes_on(taught, corrected):
    workbench, _ = taught
    before = version_names()
    teach_improve.on_run(workbench, *FORM)
    assert teach_improve.on_cancel(workbench)[0]["lines"] == ["Stopping."]
    assert "goes on where it was" in wait_idle(workbench).error and version_names() == before


def test_what_goes_wrong_is_told(taught, corrected):
    workbench, fake = taught
    fake.answer = {"error": "There is nothing to learn."}
    assert make_version(workbench, fake) == "" and workbench.teaching.status().error == "There is nothing to learn."
    fake.answer = {"bug": "Traceback"}
    assert make_version(workbench, fake) == "" and "Report id" in workbench.teaching.status().error


def test_a_version_is_used_only_after_a_comparison_and_one_click_rolls_back(taught, corrected):
    workbench, fake = taught
    name, store = make_version(workbench, fake), workbench.store
    with pytest.raises(InvalidInput, match="Compare it first"):
        teach_versions.on_use(workbench, name)
    request = teach_versions.comparison_of(workbench, name, 4)
    assert {(c.policy, c.task) for c in request.campaign.cells} >= {(FIRST, "touch"), (name, "touch"), (FIRST, "place_on_plate")}
    stored = begin_campaign(store, request.campaign)
    keep_comparison(store, name, FIRST, stored.id)
    journal = StoredJournal(store, stored.id)
    for cell in request.campaign.cells:
        for trial in cell.trials():
            solved = trial.policy == name or trial.seed % 2 == 0
            journal.keep(TrialOutcome(trial, TrialResult(trial.seed, solved, 7)))
    set_status(store, stored.id, "done", {})
    lines = teach_versions.describe(workbench, name)["lines"]
    assert any(line.startswith(f"Better than {FIRST} on 8 common scenes: +50 points") for line in lines)
    table, dropdown, _, _ = teach_versions.on_use(workbench, name)
    assert version_in_use(store) == name and table[0][-1] == "yes" and table[0][3] == "+50 points, n = 8"
    assert (f"{name}, in use", name) in dropdown.choices
    teach_versions.on_back(workbench, name)
    assert version_in_use(store) == FIRST
    with pytest.raises(InvalidInput, match="taught"):
        teach_versions.comparison_of(workbench, FIRST, 4)
    with pytest.raises(NotStored):
        teach_versions.comparison_of(workbench, "bench-vla-99", 4)
