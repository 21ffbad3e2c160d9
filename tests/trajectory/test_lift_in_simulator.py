"""Lifting against the simulator's truth: the exact point at which the pixel's ray meets the scene."""

import mujoco
import numpy as np
import pytest

from workbench.core.types import CameraRequest, EpisodeConfig
from workbench.simulation.simulator import BenchSimulator
from workbench.trajectory.lift import depth_picture, lift_pixel

TASKS = ("place_on_plate", "place_in_bowl", "open_drawer", "turn_knob", "push_to_zone", "press_button")


def errors_of_lifting(simulator, camera, size, rng, num_pixels=40):
    """Lift random pixels that show a prop or the table; return distances [m] to the points that the rays hit."""
    request = CameraRequest(camera, size, size)
    observation = simulator.observe((request,))
    picture = depth_picture(observation, camera)
    ids, names = simulator.object_ids(request)
    shown = np.array([n not in ("arm", "gripper") for n in names] + [False])
    v, u = np.nonzero(shown[ids] & (picture.depth < 2.0))
    chosen = rng.choice(len(u), num_pixels, replace=False)
    model, data, hit = simulator.model, mujoco.MjData(simulator.model), np.zeros(1, dtype=np.int32)
    mujoco.mj_setState(model, data, simulator.state().physics, mujoco.mjtState.mjSTATE_INTEGRATION)
    mujoco.mj_forward(model, data)
    groups = np.array([1, 1, 1, 0, 0, 0], dtype=np.uint8)
    errors = []
    for pixel in np.stack([u[chosen] + 0.5, v[chosen] + 0.5], axis=1):
        origin, direction = picture.pinhole.ray(pixel)
        distance = mujoco.mj_ray(model, data, origin, direction, groups, 1, -1, hit)
        errors.append(np.linalg.norm(lift_pixel(picture, pixel, "centre") - (origin + distance * direction)))
    return errors


@pytest.mark.parametrize(("camera", "size"), [("front", 480), ("front", 224), ("top", 480)])
def test_half_of_all_lifted_pixels_are_within_three_millimetres_of_the_truth(camera, size):
    simulator, rng = BenchSimulator(), np.random.default_rng(0)
    errors = []
    for seed, task in enumerate(TASKS):
        simulator.reset(EpisodeConfig(task, seed))
        errors += errors_of_lifting(simulator, camera, size, rng)
    simulator.close()
    assert np.median(errors) <= 0.003, f"median {1e3 * np.median(errors):.2f} mm"
    assert np.quantile(errors, 0.95) <= 0.01, f"95 % within {1e3 * np.quantile(errors, 0.95):.2f} mm"
