"""The live view of one browser tab: one render thread, several channels, each fed only as fast as it asks.

A channel gets a frame when it has credit and there is something new for it; it always gets the newest state there is. States come
from the running episode, from its history (:meth:`LiveView.show_step`) or from a stored episode (:meth:`LiveView.show_states`).
The stepping thread only sets an event, and only when somebody waits for it. GL contexts are made, used and closed here, in the
render thread.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntFlag
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import NotStored
from workbench.core.geometry import Pinhole
from workbench.core.protocols import Quality, View
from workbench.core.types import CameraRequest, EpisodeConfig, SimState
from workbench.rollout.controller import RolloutController
from workbench.rollout.pacing import Clock
from workbench.rollout.status import LiveScene, open_scene

MAX_FPS: Final = 60.0
"""Most frames a second on one channel; whoever gives the credits usually asks for less."""
MAX_CREDIT: Final = 4
STILL_AFTER_S: Final = 0.3
"""When the rollout does not run and nothing moved for this long, one frame of still quality follows."""
STILL_BUDGET_S: Final = 0.25
"""A still that takes longer is slow, and after two slow ones no more are made of that scene: they would delay what moves next.
The first one may be slow because it sets things up."""
_MAX_SLOW_STILLS: Final = 2
JPEG_QUALITY: Final = {"policy": 80, "live": 80, "still": 92}
_RETRY_S: Final = 1.0

_log = logging.getLogger(__name__)

Encode = Callable[[NDArray[np.uint8], int], bytes]
"""``encode(image, quality) -> bytes`` of an image ``(H, W, 3) uint8``."""


class FrameFlag(IntFlag):
    """What a frame shows."""

    LIVE = 1
    """The newest state of the running episode."""
    STILL = 2
    """Best quality; nothing moves."""
    PAST = 4
    """An earlier step of the running episode."""
    STORED = 8
    """A stored episode."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One encoded picture."""

    seq: int
    """Grows with every frame of a view."""
    step: int
    """Control step that the picture shows."""
    time_s: float
    """Simulated time [s]."""
    wall_time: float
    """Unix time at which the shown state was published, or drawn when nothing moves [s]."""
    flags: FrameFlag
    camera: str
    jpeg: bytes
    pinhole: Pinhole
    """Size, intrinsics and pose of the camera in the shown state."""


class Moment(NamedTuple):
    """A state to draw."""

    key: tuple[object, ...]
    """Equal for equal pictures."""
    scene: LiveScene
    physics: NDArray[np.float64]
    step: int
    time_s: float
    wall_time: float
    flags: FrameFlag


@dataclass(eq=False)
class Stored:
    """A stored episode that is shown."""

    states: Sequence[SimState]
    config: EpisodeConfig | None
    control_hz: float
    scene: LiveScene | None = None


@dataclass(eq=False)
class Channel:
    """One camera on its way to one reader. Every method may be called from any thread."""

    name: str
    request: CameraRequest
    on_frame: Callable[[Frame], None]
    _view: LiveView
    _credit: int = 0
    _shown: tuple[object, ...] = ()
    """Moment and request of the latest frame."""
    _quality: Quality | None = None
    _next_time: float = -math.inf
    _credit_lock: threading.Lock = field(default_factory=threading.Lock)

    def credit(self, num_frames: int = 1) -> None:
        """Allow some more frames."""
        with self._credit_lock:
            self._credit = min(MAX_CREDIT, self._credit + num_frames)
        self._view.refresh()

    def set_camera(self, request: CameraRequest) -> None:
        """Draw another camera or size from now on."""
        self.request = request
        self._view.refresh()

    def close(self) -> None:
        """Get no more frames."""
        self._view.close_channel(self)

    def _spend(self) -> None:
        with self._credit_lock:
            self._credit -= 1


