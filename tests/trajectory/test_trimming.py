from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trajectory.conftest import look_down
from workbench.core.types import PROPRIO, PROPRIO_DIM, Observation, Trace
from workbench.trajectory.trimming import NEAR, Progress, TraceTrimmer, advance, measure, sight_of, what_lies_ahead

CAMERA = look_down()


def see(position, step, *, is_open=True, camera=CAMERA) -> Observation:
    """Look at the robot; ``is_open`` may be a part of one as well."""
    proprio = np.zeros(PROPRIO_DIM, dtype=np.float32)
    proprio[PROPRIO["ee_position"]] = position
    proprio[PROPRIO["gripper_command"]] = float(is_open)
    return Observation({}, {}, {"front": camera} if camera else {}, proprio, step, 0.05 * step)


def trace_of(positions, gripper=None, **others) -> Trace:
    pixels, depths = CAMERA.project(np.asarray(positions, dtype=float))
    points = tuple((float(u), float(v)) for u, v in pixels)
    return Trace("front", 480, 480, points, depths_m=tuple(float(d) for d in depths), gripper=gripper, **others)


def straight(start, stop, num=20):
    return np.linspace(start, stop, num)


HOME, TAIL, OVER, HEAD = (0.40, 0.0, 0.25), (0.45, -0.15, 0.03), (0.45, 0.0, 0.18), (0.5, 0.18, 0.03)
CARRY = trace_of([HOME, TAIL, OVER, HEAD], gripper=(1.0, 0.0, 0.0, 1.0))


def go(trimmer, trace, positions, first_step, *, is_open=True):
    """Let the robot go through positions; return what lay ahead at each."""
    return [trimmer.trim(trace, see(p, first_step + i, is_open=is_open)) for i, p in enumerate(positions)]


def gap_px(trace, position):
    return float(np.hypot(*(np.array(trace.points[0]) - CAMERA.project(position)[0][0])))


def test_a_robot_that_goes_along_a_trace_leaves_it_behind_point_by_point():
    trimmer = TraceTrimmer()
    first = go(trimmer, CARRY, straight(HOME, TAIL), 0)
    assert len(first[0].points) == 4 and first[0].points[1:] == CARRY.points[1:]
    assert first[-1].points[1:] == CARRY.points[1:], "the close at the tail is still to be done"
    go(trimmer, CARRY, [TAIL] * 3, 20, is_open=False)
    carried = go(trimmer, CARRY, [*straight(TAIL, OVER), *straight(OVER, HEAD)], 23, is_open=False)
    assert carried[0].points[1:] == CARRY.points[2:]
    assert carried[-1].points[1:] == CARRY.points[3:], "the opening at the head is still to be done"
    assert carried[-1].gripper == (0.0, 1.0)
    last = go(trimmer, CARRY, [HEAD] * 2, 70)[-1]
    assert len(last.points) == 1 and last.gripper == (1.0,) and trimmer.share == 1.0


def test_what_lies_ahead_starts_at_the_gripper_with_its_depth():
    trimmer = TraceTrimmer()
    for i, position in enumerate(straight(HOME, TAIL)):
        ahead = trimmer.trim(CARRY, see(position, i))
        assert gap_px(ahead, position) < 1e-3
        assert ahead.depths_m[0] == pytest.approx(CAMERA.project(position)[1][0], abs=1e-5)
        assert len(ahead.depths_m) == len(ahead.gripper) == len(ahead.points)


def test_an_event_is_kept_until_the_gripper_was_told_so_near_its_point():
    trimmer = TraceTrimmer()
    go(trimmer, CARRY, straight(HOME, TAIL), 0)
    go(trimmer, CARRY, straight(TAIL, OVER), 20)  # forgot to close
    assert trimmer.progress.num_events == 1
    assert trimmer.ahead.points[1:] == CARRY.points[1:] and trimmer.ahead.gripper == (1.0, 0.0, 0.0, 1.0)


def test_closing_far_from_the_tail_is_not_the_grasp():
    trimmer = TraceTrimmer()
    go(trimmer, CARRY, straight(HOME, TAIL, 20)[:6], 0)
    trimmer.trim(CARRY, see(straight(HOME, TAIL, 20)[6], 6, is_open=False))
    assert trimmer.ahead.points[1:] == CARRY.points[1:]


def test_a_path_that_goes_down_and_up_again_is_travelled_in_order():
    top, bottom = (0.45, 0.1, 0.2), (0.45, 0.1, 0.02)
    trace = trace_of([top, bottom, top])
    trimmer = TraceTrimmer()
    rng = np.random.default_rng(0)
    for i, position in enumerate(straight(top, bottom, 30)):
        ahead = trimmer.trim(trace, see(position + rng.normal(scale=0.002, size=3), i))
        assert len(ahead.points) == 3 or np.linalg.norm(np.subtract(position, bottom)) < 0.03
    assert go(trimmer, trace, straight(bottom, top, 30), 30)[-1].points[1:] in ((), trace.points[2:])
    assert trimmer.share > 0.95


def test_a_robot_pushed_forward_along_the_path_finds_it_again():
    line = straight((0.3, -0.25, 0.05), (0.6, 0.25, 0.05), 60)
    trace = trace_of(line)
    trimmer = TraceTrimmer()
    go(trimmer, trace, line[:10], 0)
    trimmer.trim(trace, see(line[40], 10))
    assert not trimmer.progress.trouble and trimmer.progress.arc == pytest.approx(measure(trace).arcs[40], abs=0.01)


