"""Several physics steps in one call: the interpreter is let go once, not once a step, so that other threads cost a slice little."""

from __future__ import annotations

from typing import Final

import mujoco
import numpy as np
from mujoco import rollout
from numpy.typing import NDArray

_START: Final = mujoco.mjtState.mjSTATE_FULLPHYSICS
_GIVEN: Final = int(mujoco.mjtState.mjSTATE_CTRL | mujoco.mjtState.mjSTATE_MOCAP_POS | mujoco.mjtState.mjSTATE_MOCAP_QUAT)
"""What is set anew before every physics step; forces applied from outside are zero."""


class Stepper:
    """Steps one model and its data, bit for bit as single calls of ``mj_step`` do."""

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        self._model, self._data = model, data
        # Without threads of its own: it runs in the caller's.
        self._rollout = rollout.Rollout(nthread=0)
        self._start = np.empty((1, mujoco.mj_stateSize(model, _START)))
        self._num_given = mujoco.mj_stateSize(model, _GIVEN)

    def run(self, controls: NDArray[np.float64]) -> None:
        """Advance one physics step for each row of ``controls`` ``(k, nu)``, with it as the actuators' targets."""
        model, data = self._model, self._data
        mujoco.mj_getState(model, data, self._start[0], _START)
        given = np.empty((1, len(controls), self._num_given))
        given[0, :, : model.nu] = controls
        if model.nmocap:
            given[0, :, model.nu :] = np.concatenate([data.mocap_pos.ravel(), data.mocap_quat.ravel()])
        self._rollout.rollout(
            [model],
            [data],
            self._start,
            given,
            control_spec=_GIVEN,
            skip_checks=True,
            nstep=len(controls),
            initial_warmstart=data.qacc_warmstart[None].copy(),
        )
