"""Pictures, depth and pinholes agree with the truth."""

import gc
import threading

import mujoco
import numpy as np
import pytest

from workbench.core.errors import TooLarge, UnknownName
from workbench.core.types import CameraRequest, EpisodeConfig
from workbench.simulation.appearance import CAMERAS
from workbench.simulation.build import build_model
from workbench.simulation.cameras import BenchView, FreeCamera, SceneRenderer, make_pinhole
from workbench.simulation.scene import Prop, PropKind, Scene
from workbench.simulation.simulator import BenchSimulator

CUBES = Scene(
    (
        Prop(PropKind.CUBE, "near", "red", 0.6, 0.2),
        Prop(PropKind.CUBE, "far", "blue", 0.4, -0.2),
        Prop(PropKind.CUBE, "middle", "green", 0.5, 0.0),
    )
)


@pytest.fixture(scope="module")
def scene():
    model = build_model(CUBES)
    data = mujoco.MjData(model)
    data.qpos[:7] = CUBES.arm_joints
    mujoco.mj_forward(model, data)
    renderer = SceneRenderer(model)
    yield model, data, renderer
    renderer.close()


@pytest.mark.parametrize("camera", ["front", "top"])
@pytest.mark.parametrize("size", [(224, 224), (480, 320)])
def test_depth_lifts_pixels_to_the_truth_within_two_millimetres(scene, camera, size):
    model, data, renderer = scene
    request = CameraRequest(camera, *size)
    depth, pinhole = renderer.depth(data, request), make_pinhole(model, data, request)
    ids = renderer.geom_ids(data, request)
    assert depth.dtype == np.float32
    for name in ("near", "far", "middle"):
        rows, columns = np.nonzero(ids == model.geom(f"{name}/body").id)
        assert len(rows) > 20
        points = pinhole.unproject(np.stack([columns + 0.5, rows + 0.5], axis=1), depth[rows, columns])
        off = np.abs(points - data.body(name).xpos).max(axis=1) - 0.022
        # Every lifted pixel lies on the surface of its cube.
        assert np.abs(off).max() < 0.002


@pytest.mark.parametrize("camera", CAMERAS)
def test_lifting_and_projecting_are_inverse(scene, camera):
    model, data, renderer = scene
    request = CameraRequest(camera, 160, 120)
    pinhole, depth = make_pinhole(model, data, request), renderer.depth(data, request)
    pixels = np.random.default_rng(0).uniform([0, 0], [160, 120], (50, 2))
    z = depth[pixels[:, 1].astype(int), pixels[:, 0].astype(int)]
    again, depths = pinhole.project(pinhole.unproject(pixels, z))
    assert again == pytest.approx(pixels, abs=1e-6)
    assert depths == pytest.approx(z, rel=1e-6)


def test_front_and_top_see_the_whole_table_part_of_the_workspace(scene):
    model, data, _ = scene
    corners = [(x, y, 0.0) for x in (0.25, 0.75) for y in (-0.4, 0.4)]
    for camera in ("front", "top"):
        pixels, depths = make_pinhole(model, data, CameraRequest(camera, 480, 480)).project(corners)
        assert np.all(depths > 0)
        assert np.all((pixels > 0) & (pixels < 480))


def test_in_every_camera_up_in_the_picture_is_towards_the_robot_and_right_is_left_of_it(scene):
    model, data, _ = scene
    for camera in ("front", "top"):
        pixels, _ = make_pinhole(model, data, CameraRequest(camera, 100, 100)).project([(0.5, 0, 0), (0.4, 0, 0), (0.5, 0.1, 0)])
        assert pixels[1, 1] < pixels[0, 1]
        assert pixels[2, 0] > pixels[0, 0]


def test_wrist_camera_sees_the_tool_centre_point(scene):
    model, data, _ = scene
    pixels, depths = make_pinhole(model, data, CameraRequest("wrist", 224, 224)).project(data.site("robot/ee").xpos)
    assert depths[0] > 0
    assert np.all((pixels > 0) & (pixels < 224))


