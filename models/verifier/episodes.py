"""Episodes for learned verifiers: recorded call by call, with the candidates of each and how far they are from the expert's action.

The policy's own answers are executed, and now and then another candidate, so that there is something to compare.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.training_order import Progress
from models.verifier.features import motions_of, situation_of
from workbench.core.candidates import Occasion, VerifierFactory, VerifierSpec
from workbench.core.catalog import Catalog
from workbench.core.errors import InvalidInput
from workbench.core.protocols import Policy
from workbench.evaluation.episodes import run_trial
from workbench.evaluation.perturbing import happenings_of, options_of
from workbench.evaluation.weighing import Weighing
from workbench.rollout.candidates import CandidateSet, CandidateSettings, Draw, When
from workbench.rollout.chunking import ChunkHandling
from workbench.rollout.expert_verifier import ExpertVerifier
from workbench.simulation.simulator import BenchSimulator

Floats = NDArray[np.float64]

EXPLORER: Final = "explorer"
EXPLORED: Final = 0.35
"""Share of the calls at which another candidate than the policy's own is executed."""
COUNT: Final = 16


@dataclass(frozen=True, eq=False)
class RecordedEpisode:
    """One episode of T calls with K candidates each."""

    situations: Floats
    """``(T, s)``"""
    motions: Floats
    """``(T, K, 7)``"""
    chosen: NDArray[np.int64]
    """``(T,)``"""
    errors: Floats
    """``(T, K)``: to the expert's action."""
    is_success: bool
    draw: str = Draw.GAUSSIAN.value
    """Where its candidates came from, a value of :class:`Draw`."""

    def save(self, path: Path) -> None:
        """Write it; the file appears whole or not at all."""
        part = path.with_suffix(".part.npz")
        np.savez_compressed(
            part,
            situations=self.situations.astype(np.float32),
            motions=self.motions.astype(np.float32),
            chosen=self.chosen,
            errors=self.errors.astype(np.float32),
            is_success=self.is_success,
            draw=self.draw,
        )
        part.replace(path)

    @staticmethod
    def load(path: Path) -> RecordedEpisode:
        """Read what :meth:`save` wrote."""
        with np.load(path, allow_pickle=False) as data:
            return RecordedEpisode(
                data["situations"].astype(np.float64),
                data["motions"].astype(np.float64),
                data["chosen"],
                data["errors"].astype(np.float64),
                bool(data["is_success"]),
                str(data["draw"]),
            )


class Explorer:
    """A verifier by chance: mostly the policy's own answer, else any of the candidates."""

    spec = VerifierSpec(EXPLORER)

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def score(self, occasion: Occasion, candidates: Floats) -> Floats:
        """Return the scores ``(K,)``."""
        scores = self._rng.random(len(candidates))
        scores[0] = 0.0 if self._rng.random() < EXPLORED else 2.0
        return scores


def record_episode(simulator: BenchSimulator, policy: Policy, task: str, seed: int, *, perturbation: str = "") -> RecordedEpisode | None:
    """Run an episode told in words, and return what was recorded; None where the policy never told its target."""
    catalog: Catalog[VerifierFactory] = Catalog("verifier")
    catalog.add(EXPLORER, lambda: lambda _: Explorer(seed))
    draw = Draw.POLICY if seed % 2 else Draw.GAUSSIAN
    weighing = Weighing(CandidateSettings(When.ALWAYS, COUNT, draw, verifier=EXPLORER), ChunkHandling(), catalog)
    expert = ExpertVerifier(simulator)
    rows: list[tuple[Floats, Floats, int, Floats]] = []

    def note(found: CandidateSet) -> None:
        assert found.occasion is not None
        try:
            situation = situation_of(found.occasion)
        except InvalidInput:
            return
        rows.append((situation, motions_of(found.chunks), found.chosen, expert.errors(found.chunks)))

    weighing.selection.on_choice = note
    try:
        result = run_trial(
            simulator,
            policy,
            task,
            seed,
            "words",
            options=options_of(perturbation, seed),
            on_tick=happenings_of(perturbation, simulator, seed),
            weighing=weighing,
        )
    finally:
        expert.close()
    if not rows:
        return None
    situations, motions, chosen, errors = zip(*rows, strict=True)
    return RecordedEpisode(np.array(situations), np.array(motions), np.array(chosen), np.array(errors), result.is_success, draw.value)


def record_all(
    folder: Path,
    policy_of: Callable[[BenchSimulator], Policy],
    trials: Sequence[tuple[str, str, int]],
    *,
    progress: Progress,
) -> Iterator[Path]:
    """Record the trials ``(task, perturbation, seed)`` that are not in the folder yet; yield the file of each."""
    folder.mkdir(parents=True, exist_ok=True)
    simulator = BenchSimulator()
    policy: Policy | None = None
    try:
        for index, (task, perturbation, seed) in enumerate(trials):
            path = folder / f"{task}-{perturbation.replace('=', '')}-{seed}.npz"
            if not path.exists():
                policy = policy or policy_of(simulator)
                episode = record_episode(simulator, policy, task, seed, perturbation=perturbation)
                if episode is None:
                    continue
                episode.save(path)
                solved = "solved" if episode.is_success else "not solved"
                progress(f"episode {index + 1} of {len(trials)}: {task}, {len(episode.chosen)} calls, {solved}")
            yield path
    finally:
        simulator.close()
