"""Episodes that were recorded elsewhere, behind the contract of a simulator so that the stage can show them: pictures, no physics.

Such an episode is looked at and played like any other. It cannot be continued, branched from or run again: whoever tries is told so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from sessions.lerobot_layout import IMAGES
from sessions.lerobot_pictures import EpisodePictures, open_pictures
from sessions.lerobot_reader import open_dataset
from workbench.core.catalog import Catalog
from workbench.core.errors import InvalidInput, NotStored
from workbench.core.geometry import Pinhole
from workbench.core.protocols import OnSlice, Quality, Simulator, SimulatorSpec, View
from workbench.core.types import PROPRIO_DIM, CameraRequest, EpisodeConfig, Observation, SimState, StepResult, Takeover

RECORDED: Final = "recorded"
"""Name of the simulator."""
DATASETS_DIR: Final = "datasets"
"""Folder below the root that holds the films of datasets that were taken in."""
_BACKGROUND: Final = (24, 24, 27)
_INK: Final = (228, 228, 231)
_STRIP_PX: Final = 22


def with_recordings(simulators: Catalog[Simulator], root_dir: Path) -> Catalog[Simulator]:
    """Return the same catalogue with recordings that lie below a root folder."""
    found: Catalog[Simulator] = Catalog(simulators.kind)
    for entry in simulators:
        found.add(entry.name, entry.load, entry.description)
    found.add(RECORDED, lambda: RecordedSimulator(root_dir / DATASETS_DIR), "recordings from elsewhere: looked at, not continued")
    return found


def frame_state(index: int, numbers: Sequence[float] = ()) -> SimState:
    """Return what stands for frame ``index`` of a recording; ``numbers`` are the state and action as they were recorded."""
    return SimState(np.array([index, *numbers], dtype=np.float64), np.zeros(0), b"")


class RecordedSimulator:
    """Shows one episode of a dataset that lies in a folder of datasets."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._config: EpisodeConfig | None = None
        self._frame = 0
        self._view: _RecordedView | None = None

    @property
    def spec(self) -> SimulatorSpec:
        """Fixed facts; its cameras are those of the recording."""
        cameras = self._config.options.get("cameras", ()) if self._config else ()
        return SimulatorSpec(RECORDED, tuple(str(c) for c in cameras), (), 1.0, 1)

    def reset(self, config: EpisodeConfig) -> str:
        """Find the episode, and return its instruction.

        Raises:
            NotStored: its dataset is not here.
            InvalidInput: the configuration names none.
        """
        place_of(self._folder, config.options)
        self._config, self._frame = config, 0
        return config.instruction

    def step(
        self,
        action: NDArray[np.float32],
        *,
        on_slice: OnSlice | None = None,
        halt_slice: int | None = None,
        takeover: Takeover | None = None,
    ) -> StepResult:
        """Refuse: nobody knows what would have happened.

        Raises:
            InvalidInput: always.
        """
        raise _not_continued()

    def observe(self, cameras: Sequence[CameraRequest]) -> Observation:
        """Return the recorded pictures; no proprioception is known (NaN)."""
        config = self._require()
        if self._view is None:
            self._view = _RecordedView(self._folder, config)
        physics = np.array([self._frame], dtype=np.float64)
        images = {camera.name: self._view.render(physics, camera, "policy") for camera in cameras}
        pinholes = {camera.name: self._view.pinhole(physics, camera) for camera in cameras}
        proprio = np.full(PROPRIO_DIM, np.nan, dtype=np.float32)
        return Observation(images, {}, pinholes, proprio, self._frame, self._frame / config.control_hz)

    def state(self) -> SimState:
        """Return which frame is shown."""
        return frame_state(self._frame)

    def restore(self, state: SimState) -> None:
        """Go to another frame."""
        if state.physics.size < 1:
            raise InvalidInput("state of a recording", expected="a frame", found="nothing")
        self._frame = int(state.physics[0])

    def open_view(self) -> Callable[[], View]:
        """Return a factory, callable in another thread, of a view on the recording."""
        folder, config = self._folder, self._require()
        return lambda: _RecordedView(folder, config)

    def close(self) -> None:
        """Let go of the files."""
        if self._view is not None:
            self._view.close()
            self._view = None

    def _require(self) -> EpisodeConfig:
        if self._config is None:
            raise InvalidInput("recording", expected="an episode", found="none", fix="Open one in the History tab.")
        return self._config