def test_a_robot_pushed_off_sideways_is_led_back_and_told_of():
    line = straight((0.3, -0.25, 0.05), (0.3, 0.25, 0.05), 60)
    trace = trace_of(line)
    trimmer = TraceTrimmer()
    go(trimmer, trace, line[:20], 0)
    before = trimmer.progress.arc
    ahead = trimmer.trim(trace, see(line[20] + (0.3, 0, 0), 20))
    assert "off the trace" in trimmer.progress.trouble
    assert trimmer.progress.arc >= before and ahead.points[-1] == trace.points[-1]
    trimmer.trim(trace, see(line[22], 21))
    assert trimmer.progress.trouble == ""


@pytest.mark.parametrize(("position", "camera", "word"), [((0.45, 0, 0.05), None, "not observed"), ((5.0, 0, 3.0), CAMERA, "outside")])
def test_a_gripper_that_cannot_be_seen_leaves_the_trace_whole_and_says_why(position, camera, word):
    trimmer = TraceTrimmer()
    ahead = trimmer.trim(CARRY, see(position, 0, camera=camera))
    assert ahead.points == CARRY.points and word in trimmer.progress.trouble


def test_the_same_observation_seen_twice_changes_nothing():
    once, twice = TraceTrimmer(), TraceTrimmer()
    for i, position in enumerate(straight(HOME, TAIL)):
        once.trim(CARRY, see(position, i))
        for _ in range(3):
            twice.trim(CARRY, see(position, i))
        assert once.progress == twice.progress and once.ahead == twice.ahead


def test_seeing_the_same_steps_again_gives_the_same_progress():
    steps = [see(p, i) for i, p in enumerate(straight(HOME, TAIL))]
    steps += [see(p, 20 + i, is_open=False) for i, p in enumerate(straight(TAIL, OVER))]
    first, second = TraceTrimmer(), TraceTrimmer()
    for step in steps:
        first.trim(CARRY, step)
    for step in steps:
        second.trim(replace(CARRY), step)
    assert first.progress == second.progress and first.ahead == second.ahead


def test_another_trace_starts_anew():
    trimmer = TraceTrimmer()
    go(trimmer, CARRY, straight(HOME, TAIL), 0)
    trimmer.trim(trace_of([TAIL, HEAD]), see(TAIL, 21))
    assert trimmer.progress.num_events == 0 and trimmer.progress.arc == pytest.approx(0.0, abs=0.01)
    assert trimmer.trim(None, see(TAIL, 22)) is None and trimmer.ahead is None


def test_a_trace_of_a_smaller_frame_is_trimmed_alike():
    small = Trace("front", 128, 128, tuple((u * 128 / 480, v * 128 / 480) for u, v in CARRY.points), gripper=CARRY.gripper)
    a, b = TraceTrimmer(), TraceTrimmer()
    for i, position in enumerate(straight(HOME, TAIL)):
        large, little = a.trim(CARRY, see(position, i)), b.trim(small, see(position, i))
        np.testing.assert_allclose(np.array(little.points) * 480 / 128, large.points, atol=1e-6)


def test_times_are_cut_with_the_points():
    line = straight((0.3, -0.2, 0.05), (0.3, 0.2, 0.05), 5)
    trace = replace(trace_of(line), times_s=(0.0, 1.0, 2.0, 3.0, 4.0))
    trimmer = TraceTrimmer()
    ahead = go(trimmer, trace, straight(line[0], line[2], 15), 0)[-1]
    assert ahead.times_s[0] == pytest.approx(2.0, abs=0.15) and ahead.times_s[-2:] == (3.0, 4.0)


@pytest.mark.parametrize("points", [(), ((10.0, 10.0),), ((10.0, 10.0), (10.0, 10.0))])
def test_degenerate_traces_do_no_harm(points):
    trace = Trace("front", 480, 480, points)
    ahead = TraceTrimmer().trim(trace, see(HOME, 0))
    assert len(ahead.points) <= max(2, len(points))


def test_a_half_open_gripper_is_neither_open_nor_shut():
    push = trace_of([HOME, TAIL, HEAD], gripper=(0.5, 0.5, 0.5))
    assert [e.opening for e in measure(push).events] == [0.5]
    for opening, is_done in ((1.0, False), (0.0, False), (0.47, True), (0.55, True)):
        progress = advance(push, Progress(), sight_of(see(straight(HOME, TAIL)[5], 0, is_open=opening), push))
        assert progress.num_events == int(is_done)


PLACES = st.tuples(st.floats(0.25, 0.65), st.floats(-0.3, 0.3), st.floats(0.02, 0.3))


@settings(max_examples=60, deadline=None)
@given(st.lists(PLACES, min_size=2, max_size=6), st.lists(st.tuples(PLACES, st.booleans()), min_size=1, max_size=12), st.booleans())
def test_whatever_the_robot_does_progress_never_goes_back_and_the_end_stays(corners, moves, has_gripper):
    trace = trace_of(corners, gripper=tuple(float(i % 2) for i in range(len(corners))) if has_gripper else None)
    progress, length = Progress(), measure(trace).length
    for i, (position, is_open) in enumerate(moves):
        sight = sight_of(see(position, i, is_open=is_open), trace)
        later = advance(trace, progress, sight)
        assert progress.arc <= later.arc <= length + 1e-9 and later.num_events >= progress.num_events
        progress = later
        ahead = what_lies_ahead(trace, progress, sight)
        assert ahead.points[-1] == trace.points[-1] or length - progress.arc < NEAR or len(ahead.points) <= 2
        if has_gripper:
            waiting = [e.opening > 0.5 for e in measure(trace).events[progress.num_events :]]
            left = [g > 0.5 for g in ahead.gripper]
            changes = [b for a, b in pairwise(left) if a != b]
            assert changes[-len(waiting) :] == waiting or not waiting
