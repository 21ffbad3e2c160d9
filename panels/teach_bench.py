"""How long it takes to teach the bench VLA on fifty corrections, with everything that the Teach tab does for it."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from models.bench_vla.versions import FIRST, weights_of
from panels.teach_work import TeachJob, teach
from sessions.campaigns import insert_tape
from sessions.corrections import corrected_episodes
from sessions.store import Store
from workbench.core.types import EpisodeConfig
from workbench.evaluation.scripted_corrections import supervise
from workbench.evaluation.worker import EpisodeTape
from workbench.learning.plan import TeachSettings
from workbench.rollout.bench import SwayPolicy
from workbench.simulation.simulator import BenchSimulator

CORRECTIONS: Final = 50
TASK: Final = "place_on_plate"
ALLOWED_MIN: Final = 10.0


def bench_teaching(*, corrections: int = CORRECTIONS, settings: TeachSettings | None = None) -> dict[str, Any]:
    """Measure a whole teaching with the usual settings; the baseline is what is allowed.

    A policy that only swings the arm is corrected by a script. Making the demonstrations to rehearse, which is done once, is counted.
    """
    settings = settings or TeachSettings()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Store.open(folder / "corrections.db") as store:
            _correct(store, corrections)
            episodes = tuple(e.id for e in corrected_episodes(store))
        job = TeachJob(folder / "corrections.db", FIRST, weights_of(FIRST), episodes, settings, folder / "job", folder / "rehearsal")
        watch = _Watch()
        outcome = teach(job, watch.tell)
        minutes = watch.seconds / 60
    return {
        "name": "teaching",
        "value": round(minutes, 2),
        "unit": "min",
        "baseline": ALLOWED_MIN,
        "ratio": round(minutes / ALLOWED_MIN, 3),
        "n": len(episodes),
        "details": {
            "baseline_is": "what teaching on 50 corrections may take on two cores",
            "learning_min": round(float(outcome.lineage["seconds"]) / 60, 2),
            "frames_of_lessons": outcome.lineage["num_frames"],
            "steps_by_hand": outcome.lineage["num_human_steps"],
            "settings": settings.to_dict(),
        },
    }


def _correct(store: Store, corrections: int) -> None:
    simulator = BenchSimulator()
    try:
        simulator.reset(EpisodeConfig(TASK, 0))
        for seed in range(corrections):
            tape = EpisodeTape()
            supervise(simulator, SwayPolicy(simulator), TASK, seed, observers=(tape,), session_id="bench", name=FIRST)
            with store.transaction() as connection:
                insert_tape(connection, tape)
    finally:
        simulator.close()


class _Watch:
    """Passes on how far it is, and keeps the time."""

    def __init__(self) -> None:
        self._begun, self._told = time.monotonic(), 0.0

    @property
    def seconds(self) -> float:
        """Since it was made [s]."""
        return time.monotonic() - self._begun

    def tell(self, share: float, text: str) -> None:
        """Write a line now and then."""
        if self.seconds - self._told > 10:
            self._told = self.seconds
            print(f"{100 * share:.0f} %: {text}", file=sys.stderr, flush=True)
