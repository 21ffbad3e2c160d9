"""One episode as members of an archive, and back, with every value checked."""

from __future__ import annotations

import base64
import binascii
import math
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sessions.archive_file import ArchiveReader, parse_json
from sessions.codec import decode_states
from sessions.reading import ACTION_COLUMNS
from sessions.records import EpisodeInfo, Note
from sessions.store import MAX_TEXT, MAX_THUMBNAIL_BYTES, Store
from sessions.writing import json_text
from workbench.core.errors import InvalidInput, StoreCorrupt
from workbench.core.events import EpisodeEnd, EpisodeStart, Event, EventKind, Outcome, new_id
from workbench.core.types import ACTION_DIM, PROPRIO, PROPRIO_DIM, Actor, EpisodeConfig, SimState, Step, Takeover

_CHUNK: Final = struct.Struct("<QII")
"""Head of each chunk in ``states.bin``: first step, number of steps, bytes of the chunk that follows."""
_ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_TASK: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,127}")
"""Names of tasks and of Gymnasium environments; files are named after them."""
_MAX_FLOAT32: Final = float(np.finfo(np.float32).max)
_MAX_STEP: Final = 10_000_000
_SEEN_COLUMNS: Final = "ee_x_um, ee_y_um, ee_z_um, gripper_permille"
_WALL_COLUMNS: Final = "policy_us, step_us, wall_ms"
_STEP_QUERY: Final = f"""
    SELECT s.step, s.time_s, s.actor, s.is_success, s.halt_slice, {_SEEN_COLUMNS}, {ACTION_COLUMNS},
        s.exact_action, s.proposal, p.id AS prompt_id, s.scores, {_WALL_COLUMNS}, s.takeover_slice, s.takeover_action
    FROM steps s LEFT JOIN prompts p ON p.num = s.prompt WHERE s.episode = (SELECT num FROM episodes WHERE id = ?) ORDER BY s.step"""
_NUM_COLUMNS: Final = 25
_NUM_FIRST_COLUMNS: Final = 23
"""Of archives of version 1, which know no take-over within a step."""
_Wrong = (ValueError, TypeError, AttributeError, KeyError, IndexError, OverflowError, struct.error, InvalidInput, StoreCorrupt)


def members_of(store: Store, info: EpisodeInfo) -> dict[str, bytes]:
    """Return the members of one episode."""
    head = info.head()
    notes = [{"id": n.id, "step": n.step, "text": n.text, "written": n.written} for n in store.notes(info.id)]
    with store.reading() as connection:
        rows = connection.execute(_STEP_QUERY, [info.id]).fetchall()
        chunks = connection.execute(
            """SELECT first_step, num_steps, data FROM state_chunks
            WHERE episode = (SELECT num FROM episodes WHERE id = ?) ORDER BY first_step""",
            [info.id],
        ).fetchall()
    members = {
        "episode.json": json_text(head).encode(),
        "steps.jsonl": _lines([[_base64(value) for value in row] for row in rows]),
        "states.bin": b"".join(_CHUNK.pack(c["first_step"], c["num_steps"], len(c["data"])) + c["data"] for c in chunks),
        "events.jsonl": _lines([event.to_dict() for event in store.events(info.id)]),
        "notes.json": json_text(notes).encode(),
    }
    states = {"start.state": store.start_state(info.id), "final.state": store.final_state(info.id)}
    blobs = {"thumbnail.jpg": store.thumbnail(info.id)} | {n: s.to_bytes() if s else None for n, s in states.items()}
    return members | {name: blob for name, blob in blobs.items() if blob is not None}


