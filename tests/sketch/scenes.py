"""Observations of built scenes, for the tests of this folder."""

import mujoco
import numpy as np

from workbench.core.types import CameraRequest, Observation
from workbench.simulation.build import build_model
from workbench.simulation.cameras import SceneRenderer, make_pinhole
from workbench.simulation.scene import Prop, Scene


def observe(*props: Prop, camera: str = "front", size: int = 320) -> Observation:
    """Colour, depth and pose of one camera on a scene with these props."""
    model = build_model(Scene(props))
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    renderer = SceneRenderer(model)
    request = CameraRequest(camera, size, size)
    try:
        images, depth = {camera: renderer.rgb(data, request)}, {camera: renderer.depth(data, request)}
    finally:
        renderer.close()
    return Observation(images, depth, {camera: make_pinhole(model, data, request)}, np.zeros(16, np.float32), 0, 0.0)


def pixel_of(observation: Observation, camera: str, point) -> tuple[float, float]:
    u, v = observation.cameras[camera].project(point)[0][0]
    return float(u), float(v)
