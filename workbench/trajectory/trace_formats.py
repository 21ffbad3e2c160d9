"""Traces as published models write them, read strictly and without evaluating anything.

- ``molmoact`` (arXiv:2508.07917): 1 to 5 points, whole numbers 0..255 of each side: ``[[242,115],[140,77],[94,58]]``.
- ``hamster`` (arXiv:2502.05485): points 0..1 with gripper tags between ``<ans>`` and ``</ans>``:
  ``<ans>[(0.25, 0.32), <action>Close Gripper</action>, (0.30, 0.28), <action>Open Gripper</action>]</ans>``. A tag changes the state of the point
  before it and of all later ones. HAMSTER's own reader counts points before the first tag as closed; here they have the opening that the
  first tag ends, so that one Close means that it was open.

What a model wrote beside its answer is passed over; what is wrong with the answer is said with its place in the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np

from workbench.core.errors import InvalidInput, UnknownName
from workbench.core.polylines import resample, simplify_indices
from workbench.core.types import Trace

MAX_TEXT: Final = 100_000
"""Longer answers are refused [letters]."""
MOLMOACT_POINTS: Final = 5
MOLMOACT_SIDE: Final = 256
HAMSTER_POINTS: Final = 1000
_EXCERPT: Final = 24


class Frame(NamedTuple):
    """The picture that a trace is on."""

    camera: str
    width: int
    height: int


class TraceTextError(InvalidInput):
    """A model's text that is not a trace of the format, with the place of what is wrong."""

    def __init__(self, format_name: str, *, expected: str, text: str, start: int, stop: int) -> None:
        self.start, self.stop = start, max(start, stop)
        self.span = text[self.start : self.stop]
        shown = self.span[:_EXCERPT] + ("…" if len(self.span) > _EXCERPT else "")
        found = f"{shown!r} at letter {start + 1}" if self.span else f"the end of the text at letter {start + 1}"
        super().__init__(f"{format_name} trace", expected=expected, found=found)


@dataclass(frozen=True)
class TraceFormat:
    """One way of writing a trace as text."""

    name: str
    title: str
    read: Callable[[str, Frame], Trace]
    write: Callable[[Trace], str]


def read_trace_text(text: str, format_name: str, frame: Frame) -> Trace:
    """Read a trace in a format of :data:`TRACE_FORMATS`.

    Raises:
        UnknownName: there is no such format.
        TraceTextError: the text does not follow it.
    """
    if format_name not in TRACE_FORMATS:
        raise UnknownName("trace format", format_name, TRACE_FORMATS)
    if len(text) > MAX_TEXT:
        raise TraceTextError(format_name, expected=f"at most {MAX_TEXT} letters", text=text, start=MAX_TEXT, stop=len(text))
    return TRACE_FORMATS[format_name].read(text, frame)


def write_trace_text(trace: Trace, format_name: str) -> str:
    """Write a trace in a format of :data:`TRACE_FORMATS`.

    Raises:
        UnknownName: there is no such format.
        InvalidInput: the trace has no points.
    """
    if format_name not in TRACE_FORMATS:
        raise UnknownName("trace format", format_name, TRACE_FORMATS)
    if not trace.points:
        raise InvalidInput("trace", expected="at least one point", found="none")
    return TRACE_FORMATS[format_name].write(trace)


# --- Reading letter by letter --------------------------------------------------------------------------------------------------------


class _Reader:
    """Reads a stretch of a text; whatever is not as it must be is an error at its place."""

    def __init__(self, format_name: str, text: str, start: int, stop: int) -> None:
        self.name, self.text, self.place, self.stop = format_name, text, start, stop

    def skip_space(self) -> None:
        while self.place < self.stop and self.text[self.place].isspace():
            self.place += 1

    def takes(self, word: str) -> bool:
        """Pass over a word if it comes next; tell whether it did."""
        self.skip_space()
        if self.text.startswith(word, self.place, self.stop):
            self.place += len(word)
            return True
        return False

    def expect(self, word: str, expected: str = "") -> None:
        if not self.takes(word):
            raise self.wrong(expected or repr(word))

    def matches(self, pattern: re.Pattern[str], expected: str) -> re.Match[str]:
        self.skip_space()
        found = pattern.match(self.text, self.place, self.stop)
        if found is None:
            raise self.wrong(expected)
        self.place = found.end()
        return found

    def wrong(self, expected: str, start: int | None = None) -> TraceTextError:
        """Return the error of what stands here, up to the next space or bracket."""
        begin = self.place if start is None else start
        if start is None:
            found = _UNIT.match(self.text, begin, self.stop)
            end = found.end() if found else begin
        else:
            end = self.place
        return TraceTextError(self.name, expected=expected, text=self.text, start=begin, stop=end)


