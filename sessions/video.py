"""Files for people: an episode as MP4 with what matters written on it, a moment as PNG, the timeline as JSON."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from sessions.files import new_file
from sessions.film_codec import best_codec
from sessions.records import EpisodeInfo
from sessions.replay import EpisodeView, MakeSimulator, open_episode_view
from sessions.store import Store, event_payload
from workbench.core.errors import InvalidInput, StoreError
from workbench.core.events import Event, EventKind
from workbench.core.protocols import Quality
from workbench.core.sketches import Sketch
from workbench.core.types import Actor, CameraRequest, SimState
from workbench.sketch import raster
from workbench.sketch.strokes import parse_sketch

DrawSketch = Callable[[NDArray[np.uint8], Sketch], NDArray[np.uint8]]
"""Returns a picture ``(H, W, 3) uint8`` with a sketch drawn on it."""
OnProgress = Callable[[int, int], None]
"""``on_progress(frames done, frames altogether)``."""

ACTOR_COLOURS: Final = {Actor.POLICY: (70, 130, 235), Actor.HUMAN: (245, 150, 40), Actor.HOLD: (140, 140, 145)}
"""RGB of the bar that tells who acts."""
_STRIP_PX: Final = 30
_BAR_PX: Final = 6
_MAX_SIDE_PX: Final = 2048


@dataclass(frozen=True)
class VideoOptions:
    """How an episode is drawn."""

    camera: CameraRequest = field(default_factory=lambda: CameraRequest("front", 480, 480))
    quality: Quality = "live"
    speed: float = 1.0
    """2 plays twice as fast."""
    has_overlay: bool = True
    """Whether task, step, time and actor are written above and below the picture, and the sketch on it."""

    def __post_init__(self) -> None:
        if not (16 <= self.camera.width <= _MAX_SIDE_PX and 16 <= self.camera.height <= _MAX_SIDE_PX):
            found = f"{self.camera.width} x {self.camera.height}"
            raise InvalidInput("video size", expected=f"16 to {_MAX_SIDE_PX} pixels a side", found=found)
        if not 0.1 <= self.speed <= 16.0:
            raise InvalidInput("video speed", expected="0.1 to 16", found=f"{self.speed}")


@dataclass(frozen=True)
class VideoReport:
    """What was written."""

    path: Path
    num_frames: int
    duration_s: float
    codec: str


@dataclass(frozen=True, eq=False)
class Moment:
    """One state of an episode with what is told about it."""

    step: int
    time_s: float
    actor: Actor | None
    """Who acts in the step that follows; None at the end."""
    state: SimState


def moments(store: Store, episode_id: str) -> Iterator[Moment]:
    """Yield the state before each step, and the final one where it was recorded; raises NotStored."""
    step = None
    for step in store.steps(episode_id):
        yield Moment(step.index, step.time_s, step.actor, step.state)
    final = store.final_state(episode_id)
    if final is not None:
        info = store.episode(episode_id)
        yield Moment(info.num_steps, info.duration_s, None, final)


def write_video(
    store: Store,
    episode_id: str,
    path: Path,
    make_simulator: MakeSimulator,
    *,
    options: VideoOptions | None = None,
    draw_sketch: DrawSketch = raster.draw_sketch,
    on_progress: OnProgress = lambda done, total: None,
) -> VideoReport:
    """Re-render an episode as MP4, one frame a control step, H.264 where this build of FFmpeg has it, else MPEG-4.

    Raises:
        NotStored: there is no such episode, or it has no steps.
        StoreError: the file cannot be written; what was there before stays.
    """
    options = options or VideoOptions()
    info, events = store.episode(episode_id), store.events(episode_id)
    total = info.num_steps + (store.final_state(episode_id) is not None)
    if total == 0:
        raise InvalidInput("video", expected="an episode with steps", found="none")
    rate = Fraction(info.config.control_hz * options.speed).limit_denominator(1000)
    codec, num_frames = best_codec(), 0
    with open_episode_view(store, episode_id, make_simulator) as view, new_file(path) as part, _encoder(part, codec, rate) as encode:
        for moment in moments(store, episode_id):
            encode(draw_moment(view, moment, events, options, draw_sketch))
            num_frames += 1
            on_progress(num_frames, total)
    return VideoReport(path, num_frames, float(num_frames / rate), codec)


def write_picture(
    store: Store,
    episode_id: str,
    step: int,
    path: Path,
    make_simulator: MakeSimulator,
    *,
    options: VideoOptions | None = None,
    draw_sketch: DrawSketch = raster.draw_sketch,
) -> Path:
    """Write the state before a step as PNG; errors as :func:`write_video`."""
    options = options or VideoOptions(quality="still")
    info = store.episode(episode_id)
    found = next(iter(store.steps(episode_id, step, step + 1)), None)
    state = found.state if found else store.state_at(episode_id, step)
    moment = Moment(step, found.time_s if found else info.duration_s, found.actor if found else None, state)
    with open_episode_view(store, episode_id, make_simulator) as view, new_file(path) as part:
        picture = draw_moment(view, moment, store.events(episode_id), options, draw_sketch)
        Image.fromarray(picture).save(part, format="png")
    return path


def write_events(store: Store, episode_id: str, path: Path) -> Path:
    """Write head and timeline of an episode as JSON; errors as :func:`write_video`."""
    info = store.episode(episode_id)
    document = {
        **info.head(),
        "notes": [{"step": note.step, "text": note.text, "written": note.written} for note in store.notes(episode_id)],
        "events": [event.to_dict() for event in store.events(episode_id)],
    }
    with new_file(path) as part:
        part.write_text(json.dumps(document, indent=1, ensure_ascii=False), encoding="utf-8")
    return path


def draw_moment(
    view: EpisodeView, moment: Moment, events: Sequence[Event], options: VideoOptions, draw_sketch: DrawSketch
) -> NDArray[np.uint8]:
    """Return the picture of a moment ``(H, W, 3) uint8``, with strips above and below when there is an overlay."""
    image = view.draw(moment.state, options.camera, options.quality)
    if not options.has_overlay:
        return image
    drawn = (event_payload(events, EventKind.SKETCH.value, moment.step) or {}).get("sketch")
    if drawn:
        sketch = parse_sketch(drawn)
        if sketch.camera == options.camera.name:
            image = draw_sketch(image, sketch)
    told = (event_payload(events, EventKind.INSTRUCTION.value, moment.step) or {}).get("text", view.info.instruction)
    return _with_strips(image, str(told), moment, view.info)


def _with_strips(image: NDArray[np.uint8], instruction: str, moment: Moment, info: EpisodeInfo) -> NDArray[np.uint8]:
    """Put the instruction above a picture, and step, time and actor below it."""
    height, width = image.shape[:2]
    canvas = Image.new("RGB", (width, height + 2 * _STRIP_PX + _BAR_PX), (24, 24, 27))
    canvas.paste(Image.fromarray(image), (0, _STRIP_PX))
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(14)
    middle, bottom = _STRIP_PX // 2, height + _STRIP_PX + _BAR_PX + _STRIP_PX // 2
    draw.text((8, middle), _fitted(draw, instruction, font, width - 16), (244, 244, 245), font, anchor="lm")
    if moment.actor is not None:
        draw.rectangle((0, height + _STRIP_PX, width, height + _STRIP_PX + _BAR_PX - 1), ACTOR_COLOURS[moment.actor])
    who = info.outcome.value if moment.actor is None else "human" if moment.actor is Actor.HUMAN else info.policy
    left, right = f"step {moment.step} / {info.num_steps}   {moment.time_s:.2f} s", _fitted(draw, who, font, width // 2)
    draw.text((8, bottom), left, (212, 212, 216), font, anchor="lm")
    draw.text((width - 8, bottom), right, (212, 212, 216), font, anchor="rm")
    return np.asarray(canvas)


def _fitted(draw: ImageDraw.ImageDraw, text: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, width: int) -> str:
    """Return one line of text, shortened to a width in pixels."""
    text = " ".join(text.split())[:400]
    while text and draw.textlength(text, font) > width:
        text = text[:-2].rstrip() + "…" if len(text) > 2 else ""
    return text


@contextlib.contextmanager
def _encoder(path: Path, codec: str, rate: Fraction) -> Iterator[Callable[[NDArray[np.uint8]], None]]:
    """Give a function that adds a picture ``(H, W, 3) uint8`` to an MP4 file; odd sides lose a pixel, as 4:2:0 asks for."""
    try:
        with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
            stream = container.add_stream(codec, rate=rate)
            assert isinstance(stream, av.VideoStream), "both codecs are for video"
            stream.pix_fmt = "yuv420p"
            if codec == "libx264":
                stream.options = {"crf": "20", "preset": "veryfast"}

            def encode(image: NDArray[np.uint8]) -> None:
                even = np.ascontiguousarray(image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2])
                if not stream.codec_context.is_open:
                    stream.height, stream.width = even.shape[:2]
                container.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))

            yield encode
            container.mux(stream.encode(None))
    except av.FFmpegError as error:
        raise StoreError(f"Video {path.name}", reason=f"it cannot be written ({error})", fix="Check the space on the disk.") from error
