"""Kinematics, the delta-pose controller, and the built-in arm they drive."""

import numpy as np
import pytest

from workbench.core.errors import InvalidShape
from workbench.core.geometry import quat_from_rotvec, quat_multiply
from workbench.core.types import EpisodeConfig
from workbench.simulation.build import build_model
from workbench.simulation.controllers import MAX_LINEAR_SPEED, WORKSPACE_HIGH, WORKSPACE_LOW, DeltaPoseController, Kinematics
from workbench.simulation.robot import MAX_JOINT_SPEEDS
from workbench.simulation.scene import Scene
from workbench.simulation.simulator import BenchSimulator

DOWN = np.array([0.0, 1.0, 0.0, 0.0])
START = np.array(Scene(()).arm_joints)
HAND_TO_TIP = 0.1034

# Modified Denavit-Hartenberg parameters of the Franka Panda's data sheet: a [m], d [m], alpha [rad], one row a joint.
PANDA_DH = np.array(
    [
        [0, 0.333, 0],
        [0, 0, -np.pi / 2],
        [0, 0.316, np.pi / 2],
        [0.0825, 0, np.pi / 2],
        [-0.0825, 0.384, -np.pi / 2],
        [0, 0, np.pi / 2],
        [0.088, 0, np.pi / 2],
    ]
)


def panda_pose(joints):
    """The tool's transform by the data sheet."""
    T = np.eye(4)
    for (a, d, alpha), q in zip(PANDA_DH, joints, strict=True):
        ca, sa, cq, sq = np.cos(alpha), np.sin(alpha), np.cos(q), np.sin(q)
        T = T @ np.array([[cq, -sq, 0, a], [sq * ca, cq * ca, -sa, -d * sa], [sq * sa, cq * sa, ca, d * ca], [0, 0, 0, 1]])
    c, s = np.cos(-np.pi / 4), np.sin(-np.pi / 4)
    return T @ np.array([[c, -s, 0, 0], [s, c, 0, 0], [0, 0, 1, 0.107 + HAND_TO_TIP], [0, 0, 0, 1]])


@pytest.fixture(scope="module")
def kinematics():
    return Kinematics(build_model(Scene(())))


@pytest.fixture
def controller(kinematics):
    made = DeltaPoseController(kinematics, kinematics.rig, 0.05)
    kinematics.set_posture(START)
    made.reset(START, 1.0)
    return made


def step(*values):
    return np.array([*values, *[0.0] * (6 - len(values)), 1.0], dtype=np.float32)


def test_forward_kinematics_are_the_pandas(kinematics):
    rng = np.random.default_rng(0)
    for _ in range(50):
        joints = rng.uniform(kinematics.rig.lower, kinematics.rig.upper)
        position, quaternion = kinematics.pose(joints)
        T = panda_pose(joints)
        assert position == pytest.approx(T[:3, 3], abs=1e-9)
        axis = np.array([2 * (quaternion[1] * quaternion[3] + quaternion[0] * quaternion[2])])
        assert axis[0] == pytest.approx(T[0, 2], abs=1e-9)


def test_inverse_undoes_forward_kinematics(kinematics):
    rng = np.random.default_rng(1)
    for _ in range(20):
        goal = START + rng.uniform(-0.3, 0.3, 7)
        position, quaternion = kinematics.pose(goal)
        found = kinematics.solve(position, quaternion, START)
        again, turned = kinematics.pose(found.joints)
        assert again == pytest.approx(position, abs=1e-4)
        assert abs(turned @ quaternion) == pytest.approx(1, abs=1e-6)


def test_workspace_near_the_table_can_be_reached_pointing_down(kinematics):
    rng = np.random.default_rng(2)
    for _ in range(60):
        position = rng.uniform([0.28, -0.36, 0.01], [0.68, 0.36, 0.30])
        yaw = quat_from_rotvec([0, 0, rng.uniform(-1.4, 1.4)])
        found = kinematics.solve(position, quat_multiply(yaw, DOWN), START)
        assert found.position_error_m < 0.001
        assert found.angle_error_rad < 0.01


