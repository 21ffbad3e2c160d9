"""What the checks refuse is what the simulator does not do as asked: too fast, out of the workspace, into an obstacle."""

import numpy as np
import pytest

from workbench.core.types import EpisodeConfig
from workbench.rollout.candidate_checks import CandidateChecks
from workbench.rollout.expert_verifier import ExpertVerifier
from workbench.simulation.simulator import BenchSimulator

NUM_STEPS = 4


@pytest.fixture(scope="module")
def simulator():
    bench = BenchSimulator()
    yield bench
    bench.close()


def candidate(*move):
    chunk = np.zeros((NUM_STEPS, 7))
    chunk[:, : len(move)] = move
    chunk[:, 6] = 1.0
    return chunk


def gap_after(simulator, chunk):
    """Execute a candidate from the present state, go back, and return how far from its end the hand came to stand [m]."""
    before = simulator.state()
    begun = np.array(simulator.world.ee_position)
    for action in [*chunk, *[candidate()[0]] * 6]:
        simulator.step(action.astype(np.float32))
    gap = float(np.linalg.norm(simulator.world.ee_position - begun - chunk[:, :3].sum(0)))
    simulator.restore(before)
    return gap


def test_what_passes_is_executed_and_what_is_refused_is_not(simulator):
    simulator.reset(EpisodeConfig("place_on_plate", 3))
    x, y, z = simulator.world.ee_position
    box = {"x": x + 0.13, "y": y, "width": 0.3, "depth": 0.04, "height": min(z + 0.08, 0.5)}
    simulator.reset(EpisodeConfig("place_on_plate", 3, options={"obstacles": {"boxes": [box]}}))
    chunks = {
        "free": candidate(0.0, 0.015, 0.0),
        "wall": candidate(0.03, 0.0, 0.0),
        "fast": candidate(0.0, 0.05, 0.0),
        "away": candidate(-0.03, 0.0, 0.0),
    }
    observation, before = simulator.observe(()), simulator.state()
    found = dict(zip(chunks, CandidateChecks(simulator).refusals(observation, np.array(list(chunks.values()))), strict=True))
    assert simulator.state().equals(before), "checking moves nothing"
    assert found["free"] == "" and gap_after(simulator, chunks["free"]) < 0.01
    assert "run into each other" in found["wall"] and gap_after(simulator, chunks["wall"]) > 0.015
    assert "faster" in found["fast"] and gap_after(simulator, chunks["fast"]) > 0.05
    is_out = x - NUM_STEPS * 0.03 < 0.25 - 0.002
    assert ("workspace" in found["away"]) == is_out
    assert not is_out or gap_after(simulator, chunks["away"]) > 0.002


def test_the_oracle_prefers_the_experts_own_actions_and_moves_nothing(simulator):
    simulator.reset(EpisodeConfig("place_on_plate", 5))
    before = simulator.state()
    oracle = ExpertVerifier(simulator)
    own = oracle.actions()
    scores = oracle.score(None, np.array([candidate(0.0, 0.0, 0.01), own, candidate(-0.02)]))
    oracle.close()
    assert simulator.state().equals(before)
    assert scores.argmax() == 1 and scores[1] == 0.0
