"""Pictures, embeddings and trackers of one rollout, each made once for a frame; used and closed in one thread."""

from __future__ import annotations

from collections.abc import Mapping

from workbench.core.errors import InvalidInput
from workbench.core.masks import Embedding, MaskPrompt, Picture, TrackedMask
from workbench.core.protocols import Tracker
from workbench.rollout.controller import RolloutController
from workbench.rollout.picturing import Photographer, Snap
from workbench.segmentation.objects import MaskedObject
from workbench.segmentation.pool import SegmenterPool

_MAX_EMBEDDINGS = 3

Key = tuple[str, str]
"""Camera and segmenter."""


class Frames:
    """What is known of the frames that are looked at."""

    def __init__(self, controller: RolloutController, pool: SegmenterPool) -> None:
        self._pool = pool
        self._camera = Photographer(controller)
        self._trackers: dict[Key, Tracker] = {}
        self._standing: dict[Key, object] = {}
        """The frame at which each tracker stands."""
        self._embeddings: dict[tuple[object, str, str], Embedding] = {}

    def present(self) -> Snap | None:
        """Return the newest state, or None before the first episode."""
        return self._camera.present()

    def snap(self, step: int | None) -> Snap:
        """Return the state before an earlier step, or the newest one.

        Raises:
            InvalidInput: there is no scene.
        """
        found = None if step is None else self._camera.past(step)
        found = found or self._camera.present()
        if found is None:
            raise InvalidInput("mask", expected="a scene", found="none", fix="Start an episode first.")
        return found

    def picture(self, snap: Snap, camera: str, segmenter: str) -> Picture:
        """Return the picture that a segmenter sees: with the simulator's truth only when it is privileged."""
        return self.plain(snap, camera, has_truth=self._pool.get(segmenter).spec.is_privileged)

    def plain(self, snap: Snap, camera: str, *, has_truth: bool = False) -> Picture:
        """Return a picture of a state."""
        return self._camera.take(snap, camera, has_truth=has_truth)

    def embedding(self, snap: Snap, camera: str, segmenter: str) -> Embedding:
        """Return what a segmenter makes of a picture; the newest few are kept."""
        key = (snap.key, camera, segmenter)
        if key not in self._embeddings:
            while len(self._embeddings) >= _MAX_EMBEDDINGS:
                del self._embeddings[next(iter(self._embeddings))]
            self._embeddings[key] = self._pool.get(segmenter).embed(self.picture(snap, camera, segmenter))
        return self._embeddings[key]

    def track(self, snap: Snap, key: Key) -> Mapping[str, TrackedMask]:
        """Go on to a frame with the tracker of a camera and segmenter; nothing where it stands there already."""
        tracker = self._tracker(snap, key)
        if self._standing[key] == snap.key:
            return {}
        self._standing[key] = snap.key
        return tracker.track(self.picture(snap, *key))

    def tell(self, found: MaskedObject, snap: Snap) -> None:
        """Let the tracker go on with an object's mask, on the frame on which it was made."""
        key = (found.camera, found.segmenter)
        tracker = self._tracker(snap, key)
        if self._standing[key] != snap.key:
            self._standing[key] = snap.key
            tracker.track(self.picture(snap, *key))
        tracker.prompt(found.id, MaskPrompt(mask=found.mask))

    def forget(self, found: MaskedObject) -> None:
        """Follow an object no longer."""
        tracker = self._trackers.get((found.camera, found.segmenter))
        if tracker is not None:
            tracker.remove(found.id)

    def clear(self) -> None:
        """Forget every tracker: another scene has come."""
        self._trackers.clear()
        self._standing.clear()
        self._embeddings.clear()

    def close(self) -> None:
        """Release the view."""
        self._camera.close()

    def _tracker(self, snap: Snap, key: Key) -> Tracker:
        """Return the tracker of a camera; a new one starts at the given frame and knows nothing yet."""
        if key not in self._trackers:
            tracker = self._pool.get(key[1]).make_tracker()
            tracker.start(self.picture(snap, *key))
            self._trackers[key], self._standing[key] = tracker, snap.key
        return self._trackers[key]
