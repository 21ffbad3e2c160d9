"""Objects by words: masking what is called so, and telling which objects take part in an action."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from models.grounding import GroundingDino
from workbench.core.errors import InvalidInput
from workbench.core.masks import INCLUDE, MaskPrompt, Picture
from workbench.core.types import PROPRIO
from workbench.rollout.mask_checks import is_holding
from workbench.rollout.tracking_places import HAND_M
from workbench.segmentation.active import active_objects, is_named
from workbench.segmentation.masks import Box, box_of, inner_point

if TYPE_CHECKING:
    from panels.live import LiveSession

GROUNDING_ENV: Final = "VLAW_GROUNDING_DINO"
"""Names a folder or hub id with weights of Grounding DINO; with it any words find things."""
MOST: Final = 4
HAND_BOX_M: Final = 0.06
"""Half the size of the gripper's box around its tool centre point."""
WAIT_S: Final = 60.0


def find(session: LiveSession, text: str, camera: str) -> dict[str, Any]:
    """Mask the things of a name on the present picture; returns a row for each.

    Raises:
        InvalidInput: nothing here is called so.
    """
    tracking = session.masks.tracking
    picture = tracking.look(camera, has_truth=True).result(WAIT_S)
    model = os.environ.get(GROUNDING_ENV, "")
    found = _by_model(model, picture, text) if model else _by_name(picture, text, tracking.pool.get(tracking.segmenter).spec.is_privileged)
    if not found:
        known = ", ".join(sorted(set(picture.truth.names))) if picture.truth is not None else "nothing by name"
        raise InvalidInput("object", expected=f"one of: {known}", found=repr(text)[:60], fix="Or click on it.")
    rows = []
    for name, prompt, how in found[:MOST]:
        made = tracking.add_mask(name, camera, prompt).result(WAIT_S)
        rows.append({"name": made.name, "text": f"{how}, masked by {made.segmenter}, {int(made.mask.sum())} pixels"})
    return {"rows": rows}


def _by_name(picture: Picture, text: str, is_privileged: bool) -> list[tuple[str, MaskPrompt, str]]:
    """Return what the scene itself calls so: pointed at by truth, which the page says."""
    truth = picture.truth
    if truth is None:
        return []
    found = []
    for index, name in enumerate(truth.names):
        mask = truth.mask(index)
        point = inner_point(mask)
        if point is None or not is_named(text, name, truth.names):
            continue
        prompt = MaskPrompt(mask=mask) if is_privileged else MaskPrompt((point,), (INCLUDE,), _loose(box_of(mask)))
        found.append((name, prompt, "pointed at by the scene's own names (simulator's truth)"))
    return found


def _loose(box: Box | None) -> Box | None:
    return None if box is None else (box[0] - 2, box[1] - 2, box[2] + 2, box[3] + 2)


def _by_model(weights: str, picture: Picture, text: str) -> list[tuple[str, MaskPrompt, str]]:
    boxes = GroundingDino.load(weights).find(picture.pixels, text)
    return [(found.phrase or text, MaskPrompt(box=found.box), f"found by Grounding DINO, {100 * found.score:.0f} %") for found in boxes]


def active(session: LiveSession, text: str, camera: str) -> dict[str, Any]:
    """Tell which masked objects take part in an action, and why; a row for each.

    Raises:
        InvalidInput: nothing is masked on that camera.
    """
    tracking = session.masks.tracking
    objects = [o for o in tracking.board.state.objects if o.camera == camera]
    if not objects:
        raise InvalidInput("action", expected=f"masked objects on the camera {camera!r}", found="none", fix="Click on some things first.")
    history = session.controller.history()
    proprio = history.step(history.num_steps - 1).proprio if history.num_steps else None
    box, touched = None, frozenset[str]()
    if proprio is not None:
        ee = np.asarray(proprio[PROPRIO["ee_position"]], dtype=float)
        picture = tracking.look(camera, has_truth=False).result(WAIT_S)
        box = _hand_box(ee, picture)
        places = {o.id: tracking.place(o.id) for o in objects}
        near = [i for i, place in places.items() if place is not None and np.linalg.norm(place.centre - ee) < HAND_M / 2]
        touched = frozenset(near) if is_holding(proprio) else frozenset()
    names = {o.id: o.name for o in objects}
    found = active_objects(text, {o.id: o.mask for o in objects}, names, gripper_box=box, touched=touched)
    rows = [
        {
            "name": names[i],
            "text": f"takes part: {', '.join(a.reasons)}" if a.is_active else "takes no part",
            "id": i,
            "is_active": a.is_active,
        }
        for i, a in found.items()
    ]
    return {"rows": rows}


def _hand_box(ee: np.ndarray[Any, np.dtype[np.float64]], picture: Picture) -> Box | None:
    """Return the box of the gripper's finger tips on a picture [px], or None where the camera is not known."""
    if picture.pinhole is None:
        return None
    corners = ee + HAND_BOX_M * np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-0.3, 1)])
    pixels, depths = picture.pinhole.project(corners)
    if not (depths > 0).all():
        return None
    (u0, v0), (u1, v1) = pixels.min(axis=0), pixels.max(axis=0)
    return float(u0), float(v0), float(u1), float(v1)
