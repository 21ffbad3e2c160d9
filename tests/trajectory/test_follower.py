import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.core.geometry import quat_from_rotvec, quat_multiply
from workbench.core.trajectories import Phase, Trajectory
from workbench.core.types import PROPRIO, PROPRIO_DIM, Observation
from workbench.trajectory.follower import MAX_ACCELERATION, MAX_TURN_SPEED, WaypointFollower, signed_turn, waypoint_cost
from workbench.trajectory.grasp import downward, finger_yaw
from workbench.trajectory.situation import waypoint

PERIOD_S = 0.05


class IdealArm:
    """Moves exactly as told, up to a wall that it cannot pass."""

    def __init__(self, position=(0.5, 0.0, 0.2), yaw=0.0, floor=-np.inf):
        self.position, self.quaternion, self.floor = np.array(position, dtype=float), downward(yaw), floor
        self.step = 0

    def observe(self) -> Observation:
        proprio = np.zeros(PROPRIO_DIM, dtype=np.float32)
        proprio[PROPRIO["ee_position"]], proprio[PROPRIO["ee_quaternion"]] = self.position, self.quaternion
        return Observation({}, {}, {}, proprio, self.step, self.step * PERIOD_S)

    def apply(self, action):
        self.position = self.position + action[:3]
        self.position[2] = max(self.position[2], self.floor)
        self.quaternion = quat_multiply(quat_from_rotvec(action[3:6]), self.quaternion)
        self.step += 1


def drive(ways, arm=None, max_steps=2000):
    """Follow way points; return the follower, the arm and the positions and actions on the way."""
    arm = arm or IdealArm()
    follower = WaypointFollower(Trajectory(tuple(ways), 0))
    positions, actions = [arm.position.copy()], []
    while not follower.is_done and len(actions) < max_steps:
        action = follower.act(arm.observe(), PERIOD_S)
        arm.apply(action)
        positions.append(arm.position.copy())
        actions.append(action)
    return follower, arm, np.array(positions), np.array(actions)


def test_the_cost_has_a_translation_and_a_rotation_term():
    here = np.array([0.5, 0.0, 0.2])
    move, turn = waypoint((0.53, 0.04, 0.2), 0.5, 0.0, Phase.MOVE), waypoint((1.5, 1.0, 1.2), 0.5, 0.0, Phase.ROTATE)
    assert waypoint_cost(here, downward(0.0), move) == pytest.approx(0.05)
    assert waypoint_cost(here, downward(0.0), turn) == pytest.approx(0.5)


@given(st.floats(-3.0, 3.0), st.floats(-3.0, 3.0))
def test_turns_keep_their_sign(start, turn):
    assert signed_turn(downward(start), downward(start + turn)) == pytest.approx(turn, abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(0.3, 0.7), st.floats(-0.3, 0.3), st.floats(0.05, 0.4)), min_size=1, max_size=5), st.floats(0.05, 0.4))
def test_every_path_is_followed_to_its_end_within_speed_limits(places, speed):
    ways = [waypoint(p, 0.0, 1.0, Phase.MOVE, speed=speed) for p in places]
    follower, arm, positions, _ = drive(ways)
    assert follower.is_done and not follower.stuck
    assert np.linalg.norm(arm.position - places[-1]) <= ways[-1].tolerance
    speeds = np.linalg.norm(np.diff(positions, axis=0), axis=1) / PERIOD_S
    assert speeds.max() <= speed + 1e-6


def test_the_last_point_is_reached_without_overshoot():
    goal = np.array([0.7, 0.0, 0.2])
    _, _, positions, _ = drive([waypoint(goal, 0.0, 1.0, Phase.MOVE, speed=0.5, tolerance=0.001)])
    assert positions[:, 0].max() <= goal[0] + 1e-6
    assert np.abs(positions[:, 1:] - [0.0, 0.2]).max() < 1e-6


def test_speed_grows_and_shrinks_no_faster_than_the_acceleration_limit():
    _, _, positions, _ = drive([waypoint((0.7, 0.2, 0.1), 0.0, 1.0, Phase.MOVE, speed=0.4, dwell_s=0.2)])
    speeds = np.linalg.norm(np.diff(positions, axis=0), axis=1) / PERIOD_S
    assert np.diff(speeds).max() <= MAX_ACCELERATION * PERIOD_S + 1e-6
    assert np.diff(speeds).min() >= -2.5 * MAX_ACCELERATION * PERIOD_S


def test_points_of_a_straight_shaft_are_passed_without_slowing_down():
    xs = np.linspace(0.5, 0.74, 7)[1:]
    _, _, positions, _ = drive([waypoint((x, 0.0, 0.2), 0.0, 0.0, Phase.MOVE, speed=0.2) for x in xs])
    speeds = np.linalg.norm(np.diff(positions, axis=0), axis=1) / PERIOD_S
    inner = (positions[:-1, 0] > 0.54) & (positions[:-1, 0] < 0.69)
    assert speeds[inner].min() > 0.19


