"""How many of the frames offered at 30 Hz are on the page, and how late: the real server, real Chromium, two viewers.

The time at which the drawing of a frame begins is painted into its bottom rows as a bar code, and read back from the pixels that
the page displays: what is measured is rendering, encoding, sending, decoding and painting, not a counter.
"""

from __future__ import annotations

import json
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import numpy as np
import uvicorn
from numpy.typing import NDArray

from panels.devtools import Browser, Page, chromium
from panels.frames import MAX_FRAME_HZ, encode_jpeg
from panels.live import CALL_TIMEOUT_S, STAGE_SIZE, LiveRegistry, LiveSession
from panels.opening import FIRST_EPISODE, close_app, open_app
from panels.reading import BuiltInReader
from panels.server import make_server
from panels.state import Settings
from panels.stream import UVICORN_OPTIONS
from workbench.core.catalog import Catalog
from workbench.core.geometry import Pinhole
from workbench.core.protocols import PolicyFactory, PolicySpec, Quality, Simulator, View
from workbench.core.types import ActionChunk, CameraRequest, Observation, Prompt
from workbench.rollout.controller import RolloutController
from workbench.rollout.view import LiveView
from workbench.simulation.simulator import BenchSimulator
from workbench.simulation.tasks import TASKS

BITS: Final = 40
CELL_PX: Final = 8
NUM_ROUNDS: Final = 3
ROUND_S: Final = 5.0
WARM_UP_S: Final = 3.0
STAGES: Final = ("made", "arrived", "drawn")
"""Where a frame may be lost before it is displayed; told as frames a second."""

# When the page says that it drew, reads the bar code from the canvas before the next paint and notes a new value with the time.
_READ_CLOCK: Final = """
(() => {
  const canvas = document.querySelector(".stage .frame");
  const context = canvas.getContext("2d");
  const stage = document.querySelector(".stage");
  let last = 0;
  window.benchSeen = [];
  window.benchDrawn = 0;
  const look = () => {
    const pixels = context.getImageData(0, canvas.height - CELL / 2, BITS * CELL, 1).data;
    let value = 0;
    for (let i = 0; i < BITS; i++) value = value * 2 + (pixels[4 * (i * CELL + CELL / 2) + 1] > 127 ? 1 : 0);
    if (value !== last) window.benchSeen.push([value, Date.now()]);
    last = value;
  };
  const drawn = () => { window.benchDrawn += 1; requestAnimationFrame(look); };
  new MutationObserver(drawn).observe(stage, { attributes: true, attributeFilter: ["data-seq"] });
})()
""".replace("CELL", str(CELL_PX)).replace("BITS", str(BITS))


# Counts the frames that arrive: every socket that the page opens tells.
_COUNT_ARRIVALS: Final = """
window.benchGot = 0;
window.WebSocket = class extends WebSocket {
  constructor(...given) {
    super(...given);
    this.addEventListener("message", (event) => { window.benchGot += event.data instanceof ArrayBuffer; });
  }
};
"""
_STAGES: Final = "[Number(document.querySelector('.stage').dataset.seq), window.benchGot, window.benchDrawn]"
"""So far: the number of the newest frame, frames that arrived, frames that were drawn on the canvas."""


def paint_clock(image: NDArray[np.uint8], milliseconds: int) -> NDArray[np.uint8]:
    """Return a copy of a picture ``(H, W >= 320, 3) uint8`` with a time [ms] as a bar code in its bottom rows."""
    painted = image.copy()
    for bit in range(BITS):
        is_set = (milliseconds >> (BITS - 1 - bit)) & 1
        painted[-CELL_PX:, bit * CELL_PX : (bit + 1) * CELL_PX] = 255 * is_set
    return painted


