"""How fast HALT and a take-over act, from the moment at which the command arrives at the server, while other tabs are live and watched.

Every tab runs a moving robot, has a socket, and gets its pictures. One more tab is asked to halt and to take over, a thousand times each,
at random moments. Delays are told by two clocks: by real time, which includes what the operating system gives to other programs, and by
the robot's, which stands still while the stepping thread waits: how far it moved on from the moment that was shown when the command arrived
until its targets froze, or until the hand moved it: within the step that had begun, or from the next one on.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from panels.frames import ACK, HEADER
from panels.live import CALL_TIMEOUT_S, LiveSession
from panels.opening import FIRST_EPISODE, close_app, open_app
from panels.server import make_server, serving
from panels.state import Settings
from workbench.core.catalog import Catalog
from workbench.core.events import EpisodeEnd, EpisodeStart, Event, EventKind
from workbench.core.protocols import PolicyFactory
from workbench.core.types import Actor, Step
from workbench.intervention.handover import SHARE
from workbench.rollout.bench import SwayPolicy, percentiles
from workbench.rollout.hold import HoldPolicy
from workbench.simulation.controllers import MAX_LINEAR_SPEED
from workbench.simulation.simulator import SLICE_PERIOD_S
from workbench.simulation.simulators import SIMULATORS
from workbench.simulation.tasks import TASKS

TRIES: Final = 1000
TABS: Final = 8
TOLD_EVERY: Final = 100
ROUND_MS: Final = 1e-6
"""Simulated times are sums of periods: what rounding may add to one."""
ANSWER_S: Final = 30.0
PICTURE_PX: Final = 320
PERIOD_S: Final = 1.0 / FIRST_EPISODE.control_hz


class Watch:
    """Notes when commands arrive, and when the stepping thread carries them out."""

    def __init__(self, session: LiveSession) -> None:
        self._command = session.command
        self._changed = threading.Condition()
        self._times: dict[EventKind, list[float]] = defaultdict(list)
        self._controller = session.controller
        self.arrived_s = 0.0
        self.shown_s = 0.0
        """Simulated time of the newest moment when the last command arrived [s]."""
        self.steps: list[Step] = []
        session.command = self.command  # type: ignore[method-assign]

    def command(self, name: str, args: Any = None) -> dict[str, Any]:
        """Note when a command arrived, and pass it on."""
        if name in ("halt", "drive"):
            latest = self._controller.latest()
            self.arrived_s, self.shown_s = time.time(), 0.0 if latest is None else latest.time_s
        return self._command(name, args)

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until something holds that a step or an event may bring."""
        with self._changed:
            assert self._changed.wait_for(condition, ANSWER_S), f"{what} did not come in {ANSWER_S} s"

    def wait_event(self, kind: EventKind, command: Callable[[], object]) -> float:
        """Give a command, wait for the event that it brings, and return when that came [s]."""
        num_before = len(self._times[kind])
        command()
        self.wait(lambda: len(self._times[kind]) > num_before, f"the event {kind.value}")
        return self._times[kind][num_before]

    def wait_hand(self, begun: int) -> int:
        """Wait for a step by hand from a step on, and return which one it is."""
        self.wait(lambda: any(s.actor is Actor.HUMAN for s in self.steps[begun:]), "a step by hand")
        return next(i for i, s in enumerate(self.steps) if i >= begun and s.actor is Actor.HUMAN)

    def on_start(self, start: EpisodeStart) -> None:
        """Forget the steps before."""
        self.steps = []

    def on_step(self, step: Step) -> None:
        """Keep a step."""
        with self._changed:
            self.steps.append(step)
            self._changed.notify_all()

    def on_event(self, episode_id: str, event: Event) -> None:
        """Note when it came."""
        with self._changed:
            self._times[event.kind].append(time.time())
            self._changed.notify_all()

    def on_end(self, end: EpisodeEnd) -> None:
        """Do nothing."""


class Try(NamedTuple):
    """One halt or one take-over."""

    delay_s: float
    """From the command's arrival until the halt is on the timeline, or the hand moves the robot, in real time."""
    moved_s: float
    """By the robot's clock: until the targets froze, or the hand moved it."""
    num_late: int
    """Steps of the policy that began after the command had arrived."""
    jump: float
    """How much the commanded velocity changed until the first whole step by hand, in parts of its limit; 0 for a halt."""


def bench_human(*, tries: int = TRIES, tabs: int = TABS) -> dict[str, Any]:
    """Measure halts and take-overs; the value is the largest delay of a take-over, the baseline one control period."""
    with tempfile.TemporaryDirectory() as folder, _workbench(Path(folder)) as (app, url):
        sessions = [_moving_tab(app) for _ in range(tabs)]
        with _watched(url, sessions[:-1]):
            measured = sessions[-1]
            watch = Watch(measured)
            measured.controller.add_observer(watch)
            with _socket(url, measured) as socket:
                halts = _tries(measured, watch, socket, "halt", tries)
                drives = _tries(measured, watch, socket, "drive", tries)
    period_ms = 1e3 * PERIOD_S
    found = {"halt": halts, "take_over": drives}
    delays = {name: 1e3 * np.array([t.delay_s for t in made]) for name, made in found.items()}
    moved = {name: 1e3 * np.array([t.moved_s for t in made]) for name, made in found.items()}
    return {
        "name": "human",
        "value": round(float(delays["take_over"].max()), 2),
        "unit": "ms",
        "baseline": period_ms,
        "ratio": round(float(delays["take_over"].max()) / period_ms, 3),
        "n": 2 * tries,
        "details": {
            "tabs": tabs,
            "policy_steps_begun_after_the_command": {name: sum(t.num_late for t in made) for name, made in found.items()},
            "within_one_period": {name: int((values <= period_ms).sum()) for name, values in delays.items()},
            "within_one_period_by_the_robots_clock": {name: int((values <= period_ms + ROUND_MS).sum()) for name, values in moved.items()},
            "delays_ms": {name: percentiles(values) for name, values in delays.items()},
            "delays_by_the_robots_clock_ms": {name: percentiles(values) for name, values in moved.items()},
            "largest_velocity_jump_percent_of_limit": round(100 * max(t.jump for t in drives), 2),
            "allowed_velocity_jump_percent_of_limit": 100 * SHARE,
        },
    }


