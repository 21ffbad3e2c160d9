"""Physics steps that keep the interpreter's lock are the same steps, and nobody else runs meanwhile."""

import sys
import threading

import mujoco
import numpy as np
import pytest

from workbench.core.types import EpisodeConfig
from workbench.simulation.simulator import STATE, BenchSimulator
from workbench.simulation.stepping import Stepper


def full_state(model, data):
    state = np.empty(mujoco.mj_stateSize(model, STATE))
    mujoco.mj_getState(model, data, state, STATE)
    return state


@pytest.mark.parametrize("keeps_lock", [True, False])
@pytest.mark.parametrize("task", ["place_in_bowl", "turn_knob", "push_to_zone"])
def test_steps_are_bit_equal_to_those_of_the_bindings_also_for_things_that_were_moved(task, keeps_lock):
    simulator = BenchSimulator()
    simulator.reset(EpisodeConfig(task, 3))
    model, start, rng = simulator.model, simulator.state().physics, np.random.default_rng(0)
    alone, together = mujoco.MjData(model), mujoco.MjData(model)
    for data in (alone, together):
        mujoco.mj_setState(model, data, start, STATE)
        if model.nmocap:
            data.mocap_pos[0] += [0.02, 0.0, 0.0]
    stepper, targets = Stepper(model, together, keeps_lock=keeps_lock), alone.ctrl.copy()
    for num_steps in (1, 4, 4, 20, 3):
        controls = targets + np.cumsum(0.002 * rng.standard_normal((num_steps, model.nu)), axis=0)
        targets = controls[-1]
        for row in controls:
            alone.ctrl[:] = row
            mujoco.mj_step(model, alone)
        stepper.run(controls)
        assert full_state(model, alone).tobytes() == full_state(model, together).tobytes()
    assert np.any(full_state(model, together) != start)
    simulator.close()


def test_no_other_thread_runs_while_a_step_keeps_the_lock():
    simulator = BenchSimulator()
    simulator.reset(EpisodeConfig("place_in_bowl", 3))
    model, data = simulator.model, mujoco.MjData(simulator.model)
    stepper, controls = Stepper(model, data, keeps_lock=True), np.zeros((1, model.nu))
    interval, counted, is_over = sys.getswitchinterval(), [0], threading.Event()

    def count():
        while not is_over.is_set():
            counted[0] += 1

    thread = threading.Thread(target=count)
    thread.start()
    # Now another thread has a turn only when the lock is let go.
    sys.setswitchinterval(5.0)
    try:
        # A turn that the counter asked for before may still be granted, once.
        has_kept = any(not grows(stepper, controls, counted) for _ in range(3))
    finally:
        is_over.set()
        sys.setswitchinterval(interval)
    thread.join()
    simulator.close()
    assert has_kept


def grows(stepper, controls, counted):
    """Tell whether the counter got on while the stepper ran."""
    before = counted[0]
    for _ in range(50):
        stepper.run(controls)
        if counted[0] != before:
            return True
    return False
