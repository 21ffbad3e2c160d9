"""From an observation and a prompt to what the network reads."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from models.bench_vla.config import NUM_PROMPT_CHANNELS, BenchVlaConfig
from models.bench_vla.network import Batch
from models.bench_vla.normalisation import normalise_state, to_pictures
from models.bench_vla.prompts import MASK, NUM_AHEAD, draw_trace, find_low_part, five_points, look_along, shrink_mask
from models.bench_vla.vocabulary import Vocabulary
from workbench.core.errors import InvalidInput, InvalidShape
from workbench.core.geometry import Pinhole
from workbench.core.types import Interaction, Observation, Prompt, Trace

FRONT: Final = "front"
WRIST: Final = "wrist"
_INTERACTIONS: Final = tuple(Interaction)


def read_inputs(
    config: BenchVlaConfig, vocabulary: Vocabulary, observation: Observation, prompt: Prompt, memory: NDArray[np.float32]
) -> Batch:
    """Return one frame and one ask about it.

    Raises:
        InvalidInput: the instruction has words that are not known, or a mask or trace is on a camera that is not read.
        InvalidShape: a picture has another size than the network's.
    """
    front = _picture(observation, FRONT, config.front_side)
    wrist = _picture(observation, WRIST, config.wrist_side)
    channels = np.zeros((1, NUM_PROMPT_CHANNELS, config.front_side, config.front_side), dtype=np.float32)
    coordinates = np.full((1, 2 * config.num_trace_points), -1, dtype=np.int64)
    ahead = np.zeros((1, NUM_AHEAD, 6), dtype=np.float32)
    low_part = np.zeros((1, 2, 3), dtype=np.float32)
    role = -1
    if prompt.trace is not None and len(prompt.trace.points) >= 2:
        path = read_path(prompt.trace, observation.cameras[FRONT])
        draw_trace(channels[0], path)
        coordinates[0] = five_points(path, config.num_trace_points, config.num_coordinates)
        ahead[0] = look_along(path)
        low_part[0] = find_low_part(path)
    if prompt.mask is not None and prompt.mask.pixels.any():
        if prompt.mask.camera != FRONT:
            raise InvalidInput("mask", expected=f"one on the camera {FRONT!r}", found=f"one on {prompt.mask.camera!r}")
        channels[0, MASK] = shrink_mask(prompt.mask.pixels, config.front_side)
        role = 1 if prompt.interaction is Interaction.PLACE_ON else 0
    interaction = 0 if prompt.interaction is None or role < 0 else 1 + _INTERACTIONS.index(prompt.interaction)
    has_prompt = role >= 0 or coordinates[0, 0] >= 0
    return Batch(
        front=to_pictures(front[None]),
        wrist=to_pictures(wrist[None]),
        words=torch.from_numpy(vocabulary.encode(prompt.text)[None]),
        state=torch.from_numpy(normalise_state(observation.proprio[None], memory[None])),
        interaction=torch.tensor([interaction]),
        prompt=torch.from_numpy(channels[: int(has_prompt)]),
        prompted=torch.arange(int(has_prompt)),
        mask_role=torch.full((int(has_prompt),), role),
        trace=torch.from_numpy(coordinates),
        ahead=torch.from_numpy(ahead),
        low_part=torch.from_numpy(low_part),
    )


def read_path(trace: Trace, pinhole: Pinhole) -> NDArray[np.float64]:
    """Return a trace as ``(n, 4)``: u, v in 0..1 of the front picture, height [m] and opening, nan where they are not told.

    Args:
        trace: on the front camera.
        pinhole: of the front camera, any size.

    Raises:
        InvalidInput: the trace is on another camera.
    """
    if trace.camera != FRONT:
        raise InvalidInput("trace", expected=f"one on the camera {FRONT!r}", found=f"one on {trace.camera!r}")
    path = np.full((len(trace.points), 4), np.nan)
    path[:, :2] = np.asarray(trace.points, dtype=float) / (trace.width, trace.height)
    if trace.depths_m is not None:
        pixels = path[:, :2] * (pinhole.width, pinhole.height)
        path[:, 2] = pinhole.unproject(pixels, trace.depths_m)[:, 2]
    if trace.gripper is not None:
        path[:, 3] = trace.gripper
    return path


def _picture(observation: Observation, camera: str, side: int) -> NDArray[np.uint8]:
    picture = observation.images[camera]
    if picture.shape != (side, side, 3):
        raise InvalidShape(f"picture of camera {camera!r}", expected=(side, side, 3), found=picture.shape, dtype="uint8")
    return picture
