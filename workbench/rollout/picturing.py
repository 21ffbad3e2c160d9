"""Pictures of a live rollout for whoever looks at it beside the loop: drawn in the caller's own thread, with a view of its own."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import NotStored
from workbench.core.masks import Picture
from workbench.core.protocols import Surveyor, View
from workbench.core.types import CameraRequest
from workbench.rollout.controller import RolloutController
from workbench.rollout.status import LiveScene
from workbench.segmentation.objects import Moment

PICTURE_PX: Final = 256
"""Side of the pictures that are segmented."""


class Snap:
    """A state of a rollout that can be drawn."""

    def __init__(self, scene: LiveScene, physics: NDArray[np.float64], moment: Moment, time_s: float, key: object) -> None:
        self.scene, self.physics, self.moment, self.time_s, self.key = scene, physics, moment, time_s, key


class Photographer:
    """Draws states of a controller. Used and closed in one thread."""

    def __init__(self, controller: RolloutController) -> None:
        self._controller = controller
        self._view: View | None = None
        self._scene: LiveScene | None = None
        self._taken: dict[tuple[object, str, bool], Picture] = {}

    def present(self) -> Snap | None:
        """Return the newest state, or None before the first episode."""
        latest = self._controller.latest()
        if latest is None:
            return None
        return Snap(latest.scene, latest.physics, Moment(latest.episode_id, latest.step), latest.time_s, ("live", latest.seq))

    def past(self, step: int) -> Snap | None:
        """Return the state before an earlier step of the present episode; None where that is the present."""
        latest, history = self._controller.latest(), self._controller.history()
        if latest is None:
            return None
        try:
            found = history.step(step)
        except NotStored:
            return None
        moment = Moment(history.episode_id, step)
        return Snap(latest.scene, found.state.physics, moment, found.time_s, ("past", *moment))

    def take(self, snap: Snap, camera: str, *, has_truth: bool) -> Picture:
        """Return a picture of a state, with depth and camera where the simulator tells them; the newest few are kept."""
        key = (snap.key, camera, has_truth)
        if key not in self._taken:
            while len(self._taken) >= 6:
                del self._taken[next(iter(self._taken))]
            self._taken[key] = self._draw(snap, camera, has_truth)
        return self._taken[key]

    def close(self) -> None:
        """Release the view."""
        if self._view is not None:
            self._view.close()
        self._view = self._scene = None
        self._taken.clear()

    def _draw(self, snap: Snap, camera: str, has_truth: bool) -> Picture:
        if self._view is None or self._scene is not snap.scene:
            self.close()
            self._view, self._scene = snap.scene.open_view(), snap.scene
        view, request = self._view, CameraRequest(camera, PICTURE_PX, PICTURE_PX)
        pixels = np.ascontiguousarray(view.render(snap.physics, request, "policy"))
        pinhole = view.pinhole(snap.physics, request)
        if not isinstance(view, Surveyor):
            return Picture(pixels, camera, None, pinhole)
        truth = view.object_ids(snap.physics, request) if has_truth else None
        return Picture(pixels, camera, view.depth(snap.physics, request), pinhole, truth)