def test_unreachable_poses_report_what_is_left(kinematics):
    found = kinematics.solve([1.5, 0, 0.3], DOWN, START)
    assert found.position_error_m > 0.4
    assert np.all((found.joints >= kinematics.rig.lower) & (found.joints <= kinematics.rig.upper))


def test_wrong_number_of_joints_is_refused(kinematics):
    with pytest.raises(InvalidShape):
        kinematics.pose(np.zeros(6))


def test_commanded_pose_integrates_the_deltas(controller):
    start = controller.position.copy()
    for _ in range(10):
        controller.begin(step(0.01, 0.005, -0.01))
    assert controller.position - start == pytest.approx([0.1, 0.05, -0.1], abs=1e-6)
    position, _ = controller.kinematics.pose(controller.joints)
    assert position == pytest.approx(controller.position, abs=2e-4)


def test_rotations_are_in_the_base_frame(controller):
    for _ in range(10):
        controller.begin(step(0, 0, 0, 0, 0, 0.05))
    wanted = quat_multiply(quat_from_rotvec([0, 0, 0.5]), DOWN)
    assert abs(controller.quaternion @ wanted) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("direction", np.vstack([np.eye(3), -np.eye(3)]))
def test_commanded_position_stays_in_the_workspace(controller, direction):
    for _ in range(60):
        controller.begin(step(*(0.05 * direction)))
        assert np.all(controller.position >= np.array(WORKSPACE_LOW) - 1e-9)
        assert np.all(controller.position <= np.array(WORKSPACE_HIGH) + 1e-9)


def test_long_steps_are_shortened_to_the_top_speed(controller):
    start = controller.position.copy()
    controller.begin(step(1.0, 0.0, 0.0))
    assert np.linalg.norm(controller.position - start) <= MAX_LINEAR_SPEED * 0.05 + 1e-9


def test_joint_limits_and_speed_limits_hold_for_wild_actions(controller):
    rng, rig = np.random.default_rng(3), controller.rig
    for _ in range(200):
        before = controller.joints
        controller.begin(rng.normal(size=7).astype(np.float32))
        assert np.all((controller.joints >= rig.lower - 1e-9) & (controller.joints <= rig.upper + 1e-9))
        assert np.all(np.abs(controller.joints - before) <= np.array(MAX_JOINT_SPEEDS) * 0.05 + 1e-6)


def test_standing_still_does_not_drift(controller):
    controller.begin(step(0.01, 0.01, -0.02))
    controller.begin(step())
    settled = controller.joints.copy()
    for _ in range(50):
        controller.begin(step())
    assert np.array_equal(controller.joints, settled)


def test_saved_targets_come_back_and_go_on_equal(controller, kinematics):
    controller.begin(step(0.02, 0, 0, 0, 0.05))
    other = DeltaPoseController(kinematics, kinematics.rig, 0.05)
    other.load(controller.save())
    for made in (controller, other):
        made.begin(step(0, 0.02))
    assert np.array_equal(controller.save(), other.save())


def test_the_arm_follows_without_lag_and_comes_to_rest():
    simulator = BenchSimulator()
    simulator.reset(EpisodeConfig("touch", 1))
    for action, num_steps in ((step(0.02, 0, 0), 8), (step(0, 0.02, 0), 8), (step(0, 0, -0.01), 8), (step(0, 0, 0, 0, 0, 0.08), 8)):
        for _ in range(num_steps):
            simulator.step(action)
        assert np.linalg.norm(simulator.world.ee_position - simulator._controller.position) < 0.004
    for _ in range(10):
        simulator.step(step())
    # Motors at their torque limit must not chatter: everything is still.
    assert np.abs(simulator._data.qvel[simulator._rig.dofs]).max() < 0.01
    assert simulator.world.ee_position == pytest.approx(simulator._controller.position, abs=0.001)
    simulator.close()
