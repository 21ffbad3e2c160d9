"""The oracle: how near candidates are to what the scripted expert would do now, in a copy of the scene (privileged)."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.candidates import Occasion, Verifier, VerifierSpec
from workbench.core.errors import InvalidInput
from workbench.core.protocols import Simulator
from workbench.simulation.expert import expert_action
from workbench.simulation.manner import MANNERS, PLAIN, Manner
from workbench.simulation.simulator import BenchSimulator
from workbench.verification.action_error import action_errors

Floats = NDArray[np.float64]

NAME: Final = "oracle"
NUM_JUDGED: Final = 4
"""Actions of a chunk that are compared: as many as are executed."""


class ExpertVerifier:
    """Scores by the negative error to the expert's next actions."""

    spec = VerifierSpec(NAME, "how near to what the scripted expert would do, from the simulator's truth", is_privileged=True)

    def __init__(self, simulator: BenchSimulator, *, num_judged: int = NUM_JUDGED, manner: Manner = MANNERS[PLAIN]) -> None:
        """Take the simulator to copy; it is only read."""
        self._simulator, self._num_judged, self._manner = simulator, num_judged, manner
        self._copy: BenchSimulator | None = None

    def score(self, occasion: Occasion, candidates: Floats) -> Floats:
        """Return the scores ``(K,)`` of candidates ``(K, T, 7)``."""
        return -self.errors(candidates)

    def errors(self, candidates: Floats) -> Floats:
        """Return the root mean square errors ``(K,)`` to what the expert does from the present state on."""
        truth = self.actions()
        count = min(len(truth), candidates.shape[1])
        return action_errors(candidates[:, :count], truth[:count])

    def actions(self) -> Floats:
        """Return the expert's next actions ``(T, 7)``, tried in a copy of the scene."""
        copy = self._stand()
        found = []
        for _ in range(self._num_judged):
            action = expert_action(copy.task.name, copy.world, copy.instance, self._manner, copy.control_hz).action
            found.append(action)
            copy.step(action.astype(np.float32))
        return np.array(found)

    def close(self) -> None:
        """Release the copy."""
        if self._copy is not None:
            self._copy.close()
            self._copy = None

    def _stand(self) -> BenchSimulator:
        """Return the copy, standing where the simulator stands."""
        simulator = self._simulator
        if self._copy is None:
            self._copy = BenchSimulator()
        if self._copied is not simulator.model:
            self._copy.reset(simulator.config, instance=simulator.instance)
            self._copied = simulator.model
        self._copy.restore(simulator.state())
        return self._copy

    _copied: object = None


def make_expert_verifier(simulator: Simulator) -> Verifier:
    """Return the oracle of a simulator.

    Raises:
        InvalidInput: it is not the bench's.
    """
    if not isinstance(simulator, BenchSimulator):
        raise InvalidInput("oracle", expected="the bench simulator, whose truth can be read", found=repr(simulator.spec.name))
    return ExpertVerifier(simulator)