class ClockView:
    """Draws as another view does, and paints in when the drawing began."""

    def __init__(self, view: View) -> None:
        self._view = view

    def render(self, physics: NDArray[np.float64], camera: CameraRequest, quality: Quality) -> NDArray[np.uint8]:
        """Return the picture with the clock."""
        begun = time.time_ns() // 1_000_000 % (1 << BITS)
        return paint_clock(self._view.render(physics, camera, quality), begun)

    def pinhole(self, physics: NDArray[np.float64], camera: CameraRequest) -> Pinhole:
        """Return the camera."""
        return self._view.pinhole(physics, camera)

    def close(self) -> None:
        """Release the GL context."""
        self._view.close()


class ClockSimulator(BenchSimulator):
    """The simulator whose views paint a clock."""

    def open_view(self) -> Callable[[], View]:
        """Return a factory of views with a clock."""
        make = super().open_view()
        return lambda: ClockView(make())


class CirclingPolicy:
    """Leads the hand around for ever, so that every frame differs."""

    spec: Final = PolicySpec(name="circling", description="Moves in circles.")

    def reset(self, rng: np.random.Generator) -> None:
        """Do nothing; there is nothing to forget."""

    def act(self, observation: Observation, prompt: Prompt, rng: np.random.Generator) -> ActionChunk:
        """Return a small motion along a circle."""
        angle = 2.0 * observation.time_s
        action = np.array([[0.006 * np.cos(angle), 0.006 * np.sin(angle), 0, 0, 0, 0, 1]], dtype=np.float32)
        return ActionChunk(action, control_hz=20.0)


def circling_policies() -> Catalog[PolicyFactory]:
    """Return a catalogue with the circling policy only."""
    policies: Catalog[PolicyFactory] = Catalog("policy")
    policies.add("circling", lambda: lambda simulator: CirclingPolicy(), "leads the hand around for ever")
    return policies


def open_live(tab_id: str) -> LiveSession:
    """Make a running live session with a clock in its pictures."""
    simulators: Catalog[Simulator] = Catalog("simulator")
    simulators.add("bench", ClockSimulator)
    controller = RolloutController(simulators=simulators, policies=circling_policies(), session_id="bench")
    session = LiveSession(tab_id, controller=controller, view=LiveView(controller, encode_jpeg), reader=BuiltInReader())
    controller.start(FIRST_EPISODE, policy="circling").result(CALL_TIMEOUT_S)
    return session


@contextmanager
def served() -> Iterator[tuple[str, LiveRegistry]]:
    """Run the real server on a free port; gives its address and its tabs."""
    with tempfile.TemporaryDirectory() as folder:
        simulators: Catalog[Simulator] = Catalog("simulator")
        simulators.add("bench", ClockSimulator)
        app = open_app(Settings(Path(folder)), simulators=simulators, policies=circling_policies(), tasks=TASKS)
        app = replace(app, live=LiveRegistry(open_live))
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(make_server(app), log_level="error", timeout_graceful_shutdown=2, **UVICORN_OPTIONS))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            while not server.started:
                time.sleep(0.05)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", app.live
        finally:
            server.should_exit = True
            thread.join(timeout=10.0)
            listener.close()
            close_app(app)


def open_viewer(browser: Browser, url: str, session: LiveSession) -> Page:
    """Open the page on a given live session, and start reading its clock."""
    tab = json.dumps(json.dumps({"tab_id": session.tab_id, "token": session.token}))
    script = f"if (location.host === '{urlsplit(url).netloc}') sessionStorage.setItem('vla-workbench.tab', {tab})"
    page = browser.open_page(url, width=1280, height=720, first_script=script + _COUNT_ARRIVALS)
    page.wait_for("document.querySelector('.stage')?.dataset.frames > 0", timeout_s=60.0)
    page.evaluate(_READ_CLOCK)
    return page