@dataclass(frozen=True, eq=False)
class ArchivedEpisode:
    """One episode as an archive holds it; steps are read when they are asked for."""

    reader: ArchiveReader
    folder: str
    start: EpisodeStart
    end: EpisodeEnd
    events: tuple[Event, ...]
    notes: tuple[Note, ...]
    name: str
    rating: int | None
    thumbnail: bytes | None
    event_ids: Mapping[str, str]
    """Ids in the archive -> ids here, for the prompts of the steps."""

    def steps(self) -> Iterator[Step]:
        """Yield the steps with their states.

        Raises:
            InvalidInput: a step or a state is not as it should be.
        """
        what, last = f"archive, {self.folder}", -1
        rows = self.reader.lines(f"{self.folder}/steps.jsonl")
        try:
            for first, states in _chunks(self.reader.bytes(f"{self.folder}/states.bin")):
                for offset, state in enumerate(states):
                    row = next(rows, None)
                    step = _parse_step(row, SimState.from_bytes(state), self.start.wall_time)
                    if step.index != first + offset or step.index <= last:
                        raise ValueError(f"step {step.index} after {last}, with the state of {first + offset}")
                    last = step.index
                    yield replace(step, prompt_id=self.event_ids.get(step.prompt_id, step.prompt_id))
            if next(rows, None) is not None or last >= self.end.num_steps:
                raise ValueError("more steps than states or than the episode has")
        except _Wrong as error:
            raise InvalidInput(f"{what}, steps", expected="steps as a workbench writes them", found=f"{error}") from error

    def renamed(self, episode_ids: Mapping[str, str], session_ids: Mapping[str, str]) -> ArchivedEpisode:
        """Return a copy with other ids; a parent that was copied before is followed."""
        parent = self.start.parent_id
        new = episode_ids[self.start.episode_id]
        event_ids = {event.id: new_id() for event in self.events}
        return replace(
            self,
            start=replace(
                self.start,
                episode_id=new,
                session_id=session_ids[self.start.session_id],
                parent_id=episode_ids.get(parent, parent) if parent else None,
            ),
            end=replace(self.end, episode_id=new),
            events=tuple(replace(event, id=event_ids[event.id]) for event in self.events),
            notes=tuple(replace(note, id=new_id(), episode_id=new) for note in self.notes),
            event_ids=event_ids,
        )


def parse_sessions(data: object) -> dict[str, tuple[str, float]]:
    """Return name and start [Unix s] of each session by its id; raises InvalidInput."""
    try:
        if not isinstance(data, list):
            raise TypeError("no list")
        return {_session_id(item["id"]): (_text(item["name"]), _number(item["started"])) for item in data}
    except _Wrong as error:
        raise InvalidInput("archive, sessions.json", expected="sessions", found=f"something else ({error})") from error


def parse_episode(reader: ArchiveReader, folder: str) -> ArchivedEpisode:
    """Read an episode of an archive but for its steps.

    Raises:
        InvalidInput: a value is missing or not as it should be.
    """
    head = reader.json(f"{folder}/episode.json")
    notes = reader.json(f"{folder}/notes.json")
    lines = list(reader.lines(f"{folder}/events.jsonl"))
    blobs = {
        name: reader.bytes(f"{folder}/{name}") if reader.has(f"{folder}/{name}") else None
        for name in ("thumbnail.jpg", "start.state", "final.state")
    }
    try:
        for name in ("start.state", "final.state"):
            blob = blobs[name]
            if blob is not None:
                SimState.from_bytes(blob)
        thumbnail = blobs["thumbnail.jpg"]
        if thumbnail is not None and not (thumbnail.startswith(b"\xff\xd8") and len(thumbnail) <= MAX_THUMBNAIL_BYTES):
            raise ValueError("the thumbnail is no small JPEG")
        rating = head["rating"]
        if rating is not None and rating not in (1, 2, 3, 4, 5):
            raise ValueError(f"rating {rating!r}")
        start = _parse_start(head, blobs["start.state"])
        return ArchivedEpisode(
            reader=reader,
            folder=folder,
            start=start,
            end=_parse_end(head, blobs["final.state"]),
            events=tuple(_parse_event(line) for line in lines),
            notes=tuple(_parse_note(note, start.episode_id) for note in notes),
            name=_text(head["name"]),
            rating=rating,
            thumbnail=thumbnail,
            event_ids={},
        )
    except _Wrong as error:
        raise InvalidInput(f"archive, {folder}", expected="an episode as a workbench writes it", found=f"{error}") from error


def _parse_start(head: Mapping[str, Any], state: bytes | None) -> EpisodeStart:
    config = EpisodeConfig.from_dict(head["config"])
    if not _TASK.fullmatch(config.task) or ".." in config.task:
        raise ValueError(f"a task of {config.task!r:.80}")
    return EpisodeStart(
        episode_id=_id(head["id"]),
        session_id=_session_id(head["session_id"]),
        config=config.to_dict(),
        instruction=_text(head["instruction"]),
        policy=_text(head["policy"]),
        parent_id=None if head["parent_id"] is None else _id(head["parent_id"]),
        branch_step=None if head["branch_step"] is None else _count(head["branch_step"]),
        start_state=state,
        wall_time=_number(head["started"]),
    )


def _parse_end(head: Mapping[str, Any], state: bytes | None) -> EpisodeEnd:
    outcome = Outcome(head["outcome"])
    return EpisodeEnd(
        episode_id=_id(head["id"]),
        outcome=Outcome.INTERRUPTED if outcome is Outcome.RUNNING else outcome,  # it was still running when it was exported
        num_steps=_count(head["num_steps"]),
        time_s=_number(head["duration_s"]),
        final_state=state,
        wall_time=_number(head["started"] if head["ended"] is None else head["ended"]),
    )