_UNIT: Final = re.compile(r"[\[\](),]|[^\s\[\](),]+")
_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,9}(?![0-9.eE])")
_DECIMAL: Final = re.compile(r"[+-]?[0-9]{0,9}\.?[0-9]{0,18}(?:[eE][+-]?[0-9]{1,3})?(?![0-9.eE])")


def _read_molmoact(text: str, frame: Frame) -> Trace:
    """Read the last list of pairs in a text."""
    starts = [m.start() for m in re.finditer(r"\[\s*\[", text)]
    if not starts:
        raise TraceTextError("molmoact", expected="a list of points such as [[242,115],[140,77]]", text=text, start=0, stop=len(text))
    reader = _Reader("molmoact", text, starts[-1], len(text))
    reader.expect("[")
    cells: list[tuple[int, int]] = []
    while True:
        reader.skip_space()
        start = reader.place
        reader.expect("[")
        u = _whole(reader)
        reader.expect(",")
        v = _whole(reader)
        reader.expect("]")
        if len(cells) == MOLMOACT_POINTS:
            raise reader.wrong(f"at most {MOLMOACT_POINTS} points", start)
        cells.append((u, v))
        if reader.takes("]"):
            break
        reader.expect(",", "',' or ']'")
    points = [((u + 0.5) / MOLMOACT_SIDE * frame.width, (v + 0.5) / MOLMOACT_SIDE * frame.height) for u, v in cells]
    return Trace(frame.camera, frame.width, frame.height, tuple(points), source="model")


def _whole(reader: _Reader) -> int:
    reader.skip_space()
    start = reader.place
    value = int(reader.matches(_WHOLE, "a whole number from 0 to 255").group())
    if not 0 <= value < MOLMOACT_SIDE:
        raise reader.wrong("a whole number from 0 to 255", start)
    return value


def _write_molmoact(trace: Trace) -> str:
    """Write at most five points: where it starts, where it ends, and three evenly between, as MolmoAct's labels are made."""
    points = np.asarray(trace.points, dtype=float)
    if len(points) > MOLMOACT_POINTS:
        points = resample(points, MOLMOACT_POINTS)
    cells = np.clip(np.floor(points / (trace.width, trace.height) * MOLMOACT_SIDE), 0, MOLMOACT_SIDE - 1).astype(int)
    return "[" + ",".join(f"[{u},{v}]" for u, v in cells.tolist()) + "]"


_ACTION: Final = re.compile(r"<action>\s*(open|close)\s+gripper\s*</action>", re.IGNORECASE)


def _read_hamster(text: str, frame: Frame) -> Trace:
    """Read what stands between the last ``<ans>`` and its end."""
    opened = text.rfind("<ans>")
    if opened < 0:
        raise TraceTextError("hamster", expected="an answer between <ans> and </ans>", text=text, start=0, stop=len(text))
    stop = text.find("</ans>", opened)
    if stop < 0:
        raise TraceTextError("hamster", expected="</ans> after the points", text=text, start=len(text), stop=len(text))
    reader = _Reader("hamster", text, opened + len("<ans>"), stop)
    reader.expect("[")
    points: list[tuple[float, float]] = []
    tags: list[tuple[int, bool]] = []
    while True:
        reader.skip_space()
        if reader.text.startswith("<action", reader.place, stop):
            is_open = reader.matches(_ACTION, "<action>Open Gripper</action> or <action>Close Gripper</action>").group(1).lower() == "open"
            tags.append((max(0, len(points) - 1), is_open))
        else:
            points.append(_pair(reader))
        if reader.takes("]"):
            break
        reader.expect(",", "',' or ']'")
    reader.skip_space()
    if reader.place < stop:
        raise reader.wrong("nothing after the list")
    if not points:
        raise TraceTextError("hamster", expected="at least one point", text=text, start=opened, stop=stop)
    if len(points) > HAMSTER_POINTS:
        raise TraceTextError("hamster", expected=f"at most {HAMSTER_POINTS} points", text=text, start=opened, stop=stop)
    pixels = tuple((u * frame.width, v * frame.height) for u, v in points)
    return Trace(frame.camera, frame.width, frame.height, pixels, gripper=_openings(len(points), tags), source="model")