def _tries(session: LiveSession, watch: Watch, socket: Connection, name: str, tries: int) -> list[Try]:
    """Let the policy act, give a command at a random moment, and note what came of it, again and again."""
    rng, found = np.random.default_rng(len(name)), []
    for number in range(tries):
        _let_act(session, watch)
        time.sleep(rng.uniform(0.0, 1.0) * PERIOD_S)
        begun = len(watch.steps)
        message = json.dumps({"type": "command", "name": name, "args": {}, "seq": number})
        if name == "halt":
            done_s = watch.wait_event(EventKind.HALT, partial(socket.send, message))
            stood_s, jump = _frozen_s(watch.steps[-1]), 0.0
            watch.wait_event(EventKind.PAUSE, session.controller.release_halt)
        else:
            socket.send(message)
            first = watch.wait_hand(begun)
            (done_s, stood_s), jump = _moved_by_hand(watch.steps, first), _jump(watch.steps, first)
            watch.wait_event(EventKind.HANDBACK, session.controller.hand_back)
        num_late = sum(s.actor is not Actor.HUMAN and s.wall_time > watch.arrived_s for s in watch.steps[begun:])
        found.append(Try(done_s - watch.arrived_s, stood_s - watch.shown_s, num_late, jump))
        if (number + 1) % TOLD_EVERY == 0:
            print(f"{name}: {number + 1} of {tries}", file=sys.stderr)
    return found


def _let_act(session: LiveSession, watch: Watch) -> None:
    """Let the policy go on, and wait until it has moved."""
    num_before = len(watch.steps)
    session.controller.resume()
    watch.wait(lambda: len(watch.steps) > num_before, "a step of the policy")


def _frozen_s(step: Step) -> float:
    """Return the simulated time [s] from which the targets stood still."""
    return step.time_s + (PERIOD_S if step.halt_slice is None else step.halt_slice * SLICE_PERIOD_S)


def _moved_by_hand(steps: list[Step], first: int) -> tuple[float, float]:
    """Return when the hand moved the robot, whose first whole step by hand is ``first``: in real time [Unix s], and simulated [s]."""
    begun = steps[first - 1] if first else None
    if begun is None or begun.takeover is None:
        return steps[first].wall_time, steps[first].time_s
    part = begun.takeover.slice * SLICE_PERIOD_S / PERIOD_S
    return begun.wall_time + part * begun.step_ms / 1e3, begun.time_s + part * PERIOD_S


def _jump(steps: list[Step], index: int) -> float:
    """Return how much the commanded velocity changed at a step, in parts of its limit."""
    if index == 0:
        return 0.0
    change: NDArray[np.float32] = steps[index].action[:3] - steps[index - 1].action[:3]
    return float(np.linalg.norm(change)) / (MAX_LINEAR_SPEED * PERIOD_S)


@contextmanager
def _workbench(folder: Path) -> Iterator[tuple[Any, str]]:
    policies: Catalog[PolicyFactory] = Catalog("policy")
    policies.add("sketch", lambda: lambda simulator: HoldPolicy(), "holds still")
    policies.add("sway", lambda: SwayPolicy, "swings the arm")
    app = open_app(Settings(folder), simulators=SIMULATORS, policies=policies, tasks=TASKS)
    try:
        with serving(make_server(app)) as url:
            yield app, url
    finally:
        close_app(app)


def _moving_tab(app: Any) -> LiveSession:
    session: LiveSession = app.live.create()
    session.controller.start(FIRST_EPISODE, policy="sway", is_running=True).result(CALL_TIMEOUT_S)
    session.hello()
    return session


def _address(url: str, session: LiveSession) -> str:
    return f"ws://{urlsplit(url).netloc}/live/{session.tab_id}?token={session.token}"


@contextmanager
def _socket(url: str, session: LiveSession) -> Iterator[Connection]:
    """Give a socket on a tab whose answers are read and thrown away."""
    with connect(_address(url, session), max_size=None) as socket:
        reader = threading.Thread(target=_drain, args=(socket,), daemon=True)
        reader.start()
        yield socket


def _drain(socket: Connection) -> None:
    for _ in socket:
        pass


@contextmanager
def _watched(url: str, sessions: list[LiveSession]) -> Iterator[None]:
    """Let another process watch tabs: it takes every picture and says so, as a page does."""
    addresses = [_address(url, session) for session in sessions]
    process = multiprocessing.get_context("spawn").Process(target=_watch_all, args=(addresses,), daemon=True)
    process.start()
    time.sleep(2.0)
    try:
        yield
    finally:
        process.terminate()
        process.join()


def _watch_all(addresses: list[str]) -> None:
    threads = [threading.Thread(target=_watch_one, args=(address,), daemon=True) for address in addresses]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _watch_one(address: str) -> None:
    with connect(address, max_size=None) as socket:
        camera = {"type": "camera", "channel": 0, "name": "front", "width": PICTURE_PX, "height": PICTURE_PX}
        socket.send(json.dumps(camera))
        for message in socket:
            if isinstance(message, bytes):
                head = HEADER.unpack_from(message)
                socket.send(ACK.pack(head[1], head[4]))
