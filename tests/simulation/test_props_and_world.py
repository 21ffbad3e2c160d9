"""What stands on the table behaves, and the world tells the truth about it."""

from itertools import cycle

import mujoco
import numpy as np
import pytest

from workbench.core.errors import UnknownName
from workbench.core.types import EpisodeConfig
from workbench.simulation.build import build_model
from workbench.simulation.props import BUTTON_TRAVEL, CUBE_SIZE, DRAWER_TRAVEL
from workbench.simulation.rig import find_rig
from workbench.simulation.scene import COLOURS, Prop, PropKind, Scene
from workbench.simulation.simulator import BenchSimulator
from workbench.simulation.world import World

EVERYTHING = tuple(
    Prop(kind, kind.value, colour, 0.29 + 0.18 * (index % 4), -0.36 + 0.24 * (index // 4))
    for index, (kind, colour) in enumerate(zip(PropKind, cycle(COLOURS), strict=False))
)
SECOND = 400


def make(*props):
    scene = Scene(props)
    model = build_model(scene)
    data = mujoco.MjData(model)
    rig = find_rig(model)
    data.qpos[rig.qpos] = scene.arm_joints
    data.ctrl[rig.actuators] = scene.arm_joints
    mujoco.mj_forward(model, data)
    return model, data, World(model, data, scene, rig, lambda: 1.0)


def run(model, data, seconds):
    for _ in range(round(SECOND * seconds)):
        mujoco.mj_step(model, data)
    mujoco.mj_forward(model, data)


def test_every_kind_of_prop_rests_where_it_was_put():
    model, data, world = make(*EVERYTHING)
    run(model, data, 1.0)
    for prop in EVERYTHING:
        assert world.position(prop.name)[:2] == pytest.approx([prop.x, prop.y], abs=0.001)
        assert world.speed(prop.name) < 0.001
        assert world.yaw(prop.name) == pytest.approx(0, abs=0.01)


def test_geoms_are_named_after_their_prop():
    model, _, world = make(*EVERYTHING)
    owners = {model.geom(g).name: owner for g, owner in enumerate(world.geom_owners)}
    for prop in EVERYTHING:
        assert any(owner == prop.name for owner in owners.values())
    assert {"gripper", "arm", "table", "floor"} <= set(owners.values())
    assert owners["table/leg0"] == "table"


def test_a_cube_dropped_into_the_bowl_stays_inside():
    bowl = Prop(PropKind.BOWL, "bowl", "blue", 0.5, 0.0)
    for dx, dy in ((0, 0), (0.02, 0.01), (-0.015, 0.02)):
        model, data, world = make(bowl, Prop(PropKind.CUBE, "cube", "red", 0.5, 0.0))
        data.joint("cube/free").qpos[:3] = [0.5 + dx, dy, 0.09]
        run(model, data, 1.5)
        assert np.linalg.norm((world.position("cube") - world.position("bowl"))[:2]) < 0.04
        assert 0.01 < world.position("cube")[2] < 0.05
        assert world.is_touching("cube", "bowl")
        assert not world.is_touching("cube", "table")


def test_the_drawer_slides_by_its_handle_to_its_travel_and_stays_where_it_is_left():
    model, data, world = make(Prop(PropKind.DRAWER, "drawer", "green", 0.5, 0.0))
    tray = model.body("drawer/tray").id
    start = world.part_position("drawer", "handle")
    data.xfrc_applied[tray, 0] = 6.0
    run(model, data, 0.3)
    data.xfrc_applied[tray, 0] = 0.0
    run(model, data, 0.5)
    opened = world.joint("drawer")
    assert 0.01 < opened <= DRAWER_TRAVEL + 0.002
    assert world.part_position("drawer", "handle")[0] - start[0] == pytest.approx(opened, abs=1e-6)
    run(model, data, 0.5)
    assert world.joint("drawer") == pytest.approx(opened, abs=1e-3)


def test_the_button_gives_way_and_springs_back():
    model, data, world = make(Prop(PropKind.BUTTON, "button", "red", 0.5, 0.0))
    run(model, data, 0.3)
    assert world.joint("button") == pytest.approx(0, abs=1e-3)
    data.xfrc_applied[model.body("button/cap").id, 2] = -8.0
    run(model, data, 0.3)
    assert world.joint("button") > 0.8 * BUTTON_TRAVEL
    data.xfrc_applied[:] = 0
    run(model, data, 0.5)
    assert world.joint("button") == pytest.approx(0, abs=1e-3)


def test_the_knob_turns_counter_clockwise_for_positive_angles_and_keeps_its_angle():
    model, data, world = make(Prop(PropKind.KNOB, "knob", "orange", 0.5, 0.0))
    data.joint("knob/turn").qpos[0] = 0.7
    run(model, data, 0.5)
    assert world.joint("knob") == pytest.approx(0.7, abs=0.01)
    pointer = world.part_position("knob", "pointer") - world.position("knob")
    assert np.arctan2(pointer[1], pointer[0]) == pytest.approx(0.7, abs=0.02)


def test_openings_in_the_scene_are_where_an_episode_starts():
    simulator = BenchSimulator()
    simulator.reset(EpisodeConfig("close_drawer", 3))
    drawer = next(p for p in simulator.instance.scene.props if p.kind is PropKind.DRAWER)
    assert drawer.opening > 0
    assert simulator.world.joint(drawer.name) == pytest.approx(drawer.opening, abs=0.002)
    simulator.close()


def test_scale_and_yaw_of_a_prop_are_applied():
    model, _, world = make(Prop(PropKind.BLOCK, "block", "purple", 0.5, 0.1, yaw=0.8, scale=1.2))
    assert world.yaw("block") == pytest.approx(0.8)
    assert model.geom("block/body").size == pytest.approx(1.2 * np.array([0.05, 0.018, 0.018]))
    mark = world.part_position("block", "mark") - world.position("block")
    assert np.arctan2(mark[1], mark[0]) == pytest.approx(0.8)


def test_contacts_name_both_sides_whatever_the_order():
    model, data, world = make(Prop(PropKind.CUBE, "cube", "red", 0.5, 0.0), Prop(PropKind.PLATE, "plate", "white", 0.5, 0.2))
    run(model, data, 0.2)
    assert world.is_touching("cube", "table")
    assert world.is_touching("table", "cube")
    assert not world.is_touching("cube", "plate")
    assert not world.is_held("cube")


def test_a_grasped_cube_is_held_and_lifted_and_survives_a_halt():
    simulator = BenchSimulator()
    simulator.reset(EpisodeConfig("pick", 2))
    world = simulator.world
    cube = simulator.instance.roles[next(iter(simulator.instance.roles))]
    goal = world.position(cube)

    def go(position, gripper, num_steps):
        for _ in range(num_steps):
            off = np.clip(position - world.ee_position, -0.02, 0.02)
            yaw = (world.yaw(cube) + np.pi / 4) % (np.pi / 2) - np.pi / 4
            fingers = 2 * np.arctan2(world.ee_quaternion[2], world.ee_quaternion[1])
            turn = np.clip((yaw - fingers + np.pi / 2) % np.pi - np.pi / 2, -0.1, 0.1) if gripper else 0.0
            simulator.step(np.array([*off, 0, 0, turn, gripper], dtype=np.float32))

    go(np.add(goal, (0, 0, 0.12)), 1.0, 30)
    go(goal, 1.0, 20)
    assert not world.is_held(cube)
    go(goal, 0.0, 12)
    assert world.is_held(cube)
    go(np.add(goal, (0, 0, 0.15)), 0.0, 12)
    assert world.is_held(cube)
    assert world.position(cube)[2] > 0.05
    assert 0.3 < world.gripper < CUBE_SIZE / 0.08 + 0.1
    for _ in range(3):
        simulator.step(np.array([0, 0.03, 0, 0, 0, 0, 0], dtype=np.float32))
    simulator.step(np.array([0, 0.03, 0, 0, 0, 0, 0], dtype=np.float32), halt_slice=1)
    assert world.ee_speed < 0.01
    for _ in range(5):
        simulator.step(np.zeros(7, dtype=np.float32))
    assert world.is_held(cube)
    assert world.initial.position(cube)[2] < 0.03
    simulator.close()


def test_snapshots_stay_as_they_are():
    simulator = BenchSimulator()
    simulator.reset(EpisodeConfig("touch", 2))
    before = simulator.world.snapshot()
    position = before.ee_position
    for _ in range(5):
        simulator.step(np.array([0.02, 0, 0, 0, 0, 0, 0], dtype=np.float32))
    assert np.array_equal(before.ee_position, position)
    assert before.gripper_command == 1.0
    assert simulator.world.gripper_command == 0.0
    assert simulator.world.ee_position[0] > position[0] + 0.05
    simulator.close()


def test_unknown_props_and_props_without_joint_are_refused_by_name():
    _, _, world = make(Prop(PropKind.CUBE, "cube_red", "red", 0.5, 0.0))
    with pytest.raises(UnknownName, match="cube_red"):
        world.position("cube_rad")
    with pytest.raises(UnknownName, match="joint"):
        world.joint("cube_red")


def test_colours_are_the_scenes():
    model, _, _ = make(*EVERYTHING)
    for prop in EVERYTHING:
        colours = [model.geom_rgba[g][:3] for g in range(model.ngeom) if model.geom(g).name.startswith(prop.name + "/")]
        assert any(np.allclose(colour, COLOURS[prop.colour], atol=1e-3) for colour in colours)
