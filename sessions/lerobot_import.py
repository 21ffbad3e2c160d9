"""A LeRobotDataset v3.0 as a session: exact where a workbench packed the states in, else pictures and numbers as they were recorded."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sessions import writing
from sessions.archive import ImportReport, import_archive
from sessions.archive_file import open_archive
from sessions.archive_rows import parse_episode
from sessions.lerobot_check import check_dataset
from sessions.lerobot_layout import ACTION, INFO_PATH, STATE, STATES_PATH, WORKBENCH_DIR
from sessions.lerobot_reader import DatasetFiles, EpisodeEntry, open_dataset
from sessions.recorded import RECORDED, frame_state
from sessions.store import Store
from workbench.core.errors import InvalidInput, StoreError, TooLarge
from workbench.core.events import EpisodeEnd, EpisodeStart, Event, EventKind, Outcome
from workbench.core.types import ACTION_DIM, ACTION_NAMES, Actor, EpisodeConfig, Step

OnProgress = Callable[[int, int], None]
"""``on_progress(episodes done, episodes altogether)``."""

MAX_UNPACKED_BYTES: Final = 64 * 2**30
MAX_MEMBERS: Final = 100_000
MAX_SCORES: Final = 64
"""Numbers of state and action that are shown with a step; all of them are kept."""
KEPT_DIRS: Final = ("meta", "data", "videos")
_STEPS_AT_ONCE: Final = 512
_BrokenZip: Final = (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError, ValueError)


@dataclass(frozen=True)
class DatasetImport:
    """What was taken in."""

    name: str
    exact: tuple[str, ...] = ()
    """Ids of episodes that came with their states: they replay bit for bit, and can be branched from."""
    recorded: tuple[str, ...] = ()
    """Ids of episodes of which there are pictures and numbers only."""
    skipped: tuple[str, ...] = ()
    """Ids of episodes that were here already."""
    session_ids: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    """Where the dataset departs from its layout, and what is not known of it."""


def is_dataset(path: Path) -> bool:
    """Tell whether a folder or a zip file looks like a LeRobotDataset."""
    if path.is_dir():
        return _root_in(path) is not None
    try:
        with zipfile.ZipFile(path) as file:
            return any(name == INFO_PATH or name.endswith("/" + INFO_PATH) for name in file.namelist())
    except (*_BrokenZip, OSError):
        return False


def import_dataset(store: Store, path: Path, folder: Path, *, on_progress: OnProgress = lambda done, total: None) -> DatasetImport:
    """Take a dataset into the store.

    Args:
        store: where to.
        path: the dataset: a folder, or a zip file of one.
        folder: holds the films of datasets that were taken in, one folder each.
        on_progress: called after each episode.

    Raises:
        InvalidInput: no dataset of version 3, or damaged; nothing was stored.
        TooLarge: more than is taken in; nothing was stored.
        StoreError: the disk or the database refuses; importing again continues.
    """
    with _opened(path, folder) as root:
        dataset = open_dataset(root)
        for entry in dataset.episodes:
            _facts_of(dataset, entry)  # everything that is read later is read once before anything is stored
        problems = check_dataset(root).problems
        name = (path.stem if path.is_file() else root.name)[:80]
        exact = _import_exact(store, dataset, on_progress)
        known = {*exact.imported, *exact.skipped}
        others = [entry for entry in dataset.episodes if entry.episode_id not in known]
        recorded, skipped = _import_recorded(store, dataset, others, folder, _Naming(name, _digest(root)), on_progress)
        remarks = [f"It departs from its layout: {problem}" for problem in problems[:5]]
        if len(problems) > 5:
            remarks.append(f"And {len(problems) - 5} departures more.")
        if recorded:
            remarks.append(f"{len(recorded)} episodes have no states of a simulator: they show what was recorded, and cannot be continued.")
        session = (_Naming(name, _digest(root)).session_id,) if recorded or skipped else ()
        return DatasetImport(name, exact.imported, recorded, (*exact.skipped, *skipped), (*exact.session_ids, *session), tuple(remarks))


@contextlib.contextmanager
def _opened(path: Path, folder: Path) -> Iterator[Path]:
    """Give the root of a dataset, unpacked for the time being when it is a zip file."""
    if path.is_dir():
        root = _root_in(path)
        if root is None:
            fix = "Choose the folder that holds meta, data and videos."
            raise InvalidInput("dataset", expected=f"a folder with {INFO_PATH}", found=f"{path.name}, which has none", fix=fix)
        yield root
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".incoming-") as unpacked:
            _unpack(path, Path(unpacked))
            root = _root_in(Path(unpacked))
            if root is None:
                raise InvalidInput("dataset", expected=f"a zip file with {INFO_PATH}", found=f"{path.name}, which has none")
            yield root
    except OSError as error:
        reason = error.strerror or str(error)
        raise StoreError(f"Dataset {path.name}", reason=reason, fix="Check the path and the space on the disk.") from error


def _root_in(folder: Path) -> Path | None:
    """Return the folder that holds ``meta/info.json``: this one, or the only one below it that does."""
    if (folder / INFO_PATH).is_file():
        return folder
    below = [child for child in folder.iterdir() if child.is_dir() and (child / INFO_PATH).is_file()]
    return below[0] if len(below) == 1 else None


def _unpack(path: Path, into: Path) -> None:
    """Unpack the members of a dataset, and no others, without trusting names or sizes."""
    try:
        with zipfile.ZipFile(path) as file:
            members = [m for m in file.infolist() if not m.is_dir() and _is_ours(m.filename)]
            total = sum(m.file_size for m in members)
            if total > MAX_UNPACKED_BYTES or len(members) > MAX_MEMBERS:
                raise TooLarge("dataset, unpacked", limit=f"{MAX_UNPACKED_BYTES / 1e9:.0f} GB", found=f"{total / 1e9:.1f} GB")
            if total > shutil.disk_usage(into).free:
                raise TooLarge("dataset, unpacked", limit="the free space on the disk", found=f"{total / 1e9:.1f} GB")
            for member in members:
                target = into / PurePosixPath(member.filename)
                target.parent.mkdir(parents=True, exist_ok=True)
                with file.open(member) as source, target.open("wb") as sink:
                    shutil.copyfileobj(source, sink, 2**20)
    except _BrokenZip as error:
        raise InvalidInput(
            f"dataset {path.name}", expected="a whole zip file", found=f"none ({error})"[:120], fix="Copy it again."
        ) from error


def _is_ours(name: str) -> bool:
    parts = PurePosixPath(name).parts
    if not parts or ".." in parts or name.startswith("/") or "\\" in name or "\0" in name or ":" in name:
        return False
    return parts[0] in (*KEPT_DIRS, WORKBENCH_DIR) or (len(parts) > 1 and parts[1] in (*KEPT_DIRS, WORKBENCH_DIR))


def _import_exact(store: Store, dataset: DatasetFiles, on_progress: OnProgress) -> ImportReport:
    """Take in the episodes that a workbench packed in whole, as far as the dataset still tells of the same actions."""
    path = dataset.root / STATES_PATH
    entries = {entry.episode_id: entry for entry in dataset.episodes if entry.episode_id}
    if not path.is_file() or not entries:
        return ImportReport((), (), ())
    same = set()
    with open_archive(path, max_bytes=MAX_UNPACKED_BYTES, max_episodes=len(dataset.episodes) + 10_000) as reader:
        for member in reader.folders:
            episode = parse_episode(reader, member)
            entry = entries.get(episode.start.episode_id)
            if entry is None:
                continue
            there = np.array([step.action for step in episode.steps()], dtype=np.float64).reshape(-1, ACTION_DIM)
            found = dataset.numbers(entry, ACTION)
            if found is not None and np.array_equal(found, there):
                same.add(entry.episode_id)
    return import_archive(store, path, only=same, on_progress=on_progress) if same else ImportReport((), (), ())


@dataclass(frozen=True)
class _Naming:
    """What episodes of a dataset are called."""

    name: str
    digest: str

    @property
    def session_id(self) -> str:
        """Id of their session; equal for equal datasets."""
        return f"lerobot-{self.digest}"

    def episode_id(self, entry: EpisodeEntry) -> str:
        """Id of one; equal for equal datasets, so that nothing is taken in twice."""
        return f"lerobot-{self.digest}-{entry.index:06d}"


def _digest(root: Path) -> str:
    """Return a short hash of everything that describes a dataset."""
    found = hashlib.sha256()
    for file in sorted((root / "meta").rglob("*")):
        if file.is_file():
            found.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes())
    return found.hexdigest()[:20]


def _import_recorded(
    store: Store, dataset: DatasetFiles, entries: list[EpisodeEntry], folder: Path, naming: _Naming, on_progress: OnProgress
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Take in episodes without states, and return the ids of the new ones and of those that were here already."""
    new: list[str] = []
    skipped: list[str] = []
    for number, entry in enumerate(entries, 1):
        episode_id = naming.episode_id(entry)
        if store.has_episode(episode_id):
            skipped.append(episode_id)
        else:
            if not new:
                _keep_files(dataset.root, folder / naming.digest)
            _store(store, dataset, entry, naming)
            new.append(episode_id)
        on_progress(number, len(entries))
    return tuple(new), tuple(skipped)


