"""Comparisons: what is run from the same starts, what the table says, and that a run without edits is what the loop would do."""

import numpy as np
import pytest

from tests.steering.tiny import TinyPolicy
from workbench.core.errors import InvalidInput
from workbench.core.types import EpisodeConfig
from workbench.evaluation.steering_compare import BASELINE, STEERED, ComparePlan, RunOutcome, Start, compare, other_scenes, tell_difference
from workbench.evaluation.steering_labels import LABELS, label_states
from workbench.evaluation.worker import EpisodeTape
from workbench.steering.comparison import MATCHED
from workbench.steering.dose import ArmKind, Difference
from workbench.steering.edits import ClampNeurons
from workbench.steering.mix import Mix, Slot

CONFIG = EpisodeConfig("touch", 11)
MIX = Mix((Slot("up", ClampNeurons("decoder", (3, 4), 2.0)),)).to_dict()


def plan(**changes):
    starts = (Start(CONFIG), *other_scenes(Start(CONFIG), 3))
    return ComparePlan("tiny", starts, MIX, **changes)


class Rig:
    """Runs jobs on paper: edits lift the path by 5 cm a dose, random ones by a millimetre; large doses fail."""

    def __init__(self):
        self.jobs = []

    def __call__(self, job):
        self.jobs.append(job)
        arm, seed = job.arm, job.start.config.seed
        lift = {ArmKind.STEERED: 0.05, ArmKind.RANDOM: 0.001 * (arm.draw or 0)}.get(arm.kind, 0.0) * arm.dose
        rng = np.random.default_rng(seed)
        path = np.cumsum(rng.normal(0, 0.01, (20 + seed % 3, 3)), axis=0) + np.array([0, 0, 0.2 + lift])
        solved = not (arm.kind is ArmKind.STEERED and arm.dose > 1.5)
        return RunOutcome(tuple(map(tuple, path.tolist())), solved, (0.0,) * 7, EpisodeTape())


def test_every_arm_runs_from_every_start_and_the_table_finds_what_was_put_in():
    rig, told = Rig(), []
    result = compare(plan(num_random=3, manner="high"), rig, progress=lambda share, text: told.append(share))
    assert list(result.runs) == [BASELINE, STEERED, "random 1", "random 2", "random 3", "words: high"] and len(rig.jobs) == 24
    lifted = result.table[STEERED]["height" + MATCHED]
    assert lifted.change == pytest.approx(0.05) and lifted.is_clear and lifted.n == 4
    assert not result.table["words: high"]["height"].is_clear and "no effect" in tell_difference(result.table["words: high"]["height"])
    assert told == sorted(told) and told[0] >= 0 and told[-1] < 1


def test_a_sweep_doubles_the_dose_until_success_falls_and_shows_the_random_control_beside_it():
    result = compare(plan(num_random=1, is_sweep=True), Rig())
    assert [(p.kind, p.dose) for p in result.sweep] == [(k, d) for k in (ArmKind.STEERED, ArmKind.RANDOM) for d in (0.25, 0.5, 1.0, 2.0)]
    steered = [p for p in result.sweep if p.kind is ArmKind.STEERED]
    assert [p.change.change for p in steered] == pytest.approx([0.0125, 0.025, 0.05, 0.1]) and [p.success.mean for p in steered] == [
        1,
        1,
        1,
        0,
    ]


def test_one_start_has_no_interval_and_says_so():
    assert "no interval" in tell_difference(Difference(1, 0, 1, -np.inf, np.inf, 1.0, 1), "m")


@pytest.mark.parametrize("changes", [{"quantity": "taste"}, {"num_random": 99}, {"text": "reconstruct:tokens"}])
def test_what_cannot_be_compared_is_refused(changes):
    with pytest.raises(InvalidInput):
        plan(**changes)
    with pytest.raises(InvalidInput, match="at least one"):
        ComparePlan("tiny", (Start(CONFIG),), {})


def test_labels_of_stored_states_are_what_the_simulator_shows(simulator):
    simulator.reset(CONFIG)
    states, heights = [simulator.state()], [simulator.world.ee_position[2]]
    for _ in range(5):
        simulator.step(np.array([0, 0, -0.02, 0, 0, 0, 0.0], dtype=np.float32))
        states.append(simulator.state())
        heights.append(simulator.world.ee_position[2])
    labels = label_states(simulator, states, is_success=True)
    assert set(labels) == set(LABELS) and labels["height"] == pytest.approx(heights)
    assert labels["speed"][-1] > 0.1 and labels["distance"][0] > labels["distance"][-1] and labels["success"].tolist() == [1.0] * 6
    assert labels["gripper"][-1] < labels["gripper"][0]


class Blind(TinyPolicy):
    """The tiny network on the bench: it sees the arm alone."""

    def act(self, observation, prompt, rng):
        from dataclasses import replace

        seen = {"front": np.zeros((4, 4, 3), np.uint8)}
        return super().act(replace(observation, images=seen), replace(prompt, text="lift red cube"), rng)


def make_blind():
    return lambda simulator: Blind()


class Catalogue:
    """What a worker imports."""

    def load(self, name):
        return make_blind()


CATALOGUE = Catalogue()


def opened(policy):
    return policy


@pytest.fixture(scope="module")
def worker():
    from workbench.evaluation.steering_runs import CompareWorker
    from workbench.evaluation.worker import WorkerSetup

    made = CompareWorker(WorkerSetup(f"{__name__}:CATALOGUE", opener=f"{__name__}:opened"))
    yield made
    made.close()


def test_runs_of_a_worker_branch_from_a_state_and_nothing_on_the_desk_changes_no_step(worker, simulator):
    from workbench.core.events import EpisodeStart, EventKind
    from workbench.evaluation.steering_compare import CompareArm, CompareJob

    simulator.reset(CONFIG)
    for _ in range(3):
        simulator.step(np.array([0.01, 0, -0.01, 0, 0, 0, 1.0], dtype=np.float32))
    start = Start(CONFIG, state=simulator.state(), parent_id="parent", step=3)

    def run(*args, **kwargs):
        return worker.run(CompareJob(CompareArm(*args, **kwargs), start, MIX, {}, "tiny", limit_s=2.0))

    plain, silent = run(BASELINE), run("dose 0", ArmKind.STEERED, 0.0)
    steered, other = run(STEERED, ArmKind.STEERED), run("random 1", ArmKind.RANDOM, draw=1)
    assert plain.path == silent.path and plain.action == silent.action
    assert len({plain.path, steered.path, other.path}) == 3 and run(STEERED, ArmKind.STEERED).path == steered.path
    head = next(e for e in steered.tape.entries if isinstance(e, EpisodeStart))
    assert (head.parent_id, head.branch_step) == ("parent", 3) and head.start_state == start.state.to_bytes()
    kinds = [getattr(e, "kind", None) for e in steered.tape.entries]
    assert EventKind.STEERING in kinds and EventKind.STEERING not in [getattr(e, "kind", None) for e in plain.tape.entries]
