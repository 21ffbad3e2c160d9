"""The dataset that is made or taken in behind the page: one job at a time, in a thread, with progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from panels.background_desk import BackgroundDesk, BackgroundStatus, Job
from sessions.archive import import_archive
from sessions.lerobot_export import DatasetOptions, DatasetReport, ExportWatch, export_zip
from sessions.lerobot_import import DatasetImport, import_dataset, is_dataset
from sessions.recorded import DATASETS_DIR
from sessions.recorder import Recorder
from sessions.replay import MakeSimulator
from sessions.store import Store

MAX_REASONS: Final = 3


@dataclass(frozen=True)
class DatasetStatus(BackgroundStatus):
    """What the desk does."""

    what: str = ""
    """What is done, for the person; empty before the first job."""
    done: int = 0
    total: int = 0
    unit: str = "frames"
    lines: tuple[str, ...] = ()
    """What came of it."""
    file: Path | None = None
    """What was made."""

    def tell_lines(self) -> list[str]:
        """Return lines for the page."""
        if not self.is_running:
            return [self.error] if self.error else list(self.lines)
        share = f"{self.done} of {self.total} {self.unit} ({self.done / self.total:.0%})" if self.total else "looking at it"
        return [f"{self.what}: {share}."]


class DatasetDesk(BackgroundDesk[DatasetStatus]):
    """Runs one export or import at a time; every method returns at once.

    Of an export that is cancelled nothing is left. An import goes on when it is: what came in stays anyway.
    """

    def __init__(self, store: Store, recorder: Recorder, make_simulator: MakeSimulator, *, on_import: Callable[[], None]) -> None:
        """Read from and write to ``store``; ``on_import`` is called after something came in, in the job's thread."""
        super().__init__("dataset job", DatasetStatus())
        self._store, self._recorder, self._make_simulator, self._on_import = store, recorder, make_simulator, on_import

    def export(self, session_id: str, folder: Path, options: DatasetOptions) -> None:
        """Begin to write a session as a dataset into a folder of exports; raises WrongMode while something else runs."""

        def work() -> None:
            self._recorder.flush()
            out = _new_path(folder, f"lerobot-{session_id[:12]}", ".zip")
            watch = ExportWatch(self._note, self._cancel.is_set)
            report = export_zip(self._store, session_id, out, self._make_simulator, options=options, watch=watch)
            self._change(lines=tuple(_tell_export(report)), file=report.path)

        self._begin(lambda: Job(DatasetStatus(is_running=True, what="Exporting"), work))

    def import_(self, path: Path) -> None:
        """Begin to take in a dataset or a session archive; raises WrongMode while something else runs."""

        def work() -> None:
            if not is_dataset(path):
                report = import_archive(self._store, path, on_progress=self._note)
                taken = DatasetImport(path.stem, exact=report.imported, skipped=report.skipped)
            else:
                taken = import_dataset(self._store, path, self._store.path.parent / DATASETS_DIR, on_progress=self._note)
            self._change(lines=tuple(tell_import(taken)))
            self._on_import()

        self._begin(lambda: Job(DatasetStatus(is_running=True, what="Importing", unit="episodes"), work))

    def _note(self, done: int, total: int) -> None:
        self._change(done=done, total=total)


def _new_path(folder: Path, stem: str, suffix: str) -> Path:
    """Return a path in a folder that is not taken."""
    number, path = 1, folder / f"{stem}{suffix}"
    while path.exists():
        number += 1
        path = folder / f"{stem}-{number}{suffix}"
    return path


def _tell_export(report: DatasetReport) -> list[str]:
    cameras = ", ".join(report.cameras)
    lines = [
        f"{_episodes(report.num_episodes)} with {report.num_frames} frames at {report.fps} Hz, cameras {cameras}: {report.num_bytes / 1e6:.1f} MB. "
        "Checked against the layout of LeRobotDataset v3.0."
    ]
    lines += [f"Left out: {left.reason} ({left.episode_id[:12]})." for left in report.left_out[:MAX_REASONS]]
    if len(report.left_out) > MAX_REASONS:
        lines.append(f"And {len(report.left_out) - MAX_REASONS} more were left out.")
    return lines


def _episodes(num: int) -> str:
    return f"{num} episode{'' if num == 1 else 's'}"


def tell_import(taken: DatasetImport) -> list[str]:
    """Say what came in, and what of it can be done with it."""
    lines = []
    if taken.exact:
        lines.append(f"{_episodes(len(taken.exact))} with exact states: to be replayed bit for bit, and branched from.")
    if taken.recorded:
        lines.append(f"{_episodes(len(taken.recorded))} as recorded: pictures and numbers, no physics; to be looked at and rated.")
    if taken.skipped:
        lines.append(f"{_episodes(len(taken.skipped))} already here.")
    if not lines:
        lines.append("Nothing came in.")
    return [*lines, *taken.remarks, "Find them in the History tab."]