def test_way_points_are_passed_in_order_and_within_their_tolerance():
    corners = [(0.6, 0.0, 0.2), (0.6, 0.1, 0.2), (0.5, 0.1, 0.2)]
    _, _, positions, _ = drive([waypoint(c, 0.0, 0.0, Phase.MOVE, tolerance=0.008) for c in corners])
    nearest = [np.linalg.norm(positions - c, axis=1) for c in corners]
    assert all(d.min() <= 0.008 + 1e-6 for d in nearest)
    assert [int(np.argmin(d)) for d in nearest] == sorted(int(np.argmin(d)) for d in nearest)


def test_the_gripper_is_given_its_time_before_the_arm_goes_on():
    here = (0.5, 0.0, 0.2)
    ways = [waypoint(here, 0.0, 0.0, Phase.GRASP, dwell_s=0.5), waypoint((0.5, 0.0, 0.3), 0.0, 0.0, Phase.LIFT)]
    _, _, positions, actions = drive(ways)
    num_still = int(np.argmax(positions[:, 2] > 0.2001)) - 1
    assert num_still * PERIOD_S >= 0.5
    assert (actions[:, 6] == 0.0).all()


@pytest.mark.parametrize("angle_deg", [100, -100, 170, -170, 300, -300])
def test_a_turn_goes_the_way_it_was_drawn_also_beyond_half_a_turn(angle_deg):
    parts = np.deg2rad(angle_deg) * np.linspace(0, 1, 25)[1:]
    _, arm, _, actions = drive([waypoint((0.5, 0.0, 0.2), a, 0.0, Phase.ROTATE) for a in parts], IdealArm())
    assert np.sum(actions[:, 5]) == pytest.approx(np.deg2rad(angle_deg), abs=0.05)
    assert np.sign(actions[:, 5]).min() == np.sign(actions[:, 5]).max() or np.isclose(actions[:, 5], 0).any()
    assert np.abs(actions[:, 5]).max() <= MAX_TURN_SPEED * PERIOD_S + 1e-6
    assert abs(finger_yaw(arm.quaternion) - np.angle(np.exp(1j * np.deg2rad(angle_deg)))) < 0.06


def test_a_blocked_arm_is_noticed_and_does_not_push_without_end():
    arm = IdealArm(floor=0.1)
    ways = [waypoint((0.5, 0.0, 0.02), 0.0, 0.0, Phase.PRESS), waypoint((0.5, 0.0, 0.3), 0.0, 0.0, Phase.RETREAT)]
    follower = WaypointFollower(Trajectory(tuple(ways), 0))
    pushed = 0.0
    for _ in range(200):
        if follower.is_done:
            break
        action = follower.act(arm.observe(), PERIOD_S)
        pushed += min(action[2], 0.0) if arm.position[2] <= 0.1 else 0.0
        arm.apply(action)
    assert follower.is_done and follower.stuck == [0]
    assert -0.03 < pushed < 0.0


def test_after_somebody_else_moved_the_arm_it_goes_on_from_there():
    arm = IdealArm()
    follower = WaypointFollower(Trajectory((waypoint((0.7, 0.0, 0.2), 0.0, 1.0, Phase.MOVE),), 0))
    for _ in range(5):
        arm.apply(follower.act(arm.observe(), PERIOD_S))
    arm.position = np.array([0.4, 0.2, 0.3])
    for _ in range(100):
        if follower.is_done:
            break
        arm.apply(follower.act(arm.observe(), PERIOD_S))
    assert np.linalg.norm(arm.position - [0.7, 0.0, 0.2]) <= 0.01


def test_a_finished_follower_stays_where_it_is():
    follower, arm, _, _ = drive([waypoint((0.55, 0.0, 0.2), 0.0, 0.3, Phase.MOVE)])
    action = follower.act(arm.observe(), PERIOD_S)
    assert np.allclose(action[:6], 0) and action[6] == pytest.approx(0.3)


def test_what_a_halt_left_over_is_made_up():
    arm = IdealArm()
    follower = WaypointFollower(Trajectory((waypoint((0.6, 0.0, 0.2), 0.0, 1.0, Phase.DESCEND, tolerance=0.003, dwell_s=0.1),), 0))
    for step in range(200):
        if follower.is_done:
            break
        action = follower.act(arm.observe(), PERIOD_S)
        arm.apply(action if step != 6 else np.zeros(7))  # one command is lost
    assert follower.is_done and not follower.stuck
    assert np.linalg.norm(arm.position - [0.6, 0.0, 0.2]) <= 0.003
