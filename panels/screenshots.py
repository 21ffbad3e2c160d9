"""The pictures of the documentation: the running page in Chromium, in each of its states, and one that moves."""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from panels.live import CALL_TIMEOUT_S, LiveSession
from panels.opening import close_app
from panels.server import make_server, serving
from panels.state import AppState
from workbench.core.errors import MissingDependency
from workbench.core.protocols import Simulator
from workbench.core.types import CameraRequest, EpisodeConfig

SIZES: Final = ((1280, 720), (1920, 1080))
SCENE: Final = EpisodeConfig("place_on_plate", 7)
TWO_STEPS: Final = EpisodeConfig("sort_two", 3)
LOOK: Final = CameraRequest("front", 480, 480)
WAIT_MS: Final = 120_000
FILM_SPEED: Final = 0.25
"""The robot moves this much slower while the film is taken, so that a busy machine still gets enough pictures."""
FILM_HZ: Final = 8.0
FILM_WIDTH: Final = 880
MAX_FILM_BYTES: Final = 3_000_000
STAGE: Final = "document.querySelector('#stage .stage').dataset"


@dataclass
class Photographer:
    """One page at the workbench, with hands and a camera."""

    app: AppState
    page: Page
    out: Path
    suffix: str
    taken: list[str] = field(default_factory=list)

    @property
    def session(self) -> LiveSession:
        """The live session behind the page."""
        return self.app.live.get(self.page.evaluate("window.VLAW.socket.tab.tab_id"))

    def shoot(self, name: str) -> None:
        """Save what the page shows, once the picture has settled."""
        self.page.wait_for_timeout(900)
        path = self.out / f"{name}-{self.suffix}.png"
        self.page.screenshot(path=path)
        self.taken.append(path.name)

    def wait(self, condition: str) -> None:
        """Wait until a JavaScript expression over ``data``, the data set of the stage, holds."""
        self.page.wait_for_function(f"(() => {{ const data = {STAGE}; return {condition}; }})()", timeout=WAIT_MS)

    def tab(self, title: str) -> None:
        """Open the tool of that title."""
        self.page.get_by_role("tab", name=title).click()

    def key(self, name: str) -> None:
        """Press a key on the stage."""
        self.page.locator("#stage .surface").focus()
        self.page.keyboard.press(name)

    def start(self, config: EpisodeConfig, policy: str = "sketch") -> None:
        """Start an episode, by default for the sketch follower, with an empty drawing."""
        if self.session.sketch.strokes:
            self.page.evaluate("window.VLAW.run('clear')")
            self.wait("data.strokes === '0'")
        episode_id = self.session.controller.start(config, policy=policy).result(CALL_TIMEOUT_S)
        self.wait(f"data.episode === '{episode_id}' && Number(data.frames) > 0")

    def places(self, *roles: str) -> NDArray[np.float64]:
        """Return where the things of the task stand in the front picture, ``(N, 2)`` in 0..1."""

        def look(simulator: Simulator) -> NDArray[np.float64]:
            bench: Any = simulator  # the roles of a scene are known to the bench simulator only
            points = [bench.world.position(bench.instance.roles[role]) for role in roles]
            pixels, _ = simulator.observe((LOOK,)).cameras[LOOK.name].project(points)
            return pixels / (LOOK.width, LOOK.height)

        return self.session.in_simulator(look)

    def roles(self) -> list[str]:
        """Return the roles that things play in the task."""

        def look(simulator: Simulator) -> list[str]:
            bench: Any = simulator
            return sorted(bench.instance.roles)

        return self.session.in_simulator(look)

    def click(self, place: NDArray[np.float64]) -> None:
        """Click on a place of the picture, 0..1."""
        box = self.page.locator("#stage .surface").bounding_box()
        assert box is not None, "the stage is on the page"
        self.page.mouse.click(*(np.array([box["x"], box["y"]]) + place * (box["width"], box["height"])))

    def drag(self, a: NDArray[np.float64], b: NDArray[np.float64], between: Callable[[], None] = lambda: None) -> None:
        """Draw from one place to another with the mouse, calling ``between`` on the way."""
        box = self.page.locator("#stage .surface").bounding_box()
        assert box is not None, "the stage is on the page"
        corner, size = np.array([box["x"], box["y"]]), np.array([box["width"], box["height"]])
        strokes = len(self.session.sketch.strokes)
        self.page.mouse.move(*(corner + a * size))
        self.page.mouse.down()
        for share in np.linspace(0.1, 1.0, 10):
            self.page.mouse.move(*(corner + (a + share * (b - a)) * size))
            between()
        self.page.mouse.up()
        self.wait(f"Number(data.strokes) > {strokes}")

    def run_to_end(self, between: Callable[[], None] | None = None) -> None:
        """Press Enter and wait until the robot is done."""
        self.key("Enter")
        self.wait("data.mode === 'autonomous'")
        while between is not None and self.session.controller.status().mode == "autonomous":
            between()
        self.wait("data.mode !== 'autonomous'")


