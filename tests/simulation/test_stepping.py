"""Several physics steps in one call are the same steps."""

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


@pytest.mark.parametrize("task", ["place_in_bowl", "turn_knob", "push_to_zone", "open_drawer"])
def test_one_call_is_bit_equal_to_single_steps_also_for_things_that_were_moved(task):
    simulator = BenchSimulator()
    simulator.reset(EpisodeConfig(task, 3))
    model, start, rng = simulator.model, simulator.state().physics, np.random.default_rng(0)
    alone, together = mujoco.MjData(model), mujoco.MjData(model)
    for data in (alone, together):
        mujoco.mj_setState(model, data, start, STATE)
        if model.nmocap:
            data.mocap_pos[0] += [0.02, 0.0, 0.0]
    stepper, targets = Stepper(model, together), alone.ctrl.copy()
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
