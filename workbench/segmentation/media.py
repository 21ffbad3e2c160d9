"""Masks on a picture or video of one's own: prompts on any frame, carried through the others by a tracker."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import InvalidInput, UnknownName
from workbench.core.masks import INCLUDE, Embedding, MaskPrompt, Picture
from workbench.core.protocols import Segmenter
from workbench.segmentation import coco
from workbench.segmentation.masks import Pixels, outline

MAX_OBJECTS: Final = 12
COLOURS: Final = (
    (255, 214, 10),
    (56, 189, 248),
    (255, 95, 162),
    (74, 222, 128),
    (183, 139, 255),
    (255, 159, 67),
    (45, 212, 191),
    (248, 113, 113),
)
MIN_AREA_PX: Final = 2
_PERIOD: Final = 25
"""Progress is told after so many frames at the latest."""

_log = logging.getLogger(__name__)

Frame = NDArray[np.uint8]
OnProgress = Callable[[int, int], None]


@dataclass
class MediaObject:
    """One object of a picture or video."""

    name: str
    colour: int
    prompts: dict[int, MaskPrompt] = field(default_factory=dict)
    """Frame -> what was said about it there."""
    masks: dict[int, Pixels] = field(default_factory=dict)
    """Frame -> its mask."""
    confidences: dict[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Following:
    """How far objects were followed through a video."""

    done: int = 0
    total: int = 0
    is_running: bool = False
    trouble: str = ""
    """Why it stopped short, for the person."""


class MediaMasks:
    """The masks of one upload; any thread may use it, one at a time."""

    def __init__(self, frames: Sequence[Frame], segmenter: Segmenter, *, name: str = "upload") -> None:
        """Take frames ``(H, W, 3) uint8`` of one size, one for a picture."""
        self.frames, self.segmenter, self.name = tuple(frames), segmenter, name
        self.objects: list[MediaObject] = []
        self.selected: int | None = None
        self._lock = threading.RLock()
        self._cancel = threading.Event()
        self._done: list[tuple[int, int]] = []
        self._embedded: tuple[int, Embedding] | None = None
        self.following = Following()
        """How far :meth:`follow` has come."""

    @property
    def height(self) -> int:
        """Rows of a frame [px]."""
        return int(self.frames[0].shape[0])

    @property
    def width(self) -> int:
        """Columns of a frame [px]."""
        return int(self.frames[0].shape[1])

    def click(self, frame: int, point: tuple[float, float], label: int) -> MediaObject:
        """Say that a pixel (u, v) belongs to the selected object, or does not; without a selected one, begin one.

        Raises:
            InvalidInput: the frame or the pixel is outside, the first click excludes, or nothing was found.
        """
        with self._lock:
            u, v = point
            if not (0 <= frame < len(self.frames) and 0 <= u <= self.width and 0 <= v <= self.height):
                raise InvalidInput(
                    "click",
                    expected=f"a pixel of frame 0 to {len(self.frames) - 1} of {self.width} x {self.height}",
                    found=f"({u:.0f}, {v:.0f}) of frame {frame}",
                )
            found = self.objects[self.selected] if self.selected is not None else None
            before = _prompt_at(found, frame)
            prompt = MaskPrompt((*before.points, (u, v)), (*before.labels, label), before.box, before.mask)
            mask = self._segment(frame, prompt)
            if found is None:
                if len(self.objects) >= MAX_OBJECTS:
                    raise InvalidInput("objects", expected=f"at most {MAX_OBJECTS}", found="one more", fix="Clear some first.")
                found = MediaObject(f"object {len(self.objects) + 1}", len(self.objects) % len(COLOURS))
                self.objects.append(found)
                self.selected = len(self.objects) - 1
            found.prompts[frame], found.masks[frame], found.confidences[frame] = prompt, mask, 1.0
            self._done.append((self.objects.index(found), frame))
            return found

    def undo(self) -> bool:
        """Take back the last click; tells whether there was one."""
        with self._lock:
            if not self._done:
                return False
            index, frame = self._done.pop()
            found = self.objects[index]
            prompt = found.prompts[frame]
            if len(prompt.points) > 1:
                found.prompts[frame] = kept = MaskPrompt(prompt.points[:-1], prompt.labels[:-1], prompt.box, prompt.mask)
                found.masks[frame] = self._segment(frame, kept)
                return True
            del found.prompts[frame], found.masks[frame]
            if not found.prompts:
                self.objects.pop(index)
                self._done = [(i - (i > index), f) for i, f in self._done if i != index]
                self.selected = None
            return True

    def new_object(self) -> None:
        """Let the next click begin another object."""
        self.selected = None

    def clear(self) -> None:
        """Forget every object."""
        with self._lock:
            self.objects, self._done, self.selected = [], [], None

    def cancel(self) -> None:
        """Stop :meth:`propagate` after the present frame; what was found stays."""
        self._cancel.set()

    def propagate(self) -> Iterator[tuple[int, int]]:
        """Follow every object through all frames, forth from its first prompt; yields frames done and frames in all.

        Prompts of later frames correct the track when it comes to them.

        Raises:
            InvalidInput: nothing was masked yet.
        """
        first = self._first_prompt()
        self._cancel.clear()
        tracker = self.segmenter.make_tracker()
        tracker.start(Picture(self.frames[first]))
        for frame in range(first, len(self.frames)):
            if self._cancel.is_set():
                return
            found = tracker.track(Picture(self.frames[frame])) if frame > first else {}
            with self._lock:
                for index, item in enumerate(self.objects):
                    if frame in item.prompts:
                        tracker.prompt(str(index), MaskPrompt(mask=item.masks[frame]))
                    elif str(index) in found:
                        tracked = found[str(index)]
                        item.masks[frame], item.confidences[frame] = tracked.pixels, tracked.confidence
            yield frame - first + 1, len(self.frames) - first

    def follow(self) -> None:
        """Run :meth:`propagate` in a thread of its own; :attr:`following` tells how far it is.

        Raises:
            InvalidInput: nothing was masked yet, or it runs already.
        """
        self._first_prompt()
        if self.following.is_running:
            raise InvalidInput("following", expected="one run at a time", found="another one", fix="Wait for it, or cancel it.")
        self.following = Following(is_running=True)
        threading.Thread(target=self._follow, name="follow-upload", daemon=True).start()

    def _follow(self) -> None:
        try:
            for done, total in self.propagate():
                self.following = Following(done, total, is_running=True)
        except Exception as error:
            _log.exception("Following the objects of %s failed.", self.name)
            self.following = replace(self.following, trouble=str(error))
        finally:
            self.following = replace(self.following, is_running=False)

    def _first_prompt(self) -> int:
        with self._lock:
            asked = [min(o.prompts) for o in self.objects if o.prompts]
        if not asked:
            raise InvalidInput("propagation", expected="at least one object", found="none", fix="Click on a thing in a frame first.")
        return min(asked)

    def overlay(self, frame: int) -> Frame:
        """Return a frame with its masks painted in and its clicks marked ``(H, W, 3) uint8``."""
        if not 0 <= frame < len(self.frames):
            raise UnknownName("frame", str(frame), (f"0 to {len(self.frames) - 1}",))
        with self._lock:
            picture = self.frames[frame].astype(np.float32)
            for item in self.objects:
                mask = item.masks.get(frame)
                if mask is None or not mask.any():
                    continue
                colour = np.array(COLOURS[item.colour], dtype=np.float32)
                picture[mask] = 0.58 * picture[mask] + 0.42 * colour
                picture[outline(mask)] = colour
            painted = picture.astype(np.uint8)
            for item in self.objects:
                prompt = item.prompts.get(frame, MaskPrompt())
                for (u, v), label in zip(prompt.points, prompt.labels, strict=True):
                    _dot(painted, u, v, (22, 163, 74) if label == INCLUDE else (220, 38, 38))
            return painted

    def to_coco(self) -> dict[str, Any]:
        """Return all masks as one COCO document: a frame is an image, an object a category."""
        with self._lock:
            found = [(f, i, o.masks[f]) for i, o in enumerate(self.objects) for f in sorted(o.masks) if o.masks[f].any()]
            return {
                "info": {"description": f"{self.name}, masked by {self.segmenter.spec.name}"},
                "images": [
                    {"id": f, "file_name": f"{self.name}-{f:05d}.png", "width": self.width, "height": self.height}
                    for f in range(len(self.frames))
                ],
                "categories": [{"id": i + 1, "name": o.name} for i, o in enumerate(self.objects)],
                "annotations": [
                    coco.annotation(mask, annotation_id=k + 1, image_id=f, category_id=i + 1) for k, (f, i, mask) in enumerate(found)
                ],
            }

    def index_masks(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield each frame that has masks as ``(H, W) uint8``: 0 for nothing, else 1 + place of the object."""
        for frame in range(len(self.frames)):
            picture = np.zeros((self.height, self.width), np.uint8)
            for index, item in enumerate(self.objects):
                mask = item.masks.get(frame)
                if mask is not None:
                    picture[mask] = index + 1
            if picture.any():
                yield frame, picture

    def _segment(self, frame: int, prompt: MaskPrompt) -> Pixels:
        if prompt.is_empty:
            raise InvalidInput("first click", expected="a point on the object", found="one that excludes", fix="Click on the object first.")
        if self._embedded is None or self._embedded[0] != frame:
            self._embedded = frame, self.segmenter.embed(Picture(self.frames[frame]))
        mask = self.segmenter.segment(self._embedded[1], prompt)[0].pixels
        if int(mask.sum()) < MIN_AREA_PX:
            raise InvalidInput("object", expected="something there", found=f"{int(mask.sum())} pixels", fix="Click on a thing.")
        return mask


def _prompt_at(found: MediaObject | None, frame: int) -> MaskPrompt:
    if found is None:
        return MaskPrompt()
    mask = found.masks.get(frame)
    return found.prompts.get(frame) or MaskPrompt(mask=mask if mask is not None and mask.any() else None)


def _dot(picture: Frame, u: float, v: float, colour: tuple[int, int, int]) -> None:
    radius = max(3, round(0.008 * max(picture.shape[:2])))
    rows, columns = np.ogrid[: picture.shape[0], : picture.shape[1]]
    away = np.hypot(rows + 0.5 - v, columns + 0.5 - u)
    picture[away <= radius + 1.5] = (255, 255, 255)
    picture[away <= radius] = colour
