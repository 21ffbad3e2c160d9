"""Robots from MJCF files in place of the built-in arm."""

import numpy as np
import pytest

from workbench.core.errors import InvalidInput, Unreachable
from workbench.core.types import CameraRequest, EpisodeConfig
from workbench.simulation.simulator import BenchSimulator

ARM = """
<mujoco model="six">
  <compiler angle="degree" autolimits="true"/>
  <option integrator="RK4" timestep="0.001"/>
  <default>
    <joint axis="0 1 0" range="-170 170" armature="0.05" damping="2"/>
    <geom type="capsule" size="0.03" density="800"/>
  </default>
  <worldbody>
    <light name="lamp" pos="0 0 3"/>
    <geom name="ground" type="plane" size="2 2 0.1"/>
    <body name="base">
      <geom type="cylinder" size="0.06 0.05" pos="0 0 0.05"/>
      <body name="turret" pos="0 0 0.12"><joint name="a1" axis="0 0 1"/><geom fromto="0 0 0.03 0 0 0.1"/>
        <body name="upper" pos="0 0 0.12"><joint name="a2"/><geom fromto="0 0 0 0 0 0.38"/>
          <body name="fore" pos="0 0 0.40"><joint name="a3"/><geom fromto="0 0 0 0 0 0.33"/>
            <body pos="0 0 0.35"><joint axis="0 0 1"/><geom size="0.025" fromto="0 0 0 0 0 0.05"/>
              <body name="w2" pos="0 0 0.06"><joint name="a5"/><geom size="0.025" fromto="0 0 0 0 0 0.05"/>
                <body name="w3" pos="0 0 0.06"><joint name="a6" axis="0 0 1"/><geom size="0.025" fromto="0 0 0 0 0 0.03"/>
                  <body name="palm" pos="0 0 0.05">
                    SITE
                    <geom type="box" size="0.02 0.05 0.015"/>
                    FINGERS
                  </body>
                </body>
              </body>
            </body>
          </body>
        </body>
      </body>
    </body>
  </worldbody>
  <actuator>
    <motor name="m1" joint="a1" ctrlrange="-1 1" gear="100"/>
    <position name="m2" joint="a2" kp="4000" kv="150" forcerange="-150 150"/>
    <motor name="m3" joint="a3" ctrlrange="-100 100"/>
    <position name="m4" joint="joint3" kp="900" kv="60"/>
    <velocity name="m5" joint="a5" kv="10" forcerange="-30 30"/>
    <position name="m6" joint="a6" kp="500" kv="30"/>
    GRIPPER
  </actuator>
  <keyframe><key name="home" qpos="0 20 80 0 80 0HANDS"/></keyframe>
</mujoco>
"""
FINGERS = """
<body name="left" pos="0 0.03 0.01"><joint name="lf" axis="1 0 0" range="-30 10" damping="0.2"/>
  <geom type="box" size="0.01 0.005 0.03" pos="0 0.0 0.035"/></body>
<body name="right" pos="0 -0.03 0.01"><joint name="rf" axis="-1 0 0" range="-30 10" damping="0.2"/>
  <geom type="box" size="0.01 0.005 0.03" pos="0 0.0 0.035"/></body>
"""
GRIPPER = """
<position name="gl" joint="lf" kp="20" kv="1" ctrlrange="-0.52 0.17"/>
<position name="gr" joint="rf" kp="20" kv="1" ctrlrange="-0.52 0.17"/>
"""


def write_arm(folder, *, has_gripper=True, text=ARM, site=""):
    path = folder / "arm.xml"
    parts = (FINGERS, GRIPPER, " 0 0", site) if has_gripper else ("", "", "", site)
    for name, part in zip(("FINGERS", "GRIPPER", "HANDS", "SITE"), parts, strict=True):
        text = text.replace(name, part)
    path.write_text(text)
    return str(path)


@pytest.fixture
def simulator():
    made = BenchSimulator()
    yield made
    made.close()


def drive(simulator, action, num_steps=10):
    for _ in range(num_steps):
        simulator.step(np.asarray(action, dtype=np.float32))


def test_a_six_joint_arm_with_motors_follows_delta_poses(simulator, tmp_path):
    simulator.reset(EpisodeConfig("pick", 2, robot=write_arm(tmp_path)))
    start, axis = simulator.world.ee_position, simulator.world.ee_quaternion
    assert abs(axis @ [0, 1, 0, 0]) > 0.995
    drive(simulator, [0.01, 0.01, -0.005, 0, 0, 0, 1])
    drive(simulator, [0, 0, 0, 0, 0, 0, 1], 5)
    assert simulator.world.ee_position - start == pytest.approx([0.1, 0.1, -0.05], abs=0.006)
    assert abs(simulator.world.ee_quaternion @ axis) > 0.995


