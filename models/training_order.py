"""What ``python app.py train`` asks of a training, the same for every model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from workbench.core.errors import InvalidInput

NUM_WORKERS: Final = 2

Progress = Callable[[str], None]
"""Is told of every step of a training, in words."""


@dataclass(frozen=True)
class TrainingOrder:
    """What is asked of a training; what is None, it decides itself."""

    out: Path
    """Folder of the weights, their model card, and what is needed to go on."""
    data: Path
    """Folder of what is learnt from; what is there already is used."""
    progress: Progress
    smoke: bool = False
    """Whether to take the smallest sizes, for tests."""
    minutes: float | None = None
    seed: int = 1
    """Of the data and the training."""
    workers: int | None = None
    episodes: int | None = None

    @property
    def num_workers(self) -> int:
        """How many processes or threads may work; at least one."""
        return NUM_WORKERS if self.workers is None else max(1, self.workers)

    def length(self, usual: float) -> float:
        """Return how long to train [min], ``usual`` unless something else was asked for.

        Raises:
            InvalidInput: the length is not positive.
        """
        length = usual if self.minutes is None else self.minutes
        if not length > 0:
            raise InvalidInput("minutes of training", expected="a positive number", found=str(length))
        return length

    def refuse(self, *names: str, reason: str) -> None:
        """Refuse options that this training does not have.

        Raises:
            InvalidInput: one of them was asked for.
        """
        asked = [f"--{name} {getattr(self, name)}" for name in names if getattr(self, name) is not None]
        if asked:
            kept = [f"--{name}" for name in ("smoke", "out", "data", "minutes", "seed", "workers", "episodes") if name not in names]
            raise InvalidInput("options of this training", expected=f"only {', '.join(kept)}", found=", ".join(asked), fix=reason)
