import json

import pytest

from workbench.rollout.bench import CONFIG, bench_halt, bench_rollout

KEYS = {"name", "value", "unit", "baseline", "ratio", "n", "details"}


def test_the_loop_is_measured_against_the_bare_simulator():
    result = bench_rollout(rounds=2, num_steps=5)
    assert set(result) == KEYS
    assert result["n"] == 2
    assert result["value"] > 0
    assert 0.1 < result["ratio"] < 2
    json.dumps(result)


@pytest.mark.slow
def test_a_halt_freezes_the_targets_before_a_control_period_has_passed():
    result = bench_halt(tries=40)
    assert set(result) == KEYS
    assert result["n"] == 40
    assert result["baseline"] == pytest.approx(1e3 / CONFIG.control_hz)
    # Simulated time does not depend on what else the machine does.
    assert result["details"]["simulated_ms_until_frozen"]["max"] <= result["baseline"]
    json.dumps(result)
