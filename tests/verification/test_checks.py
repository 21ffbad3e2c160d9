import numpy as np
import pytest

from workbench.verification.checks import StepBounds, candidate_paths, refusals

BOUNDS = StepBounds(0.03, 0.125, (0.25, -0.4, 0.005), (0.75, 0.4, 0.6))
MIDDLE = np.array([0.5, 0.0, 0.3])


def candidate(**entries):
    chunk = np.zeros((1, 4, 7))
    for index, value in entries.items():
        chunk[..., int(index[1:])] = value
    return chunk


def test_a_path_begins_at_the_hand_and_sums_the_steps():
    path = candidate_paths(candidate(d0=0.01), MIDDLE)[0]
    assert np.allclose(path[0], MIDDLE) and np.allclose(path[-1] - MIDDLE, [0.04, 0, 0])


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ({"d0": 0.01}, ""),
        ({"d0": 0.03}, ""),
        ({"d0": 0.04}, "faster"),
        ({"d3": 0.2}, "turns faster"),
        ({"d0": np.nan}, "not finite"),
    ],
)
def test_limits_refuse_what_a_step_cannot_do(entries, reason):
    found = refusals(candidate(**entries), MIDDLE, BOUNDS)[0]
    assert found.startswith(reason) if reason else found == ""


def test_leaving_the_workspace_is_refused_and_coming_back_is_not():
    edge, outside = np.array([0.74, 0.0, 0.3]), np.array([0.78, 0.0, 0.3])
    assert "workspace" in refusals(candidate(d0=0.02), edge, BOUNDS)[0]
    assert refusals(candidate(d0=-0.02), outside, BOUNDS)[0] == ""
    assert "workspace" in refusals(candidate(d0=0.02), outside, BOUNDS)[0]