def require_physics(config: EpisodeConfig) -> None:
    """Refuse to go on from a recording.

    Raises:
        InvalidInput: the episode was recorded elsewhere.
    """
    if config.simulator == RECORDED:
        raise _not_continued()


def _not_continued() -> InvalidInput:
    return InvalidInput(
        "episode",
        expected="one that ran in a simulator here",
        found="a recording from elsewhere, of which there are pictures and numbers only",
        fix="It can be looked at, rated and compared. To run on, start a new episode in the Scene tab.",
    )


def place_of(folder: Path, options: Mapping[str, Any]) -> tuple[Path, int]:
    """Return the folder of a recorded episode's dataset, and its number there.

    Raises:
        InvalidInput: the options name none.
        NotStored: the dataset is not here.
    """
    name, index = options.get("dataset"), options.get("episode")
    if not isinstance(name, str) or not name.isalnum() or isinstance(index, bool) or not isinstance(index, int) or index < 0:
        raise InvalidInput("recording", expected="a dataset and an episode", found=f"{name!r} and {index!r}"[:80])
    if not (folder / name).is_dir():
        source = str(options.get("source", name))[:80]
        raise NotStored(f"Pictures of the dataset {source}", reason="they are not in this workbench", fix="Import that dataset again.")
    return folder / name, index


class _RecordedView:
    """Draws frames of one recorded episode, with a line that says what they are. Opens its files when first asked."""

    def __init__(self, folder: Path, config: EpisodeConfig) -> None:
        self._folder, self._config = folder, config
        self._pictures: dict[str, EpisodePictures | None] = {}

    def render(self, physics: NDArray[np.float64], camera: CameraRequest, quality: Quality) -> NDArray[np.uint8]:
        """Return ``(H, W, 3) uint8`` RGB: the recorded picture, whole, above a line that names its camera."""
        key = self._camera_for(camera.name)
        found = self._picture(key, int(physics[0])) if key else None
        canvas = Image.new("RGB", (camera.width, camera.height), _BACKGROUND)
        room = (camera.width, max(1, camera.height - _STRIP_PX))
        if found is not None:
            picture = Image.fromarray(found)
            scale = min(room[0] / picture.width, room[1] / picture.height)
            picture = picture.resize(
                (max(1, round(picture.width * scale)), max(1, round(picture.height * scale))), Image.Resampling.BILINEAR
            )
            canvas.paste(picture, ((room[0] - picture.width) // 2, (room[1] - picture.height) // 2))
        label = f"recorded: {key.removeprefix(IMAGES)}" if found is not None else "no picture was recorded here"
        draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(12)
        draw.text((camera.width - 6, camera.height - _STRIP_PX // 2), label, _INK, font, anchor="rm")
        return np.asarray(canvas)

    def pinhole(self, physics: NDArray[np.float64], camera: CameraRequest) -> Pinhole:
        """Return a stand-in: where a recorded camera stood is not known, and nothing is drawn by it."""
        middle = (camera.width / 2, camera.height / 2)
        return Pinhole(camera.name, camera.width, camera.height, float(camera.width), float(camera.width), *middle, np.eye(4))

    def close(self) -> None:
        """Let go of the files."""
        for pictures in self._pictures.values():
            if pictures is not None:
                pictures.close()
        self._pictures = {}

    def _camera_for(self, name: str) -> str:
        """Return the recorded camera that stands for one of the stage: of the same name, else the next that has no namesake."""
        recorded = [str(c) for c in self._config.options.get("cameras", ())]
        exact = next((c for c in recorded if c.removeprefix(IMAGES) == name or c == name), None)
        if exact is not None or not recorded:
            return exact or ""
        return recorded[sum(name.encode()) % len(recorded)]

    def _picture(self, key: str, frame: int) -> NDArray[np.uint8] | None:
        if key not in self._pictures:
            root, index = place_of(self._folder, self._config.options)
            self._pictures[key] = open_pictures(open_dataset(root), index, key)
        pictures = self._pictures[key]
        return None if pictures is None else pictures.at(frame)
