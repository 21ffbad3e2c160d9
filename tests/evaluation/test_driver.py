"""Driving campaigns: every trial once, in any runner the same, cut off and gone on with, failures named."""

import os
import signal

import pytest

from workbench.core.errors import InvalidInput, MissingDependency
from workbench.evaluation import ray_runner
from workbench.evaluation.campaign import Cell, Trial, TrialResult
from workbench.evaluation.driver import Campaign, CampaignProgress, MemoryJournal, run_campaign
from workbench.evaluation.launching import runner_maker
from workbench.evaluation.ray_runner import RayRunner
from workbench.evaluation.runners import ProcessRunner, SerialRunner
from workbench.evaluation.worker import TrialOutcome, TrialWorker, WorkerSetup
from workbench.rollout.hold import HoldPolicy

SETUP = WorkerSetup("workbench.evaluation.bench:SCRIPTED")
CAMPAIGN = Campaign("small", tuple(Cell("expert", task, "words", (1, 2)) for task in ("touch", "press_button")))


class Counting:
    """A runner that solves every trial."""

    def __init__(self):
        self.asked, self.is_closed = [], False

    def run(self, trials, is_cancelled):
        try:
            for trial in trials:
                if is_cancelled():
                    return
                self.asked.append(trial)
                yield TrialOutcome(trial, TrialResult(trial.seed, True, 3))
        finally:
            self.is_closed = True


def test_the_first_seed_of_every_cell_comes_first():
    assert [(t.seed, t.task) for t in CAMPAIGN.trials()] == [(1, "touch"), (1, "press_button"), (2, "touch"), (2, "press_button")]


def test_only_what_is_left_is_run_and_everything_is_reported():
    journal, runner = MemoryJournal({CAMPAIGN.trials()[1]: TrialResult(1, False, 9)}), Counting()
    run = run_campaign(CAMPAIGN, runner, journal)
    assert len(runner.asked) == 3 and run.is_complete and runner.is_closed
    assert [(r.cell.task, r.num_successes, len(r.trials)) for r in run.results] == [("touch", 2, 2), ("press_button", 1, 2)]
    again = Counting()
    assert run_campaign(CAMPAIGN, again, journal).results == run.results and again.asked == []


def test_a_cancelled_run_is_not_complete_and_reports_what_it_has():
    runner = Counting()
    run = run_campaign(CAMPAIGN, runner, MemoryJournal(), is_cancelled=lambda: len(runner.asked) >= 2)
    assert not run.is_complete and sum(len(r.trials) for r in run.results) == 2 and run.report()["is_complete"] is False


def test_a_failing_journal_stops_the_runner():
    class Full(MemoryJournal):
        def keep(self, outcome):
            raise OSError("disk full")

    runner = Counting()
    with pytest.raises(OSError, match="disk full"):
        run_campaign(CAMPAIGN, runner, Full())
    assert runner.is_closed and len(runner.asked) == 1


def test_progress_estimates_from_the_trials_of_this_run_alone():
    assert CampaignProgress(12, 20, 9, 10.0, num_before=10).seconds_left == pytest.approx(40.0)
    assert CampaignProgress(10, 20, 9, 10.0, num_before=10).seconds_left is None
    assert CampaignProgress(12, 20, 9, 10.0, num_before=10).tell() == "12 of 20 trials, 9 solved, about 40 s left"


def test_a_trial_that_ends_in_an_error_is_named_and_the_worker_goes_on(monkeypatch):
    def fail(self, observation, prompt, rng):
        raise ZeroDivisionError("by nothing")

    worker = TrialWorker(WorkerSetup("models.catalog:POLICIES"))
    with monkeypatch.context() as patch:
        patch.setattr(HoldPolicy, "act", fail)
        result = worker.run(Trial("hold", "touch", "words", 1)).result
    assert not result.is_success and result.note == "error: ZeroDivisionError: by nothing"
    assert worker.run(Trial("hold", "touch", "words", 1)).result.num_steps > 0
    worker.close()