def watch(pages: list[Page], seconds: float) -> list[dict[str, Any]]:
    """Let the pages run; return what each displayed, frames a second and their ages [ms], and how many were made, arrived, were drawn."""
    before = []
    for page in pages:
        page.evaluate("window.benchSeen = []")
        before.append(page.evaluate(_STAGES))
    time.sleep(seconds)
    rows = []
    for page, begun in zip(pages, before, strict=True):
        stages = [round((now - then) / seconds, 2) for now, then in zip(page.evaluate(_STAGES), begun, strict=True)]
        seen = page.evaluate("window.benchSeen")
        ages = [(shown - made) % (1 << BITS) for made, shown in ((m, s % (1 << BITS)) for m, s in seen)]
        rows.append({"fps": len(ages) / seconds, "ages_ms": ages, **dict(zip(STAGES, stages, strict=True))})
    return rows


def bare_rate(seconds: float) -> float:
    """Return how many frames a second the renderer makes in one thread with nothing else going on [1/s]."""
    simulator = BenchSimulator()
    simulator.reset(FIRST_EPISODE)
    physics = simulator.state().physics
    view = simulator.open_view()()
    request = CameraRequest("front", STAGE_SIZE, STAGE_SIZE)
    try:
        view.render(physics, request, "live")
        count, begun = 0, time.perf_counter()
        while time.perf_counter() - begun < seconds:
            view.render(physics, request, "live")
            count += 1
        return count / (time.perf_counter() - begun)
    finally:
        view.close()
        simulator.close()


def summarise(rounds: list[list[dict[str, Any]]]) -> dict[str, Any]:
    """Return medians over the rounds of each viewer's rate, and the percentiles of all ages, worst viewer first in line."""
    viewers = [
        {
            "fps": round(statistics.median(r[i]["fps"] for r in rounds), 2),
            "p50_ms": round(float(np.percentile([a for r in rounds for a in r[i]["ages_ms"]] or [np.inf], 50)), 1),
            "p95_ms": round(float(np.percentile([a for r in rounds for a in r[i]["ages_ms"]] or [np.inf], 95)), 1),
            **{f"{name}_fps": round(statistics.median(r[i][name] for r in rounds), 2) for name in STAGES},
        }
        for i in range(len(rounds[0]))
    ]
    return {
        "viewers": viewers,
        "fps": min(v["fps"] for v in viewers),
        "p50_ms": max(v["p50_ms"] for v in viewers),
        "p95_ms": max(v["p95_ms"] for v in viewers),
    }


def measure(browser: Browser, url: str, live: LiveRegistry, *, is_shared: bool) -> tuple[dict[str, Any], list[float]]:
    """Measure two viewers, of one session or of one each; between rounds, with the rollouts paused, the bare renderer."""
    first = live.create()
    sessions = [first, first if is_shared else live.create()]
    pages = [open_viewer(browser, url, session) for session in sessions]
    rounds, bare = [], []
    for _ in range(NUM_ROUNDS):
        bare.append(bare_rate(1.0))
        for session in set(sessions):
            session.controller.resume()
        time.sleep(WARM_UP_S)
        rounds.append(watch(pages, ROUND_S))
        for session in set(sessions):
            session.controller.pause()
        time.sleep(1.0)
    for page in pages:
        page.close()
    for session in set(sessions):
        live.close(session.tab_id)
    return summarise(rounds), bare


def bench_stream() -> dict[str, Any]:
    """Return frames delivered / frames offered at 30 Hz, the worse of two viewers of one session (bench contract).

    ``details`` also hold two viewers with a session each, the ages of the displayed frames and the bare renderer's rate.
    """
    with served() as (url, live), chromium() as browser:
        shared, bare = measure(browser, url, live, is_shared=True)
        separate, more = measure(browser, url, live, is_shared=False)
    return {
        "name": "stream",
        "value": shared["fps"],
        "unit": "frames/s",
        "baseline": MAX_FRAME_HZ,
        "ratio": round(shared["fps"] / MAX_FRAME_HZ, 3),
        "n": NUM_ROUNDS,
        "details": {
            "frame": f"{STAGE_SIZE}x{STAGE_SIZE}",
            "age": "from the start of drawing to the displayed pixel",
            "two_viewers_of_one_session": shared,
            "two_sessions": separate,
            "bare_renderer_fps": round(statistics.median(bare + more), 1),
        },
    }
