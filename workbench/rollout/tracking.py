"""Objects that are masked on the live picture and tracked beside the loop, in a thread of their own.

The stepping thread never waits for it: it publishes states as always, and whoever needs a mask reads the newest one. How many control
steps that one is behind is known at every moment (:attr:`TrackingView.lag`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, Final

from workbench.core.errors import InvalidInput, WorkbenchError
from workbench.core.events import EventKind, new_id
from workbench.core.masks import MaskPrompt, Picture
from workbench.core.types import Mask
from workbench.rollout.controller import RolloutController
from workbench.rollout.picturing import PICTURE_PX, Snap
from workbench.rollout.side_thread import SideThread
from workbench.rollout.tracking_frames import Frames
from workbench.rollout.tracking_places import Place, is_in_hand, place_of
from workbench.rollout.tracking_requests import Asked, TrackingView, box_in_pixels, check_target, event_of, mask_to_refine, name_of
from workbench.segmentation.carrying import carry_mask
from workbench.segmentation.masks import Pixels
from workbench.segmentation.objects import (
    MaskedObject,
    Moment,
    ObjectBoard,
    Sight,
    changed_object,
    chosen,
    prompt_with,
    sight_of,
)
from workbench.segmentation.pool import SegmenterPool

MIN_AREA_PX: Final = 6
"""A smaller mask cannot be tracked."""
MAX_HZ: Final = 20.0
"""Frames are tracked at most this often: the control rate."""
REST_SHARE: Final = 0.6
"""Of the time that a frame took, the tracker rests before the next one, so that the loop keeps its core."""
CATCH_UP_FRAMES: Final = 24
"""A click on an earlier frame is tracked to the present over at most this many frames."""
LOST_AFTER_S: Final = 1.0
POLICY_CAMERA: Final = "front"
"""Policies are told masks on this camera."""

_log = logging.getLogger(__name__)


class ObjectTracking:
    """Masks objects of a live rollout and follows them. Every method may be called from any thread; masks are made in its own."""

    def __init__(
        self, controller: RolloutController, pool: SegmenterPool, segmenter: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.board = ObjectBoard()
        self.pool = pool
        self.segmenter = segmenter
        self.is_pausing_on_lost = True
        self.lost_after_s = LOST_AFTER_S
        self.targets: frozenset[str] = frozenset()
        """The objects that the policy acts on; when one is lost, it pauses."""
        self._controller, self._clock = controller, clock
        self._armed_camera = ""
        self._asking: str | None = None
        self._moment = Moment("", 0)
        self._track_ms, self._trouble = 0.0, ""
        self._places: Mapping[str, Place] = {}
        self._carried: Mapping[str, Pixels] = {}
        self._thread = SideThread("tracking", self._keep_up, lambda: self._frames.close())
        # The thread's own.
        self._frames = Frames(controller, pool)
        self._seen_s: dict[str, float] = {}
        self._scene_digest = ""
        self._key: object = None
        self._due_s = 0.0
        controller.subscribe(self._on_state)
        self._thread.start()

    # --- from any thread ---

    def arm(self, camera: str) -> None:
        """Look at every new frame of a camera ahead, so that a click is answered at once; an empty name stops that."""
        self._armed_camera = camera
        self._thread.wake()

    def ask(self, asked: Asked) -> Future[MaskedObject]:
        """Mask what a person points at: a new object, or more about the selected one."""
        return self._thread.ask(lambda: self._ask(asked))

    def choose(self, object_id: str, index: int) -> Future[MaskedObject]:
        """Let a click mean another of its candidates."""
        return self._thread.ask(lambda: self._put(chosen(self.board.state.find(object_id), index)))

    def add_mask(self, name: str, camera: str, prompt: MaskPrompt) -> Future[MaskedObject]:
        """Add an object that was found in another way, as a prompt on the present picture (pixels of :data:`PICTURE_PX`)."""
        return self._thread.ask(lambda: self._add(name, camera, prompt))

    def look(self, camera: str, *, has_truth: bool) -> Future[Picture]:
        """Return the present picture of a camera."""
        return self._thread.ask(lambda: self._frames.plain(self._frames.snap(None), camera, has_truth=has_truth))

    def remove(self, object_id: str) -> Future[None]:
        """Forget an object; undo brings it back."""
        return self._thread.ask(lambda: self._remove(object_id))

    def move_in_history(self, offset: int) -> Future[bool]:
        """Take back (-1) or bring back (+1) one prompt; tells whether there was one."""
        return self._thread.ask(lambda: self._move(offset))

    def change(self, object_id: str, changes: Mapping[str, Any]) -> None:
        """Rename, recolour, lock or hide an object.

        Raises:
            UnknownName: there is none of that id.
            InvalidInput: a value does not do.
        """
        self.board.remember(self.board.state.replaced(changed_object(self.board.state.find(object_id), changes)))

    def select(self, object_id: str | None) -> None:
        """Choose which object the next click is about; None begins a new one."""
        if object_id is not None:
            self.board.state.find(object_id)
        self.board.update(lambda state: replace(state, selected=object_id))

    def set_segmenter(self, name: str) -> Future[None]:
        """Mask with another segmenter from now on; objects that are there go on with theirs."""
        self.pool.catalog.entry(name)

        def change() -> None:
            self.pool.get(name)
            self.segmenter, self._trouble = name, ""
            self.board.update(lambda state: state)

        return self._thread.ask(change)

    def place(self, object_id: str) -> Place | None:
        """Return where in the world an object was last seen."""
        return self._places.get(object_id)

    def told_mask(self, object_id: str) -> Mask | None:
        """Return an object's newest mask on :data:`POLICY_CAMERA`; None while it was not carried there yet."""
        found = next((o for o in self.board.state.objects if o.id == object_id), None)
        if found is None:
            return None
        pixels = found.mask if found.camera == POLICY_CAMERA else self._carried.get(object_id)
        source = "oracle" if self.pool.get(found.segmenter).spec.is_privileged else "tracker"
        return None if pixels is None else Mask(POLICY_CAMERA, pixels, source)

    def aim(self, object_ids: frozenset[str]) -> Future[None]:
        """Follow these objects on the policy's camera as well, from now on."""
        self.targets = object_ids
        return self._thread.ask(lambda: self._carry(self._frames.snap(None)))

    @property
    def step(self) -> int:
        """Step of the newest frame that was tracked."""
        return self._moment.step

    def view(self) -> TrackingView:
        """Return everything that is shown."""
        status, board = self._controller.status(), self.board
        is_same = status.episode_id == self._moment.episode_id
        lag = max(0, status.step - self._moment.step) if is_same and board.state.objects else 0
        return TrackingView(
            board.version,
            board.state,
            self.segmenter,
            self._moment,
            lag,
            self._track_ms,
            self._asking,
            board.can_undo,
            board.can_redo,
            self._trouble,
        )

    def answer(self) -> None:
        """Stop asking about a lost object: the person goes on without it."""
        self._asking = None
        self.board.update(lambda state: state)

    def close(self) -> None:
        """Stop the thread and release its view; again is harmless."""
        self._controller.unsubscribe(self._on_state)
        self._thread.close()

    # --- the thread ---

    def _on_state(self) -> None:
        if self._armed_camera or self.board.state.objects:
            self._thread.wake()

    def _keep_up(self) -> None:
        """Track the newest frame when one is due; look ahead for the tool that is chosen."""
        wait_s = self._due_s - self._clock()
        if self._thread.is_closing or (wait_s > 0 and self._thread.rest(wait_s)):
            return  # it comes back at once, after what was asked meanwhile
        begun = self._clock()
        try:
            snap = self._frames.present()
            if snap is None:
                return
            if self.board.state.objects and snap.key != self._key:
                self._follow(snap)
            if self._armed_camera:
                self._frames.embedding(snap, self._armed_camera, self.segmenter)
            self._trouble = ""
            self._due_s = begun + max(1.0 / MAX_HZ, (self._clock() - begun) * (1.0 + REST_SHARE))
        except Exception as error:
            if not isinstance(error, WorkbenchError):
                _log.exception("Tracking failed")
            self._trouble = str(error)
            self._due_s = self._clock() + 1.0

    def _follow(self, snap: Snap) -> None:
        begun = self._clock()
        self._turn_over(snap)
        places = dict(self._places)
        for camera, segmenter in {(o.camera, o.segmenter) for o in self.board.state.objects}:
            found = self._frames.track(snap, (camera, segmenter))
            picture = self._frames.picture(snap, camera, segmenter)
            for object_id, tracked in found.items():
                if tracked.confidence > 0:
                    self._seen_s[object_id] = snap.time_s
                    place = place_of(tracked.pixels, picture)
                    if place is not None:
                        places[object_id] = place
                self._note(object_id, snap, tracked.confidence, tracked.pixels if tracked.confidence > 0 else None, places)
        self._places = places
        self._key, self._moment = snap.key, snap.moment
        self._carry(snap)
        self._track_ms = 1e3 * (self._clock() - begun)

    def _carry(self, snap: Snap) -> None:
        """Carry targets that were masked on another camera to the policy's; one that is not seen stays where it was."""
        carried = {}
        for found in self.board.state.objects:
            if found.id not in self.targets or found.camera == POLICY_CAMERA or found.sight is Sight.LOST:
                continue
            source = self._frames.picture(snap, found.camera, found.segmenter)
            pixels = carry_mask(found.mask, source, self._frames.plain(snap, POLICY_CAMERA))
            if pixels.any():
                carried[found.id] = pixels
        self._carried = {**self._carried, **carried}

    def _turn_over(self, snap: Snap) -> None:
        """Forget everything when another scene has come; in the same one the objects are looked for again."""
        digest = snap.scene.config.digest()
        if digest != self._scene_digest and self._scene_digest:
            self.board.clear()
            self._frames.clear()
            self._seen_s.clear()
            self._places, self._carried, self._asking, self.targets = {}, {}, None, frozenset()
        elif snap.moment.episode_id != self._moment.episode_id:
            self._seen_s = dict.fromkeys(self._seen_s, snap.time_s)
        self._scene_digest = digest

    def _note(self, object_id: str, snap: Snap, confidence: float, pixels: Any, places: Mapping[str, Place]) -> None:
        """Write down how an object is seen now; when a target is lost, let the policy wait."""
        before = next((o for o in self.board.state.objects if o.id == object_id), None)
        if before is None:
            return
        sight = sight_of(confidence, snap.time_s - self._seen_s.setdefault(object_id, snap.time_s), self.lost_after_s)
        if sight is Sight.LOST and is_in_hand(places.get(object_id), self._controller.history()):
            sight = Sight.LOW
        now = replace(before, confidence=confidence, sight=sight, mask=before.mask if pixels is None else pixels)
        self.board.update(lambda state: state.replaced(now) if any(o.id == object_id for o in state.objects) else state)
        if sight is before.sight:
            return
        self._record(now, sight.value, "system")
        is_waiting = sight is Sight.LOST and object_id in self.targets and self.is_pausing_on_lost
        if is_waiting and self._controller.status().mode == "autonomous":
            self._asking = object_id
            self._controller.pause()

    # --- making masks ---

    def _ask(self, asked: Asked) -> MaskedObject:
        snap = self._frames.snap(asked.step)
        self._turn_over(snap)
        state = self.board.state
        found = None if asked.is_new or state.selected is None else state.find(state.selected)
        check_target(found, asked.camera)
        is_same_frame = found is not None and found.asked_at == snap.moment
        before = found.prompt if found and is_same_frame else MaskPrompt(mask=mask_to_refine(found))
        points = tuple((u * PICTURE_PX, v * PICTURE_PX) for u, v in asked.points)
        box = None if asked.box is None else box_in_pixels(asked.box)
        prompt = prompt_with(before, points, asked.labels, box)
        if prompt.is_empty:
            raise InvalidInput(
                "first click", expected="a point on the object", found="only what does not belong to it", fix="Click on the object first."
            )
        masked = self._segmented(snap, asked.camera, prompt)
        if found is None:
            named = replace(masked, name=name_of(masked, self._frames.picture(snap, masked.camera, self.segmenter), state))
            made = replace(named, id=new_id(), colour=self.board.next_colour())
        else:
            made = replace(masked, id=found.id, name=found.name, colour=found.colour, is_hidden=found.is_hidden)
        self.board.remember(replace(state.replaced(made), selected=made.id))
        self._tell(made, snap)
        self._seen_s[made.id] = snap.time_s
        self._record(made, "new" if found is None else "corrected", "human")
        if asked.step is not None:
            self._catch_up(snap)
        if self._asking == made.id:
            self._asking = None
            self._controller.resume()
        return made

    def _add(self, name: str, camera: str, prompt: MaskPrompt) -> MaskedObject:
        snap = self._frames.snap(None)
        self._turn_over(snap)
        masked = self._segmented(snap, camera, prompt)
        made = replace(masked, id=new_id(), name=name, colour=self.board.next_colour())
        self.board.remember(replace(self.board.state.replaced(made), selected=made.id))
        self._tell(made, snap)
        self._seen_s[made.id] = snap.time_s
        self._record(made, "new", "human")
        return made

    def _segmented(self, snap: Snap, camera: str, prompt: MaskPrompt) -> MaskedObject:
        candidates = self.pool.get(self.segmenter).segment(self._frames.embedding(snap, camera, self.segmenter), prompt)
        candidates = tuple(c for c in candidates if c.pixels.any()) or candidates[:1]
        best = candidates[0]
        area = int(best.pixels.sum())
        if area < MIN_AREA_PX:
            raise InvalidInput(
                "object",
                expected=f"something of at least {MIN_AREA_PX} pixels there",
                found="nothing" if area == 0 else f"{area} pixels",
                fix="Click on a thing, drag a box around it, or look at it with another camera.",
            )
        options = candidates if len(candidates) > 1 else ()
        return MaskedObject(
            "", "", 0, camera, self.segmenter, best.pixels, best.score, prompt=prompt, asked_at=snap.moment, candidates=options
        )

    def _put(self, changed: MaskedObject) -> MaskedObject:
        """Take a changed object: its mask is what the tracker goes on with."""
        self.board.remember(self.board.state.replaced(changed))
        self._tell(changed, self._frames.snap(None))
        return changed

    def _remove(self, object_id: str) -> None:
        found = self.board.state.find(object_id)
        self.board.remember(self.board.state.without(object_id))
        self._frames.forget(found)
        self._record(found, "removed", "human")
        if self._asking == object_id:
            self._asking = None

    def _move(self, offset: int) -> bool:
        before = self.board.move(offset)
        if before is None:
            return False
        now, snap = self.board.state, self._frames.snap(None)
        kept = {o.id for o in now.objects}
        for gone in (o for o in before.objects if o.id not in kept):
            self._frames.forget(gone)
        for found in now.objects:
            if all(found is not o for o in before.objects):
                self._tell(found, snap)
        return True

    # --- parts ---

    def _tell(self, found: MaskedObject, snap: Snap) -> None:
        """Let the tracker go on with an object's mask, and note where it is."""
        self._frames.tell(found, snap)
        place = place_of(found.mask, self._frames.picture(snap, found.camera, found.segmenter))
        if place is not None:
            self._places = {**self._places, found.id: place}
        self._moment = snap.moment

    def _catch_up(self, snap: Snap) -> None:
        """Track from an earlier frame to the present."""
        present = self._frames.snap(None)
        if present.moment.episode_id != snap.moment.episode_id:
            return
        gap = present.moment.step - snap.moment.step
        stride = max(1, -(-gap // CATCH_UP_FRAMES))
        for step in range(snap.moment.step + stride, present.moment.step, stride):
            self._follow(self._frames.snap(step))
        self._follow(present)

    def _record(self, found: MaskedObject, what: str, actor: str) -> None:
        try:
            self._controller.record(EventKind.OBJECT, event_of(found, what), actor=actor)
        except WorkbenchError as error:
            _log.debug("Not recorded: %s", error)