def take_screenshots(make_app: Callable[[Path], AppState], out: Path) -> dict[str, Any]:
    """Take every picture, and return their names.

    Args:
        make_app: opens a workbench on a root folder.
        out: where the pictures go.

    Raises:
        MissingDependency: Chromium is not installed.
    """
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        raise MissingDependency("Taking screenshots", needs="Chromium", install="apt-get install chromium")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as root:
        app = make_app(Path(root))
        try:
            with serving(make_server(app)) as url, sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"])
                taken = [name for size in SIZES for name in shoot_states(app, browser, url, out, size)]
                film = shoot_film(app, browser, url, out)
                browser.close()
        finally:
            close_app(app)
    return {"name": "screenshots", "folder": str(out), "pictures": taken, "film": film.name, "film_bytes": film.stat().st_size}


def visit(app: AppState, browser: Browser, url: str, out: Path, *, size: tuple[int, int], scheme: str = "light") -> Photographer:
    """Open the page in a new tab of a size, and wait for its first picture."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if scheme == "dark" else "light")
    page = context.new_page()
    page.goto(url)
    page.wait_for_function(f"window.VLAW?.socket && Number({STAGE}.frames) > 0", timeout=WAIT_MS)
    return Photographer(app, page, out, f"{size[0]}x{size[1]}" + ("-dark" if scheme == "dark" else ""))


def shoot_states(app: AppState, browser: Browser, url: str, out: Path, size: tuple[int, int]) -> list[str]:
    """Take the page of one size in each of its states."""
    light = visit(app, browser, url, out, size=size)
    light.start(SCENE)
    light.shoot("start")
    light.drag(*light.places("pick", "place"))
    light.tab("Sketch")
    light.shoot("drawn")
    light.key("Enter")
    light.wait("Number(data.step) > 60")
    light.shoot("running")
    light.wait("data.mode !== 'autonomous'")
    light.shoot("solved")
    first = light.session.controller.status().episode_id
    light.page.evaluate("window.VLAW.run('branch', { step: 30 })")
    light.wait(f"data.episode !== '{first}'")
    light.run_to_end()
    shoot_history(light, first)
    light.key("?")
    light.shoot("keys")
    light.page.keyboard.press("Escape")
    shoot_hands(light)
    light.page.context.close()

    dark = visit(app, browser, url, out, size=size, scheme="dark")
    dark.start(TWO_STEPS)
    roles = dark.roles()
    picks, places = [r for r in roles if r.startswith("pick")], [r for r in roles if r.startswith("place")]
    for pick, place in zip(picks, places, strict=True):
        dark.drag(*dark.places(pick, place))
    dark.tab("Sketch")
    dark.shoot("two-steps")
    dark.key("Enter")
    dark.wait("Number(data.step) > 20")
    dark.key("Shift+Escape")
    dark.wait("data.mode === 'halted'")
    dark.shoot("halted")
    dark.page.context.close()
    return light.taken + dark.taken


def shoot_hands(camera: Photographer) -> None:
    """Take the bench VLA told in words, by a mask, by its own path, steered, and corrected by hand."""
    camera.start(SCENE, policy="bench-vla")
    camera.tab("Scene")
    camera.page.wait_for_selector("#scene-card", state="visible", timeout=WAIT_MS)
    camera.shoot("told")
    camera.tab("Masks")
    camera.key("m")
    camera.click(camera.places("pick")[0])
    camera.page.wait_for_selector("#objects ol li", timeout=WAIT_MS)
    camera.shoot("masks")
    camera.tab("Trajectory")
    camera.key("t")
    camera.page.wait_for_selector("#path-editor [data-is=body]:not([hidden])", timeout=WAIT_MS)
    camera.shoot("trajectory")
    camera.tab("Steering")
    camera.page.wait_for_selector("#steering table", timeout=WAIT_MS)
    camera.shoot("steering")
    camera.tab("Human")
    camera.key("Tab")
    camera.wait("data.mode === 'correcting'")
    camera.shoot("human")
    camera.key("Tab")
    camera.wait("data.mode !== 'correcting'")


def shoot_history(camera: Photographer, first: str) -> None:
    """Take the history with an episode and its branch compared, and that episode replayed."""
    branch = camera.session.controller.status().episode_id
    camera.page.evaluate("window.VLAW.run('reset')")
    camera.wait(f"data.episode !== '{branch}'")
    camera.app.recorder.flush()
    camera.tab("History")
    for episode in (first, branch):
        camera.page.locator(f'#history li[data-id="{episode}"] input').check()
    camera.page.wait_for_selector("#history-paths .plot-container", timeout=WAIT_MS)
    camera.shoot("compare")
    camera.page.locator(f'#history li[data-id="{first}"]').click()
    camera.page.wait_for_selector("#history-open", state="visible")
    camera.page.locator("#history-open").click()
    camera.page.wait_for_function("id => window.VLAW.timeline.episode === id", arg=first, timeout=WAIT_MS)
    camera.page.evaluate("window.VLAW.timeline.seek(70)")
    camera.wait("data.shownStep === '70'")
    camera.shoot("history")


def shoot_film(app: AppState, browser: Browser, url: str, out: Path) -> Path:
    """Film an arrow being drawn and executed, as an animated WebP of at most three megabytes."""
    camera = visit(app, browser, url, out, size=SIZES[0])
    camera.start(SCENE)
    camera.tab("Sketch")
    camera.session.controller.set_speed(FILM_SPEED)
    pictures: list[Image.Image] = []
    times_s: list[float] = []

    def shoot() -> None:
        png = camera.page.screenshot()
        picture = Image.open(io.BytesIO(png)).convert("RGB")
        pictures.append(picture.resize((FILM_WIDTH, round(picture.height * FILM_WIDTH / picture.width)), Image.Resampling.LANCZOS))
        times_s.append(camera.session.controller.status().time_s)

    shoot()
    cube, plate = camera.places("pick", "place")
    camera.drag(cube, plate, between=shoot)
    camera.page.wait_for_timeout(800)
    shoot()
    num_drawing = len(pictures)
    camera.run_to_end(between=shoot)
    camera.page.wait_for_timeout(800)
    shoot()
    camera.page.context.close()
    path = out / "draw-and-run.webp"
    keep = list(range(num_drawing)) + evenly(times_s, start=num_drawing)
    save_film([pictures[i] for i in keep], num_drawing, path)
    return path


def evenly(times_s: list[float], *, start: int) -> list[int]:
    """Return the indices from ``start`` on whose simulated times are at least a picture of the film apart; the last always."""
    kept, last = [], -1.0
    for i in range(start, len(times_s)):
        if times_s[i] - last >= 1.0 / FILM_HZ or i == len(times_s) - 1:
            kept.append(i)
            last = times_s[i]
    return kept


def save_film(pictures: list[Image.Image], num_drawing: int, path: Path) -> None:
    """Write an animated WebP that plays in real time, with less quality until it is small enough."""
    durations = [90] * num_drawing + [round(1000 / FILM_HZ)] * (len(pictures) - num_drawing)
    durations[num_drawing - 1], durations[-1] = 900, 2500
    for quality in (80, 65, 50, 35, 20):
        pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=durations, loop=0, quality=quality, method=4)
        if path.stat().st_size <= MAX_FILM_BYTES:
            return