def _keep_files(root: Path, target: Path) -> None:
    """Copy a dataset to where its pictures are looked for."""
    if target.is_dir():
        return
    part = target.with_name(f".{target.name}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        for name in KEPT_DIRS:
            if (root / name).is_dir():
                shutil.copytree(root / name, part / name, symlinks=False)
        part.rename(target)
    except (OSError, shutil.Error) as error:
        shutil.rmtree(part, ignore_errors=True)
        raise StoreError("Dataset", reason=f"it cannot be copied ({error})"[:200], fix="Check the space on the disk.") from error


@dataclass(frozen=True, eq=False)
class _Facts:
    """What a dataset tells of an episode, frame by frame."""

    numbers: Mapping[str, NDArray[np.float64]]
    """State and action as they were recorded, ``(N, D)``."""
    action: NDArray[np.float64] | None
    """``(N, 7)`` where the dataset says by its names that its actions are ours."""
    actors: tuple[Actor, ...]
    is_success: NDArray[np.bool_]
    has_success: bool
    tasks: tuple[str, ...]
    """Words in force at each frame."""
    kinds: list[str] | None
    unknown: tuple[str, ...] = field(default=())
    """What it does not tell."""


def _facts_of(dataset: DatasetFiles, entry: EpisodeEntry) -> _Facts:
    """Read an episode; raises InvalidInput."""
    numbers = {name: found for name in (STATE, ACTION) if (found := _numbers(dataset, entry, name)) is not None}
    names = dataset.features[ACTION].names if ACTION in dataset.features else None
    is_ours = ACTION in numbers and isinstance(names, list | tuple) and tuple(names) == ACTION_NAMES
    human = _numbers(dataset, entry, "intervention")
    success = _numbers(dataset, entry, "next.success")
    index = _numbers(dataset, entry, "task_index")
    told = entry.tasks[0] if entry.tasks else ""
    tasks = tuple(dataset.tasks.get(int(i), told) for i in index[:, 0]) if index is not None else (told,) * entry.length
    actors = tuple(Actor.HUMAN if h else Actor.POLICY for h in human[:, 0]) if human is not None else (Actor.HOLD,) * entry.length
    unknown = [what for what, is_there in (("who acted", human is not None), ("whether it succeeded", success is not None)) if not is_there]
    if ACTION in numbers and not is_ours:
        unknown.append("what its action's numbers mean to this workbench's robot")
    return _Facts(
        numbers=numbers,
        action=numbers[ACTION] if is_ours else None,
        actors=actors,
        is_success=success[:, 0] > 0 if success is not None else np.zeros(entry.length, dtype=np.bool_),
        has_success=success is not None,
        tasks=tasks,
        kinds=dataset.texts(entry, "segment_kind") if "segment_kind" in dataset.features else None,
        unknown=tuple(unknown),
    )


def _numbers(dataset: DatasetFiles, entry: EpisodeEntry, name: str) -> NDArray[np.float64] | None:
    feature = dataset.features.get(name)
    return None if feature is None or feature.dtype in ("string", "image", "video", "language") else dataset.numbers(entry, name)


def _store(store: Store, dataset: DatasetFiles, entry: EpisodeEntry, naming: _Naming) -> None:
    """Write one episode, all of it or nothing."""
    facts, now = _facts_of(dataset, entry), time.time()
    config = EpisodeConfig(
        task=f"recorded/{naming.digest[:8]}",
        seed=entry.index,
        instruction=facts.tasks[0],
        simulator=RECORDED,
        control_hz=float(dataset.fps),
        options={"dataset": naming.digest, "episode": entry.index, "source": naming.name, "cameras": list(dataset.cameras)},
    )
    start = EpisodeStart(naming.episode_id(entry), naming.session_id, config.to_dict(), facts.tasks[0], "recorded elsewhere", wall_time=now)
    outcome = (Outcome.SUCCESS if facts.is_success.any() else Outcome.FAILURE) if facts.has_success else Outcome.STOPPED
    with store.transaction() as connection:
        writing.insert_session(connection, naming.session_id, now, f"{naming.name} (LeRobot dataset)")
        progress = writing.insert_start(connection, start)
        for first in range(0, entry.length, _STEPS_AT_ONCE):
            steps = [_step(dataset, facts, i, now) for i in range(first, min(first + _STEPS_AT_ONCE, entry.length))]
            progress = writing.insert_steps(connection, progress, steps)
        for number, event in enumerate(_events(dataset, entry, facts, naming)):
            named = Event(
                event.kind, event.step, event.step / dataset.fps, event.payload, event.actor, now, f"{start.episode_id}-{number:05d}"
            )
            writing.insert_event(connection, progress.num, named, is_live=False)
        final = frame_state(entry.length - 1).to_bytes()
        end = EpisodeEnd(start.episode_id, outcome, entry.length, entry.length / dataset.fps, final, wall_time=now)
        writing.insert_end(connection, progress, end)
        name = f"{naming.name} #{entry.index}: {facts.tasks[0]}"[:200]
        connection.execute("UPDATE episodes SET name = ? WHERE num = ?", [writing.clean_text(name), progress.num])
        note = [f"{start.episode_id}-about", progress.num, writing.clean_text(_about(dataset, facts, naming)), now]
        connection.execute("INSERT INTO notes (id, episode, step, text, written) VALUES (?, ?, NULL, ?, ?) ON CONFLICT DO NOTHING", note)


def _about(dataset: DatasetFiles, facts: _Facts, naming: _Naming) -> str:
    """Say of an episode what it is, and what is not known of it."""
    robot = f", by the robot {dataset.robot_type}" if dataset.robot_type else ""
    unknown = f" Not known: {'; '.join(facts.unknown)}." if facts.unknown else ""
    return f"Recorded elsewhere{robot}, from the dataset {naming.name}: pictures and numbers as they are there, no physics.{unknown}"


def _step(dataset: DatasetFiles, facts: _Facts, index: int, now: float) -> Step:
    numbers = np.concatenate([values[index] for values in facts.numbers.values()]) if facts.numbers else np.zeros(0)
    action = np.full(ACTION_DIM, np.nan) if facts.action is None else facts.action[index]
    return Step(
        index=index,
        time_s=index / dataset.fps,
        state=frame_state(index, numbers.tolist()),
        action=action.astype(np.float32),
        proposal=None,
        actor=facts.actors[index],
        is_success=bool(facts.is_success[index]),
        scores=_scores(dataset, facts, index),
        wall_time=now + index / dataset.fps,
    )


def _scores(dataset: DatasetFiles, facts: _Facts, index: int) -> dict[str, float]:
    """Return the numbers of a frame under the names that the dataset gives them."""
    found: dict[str, float] = {}
    for name, values in facts.numbers.items():
        labels = _labels(dataset.features[name].names, values.shape[1])
        found |= {f"{name}.{label}": float(value) for label, value in zip(labels, values[index], strict=True)}
    return dict(list(found.items())[:MAX_SCORES])


def _labels(names: object, num: int) -> list[str]:
    if isinstance(names, Mapping) and len(names) == 1:  # older datasets name them {"motors": [...]}
        names = next(iter(names.values()))
    if isinstance(names, list | tuple) and len(names) == num and len({str(n) for n in names}) == num:
        return [str(name)[:60] for name in names]
    return [str(i) for i in range(num)]


def _events(dataset: DatasetFiles, entry: EpisodeEntry, facts: _Facts, naming: _Naming) -> Iterator[Event]:
    """Yield what can be said of a recorded episode in the words of a timeline."""
    about: dict[str, Any] = {"recorded": naming.name, "episode": entry.index, "robot": dataset.robot_type, "unknown": list(facts.unknown)}
    yield Event(EventKind.START, 0, 0.0, about, "system")
    was_human, told, kind = False, facts.tasks[0], "correction"
    for index in range(entry.length):
        if facts.tasks[index] != told:
            told = facts.tasks[index]
            yield Event(EventKind.INSTRUCTION, index, 0.0, {"text": told}, "human")
        is_human = facts.actors[index] is Actor.HUMAN
        if is_human and not was_human:
            kind = "correction"
            yield Event(EventKind.TAKEOVER, index, 0.0, {"via": "recorded"}, "human")
        elif was_human and not is_human:
            yield Event(EventKind.HANDBACK, index, 0.0, {}, "human")
        if is_human and facts.kinds is not None and facts.kinds[index] in ("recovery", "correction") and facts.kinds[index] != kind:
            kind = facts.kinds[index]
            yield Event(EventKind.INTERVENTION, index, 0.0, {"segment": kind}, "human")
        was_human = is_human
    yield Event(EventKind.END, entry.length, 0.0, {"outcome": "recorded"}, "system")
