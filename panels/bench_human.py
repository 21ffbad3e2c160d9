"""How fast HALT and a take-over act, from the moment at which the command arrives at the server, while other tabs are live and watched.

Every tab runs a moving robot, has a socket, and gets its pictures. One more tab is asked to halt and to take over, a thousand times each,
at random moments. Two things are measured: the real time until the command is carried out, which includes what the operating system gives
to other programs, and how many control steps of the policy begin after the command arrived, which does not.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
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
from workbench.rollout.bench import SwayPolicy
from workbench.rollout.hold import HoldPolicy
from workbench.simulation.controllers import MAX_LINEAR_SPEED
from workbench.simulation.simulators import SIMULATORS
from workbench.simulation.tasks import TASKS

TRIES: Final = 1000
ANSWER_S: Final = 30.0
PICTURE_PX: Final = 320
PERIOD_S: Final = 1.0 / FIRST_EPISODE.control_hz


class Watch:
    """Notes when commands arrive, and when the stepping thread carries them out."""

    def __init__(self, session: LiveSession) -> None:
        self._command = session.command
        self.arrived_s = 0.0
        self.steps: list[Step] = []
        self.halted_s = 0.0
        self.is_halted, self.is_driven = threading.Event(), threading.Event()
        session.command = self.command  # type: ignore[method-assign]

    def command(self, name: str, args: Any = None) -> dict[str, Any]:
        """Note when a command arrived, and pass it on."""
        if name in ("halt", "drive"):
            self.arrived_s = time.time()
        return self._command(name, args)

    def on_start(self, start: EpisodeStart) -> None:
        """Forget the steps before."""
        self.steps = []

    def on_step(self, step: Step) -> None:
        """Keep a step."""
        self.steps.append(step)
        if step.actor is Actor.HUMAN:
            self.is_driven.set()

    def on_event(self, episode_id: str, event: Event) -> None:
        """Note a halt."""
        if event.kind is EventKind.HALT:
            self.halted_s = time.time()
            self.is_halted.set()

    def on_end(self, end: EpisodeEnd) -> None:
        """Do nothing."""


def bench_human(*, tries: int = TRIES, tabs: int | None = None) -> dict[str, Any]:
    """Measure halts and take-overs; the value is the largest delay of a take-over, the baseline one control period."""
    tabs = tabs or max(2, min(8, 2 * (os.cpu_count() or 1)))
    with tempfile.TemporaryDirectory() as folder, _workbench(Path(folder)) as (app, url):
        sessions = [_moving_tab(app) for _ in range(tabs)]
        with _watched(url, sessions[:-1]):
            measured = sessions[-1]
            watch = Watch(measured)
            measured.controller.add_observer(watch)
            with _socket(url, measured) as socket:
                halts = _tries(measured, watch, socket, "halt", tries)
                drives = _tries(measured, watch, socket, "drive", tries)
    jumps = [jump for _, _, jump in drives]
    period_ms = 1e3 * PERIOD_S
    delays = {name: 1e3 * np.array([delay for delay, _, _ in found]) for name, found in (("halt", halts), ("take_over", drives))}
    late = {name: int(sum(steps for _, steps, _ in found)) for name, found in (("halt", halts), ("take_over", drives))}
    return {
        "name": "human",
        "value": round(float(delays["take_over"].max()), 2),
        "unit": "ms",
        "baseline": period_ms,
        "ratio": round(float(delays["take_over"].max()) / period_ms, 3),
        "n": 2 * tries,
        "details": {
            "tabs": tabs,
            "policy_steps_begun_after_the_command": late,
            "within_one_period": {name: int((values <= period_ms).sum()) for name, values in delays.items()},
            "halt_ms": _percentiles(delays["halt"]),
            "take_over_ms": _percentiles(delays["take_over"]),
            "largest_velocity_jump_percent_of_limit": round(100 * max(jumps), 2),
            "allowed_velocity_jump_percent_of_limit": 100 * SHARE,
        },
    }


def _tries(session: LiveSession, watch: Watch, socket: Connection, name: str, tries: int) -> list[tuple[float, int, float]]:
    """Return for each try the delay [s], the policy's steps that began after the command arrived, and the jump in parts of the limit."""
    rng, found = np.random.default_rng(len(name)), []
    for _ in range(tries):
        session.controller.resume()
        time.sleep(rng.uniform(1.0, 2.0) * PERIOD_S)
        watch.is_halted.clear()
        watch.is_driven.clear()
        before = len(watch.steps)
        socket.send(json.dumps({"type": "command", "name": name, "args": {}, "seq": 1}))
        done = watch.is_halted if name == "halt" else watch.is_driven
        assert done.wait(ANSWER_S), f"{name} was not carried out in {ANSWER_S} s"
        steps = watch.steps[max(0, before - 1) :]
        late = sum(s.actor is not Actor.HUMAN and s.wall_time > watch.arrived_s for s in steps)
        if name == "halt":
            found.append((watch.halted_s - watch.arrived_s, late, 0.0))
            session.controller.release_halt()
        else:
            first = next(i for i, s in enumerate(watch.steps) if i >= max(0, before - 1) and s.actor is Actor.HUMAN)
            found.append((watch.steps[first].wall_time - watch.arrived_s, late, _jump(watch.steps, first)))
            session.controller.hand_back()
    return found


def _jump(steps: list[Step], index: int) -> float:
    """Return how much the commanded velocity changed at a step, in parts of its limit."""
    if index == 0:
        return 0.0
    change: NDArray[np.float32] = steps[index].action[:3] - steps[index - 1].action[:3]
    return float(np.linalg.norm(change)) / (MAX_LINEAR_SPEED * PERIOD_S)


def _percentiles(values: NDArray[np.float64]) -> dict[str, float]:
    return {name: round(float(np.percentile(values, q)), 2) for name, q in (("p50", 50), ("p95", 95), ("p99", 99), ("max", 100))}


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
