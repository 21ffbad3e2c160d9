"""The masked objects of one tab: what the page sends and what it is shown."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from panels.render.masks import object_to_dict
from workbench.core.errors import InvalidInput
from workbench.core.types import Interaction
from workbench.rollout.mask_program import MaskProgram, ProgramStep
from workbench.rollout.tracking import ObjectTracking
from workbench.rollout.tracking_requests import Asked
from workbench.segmentation.media import MediaMasks
from workbench.segmentation.objects import Sight
from workbench.segmentation.pool import UNPRIVILEGED, SegmenterPool

if TYPE_CHECKING:
    from panels.live import LiveSession
    from workbench.core.events import Event
    from workbench.core.types import Step

PREFERRED: Final = (*UNPRIVILEGED, "oracle")
"""Which segmenter a tab begins with: the first of these that there is."""
WAIT_S: Final = 60.0
"""Longest wait for a mask; large models on a CPU take their time."""


class MaskDesk:
    """What a tab holds of masked objects; every method may be called from any thread."""

    def __init__(self, session: LiveSession) -> None:
        self._session = session
        self.pool: SegmenterPool | None = None
        """Where segmenters come from; None where there are none."""
        self.preferred: Sequence[str] = PREFERRED
        """Segmenters to begin with, the first that can be loaded."""
        self.media: MediaMasks | None = None
        """The picture or video of one's own that is open."""
        self._lock = threading.Lock()
        self._tracking: ObjectTracking | None = None
        self._program: MaskProgram | None = None
        self._is_closed = False

    @property
    def tracking(self) -> ObjectTracking:
        """Masks and tracks; its thread starts when it is first used.

        Raises:
            InvalidInput: this workbench has no segmenters, or the tab is closed.
        """
        with self._lock:
            if self._tracking is None:
                if self.pool is None or self._is_closed:
                    raise InvalidInput("mask", expected="a segmenter", found="none", fix="Start the workbench by app.py.")
                first = self.pool.first(self.preferred).spec.name
                self._tracking = ObjectTracking(self._session.controller, self.pool, first)
            return self._tracking

    @property
    def program(self) -> MaskProgram:
        """The list of what shall be done with which object."""
        tracking = self.tracking
        with self._lock:
            if self._program is None:
                self._program = MaskProgram(self._session.controller, tracking)
            return self._program

    # --- what the page asks ---

    def point(self, asked: Asked) -> dict[str, Any]:
        """Mask what was clicked; return the object."""
        if self._session.stored is not None:
            raise InvalidInput("click", expected="a live picture", found="a stored episode", fix="Follow live (End), or branch from it.")
        made = self.tracking.ask(asked).result(WAIT_S)
        return {"object": made.id, "name": made.name, "area": int(made.mask.sum()), "num_candidates": len(made.candidates)}

    def run(self, steps: Sequence[Mapping[str, Any]], policy: str, *, index: int = 0) -> dict[str, Any]:
        """Do one thing after the other with masked objects, from a step of the list on."""
        if self._session.shown_step is not None:
            self._session.branch(None)
        wanted = tuple(ProgramStep(str(s["object"]), Interaction(str(s["interaction"]))) for s in steps)
        self.program.run(wanted, policy, first=index)
        self._session.changed("mode")
        return self.program.to_dict()

    def plan(self, steps: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Change the list without running it; the step that runs goes on."""
        self.program.change(tuple(ProgramStep(str(s["object"]), Interaction(str(s["interaction"]))) for s in steps))
        return self.program.to_dict()

    def shown_on(self, camera: str) -> list[NDArray[np.bool_]]:
        """Return the masks ``(H, W)`` that are drawn on a camera's picture now."""
        if self._tracking is None:
            return []
        objects = self._tracking.view().state.objects
        return [o.mask for o in objects if o.camera == camera and not o.is_hidden and o.sight is not Sight.LOST and o.mask.any()]

    # --- what the page is shown ---

    def key(self) -> tuple[object, ...]:
        """Return what is equal while nothing new is to be shown; cheap."""
        if self._tracking is None:
            return ()
        view = self._tracking.view()
        return (view.version, view.lag, view.segmenter, view.asking, view.trouble, self._program.version if self._program else 0)

    def message(self) -> dict[str, Any]:
        """Return the JSON message that rebuilds everything about masks in the page."""
        names = list(self.pool.names) if self.pool else []
        head = {"type": "masks", "segmenters": [{"name": n, "description": self._describe(n)} for n in names]}
        if self._tracking is None:
            first = next((n for n in self.preferred if n in names), "")
            return {**head, "version": 0, "segmenter": first, "objects": [], "selected": None, "program": None, "lag": 0}
        view = self._tracking.view()
        return {
            **head,
            "version": view.version,
            "segmenter": view.segmenter,
            "is_live": self.pool is None or self.pool.get(view.segmenter).spec.is_live,
            "selected": view.state.selected,
            "objects": [object_to_dict(found, view.moment, self._is_privileged(found.segmenter)) for found in view.state.objects],
            "lag": view.lag,
            "track_ms": round(view.track_ms, 1),
            "step": view.moment.step,
            "asking": view.asking,
            "can_undo": view.can_undo,
            "can_redo": view.can_redo,
            "trouble": view.trouble,
            "pauses": self._tracking.is_pausing_on_lost,
            "lost_after_s": self._tracking.lost_after_s,
            "program": self._program.to_dict() if self._program else None,
        }

    def _describe(self, name: str) -> str:
        assert self.pool is not None
        return self.pool.catalog.entry(name).description

    def _is_privileged(self, name: str) -> bool:
        return self.pool is not None and self.pool.get(name).spec.is_privileged

    # --- told by the rollout, in the stepping thread ---

    def on_step(self, step: Step) -> None:
        """Check whether the present step of the program is done."""
        if self._program is not None:
            self._program.on_step(step)

    def on_event(self, event: Event) -> None:
        """Note that a person takes over, or another episode begins."""
        if self._program is not None:
            self._program.on_event(event)

    def close(self) -> None:
        """Stop tracking; again is harmless."""
        with self._lock:
            self._is_closed = True
            tracking, self._tracking = self._tracking, None
        if tracking is not None:
            tracking.close()