def test_tool_centre_point_lies_between_the_finger_tips(simulator, tmp_path):
    simulator.reset(EpisodeConfig("touch", 2, robot=write_arm(tmp_path)))
    world = simulator.world
    # Pointing down: the tips are 0.075 under the palm, less the margin.
    palm = simulator._data.body("robot/palm").xpos
    assert palm - world.ee_position == pytest.approx([0, 0, 0.075 - 0.006], abs=0.004)


def test_a_site_of_the_file_tells_where_the_tool_centre_point_is(simulator, tmp_path):
    site = '<site name="ee" pos="0 0 0.05"/>'
    simulator.reset(EpisodeConfig("touch", 2, robot=write_arm(tmp_path, site=site)))
    palm = simulator._data.body("robot/palm").xpos
    assert palm - simulator.world.ee_position == pytest.approx([0, 0, 0.05], abs=0.004)


def test_gripper_opens_where_the_fingers_are_farther_apart(simulator, tmp_path):
    simulator.reset(EpisodeConfig("touch", 2, robot=write_arm(tmp_path)))
    gaps = []
    for target in (1.0, 0.0):
        drive(simulator, [0, 0, 0, 0, 0, 0, target], 20)
        left, right = (simulator._data.body(f"robot/{side}").id for side in ("left", "right"))
        tips = [simulator._data.geom_xpos[np.flatnonzero(simulator.model.geom_bodyid == body)[0]] for body in (left, right)]
        gaps.append(float(np.linalg.norm(tips[0] - tips[1])))
        assert simulator.world.gripper == pytest.approx(target, abs=0.1)
    assert gaps[0] > gaps[1] + 0.02


def test_states_of_another_robot_are_exact_and_its_halt_is_sudden(simulator, tmp_path):
    config = EpisodeConfig("stack", 3, robot=write_arm(tmp_path))
    simulator.reset(config)
    drive(simulator, [0.02, 0, 0, 0, 0, 0, 1], 6)
    middle = simulator.state()
    drive(simulator, [0.02, 0.01, 0, 0, 0, 0.05, 0], 5)
    truth = simulator.state()
    other = BenchSimulator()
    other.reset(config)
    other.restore(middle)
    drive(other, [0.02, 0.01, 0, 0, 0, 0.05, 0], 5)
    assert other.state().equals(truth)
    other.step(np.array([0.02, 0, 0, 0, 0, 0, 1], dtype=np.float32), halt_slice=2)
    assert other.world.ee_speed < 0.01


def test_an_arm_without_gripper_can_still_touch(simulator, tmp_path):
    simulator.reset(EpisodeConfig("touch", 2, robot=write_arm(tmp_path, has_gripper=False)))
    drive(simulator, [0.01, 0, -0.01, 0, 0, 0, 0], 5)
    assert simulator.world.gripper == 0.0
    assert simulator.observe([]).part("joints")[6] == 0.0


def test_lights_floors_and_keys_of_the_file_stay_behind(simulator, tmp_path):
    simulator.reset(EpisodeConfig("touch", 2, robot=write_arm(tmp_path)))
    model = simulator.model
    names = [model.geom(g).name for g in range(model.ngeom)] + [model.light(i).name for i in range(model.nlight)]
    assert "robot/ground" not in names
    assert "robot/lamp" not in names
    assert model.opt.timestep == 0.0025
    picture = simulator.observe([CameraRequest("wrist", 64, 64)]).images["wrist"]
    assert picture.std() > 5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<mujoco><worldbody/></mujoco>", "longest chain has 0"),
        ("this is not xml", "cannot be read"),
        ("<mujoco><worldbody><body><joint/></body></worldbody></mujoco>", "compiles"),
    ],
)
def test_files_without_a_usable_arm_are_refused_by_name(simulator, tmp_path, text, message):
    with pytest.raises(InvalidInput, match=message):
        simulator.reset(EpisodeConfig("touch", 0, robot=write_arm(tmp_path, text=text)))


def test_a_missing_file_is_refused(simulator, tmp_path):
    with pytest.raises(InvalidInput, match="no file"):
        simulator.reset(EpisodeConfig("touch", 0, robot=str(tmp_path / "none.xml")))


def test_an_arm_that_is_too_short_says_so(simulator, tmp_path):
    short = ARM.replace('pos="0 0 0.40"', 'pos="0 0 0.04"').replace('pos="0 0 0.35"', 'pos="0 0 0.03"')
    with pytest.raises(Unreachable, match="longer reach"):
        simulator.reset(EpisodeConfig("touch", 0, robot=write_arm(tmp_path, text=short)))


def test_the_built_in_arm_returns_after_another(simulator, tmp_path):
    config = EpisodeConfig("touch", 0)
    simulator.reset(config)
    before = simulator.state()
    simulator.reset(EpisodeConfig("touch", 0, robot=write_arm(tmp_path)))
    simulator.reset(config)
    assert simulator.state().equals(before)