class LiveView:
    """Draws a controller's states for any number of channels, in one thread."""

    def __init__(self, controller: RolloutController, encode: Encode, *, max_fps: float = MAX_FPS, clock: Clock = time.monotonic) -> None:
        self._controller, self._encode, self._clock = controller, encode, clock
        self._period_s = 1.0 / max_fps
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._channels: tuple[Channel, ...] = ()
        self._is_closing = self._is_hungry = False
        self._step: int | None = None
        self._stored: Stored | None = None
        self.error = ""
        """Why nothing can be drawn, or empty."""
        # The render thread's own.
        self._view: View | None = None
        self._view_scene: LiveScene | None = None
        self._seq = 0
        self._key: tuple[object, ...] = ()
        self._changed_at = 0.0
        self._num_slow_stills = 0
        controller.subscribe(self._on_state)
        self._thread = threading.Thread(target=self._run, name="view", daemon=True)
        self._thread.start()

    # From any thread

    def open_channel(self, name: str, request: CameraRequest, on_frame: Callable[[Frame], None]) -> Channel:
        """Add a channel; it has no credit yet. ``on_frame`` is called in the render thread and must return at once."""
        channel = Channel(name, request, on_frame, self)
        with self._lock:
            self._channels = (*self._channels, channel)
        return channel

    def close_channel(self, channel: Channel) -> None:
        """Remove a channel; again is harmless."""
        with self._lock:
            self._channels = tuple(c for c in self._channels if c is not channel)

    def show_step(self, step: int | None) -> None:
        """Show the state before a step: of the stored episode that is shown, else of the running one; None follows the running one.

        A step beyond the end shows the end.
        """
        with self._lock:
            self._step = step
            if step is None:
                self._stored = None
        self.refresh()

    def show_states(self, states: Sequence[SimState], *, config: EpisodeConfig | None = None, step: int = 0) -> None:
        """Show a stored episode: its states by step; ``show_step`` seeks in it, ``show_step(None)`` returns to the running one.

        Args:
            states: The state before each step, and the final one.
            config: The episode's start; None when it is that of the present scene.
            step: The step to show first.
        """
        with self._lock:
            self._stored = Stored(states, config, config.control_hz if config else 20.0) if states else None
            self._step = step if states else None
        self.refresh()

    def refresh(self) -> None:
        """Look again for something new."""
        self._wake.set()

    def close(self) -> None:
        """Stop the render thread and release its GL context; may be called twice."""
        self._is_closing = True
        self._controller.unsubscribe(self._on_state)
        self._wake.set()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _on_state(self) -> None:
        if self._is_hungry:
            self._wake.set()

    # The render thread

    def _run(self) -> None:
        try:
            while not self._is_closing:
                self._wake.clear()
                channels = self._channels
                self._is_hungry = any(c._credit > 0 for c in channels)
                timeout = None
                if self._is_hungry:
                    timeout = self._serve(channels)
                self._wake.wait(timeout)
        finally:
            self._is_hungry = False
            self._drop_view()

    def _serve(self, channels: Sequence[Channel]) -> float | None:
        """Draw what is due; return after how long [s] something may be due without anybody saying so, or None."""
        try:
            moment = self._moment()
            if moment is None:
                return None
            timeout = self._draw_due(moment, channels)
            self.error = ""
            return timeout
        except Exception as error:
            if str(error) != self.error:
                self.error = str(error)
                _log.exception("The view cannot be drawn")
            self._drop_view()
            return _RETRY_S

    def _draw_due(self, moment: Moment, channels: Sequence[Channel]) -> float | None:
        now = self._clock()
        if moment.key != self._key:
            self._key, self._changed_at = moment.key, now
        drawn: dict[tuple[CameraRequest, Quality], Frame] = {}
        waits: list[float] = []
        for channel in channels:
            if channel._credit <= 0 or self._is_closing:
                continue
            quality, wait_s = self._wanted(channel, moment, now)
            if wait_s > 0:
                waits.append(wait_s)
            elif quality is not None:
                self._send(channel, moment, quality, drawn)
                channel._next_time = now + self._period_s
                waits.append(self._period_s)
        return min(waits, default=None)

    def _wanted(self, channel: Channel, moment: Moment, now: float) -> tuple[Quality | None, float]:
        """Return what a channel wants, and how long [s] it must wait for it."""
        if channel._shown != (*moment.key, channel.request):
            return "live", channel._next_time - now
        if FrameFlag.LIVE in moment.flags and self._controller.is_running:
            return None, STILL_AFTER_S  # a policy that thinks is not a world at rest; look again later
        if channel._quality == "still" or self._num_slow_stills >= _MAX_SLOW_STILLS:
            return None, 0.0
        return "still", self._changed_at + STILL_AFTER_S - now

    def _send(self, channel: Channel, moment: Moment, quality: Quality, drawn: dict[tuple[CameraRequest, Quality], Frame]) -> None:
        request = channel.request
        frame = drawn.get((request, quality))
        if frame is None:
            frame = drawn[request, quality] = self._draw(moment, request, quality)
        channel._shown, channel._quality = (*moment.key, request), quality
        channel._spend()
        try:
            channel.on_frame(frame)
        except Exception:
            _log.exception("Channel %s did not take its frame and is closed", channel.name)
            self.close_channel(channel)

    def _draw(self, moment: Moment, request: CameraRequest, quality: Quality) -> Frame:
        view = self._view_of(moment.scene)
        begun, wall_time = self._clock(), time.time()
        image = view.render(moment.physics, request, quality)
        if quality == "still":
            self._num_slow_stills += self._clock() - begun > STILL_BUDGET_S
        self._seq += 1
        return Frame(
            seq=self._seq,
            step=moment.step,
            time_s=moment.time_s,
            wall_time=moment.wall_time if wall_time - moment.wall_time < STILL_AFTER_S else wall_time,
            flags=moment.flags | FrameFlag.STILL if quality == "still" else moment.flags,
            camera=request.name,
            jpeg=self._encode(image, JPEG_QUALITY[quality]),
            pinhole=view.pinhole(moment.physics, request),
        )

    def _view_of(self, scene: LiveScene) -> View:
        if self._view is None or self._view_scene is not scene:
            self._drop_view()
            self._view, self._view_scene, self._num_slow_stills = scene.open_view(), scene, 0
        return self._view

    def _drop_view(self) -> None:
        view, self._view, self._view_scene = self._view, None, None
        if view is not None:
            view.close()

    # What to draw

    def _moment(self) -> Moment | None:
        with self._lock:
            stored, step = self._stored, self._step
        if stored is not None and step is not None:
            return self._stored_moment(stored, step)
        latest = self._controller.latest()
        if latest is None:
            return None
        if step is not None:
            past = self._past_moment(step, latest.scene)
            if past is not None:
                return past
        key = ("live", latest.seq)
        return Moment(key, latest.scene, latest.physics, latest.step, latest.time_s, latest.wall_time, FrameFlag.LIVE)

    def _past_moment(self, step: int, scene: LiveScene) -> Moment | None:
        """Return an earlier step of the running episode, or None where that is the present."""
        history = self._controller.history()
        try:
            found = history.step(max(0, step))
        except NotStored:
            return None
        key = ("past", history.episode_id, found.index)
        return Moment(key, scene, found.state.physics, found.index, found.time_s, 0.0, FrameFlag.PAST)

    def _stored_moment(self, stored: Stored, step: int) -> Moment | None:
        latest = self._controller.latest()
        if stored.scene is None:
            is_present = latest is not None and (stored.config is None or stored.config.digest() == latest.scene.config.digest())
            if is_present and latest is not None:
                stored.scene = latest.scene
            elif stored.config is not None:
                stored.scene = open_scene(self._controller.catalogues[0], stored.config)
            else:
                return None
        index = min(max(0, step), len(stored.states) - 1)
        key = ("stored", id(stored), index)
        physics = stored.states[index].physics
        return Moment(key, stored.scene, physics, index, index / stored.control_hz, 0.0, FrameFlag.STORED)