def test_sizes_on_demand_do_not_change_the_picture_of_another_size(scene):
    _, data, renderer = scene
    small = renderer.rgb(data, CameraRequest("front", 64, 64))
    renderer.rgb(data, CameraRequest("top", 480, 480), "live")
    renderer.rgb(data, CameraRequest("front", 200, 100), "still")
    renderer.depth(data, CameraRequest("wrist", 90, 90))
    assert np.array_equal(renderer.rgb(data, CameraRequest("front", 64, 64)), small)


def test_live_and_still_throw_shadows_and_policy_does_not(scene):
    _, data, renderer = scene
    request = CameraRequest("top", 240, 240)
    plain, live, still = (renderer.rgb(data, request, quality).astype(int).sum(axis=2) for quality in ("policy", "live", "still"))
    table = np.abs(plain - np.median(plain)) < 60
    in_live, in_still = (table & (picture < 0.85 * plain) for picture in (live, still))
    assert in_live.sum() > 100
    # The flat shadows lie where the real ones do.
    assert (in_live & in_still).sum() > 0.6 * in_live.sum()


def test_unknown_cameras_and_absurd_sizes_are_refused(scene):
    _, data, renderer = scene
    with pytest.raises(UnknownName, match="wrist"):
        renderer.rgb(data, CameraRequest("wrst"))
    for width, height in ((0, 10), (10, -1), (5000, 10)):
        with pytest.raises(TooLarge):
            renderer.rgb(data, CameraRequest("front", width, height))


def test_a_free_camera_projects_what_it_draws(scene):
    model, data, _ = scene
    free = {"side": FreeCamera((0.5, 0.0, 0.02), 0.9, 2.4, -0.6)}
    renderer = SceneRenderer(model, free)
    request = CameraRequest("side", 200, 200)
    ids, pinhole = renderer.geom_ids(data, request), make_pinhole(model, data, request, free)
    renderer.close()
    for name in ("near", "far", "middle"):
        rows, columns = np.nonzero(ids == model.geom(f"{name}/body").id)
        pixel, _ = pinhole.project(data.body(name).xpos)
        assert np.hypot(columns.mean() + 0.5 - pixel[0, 0], rows.mean() + 0.5 - pixel[0, 1]) < 4


def test_camera_jitter_and_table_colour_change_the_look():
    plain = build_model(Scene(()))
    jittered = build_model(Scene((), look={"camera_jitter": {"front": [0.02, 0, 0, 0, 0.05, 0]}, "table": (0.2, 0.5, 0.2), "light": 0.5}))
    front = plain.camera("front").id
    assert jittered.cam_pos[front] - plain.cam_pos[front] == pytest.approx([0.02, 0, 0])
    assert np.any(jittered.cam_quat[front] != plain.cam_quat[front])
    assert jittered.geom("table").rgba[:3] == pytest.approx([0.2, 0.5, 0.2])
    assert jittered.light("key").diffuse[0] == pytest.approx(0.5 * plain.light("key").diffuse[0])


def test_views_open_in_another_thread_and_equal_the_simulators_own_pictures():
    simulator = BenchSimulator()
    simulator.reset(EpisodeConfig("stack", 1))
    open_view, physics, request = simulator.open_view(), simulator.state().physics, CameraRequest("front", 96, 96)
    found = []

    def draw():
        view = open_view()
        found.extend([view.render(physics, request, "policy"), view.pinhole(physics, request)])
        view.close()

    thread = threading.Thread(target=draw)
    thread.start()
    thread.join()
    observation = simulator.observe([request])
    assert np.array_equal(found[0], observation.images["front"])
    assert np.array_equal(found[1].T_world_camera, observation.cameras["front"].T_world_camera)
    simulator.close()


def test_many_views_come_and_go():
    model = build_model(Scene(()))
    physics = np.empty(mujoco.mj_stateSize(model, mujoco.mjtState.mjSTATE_INTEGRATION))
    mujoco.mj_getState(model, mujoco.MjData(model), physics, mujoco.mjtState.mjSTATE_INTEGRATION)
    pictures = []
    for _ in range(20):
        view = BenchView(model)
        pictures.append(view.render(physics, CameraRequest("top", 32, 32), "live").copy())
        view.close()
        view.close()
    gc.collect()
    assert all(np.array_equal(picture, pictures[0]) for picture in pictures)