def _pair(reader: _Reader) -> tuple[float, float]:
    reader.expect("(", "a point such as (0.25, 0.32), or an <action> tag")
    u = _share(reader)
    reader.expect(",")
    v = _share(reader)
    reader.expect(")")
    return u, v


def _share(reader: _Reader) -> float:
    reader.skip_space()
    start = reader.place
    word = reader.matches(_DECIMAL, "a number from 0 to 1").group()
    try:
        value = float(word)
    except ValueError as error:
        reader.place = start
        raise reader.wrong("a number from 0 to 1") from error
    if not 0.0 <= value <= 1.0:
        raise reader.wrong("a number from 0 to 1", start)
    return value


def _openings(count: int, tags: list[tuple[int, bool]]) -> tuple[float, ...] | None:
    if not tags:
        return None
    found = [float(not tags[0][1])] * count
    for index, is_open in tags:
        found[index:] = [float(is_open)] * (count - index)
    return tuple(found)


def _write_hamster(trace: Trace) -> str:
    """Write points with three decimals: two, as HAMSTER's own data have, are 2.5 pixels of a picture of 256."""
    opened = [g > 0.5 for g in trace.gripper] if trace.gripper is not None else []
    parts = []
    for index, (u, v) in enumerate(trace.points):
        parts.append(f"({u / trace.width:.3f}, {v / trace.height:.3f})")
        is_change = bool(opened) and (index == 0 or opened[index] != opened[index - 1])
        # That it begins open is what the first Close says.
        if is_change and (index > 0 or not opened[0] or all(opened)):
            parts.append(f"<action>{'Open' if opened[index] else 'Close'} Gripper</action>")
    return "<ans>[" + ", ".join(parts) + "]</ans>"


TRACE_FORMATS: Final[Mapping[str, TraceFormat]] = {
    "molmoact": TraceFormat("molmoact", "MolmoAct: up to five points 0 to 255", _read_molmoact, _write_molmoact),
    "hamster": TraceFormat("hamster", "HAMSTER: points 0 to 1 with gripper tags", _read_hamster, _write_hamster),
}
"""Name -> format."""


# --- Files ---------------------------------------------------------------------------------------------------------------------------


def read_trace_file(data: bytes, frame: Frame, parse_document: Callable[[object], Trace]) -> Trace:
    """Read an uploaded file: our JSON document, or text in one of :data:`TRACE_FORMATS`.

    Args:
        data: the file.
        frame: what a text's points are on; a document names its own.
        parse_document: reads a JSON document, with all its checks.

    Raises:
        InvalidInput: it is neither.
    """
    if len(data) > 4 * MAX_TEXT:
        raise InvalidInput("trace file", expected=f"at most {4 * MAX_TEXT // 1000} kB", found=f"{len(data) // 1000} kB")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput("trace file", expected="text", found=f"a byte that is no text at {error.start + 1}") from error
    if text.lstrip().startswith("{"):
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InvalidInput("trace file", expected="a JSON document", found=str(error)[:80]) from error
        return parse_document(document)
    return read_trace_text(text, "hamster" if "<ans>" in text else "molmoact", frame)


def thin_trace(trace: Trace, tolerance_px: float) -> Trace:
    """Return a trace without the points that lie within a tolerance [px] of what is left; ends and gripper events are kept."""
    opened = [] if trace.gripper is None else [g > 0.5 for g in trace.gripper]
    events = tuple(i for i in range(1, len(opened)) if opened[i] != opened[i - 1])
    kept = simplify_indices(trace.points, tolerance_px, fixed=events) if trace.points else []
    return replace(
        trace,
        points=tuple(trace.points[i] for i in kept),
        times_s=_picked(trace.times_s, kept),
        depths_m=_picked(trace.depths_m, kept),
        gripper=_picked(trace.gripper, kept),
    )


def _picked(values: tuple[float, ...] | None, indices: list[int]) -> tuple[float, ...] | None:
    return None if values is None else tuple(values[i] for i in indices)
