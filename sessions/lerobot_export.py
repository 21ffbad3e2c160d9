"""A stored session as a LeRobotDataset v3.0: states, actions, who acted, pictures drawn anew, and the exact episodes beside them."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sessions.archive import export_episodes
from sessions.files import new_file
from sessions.lerobot_check import check_dataset
from sessions.lerobot_layout import (
    ACTION,
    EPISODE_ID,
    IMAGES,
    LINKS_PATH,
    NO_LINK,
    STATE,
    STATES_PATH,
    features_of,
)
from sessions.lerobot_writer import DatasetSetup, DatasetWriter, Value, new_dataset
from sessions.recorded import RECORDED
from sessions.records import EpisodeInfo, EpisodeQuery
from sessions.replay import MakeSimulator, standing
from sessions.store import Store
from workbench.core.errors import InvalidInput, WorkbenchError
from workbench.core.events import Event, EventKind, Outcome
from workbench.core.types import ACTION_DIM, Actor, CameraRequest, EpisodeConfig, Step
from workbench.intervention.segments import Intervention, interventions_of, kinds_of_steps

OnProgress = Callable[[int, int], None]
"""``on_progress(frames done, frames altogether)``."""

CAMERAS: Final = ("front", "wrist")
SIDE_PX: Final = 224
MIN_SIDE_PX, MAX_SIDE_PX = 32, 1024
MAX_EPISODES: Final = 10_000
PRE_INTERVENTION_STEPS: Final = 15
"""Steps of the policy before a person took over that get a control mode of their own (Source: Sirius, arXiv:2211.08416)."""
DEMO, POLICY, HUMAN, PRE_INTERVENTION = -1, 0, 1, -10
"""Values of ``control_mode``, as Sirius has them."""
DEMONSTRATORS: Final = ("expert",)
"""Policies whose steps are demonstrations."""
_LINKED: Final = {"trace_id": (EventKind.TRACE, "trace"), "mask_id": (EventKind.MASK, "mask"), "steering_id": (EventKind.STEERING, "slots")}


class Cancelled(WorkbenchError):
    """The person who asked for an export does not want it any more."""


@dataclass(frozen=True)
class DatasetOptions:
    """How a session becomes a dataset."""

    cameras: tuple[str, ...] = CAMERAS
    """Those that the simulator does not have are left out."""
    side_px: int = SIDE_PX
    """Width and height of a picture [px]."""
    has_states: bool = True
    """Whether the exact episodes go along, for another workbench."""

    def __post_init__(self) -> None:
        if not MIN_SIDE_PX <= self.side_px <= MAX_SIDE_PX or self.side_px % 2:
            expected = f"an even number of {MIN_SIDE_PX} to {MAX_SIDE_PX} pixels"
            raise InvalidInput("picture size", expected=expected, found=f"{self.side_px}")


@dataclass(frozen=True)
class LeftOut:
    """An episode that did not go into the dataset."""

    episode_id: str
    reason: str


@dataclass(frozen=True)
class DatasetReport:
    """What was written."""

    path: Path
    num_episodes: int
    num_frames: int
    num_bytes: int
    fps: int
    cameras: tuple[str, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True)
class ExportWatch:
    """Who wants to know how an export goes, and may end it."""

    on_progress: OnProgress = lambda done, total: None
    is_cancelled: Callable[[], bool] = field(default=lambda: False)


def export_dataset(
    store: Store,
    session_id: str,
    out: Path,
    make_simulator: MakeSimulator,
    *,
    options: DatasetOptions | None = None,
    watch: ExportWatch | None = None,
) -> DatasetReport:
    """Write a session's episodes, deleted ones left out, as a dataset into a new folder.

    What cannot go into it (another control rate than most, no steps, a recording from elsewhere) is left out and named.

    Raises:
        NotStored: no such session.
        InvalidInput: nothing can be exported, or there is something at ``out`` already.
        StoreError: a file cannot be written, or a stored state is damaged.
        Cancelled: it was ended; nothing is left of it.
    """
    store.session(session_id)
    options, watch = options or DatasetOptions(), watch or ExportWatch()
    page = store.episodes(EpisodeQuery(session_id=session_id, order="oldest", limit=MAX_EPISODES))
    chosen, left_out = choose_episodes(store, page.episodes)
    cameras = _cameras_of(chosen[0], options, make_simulator)
    requests = tuple(CameraRequest(name, options.side_px, options.side_px) for name in cameras)
    setup = DatasetSetup(features_of(requests), round(chosen[0].config.control_hz), robot_of(chosen[0].config))
    num_frames = sum(info.num_steps for info in chosen)
    with new_dataset(out, setup) as writer:
        progress = _Progress(watch, num_frames)
        links: dict[str, dict[str, str]] = {}
        for info in chosen:
            links |= _write_episode(store, info, writer, _Drawing(make_simulator, requests), progress)
        (writer.folder / LINKS_PATH).parent.mkdir()
        (writer.folder / LINKS_PATH).write_text(json.dumps(links, indent=1, ensure_ascii=False), encoding="utf-8")
        if options.has_states:
            export_episodes(store, [info.id for info in chosen], writer.folder / STATES_PATH)
        writer.finish()
        problems = check_dataset(writer.folder).problems
        assert not problems, f"we wrote a dataset that does not follow its layout: {problems[:3]}"
    num_bytes = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    return DatasetReport(out, len(chosen), num_frames, num_bytes, setup.fps, cameras, left_out)


def choose_episodes(store: Store, episodes: Sequence[EpisodeInfo]) -> tuple[tuple[EpisodeInfo, ...], tuple[LeftOut, ...]]:
    """Return which episodes share one dataset, and why the others do not.

    Raises:
        InvalidInput: none can be exported.
    """
    reasons = {info.id: _reason_against(store, info) for info in episodes}
    groups = Counter[tuple[float, str, str]]()
    for info in episodes:
        if not reasons[info.id]:
            groups[_kind_of(info)] += info.num_steps
    if not groups:
        why = f": {next(iter(reasons.values()))}" if reasons else ""
        raise InvalidInput("dataset", expected="a session with episodes to export", found=f"none{why}", fix="Run an episode first.")
    kind = max(groups, key=lambda k: groups[k])
    for info in episodes:
        if not reasons[info.id] and _kind_of(info) != kind:
            reasons[info.id] = f"a dataset has one control rate and one robot, here {kind[0]:g} Hz in {kind[1]!r}"
    chosen = tuple(info for info in episodes if not reasons[info.id])
    return chosen, tuple(LeftOut(id, reason) for id, reason in reasons.items() if reason)


def _kind_of(info: EpisodeInfo) -> tuple[float, str, str]:
    return info.config.control_hz, info.config.simulator, info.config.robot


def _reason_against(store: Store, info: EpisodeInfo) -> str:
    """Return why an episode cannot be in a dataset, or nothing."""
    if info.outcome is Outcome.RUNNING:
        return "it still runs"
    if info.num_steps == 0:
        return "it has no steps"
    if info.config.simulator == RECORDED:
        return "it is a recording from elsewhere: export the dataset that it came from"
    if info.config.control_hz != round(info.config.control_hz):
        return f"its control rate of {info.config.control_hz:g} Hz is no whole number, which the format asks for"
    columns = store.columns(info.id)
    if not np.array_equal(columns.steps, np.arange(info.num_steps)):
        return "steps of it were lost on a full disk"
    return "" if np.isfinite(columns.actions).all() else "it holds an action that is not a finite number"


def robot_of(config: EpisodeConfig) -> str:
    """Return what ``info.json`` calls the robot."""
    return Path(config.robot).stem if config.robot else f"{config.simulator}_arm"


def _cameras_of(info: EpisodeInfo, options: DatasetOptions, make_simulator: MakeSimulator) -> tuple[str, ...]:
    with standing(info.config, make_simulator) as simulator:
        offered = simulator.spec.cameras
    return tuple(name for name in options.cameras if name in offered) or offered[:1]


class _Drawing(NamedTuple):
    """How pictures are made."""

    make_simulator: MakeSimulator
    cameras: tuple[CameraRequest, ...]


class _Progress:
    """Counts frames, and ends an export that nobody wants any more."""

    def __init__(self, watch: ExportWatch, total: int) -> None:
        self._watch, self._total, self._done = watch, total, 0

    def step(self) -> None:
        """Count one frame; raises Cancelled."""
        if self._watch.is_cancelled():
            raise Cancelled("The export was cancelled; nothing was written.")
        self._done += 1
        self._watch.on_progress(self._done, self._total)


def _write_episode(
    store: Store, info: EpisodeInfo, writer: DatasetWriter, drawing: _Drawing, progress: _Progress
) -> dict[str, dict[str, str]]:
    """Write one episode, and return what its links stand for."""
    events = _numbered_events(store, info.id)
    labels = Labels([event for _, event in events], info)
    in_force = {name: _in_force(events, *wanted, num_steps=info.num_steps) for name, wanted in _LINKED.items()}
    writer.begin_episode(info.num_steps)
    with standing(info.config, drawing.make_simulator) as simulator:
        for step in store.steps(info.id):
            progress.step()
            simulator.restore(step.state)
            seen = simulator.observe(drawing.cameras)
            values: dict[str, Value] = {STATE: seen.proprio, **labels.of(step)}
            values |= {name: int(numbers[step.index]) for name, numbers in in_force.items()}
            pictures = {IMAGES + camera.name: np.asarray(seen.images[camera.name]) for camera in drawing.cameras}
            writer.add_frame(labels.tasks[step.index], values, pictures)
    writer.save_episode({EPISODE_ID: info.id})
    used = {int(n) for numbers in in_force.values() for n in numbers}
    return {str(n): {"event_id": event.id, "episode_id": info.id, "kind": event.kind.value} for n, event in events if n in used}


def _numbered_events(store: Store, episode_id: str) -> list[tuple[int, Event]]:
    """Return the events of an episode with the numbers of their rows."""
    with store.reading() as connection:
        query = "SELECT num FROM events WHERE episode = (SELECT num FROM episodes WHERE id = ?) ORDER BY num"
        numbers = [int(row[0]) for row in connection.execute(query, [episode_id])]
    return list(zip(numbers, store.events(episode_id), strict=False))


def _in_force(events: Sequence[tuple[int, Event]], kind: EventKind, part: str, *, num_steps: int) -> NDArray[np.int64]:
    """Return for each step the number of the last event of a kind at or before it, :data:`NO_LINK` after it was taken back."""
    numbers = np.full(num_steps, NO_LINK, dtype=np.int64)
    for number, event in events:
        if event.kind is kind:
            numbers[max(0, event.step) :] = number if event.payload.get(part) else NO_LINK
    return numbers


class Labels:
    """What is told of each step of an episode beside numbers of the simulator."""

    def __init__(self, events: Sequence[Event], info: EpisodeInfo) -> None:
        self._num = info.num_steps
        self._is_solved = info.outcome is Outcome.SUCCESS
        found = interventions_of(events, info.num_steps)
        self.kinds = kinds_of_steps(found, info.num_steps)
        self._is_before = _before(found, info.num_steps)
        self.tasks = _told(events, EventKind.INSTRUCTION, "text", info.instruction or info.task, info.num_steps)
        self._drivers = _told(events, EventKind.POLICY, "policy", info.policy, info.num_steps)

    def of(self, step: Step) -> dict[str, Value]:
        """Return the values of a step for the columns that the workbench adds, and the action."""
        proposal = step.action if step.proposal is None else step.proposal
        is_known = step.proposal is not None and bool(np.isfinite(proposal).all())
        is_last = step.index == self._num - 1
        return {
            ACTION: step.action,
            "intervention": step.actor is Actor.HUMAN,
            "policy_action": proposal if is_known else np.zeros(ACTION_DIM, dtype=np.float32),
            "policy_action_is_known": is_known,
            "control_mode": self._mode(step),
            "segment_kind": self.kinds[step.index].value,
            "next.success": step.is_success or (is_last and self._is_solved),
            "next.done": is_last,
        }

    def _mode(self, step: Step) -> int:
        if step.actor is Actor.HUMAN:
            return HUMAN
        if step.actor is Actor.POLICY and self._drivers[step.index] in DEMONSTRATORS:
            return DEMO
        return PRE_INTERVENTION if self._is_before[step.index] else POLICY


def _before(interventions: Sequence[Intervention], num_steps: int) -> NDArray[np.bool_]:
    """Return which steps lie shortly before an intervention that counts."""
    is_before = np.zeros(num_steps, dtype=np.bool_)
    for found in interventions:
        if not found.is_discarded:
            is_before[max(0, found.start - PRE_INTERVENTION_STEPS) : found.start] = True
    return is_before


def _told(events: Sequence[Event], kind: EventKind, part: str, first: str, num_steps: int) -> list[str]:
    """Return for each step what the last event of a kind said; nothing leaves what was said before."""
    told = [first] * num_steps
    for event in events:
        text = str(event.payload.get(part) or "").strip()
        if event.kind is kind and text:
            told[max(0, event.step) :] = [text] * (num_steps - max(0, event.step)) if event.step < num_steps else []
    return told[:num_steps]


def export_zip(
    store: Store,
    session_id: str,
    out: Path,
    make_simulator: MakeSimulator,
    *,
    options: DatasetOptions | None = None,
    watch: ExportWatch | None = None,
) -> DatasetReport:
    """Write a dataset as one zip file; errors as :func:`export_dataset`."""
    folder = out.with_name(f".{out.stem}.dataset")
    shutil.rmtree(folder, ignore_errors=True)  # what a killed process left
    try:
        report = export_dataset(store, session_id, folder, make_simulator, options=options, watch=watch)
        _zip(folder, out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return replace(report, path=out, num_bytes=out.stat().st_size)


def _zip(folder: Path, path: Path) -> None:
    """Put a dataset into one file; films and tables are packed already."""
    with new_file(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED, allowZip64=True) as file:
        for member in sorted(folder.rglob("*")):
            if member.is_file():
                file.write(member, f"{path.stem}/{member.relative_to(folder).as_posix()}")
