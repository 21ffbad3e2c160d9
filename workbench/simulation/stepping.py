"""Physics steps that keep the interpreter's lock.

MuJoCo's own bindings let go of the lock in every call. A physics step takes a twentieth of a millisecond, but who gave up the lock gets
it back only after another thread has had its turn of 5 ms: with busy threads beside, twenty steps take longer than the control step
that they are part of. Whole slices in one call are worse: each of them surely loses the lock.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import mujoco
import numpy as np
from numpy.typing import NDArray

_PATTERNS: Final = ("libmujoco*.so*", "libmujoco*.dylib", "mujoco*.dll")


class Stepper:
    """Steps one model and its data, bit for bit as ``mujoco.mj_step`` does."""

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData, *, keeps_lock: bool) -> None:
        """Take a model and its data.

        Args:
            model: not written to.
            data: is stepped.
            keeps_lock: False for models that are not our own: what MuJoCo gives up on ends the process, where its bindings raise.
        """
        self._model, self._data = model, data
        step = _find_step() if keeps_lock else None
        self._step = mujoco.mj_step if step is None else step
        self._arguments: tuple[Any, Any] = (model, data) if step is None else (_address(model), _address(data))

    def run(self, controls: NDArray[np.float64]) -> None:
        """Advance one physics step for each row of ``controls`` ``(k, nu)``, with it as the actuators' targets."""
        for row in controls:
            self._data.ctrl[:] = row
            self._step(*self._arguments)


@lru_cache(maxsize=1)
def _find_step() -> Callable[[ctypes.c_void_p, ctypes.c_void_p], None] | None:
    """Return MuJoCo's step as a plain function of the library that its package has loaded, or None where that is not found."""
    folder = Path(mujoco.__file__).parent
    for path in sorted(path for pattern in _PATTERNS for path in folder.glob(pattern)):
        step = ctypes.PyDLL(str(path)).mj_step
        step.argtypes, step.restype = [ctypes.c_void_p, ctypes.c_void_p], None
        return step
    return None


def _address(of: Any) -> ctypes.c_void_p:
    return ctypes.c_void_p(of._address)
