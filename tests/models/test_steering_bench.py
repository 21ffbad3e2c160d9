"""The bench of steering, in as few rounds as show that it measures what it says."""

from models.steering_bench import bench_steering


def test_bench_tells_the_cost_of_a_steered_call_beside_the_bare_one():
    found = bench_steering(rounds=2)
    assert set(found) == {"name", "value", "unit", "baseline", "ratio", "n", "details"}
    assert found["n"] == 2 and found["value"] > 0 and found["baseline"] > 0 and found["ratio"] > 0
    assert found["details"]["neurons"] == 10
    assert found["details"].get("largest_difference_to_nnsight", 0.0) < 1e-5, "both tools make the same edit"
