"""What is measured has the agreed form."""

from workbench.simulation.bench import measure_rendering, measure_stepping


def test_stepping_counts_more_for_a_control_step_than_for_its_bare_physics():
    found = measure_stepping(num_steps=20)
    assert found["control_step_ms"] > found["bare_physics_ms"] > 0
    assert found["n"] == 20


def test_rendering_tells_each_quality():
    found = measure_rendering([("policy", 64, 3), ("live", 64, 3)])
    assert set(found) == {"policy 64x64", "live 64x64"}
    assert all(cost["ms"] >= cost["fastest_ms"] > 0 for cost in found.values())
