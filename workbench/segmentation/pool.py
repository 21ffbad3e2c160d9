"""Segmenters that are loaded once and shared by everybody who wants to segment; each is called by one thread at a time."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Final

from workbench.core.catalog import Catalog
from workbench.core.errors import UnknownName, WorkbenchError
from workbench.core.masks import Candidate, Embedding, MaskPrompt, Picture, TrackedMask
from workbench.core.protocols import Segmenter, SegmenterSpec, Tracker
from workbench.segmentation.following import ASSOCIATIONS, make_association

UNPRIVILEGED: Final = ("classical", "sam2-bench")
"""Segmenters of the catalogue that a real robot could have as well, what measures best first; used is the first that can be loaded."""


class SharedSegmenter:
    """A segmenter that waits until nobody else uses it."""

    def __init__(self, inner: Segmenter) -> None:
        self._inner, self._lock = inner, threading.Lock()

    @property
    def spec(self) -> SegmenterSpec:
        """What it is."""
        return self._inner.spec

    def embed(self, picture: Picture) -> Embedding:
        """Look at a picture once."""
        with self._lock:
            return self._inner.embed(picture)

    def segment(self, embedding: Embedding, prompt: MaskPrompt) -> tuple[Candidate, ...]:
        """Return one to three masks."""
        with self._lock:
            return self._inner.segment(embedding, prompt)

    def make_tracker(self) -> Tracker:
        """Return a tracker that waits as well; one by association waits only while it asks."""
        if self.spec.tracks_by in ASSOCIATIONS:
            return make_association(self)
        return _SharedTracker(self._inner.make_tracker(), self._lock)


class _SharedTracker:
    def __init__(self, inner: Tracker, lock: threading.Lock) -> None:
        self._inner, self._lock = inner, lock

    def start(self, picture: Picture) -> None:
        with self._lock:
            self._inner.start(picture)

    def prompt(self, object_id: str, prompt: MaskPrompt) -> TrackedMask:
        with self._lock:
            return self._inner.prompt(object_id, prompt)

    def track(self, picture: Picture) -> Mapping[str, TrackedMask]:
        with self._lock:
            return self._inner.track(picture)

    def remove(self, object_id: str) -> None:
        with self._lock:
            self._inner.remove(object_id)


class SegmenterPool:
    """Loads each segmenter of a catalogue when it is first asked for, and keeps it. Any thread may use it."""

    def __init__(self, catalog: Catalog[Segmenter]) -> None:
        self.catalog = catalog
        self._lock = threading.Lock()
        self._loaded: dict[str, SharedSegmenter] = {}

    def get(self, name: str) -> SharedSegmenter:
        """Return a segmenter.

        Raises:
            UnknownName: there is none of that name.
        """
        with self._lock:
            if name not in self._loaded:
                self._loaded[name] = SharedSegmenter(self.catalog.load(name))
            return self._loaded[name]

    def first(self, names: Sequence[str]) -> SharedSegmenter:
        """Return the first of some names that can be loaded: one may lack its weights.

        Raises:
            WorkbenchError: none can; what the last one said.
        """
        trouble: WorkbenchError = UnknownName("segmenter", ", ".join(names), self.names)
        for name in names:
            try:
                return self.get(name)
            except WorkbenchError as error:
                trouble = error
        raise trouble

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the catalogue, in order."""
        return tuple(entry.name for entry in self.catalog)
