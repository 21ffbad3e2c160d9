"""What is asked of tracking, and what it shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workbench.core.errors import InvalidInput
from workbench.core.masks import Picture
from workbench.rollout.picturing import PICTURE_PX
from workbench.segmentation.masks import Pixels
from workbench.segmentation.objects import BoardState, MaskedObject, Moment, Sight


@dataclass(frozen=True)
class Asked:
    """What a person pointed at, in 0..1 of a camera's picture."""

    camera: str
    step: int | None = None
    """Step of the frame that was clicked; None for the present one."""
    points: tuple[tuple[float, float], ...] = ()
    labels: tuple[int, ...] = ()
    box: tuple[float, float, float, float] | None = None
    is_new: bool = False
    """Whether this begins a new object, although one is selected."""


@dataclass(frozen=True, eq=False)
class TrackingView:
    """What others may read."""

    version: int
    state: BoardState
    segmenter: str
    moment: Moment
    lag: int
    """Control steps between the present and the newest tracked frame."""
    track_ms: float
    """Time that the newest frame took."""
    asking: str | None
    """Lost object for which the policy waits."""
    can_undo: bool
    can_redo: bool
    trouble: str
    """Why nothing is tracked, or empty."""


def check_target(found: MaskedObject | None, camera: str) -> None:
    """Refuse a click that cannot be about an object.

    Raises:
        InvalidInput: it is locked, or was masked on another camera.
    """
    if found is not None and found.is_locked:
        raise InvalidInput(
            "click", expected="an object that is not locked", found=f"{found.name!r}, locked", fix="Unlock it, or begin a new one (N)."
        )
    if found is not None and found.camera != camera:
        raise InvalidInput(
            "click",
            expected=f"a click on the camera {found.camera!r}, on which {found.name!r} was masked",
            found=f"one on {camera!r}",
            fix="Change the camera, or begin a new object (N).",
        )


def mask_to_refine(found: MaskedObject | None) -> Pixels | None:
    """Return the mask that further clicks refine; a lost object is clicked anew."""
    return found.mask if found is not None and found.sight is not Sight.LOST and found.mask.any() else None


def box_in_pixels(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """Return a box of 0..1 in pixels, its corners in order."""
    u0, v0, u1, v1 = (x * PICTURE_PX for x in box)
    return min(u0, u1), min(v0, v1), max(u0, u1), max(v0, v1)


def name_of(masked: MaskedObject, picture: Picture, state: BoardState) -> str:
    """Return what a new object is called: where truth is known as the simulator calls it, else by its number."""
    truth = picture.truth
    if truth is not None:
        shares = [(int((truth.mask(i) & masked.mask).sum()), name) for i, name in enumerate(truth.names)]
        return max(shares)[1]
    used = {o.name for o in state.objects}
    return next(name for i in range(1, 1000) if (name := f"object {i}") not in used)


def event_of(found: MaskedObject, what: str) -> dict[str, Any]:
    """Return what the timeline keeps of an object: ``new``, ``corrected``, ``removed``, or how well it is seen."""
    return {
        "object": found.id,
        "name": found.name,
        "colour": found.colour,
        "state": what,
        "segmenter": found.segmenter,
        "confidence": round(found.confidence, 3),
    }
