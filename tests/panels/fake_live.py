"""A live session without physics: a controller that notes what it is told, a view that sends what the test says."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import numpy as np

from panels.live import LiveSession
from panels.reading import PlanReading
from workbench.core.errors import WrongMode
from workbench.core.events import EpisodeStart, Event, EventKind
from workbench.core.geometry import Pinhole
from workbench.core.sketches import PlanStep, SketchPlan, Verb
from workbench.core.types import EpisodeConfig, SimState
from workbench.intervention.driving import Hand
from workbench.intervention.rules import Gate
from workbench.rollout.candidates import Selection
from workbench.rollout.modes import Command, RolloutMode, next_mode
from workbench.rollout.pilot import Pilot
from workbench.rollout.status import RolloutStatus
from workbench.rollout.steering import LiveSteering
from workbench.rollout.view import Frame, FrameFlag
from workbench.sketch.plan import parse_plan
from workbench.sketch.recognise import recognise_sketch
from workbench.sketch.strokes import parse_sketch

CONFIG = EpisodeConfig("place_on_plate", 7)
START = EpisodeStart("e1", "s1", CONFIG.to_dict(), "put the red cube on the plate", "sketch")
CAMERAS = ("front", "top", "wrist")


def state(number: int) -> SimState:
    return SimState(np.array([float(number)]), np.zeros(0), b"")


class FakeSimulator:
    spec = SimpleNamespace(cameras=CAMERAS)

    def __init__(self) -> None:
        self.present = state(-1)

    def state(self) -> SimState:
        return self.present

    def restore(self, wanted: SimState) -> None:
        self.present = wanted


class FakeController:
    """Has the real modes, and no thread."""

    def __init__(self, num_steps: int = 10) -> None:
        self.mode = RolloutMode.PAUSED
        self.num_steps = num_steps
        self.calls: list[tuple[str, Any]] = []
        self.speed = 1.0
        self.event_steps: list[int] = []
        self.simulator = FakeSimulator()
        self.gate, self.hand = Gate(), Hand(lambda: 0.0)
        self.is_closed = False
        self.observer: Any = None
        self.intended: Any = None
        self.steering = LiveSteering()
        self.selection = Selection()
        self.pilot = Pilot()
        self.catalogues: Any = ((), ())

    def look_ahead(self) -> None:
        self.calls.append(("look_ahead", None))

    def intention(self) -> Any:
        return self.intended

    def proposed(self) -> Any:
        return np.zeros((0, 7), dtype=np.float32)

    def add_observer(self, observer: Any) -> None:
        self.observer = observer
        observer.on_start(START)

    def remove_observer(self, observer: Any) -> None:
        self.observer = None

    def status(self) -> RolloutStatus:
        return RolloutStatus(
            self.mode,
            "hold",
            episode_id="e1",
            task="t",
            instruction=START.instruction,
            policy="sketch",
            step=self.num_steps,
            speed=self.speed,
        )

    def history(self) -> Any:
        events = [Event(EventKind.NOTE, step, step / 20) for step in self.event_steps]
        return SimpleNamespace(
            num_steps=self.num_steps,
            state=state,
            episode_id="e1",
            start=START,
            events=lambda: events,
            lead=lambda standing, step: None,
            steering=lambda standing, lead: (),
        )

    def call(self, fn: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(self.simulator))
        except Exception as error:
            future.set_exception(error)
        return future

    def branch(self, config: Any, start: SimState, **kwargs: Any) -> Future[str]:
        self.calls.append(("branch", (start, kwargs)))
        future: Future[str] = Future()
        future.set_result("e2")
        return future

    def start(self, config: Any, **kwargs: Any) -> Future[str]:
        self.mode = next_mode(self.mode, Command.START)
        self.calls.append(("start", (config,)))
        future: Future[str] = Future()
        future.set_result("e2")
        return future

    def set_speed(self, speed: float) -> None:
        self.speed = speed

    def drive(self, wish: Any) -> None:
        self.jog()
        wish(self.hand)

    def answer(self, is_allowed: bool, reason: str = "") -> None:
        self.calls.append(("answer", (is_allowed, reason)))

    def lead(self, wish: Any) -> Future[Any]:
        self.calls.append(("lead", None))
        future: Future[Any] = Future()
        future.set_exception(WrongMode("lead", mode="without an episode", allowed=()))
        return future

    def close(self) -> None:
        self.is_closed = True

    def __getattr__(self, name: str) -> Any:
        commands = {c.name.lower(): c for c in Command}
        if name not in commands:
            raise AttributeError(name)

        def command(*args: Any, **kwargs: Any) -> None:
            self.mode = next_mode(self.mode, commands[name])
            self.calls.append((name, args or kwargs or None))

        return command

    def names(self) -> list[str]:
        return [name for name, _ in self.calls]


class FakeChannel:
    def __init__(self, on_frame: Any) -> None:
        self.on_frame = on_frame
        self.credits = 0
        self.is_closed = False

    def credit(self, num_frames: int = 1) -> None:
        self.credits += num_frames

    def close(self) -> None:
        self.is_closed = True


class FakeView:
    """Sends a frame when the test calls :meth:`send`; with ``is_eager`` one for every credit."""

    def __init__(self, is_eager: bool = False) -> None:
        self.channels: dict[str, FakeChannel] = {}
        self.requests: list[Any] = []
        self.shown: list[Any] = []
        self.is_closed = False
        self.is_eager = is_eager
        self.seq = 0

    def open_channel(self, name: str, request: Any, on_frame: Any) -> FakeChannel:
        channel = FakeChannel(on_frame)
        if self.is_eager:
            channel.credit = lambda num_frames=1: self.send(channel, request.name)  # type: ignore[method-assign]
        self.channels[name] = channel
        self.requests.append(request)
        return channel

    def send(self, channel: FakeChannel, camera: str = "front") -> int:
        self.seq += 1
        channel.on_frame(make_frame(self.seq, camera))
        return self.seq

    def show_step(self, step: int | None) -> None:
        self.shown.append(step)

    def show_states(self, states: Any, *, config: Any = None, step: int = 0) -> None:
        self.shown.append(("stored", step))

    def close(self) -> None:
        self.is_closed = True


def make_frame(seq: int, camera: str = "front") -> Frame:
    pinhole = Pinhole(camera, 480, 480, 400.0, 400.0, 240.0, 240.0, np.diag([1.0, -1.0, -1.0, 1.0]) @ np.eye(4))
    return Frame(seq, seq, seq / 20, 1000.0 + seq, FrameFlag.LIVE, camera, b"\xff\xd8jpeg%d" % seq, pinhole)


class FakeReader:
    """Parses for real; every stroke is a step, and nothing is previewed."""

    def parse(self, document: Any, *, is_snapped: bool) -> Any:
        sketch = parse_sketch(document)
        return recognise_sketch(sketch) if is_snapped else sketch

    def interpret(self, sketch: Any, instruction: str, run: Any) -> SketchPlan:
        self.seen = run(lambda simulator: simulator.state())
        steps = tuple(PlanStep(Verb.MOVE, ((1.0, 2.0), (3.0, 4.0)), stroke_ids=(s.id,)) for s in sketch.strokes)
        return SketchPlan("p", sketch.id, sketch.camera, sketch.width, sketch.height, steps)

    def parse_plan(self, document: Any) -> SketchPlan:
        return parse_plan(document)

    def preview(self, sketch: Any, plan: SketchPlan, run: Any) -> PlanReading:
        return PlanReading(sketch, plan, tuple("move" for _ in plan.steps))


def make_session(tab_id: str = "tab", *, clock: Any = None, is_eager: bool = False, num_steps: int = 10) -> LiveSession:
    kwargs = {"clock": clock} if clock else {}
    return LiveSession(tab_id, controller=FakeController(num_steps), view=FakeView(is_eager), reader=FakeReader(), **kwargs)  # type: ignore[arg-type]


def arrow(stroke_id: str = "a", end: float = 0.8) -> dict[str, Any]:
    return {"id": stroke_id, "kind": "arrow", "points": [[0.2, 0.2], [end, end]]}


def document(*strokes: dict[str, Any]) -> dict[str, Any]:
    return {"version": 1, "id": "doc", "camera": "front", "width": 480, "height": 480, "strokes": list(strokes)}


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now