def _parse_event(data: Mapping[str, Any]) -> Event:
    if not isinstance(data["payload"], dict):
        raise TypeError("an event's payload is no object")
    return Event(
        kind=EventKind(data["kind"]),
        step=_count(data["step"]),
        time_s=_number(data["time_s"]),
        payload=data["payload"],
        actor=_text(data["actor"]),
        wall_time=_number(data["wall_time"]),
        id=_id(data["id"]),
    )


def _parse_note(data: Mapping[str, Any], episode_id: str) -> Note:
    step = None if data["step"] is None else _count(data["step"])
    return Note(_id(data["id"]), episode_id, step, _text(data["text"]), _number(data["written"]))


def _parse_step(row: object, state: SimState, started: float) -> Step:
    if not isinstance(row, list) or len(row) not in (_NUM_FIRST_COLUMNS, _NUM_COLUMNS):
        raise TypeError(f"a step is no row of {_NUM_COLUMNS} values")
    index, time_s, actor, is_success, halt_slice, *rest = row
    seen, action, (exact, proposal, prompt_id, scores, policy_us, step_us, wall_ms) = rest[:4], rest[4:11], rest[11:18]
    taken_slice, taken_action = rest[18:] or (None, None)
    executed = np.array([_float(v) for v in action], dtype=np.float32) if exact is None else _vector(exact)
    return Step(
        index=_count(index),
        time_s=_number(time_s),
        state=state,
        action=executed,
        proposal=None if proposal is None else executed if proposal == "" else _vector(proposal),
        actor=Actor(actor),
        is_success=bool(_count(is_success)),
        halt_slice=None if halt_slice is None else _count(halt_slice),
        takeover=None if taken_slice is None else Takeover(_count(taken_slice), _vector(taken_action)),
        prompt_id="" if prompt_id is None else _id(prompt_id),
        scores={} if scores is None else {_text(k): _float(v) for k, v in parse_json(_text(scores).encode(), "scores").items()},
        policy_ms=_number(policy_us) / 1e3,
        step_ms=_number(step_us) / 1e3,
        wall_time=started + _number(wall_ms) / 1e3,
        proprio=_proprio(seen),
    )


def _proprio(seen: list[Any]) -> NDArray[np.float32] | None:
    """Return a proprioception vector with the parts that are stored; float32 keeps whole micrometres."""
    if all(value is None for value in seen):
        return None
    proprio = np.full(PROPRIO_DIM, np.nan, dtype=np.float32)
    x, y, z, gripper = (_float(value) for value in seen)
    proprio[PROPRIO["ee_position"]] = x / 1e6, y / 1e6, z / 1e6
    proprio[PROPRIO["gripper"]] = gripper / 1e3
    return proprio


def _chunks(content: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """Yield first step and states of each chunk."""
    position = 0
    while position < len(content):
        first, num, size = _CHUNK.unpack_from(content, position)
        position += _CHUNK.size
        states = decode_states(content[position : position + size])
        position += size
        if len(states) != num or position > len(content):
            raise ValueError(f"{len(states)} states in a chunk of {num}")
        yield first, states


def _lines(values: list[Any]) -> bytes:
    return b"".join(json_text(value).encode() + b"\n" for value in values)


def _base64(value: Any) -> Any:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _vector(text: object) -> NDArray[np.float32]:
    try:
        blob = base64.b64decode(_text(text), validate=True)
    except binascii.Error as error:
        raise ValueError("an action is not base64") from error
    if len(blob) != 4 * ACTION_DIM:
        raise ValueError(f"an action of {len(blob)} bytes")
    return np.frombuffer(blob, "<f4").astype(np.float32)


def _id(value: object) -> str:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise ValueError(f"an id of {repr(value)[:80]}")
    return value


def _session_id(value: object) -> str:
    """Return the id of a session; episodes that were run outside of one have an empty one."""
    return "" if value == "" else _id(value)


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT or "\0" in value:
        raise ValueError(f"a text of {repr(value)[:40]}")
    value.encode()
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or abs(value) > 1e15:
        raise ValueError(f"a number of {repr(value)[:40]}")
    return float(value)


def _float(value: object) -> float:
    """Return a number that float32 holds; null stands for NaN."""
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _MAX_FLOAT32:
        raise ValueError(f"a number of {repr(value)[:40]}")
    return float(value)


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MAX_STEP:
        raise ValueError(f"a count of {repr(value)[:40]}")
    return value