def test_what_cannot_be_told_is_a_trial_that_failed_and_not_tried_again(caplog):
    worker = TrialWorker(WorkerSetup("models.catalog:POLICIES"))
    outcome = worker.run(Trial("hold", "follow_path", "mask", 1))
    worker.close()
    assert not outcome.refusal and not outcome.result.is_success and outcome.result.note.startswith("mask: expected one of the tasks")
    assert not caplog.records


def test_a_policy_that_cannot_be_loaded_stops_the_campaign_and_says_why():
    campaign, journal = Campaign("small", (Cell("nobody", "touch", "words", (1, 2)),)), MemoryJournal()
    with pytest.raises(InvalidInput, match="Unknown policy 'nobody'"):
        run_campaign(campaign, SerialRunner(SETUP), journal)
    assert journal.found == {}


def test_a_taped_trial_brings_its_whole_episode(monkeypatch):
    worker = TrialWorker(WorkerSetup("workbench.evaluation.bench:SCRIPTED", has_tape=True, session_id="sitting"))
    outcome = worker.run(Trial("expert", "touch", "words", 3))
    worker.close()
    start, *_, end = outcome.tape.entries
    assert start.session_id == "sitting" and end.num_steps == outcome.result.num_steps


def test_a_perturbed_trial_runs_in_a_changed_world():
    worker = TrialWorker(SETUP)
    plain, other, again = (worker.run(Trial("expert", "touch", "words", 3, perturbation=p)).result for p in ("", "start=1", "start=1"))
    worker.close()
    assert plain.path[0] != other.path[0] and other == again


@pytest.mark.slow
def test_processes_give_what_one_process_gives():
    serial, processes = (run_campaign(CAMPAIGN, r, MemoryJournal()) for r in (SerialRunner(SETUP), ProcessRunner(SETUP, 2)))
    assert serial == processes and serial.is_complete


@pytest.mark.slow
def test_a_worker_that_is_killed_is_replaced_and_its_trial_run_again(monkeypatch):
    started = []
    start = ProcessRunner._start

    def start_and_kill(self):
        helper = start(self)
        started.append(helper.process)
        if len(started) == 1:
            os.kill(helper.process.pid, signal.SIGKILL)
        return helper

    monkeypatch.setattr(ProcessRunner, "_start", start_and_kill)
    run = run_campaign(CAMPAIGN, ProcessRunner(SETUP, 1), MemoryJournal())
    assert len(started) == 2 and run.is_complete and not any(t.note for r in run.results for t in r.trials)
    assert all(not process.is_alive() for process in started)


@pytest.mark.ray
@pytest.mark.slow
def test_ray_gives_what_one_process_gives():
    pytest.importorskip("ray")
    serial, ray = (run_campaign(CAMPAIGN, r, MemoryJournal()) for r in (SerialRunner(SETUP), RayRunner(SETUP, workers=2)))
    assert serial == ray and serial.is_complete


def test_ray_that_is_not_installed_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(MissingDependency, match="pip install"):
        runner_maker(SETUP, ray="local")


def test_a_cluster_that_is_not_there_is_told():
    class NoCluster:
        def init(self, **options):
            raise ConnectionError("Could not find any running Ray instance.")

    from workbench.core.errors import ServiceFailed

    with pytest.raises(ServiceFailed, match="ray start --head"):
        ray_runner.connect(NoCluster(), "auto")


@pytest.mark.parametrize("workers", [0, 65])
def test_a_number_of_workers_that_cannot_be_is_refused(workers):
    with pytest.raises(InvalidInput, match="1 to 64"):
        runner_maker(SETUP, workers=workers)


def test_one_worker_may_be_this_process_unless_something_else_runs_in_it():
    assert isinstance(runner_maker(SETUP)("s"), SerialRunner) and isinstance(runner_maker(SETUP, is_here=False)("s"), ProcessRunner)
    assert runner_maker(SETUP, workers=2)("sitting").setup.session_id == "sitting"
