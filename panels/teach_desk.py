"""The teaching that runs behind the page: in a process of its own; what it makes becomes a version here."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from models.bench_vla.versions import VERSIONS_ENV, WEIGHTS_NAME, weights_of
from panels.background_desk import BackgroundDesk, BackgroundStatus, Job
from panels.teach_work import TeachJob, Tell, serve
from sessions.corrections import CorrectedEpisode
from sessions.store import Store
from sessions.versions import StoredVersion, keep_version, next_name
from workbench.core.errors import InvalidInput, WorkbenchError
from workbench.evaluation.runners import IsCancelled
from workbench.learning.plan import TeachSettings, in_words

POLL_S: Final = 0.2


@dataclass(frozen=True)
class TeachStatus(BackgroundStatus):
    """What the desk does."""

    share: float = 0.0
    text: str = ""
    begun: float = 0.0
    """By a clock that only counts [s]."""
    version: str = ""
    """What the last teaching made; empty before the first, and when it came to nothing."""

    def tell(self) -> str:
        """Return one line for the page."""
        if self.is_running:
            if self.is_cancelled:
                return "Stopping."
            left = (time.monotonic() - self.begun) * (1 - self.share) / self.share if self.share > 0.02 else None
            estimate = "" if left is None else f", about {in_words(left)} left"
            return f"{100 * self.share:.0f} %: {self.text or 'starting'}{estimate}"
        if self.error:
            return self.error
        return f"Done: {self.version} is listed below. Compare it with its parent before you use it." if self.version else ""


RunJob = Callable[[TeachJob, Tell, IsCancelled], dict[str, Any] | None]
"""Runs a job to its end, and returns its last word, ``outcome``, ``error`` or ``bug``; None when it was stopped."""


def teach_in_process(job: TeachJob, tell: Tell, is_cancelled: IsCancelled) -> dict[str, Any] | None:
    """Run a job in another process, and pass on how far it is; see :data:`RunJob`."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=serve, args=(job, theirs), daemon=True, name="teaching")
    process.start()
    theirs.close()
    try:
        while not is_cancelled():
            if not ours.poll(POLL_S):
                continue
            try:
                told: dict[str, Any] = ours.recv()
            except EOFError:
                process.join()
                return {"error": f"The teaching ended early, with status {process.exitcode}. Start it again, and it goes on where it was."}
            if "share" not in told:
                return told
            tell(float(told["share"]), str(told["text"]))
        return None
    finally:
        if process.is_alive():
            process.terminate()
        process.join()
        ours.close()


class TeachDesk(BackgroundDesk[TeachStatus]):
    """Teaches one version at a time in the background; every method returns at once."""

    def __init__(self, store: Store, root_dir: Path, *, on_version: Callable[[], None] = lambda: None, teach: RunJob | None = None) -> None:
        """Read from ``store`` and keep versions in it; write folders below ``root_dir``; tell when there is a new version.

        ``teach`` runs a job, by default in a process of its own.
        """
        super().__init__("teaching", TeachStatus())
        self._store, self._root, self._on_version, self._teach = store, root_dir, on_version, teach or teach_in_process

    @property
    def rehearsal_dir(self) -> Path:
        """Where the demonstrations to rehearse are kept."""
        return self._root / "teaching" / "rehearsal"

    def has_rehearsal(self) -> bool:
        """Whether they were made already."""
        return any(self.rehearsal_dir.glob("shard-*"))

    def start(self, parent: str, episodes: Sequence[CorrectedEpisode], settings: TeachSettings) -> None:
        """Begin to teach, or go on with the same teaching that was cut off.

        Raises:
            WrongMode: another one runs.
            InvalidInput: there are no episodes.
            UnknownName: there is no such version.
        """
        if not episodes:
            fix = "Let the bench VLA drive, take over when it goes wrong, and show what it should have done."
            raise InvalidInput("corrections", expected="at least one episode with a correction", found="none", fix=fix)

        def prepare() -> Job[TeachStatus]:
            job = self._job(parent, episodes, settings)
            return Job(TeachStatus(is_running=True, begun=time.monotonic()), lambda: self._work(job))

        self._begin(prepare)

    def _job(self, parent: str, episodes: Sequence[CorrectedEpisode], settings: TeachSettings) -> TeachJob:
        ids, weights = tuple(e.id for e in episodes), weights_of(parent)
        told = json.dumps([parent, str(weights), weights.stat().st_size if weights.is_file() else 0, ids, settings.to_dict()])
        folder = self._root / "teaching" / hashlib.sha256(told.encode()).hexdigest()[:16]
        return TeachJob(self._store.path, parent, weights, ids, settings, folder, self.rehearsal_dir)

    def _work(self, job: TeachJob) -> None:
        answer = self._teach(job, lambda share, text: self._change(share=share, text=text), self._cancel.is_set)
        if answer is None:
            raise WorkbenchError("Stopped. Start the same again, and it goes on where it was.")
        if "bug" in answer:
            raise RuntimeError(str(answer["bug"]))
        if "error" in answer:
            raise WorkbenchError(str(answer["error"]))
        self._change(version=self._keep(job, answer["outcome"]))
        self._on_version()

    def _keep(self, job: TeachJob, outcome: dict[str, Any]) -> str:
        """Make a version of what was taught; its folder appears whole or not at all."""
        versions = Path(os.environ[VERSIONS_ENV])
        versions.mkdir(parents=True, exist_ok=True)
        name = next_name(self._store, [path.name for path in versions.iterdir()])
        part = versions / f".{name}.part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        shutil.copy2(outcome["weights"], part / WEIGHTS_NAME)
        (part / "lineage.json").write_text(json.dumps(outcome["lineage"], indent=2))
        part.rename(versions / name)
        keep_version(self._store, StoredVersion(name, job.parent, str(outcome["digest"]), outcome["lineage"]))
        shutil.rmtree(job.folder, ignore_errors=True)
        return name
