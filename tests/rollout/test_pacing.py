import numpy as np
import pytest

from workbench.rollout.pacing import MAX_LAG_S, Pacer, SpeedMeter


class FakeClock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += max(0.0, seconds)


def run_steps(clock, pacer, num_steps, *, period_s=0.05, num_slices=5, policy_s=0.0, slice_s=0.0):
    """Drive a pacer as the stepping thread does; return the time at which each slice began."""
    begun = []
    for _ in range(num_steps):
        pacer.begin_step(period_s)
        clock.sleep(policy_s)
        pacer.begin_slices(num_slices)
        for i in range(num_slices):
            clock.sleep(pacer.wait_s(i))
            begun.append(clock.now)
            clock.sleep(slice_s)
    return np.array(begun)


@pytest.mark.parametrize("speed", [1 / 8, 1.0, 4.0])
def test_slices_are_evenly_spaced_at_every_speed(speed):
    clock = FakeClock()
    begun = run_steps(clock, Pacer(clock), 20, period_s=0.05 / speed)
    np.testing.assert_allclose(np.diff(begun), 0.01 / speed, rtol=1e-6)


def test_the_average_speed_is_exact_while_policy_and_physics_fit_in_the_period():
    clock = FakeClock()
    begun = run_steps(clock, Pacer(clock), 100, policy_s=0.02, slice_s=0.004)
    steps = begun[::5]
    assert (steps[-1] - steps[0]) / 99 == pytest.approx(0.05, rel=0.01)


def test_a_policy_that_takes_its_time_does_not_make_the_motion_jump():
    clock = FakeClock()
    begun = run_steps(clock, Pacer(clock), 50, policy_s=0.02, slice_s=0.001)
    gaps = np.diff(begun)[10:]
    assert gaps.min() > 0.004  # without sharing, slices that are late follow each other at once, 0.001 apart


def test_a_slow_machine_runs_slow_and_does_not_burst_afterwards():
    clock = FakeClock()
    pacer = Pacer(clock)
    run_steps(clock, pacer, 20, slice_s=0.03)  # three times too slow, a second behind
    begun = run_steps(clock, pacer, 20, slice_s=0.0001)
    caught_up = 20 * 0.05 - (begun[-1] + 0.01 - begun[0])
    assert 0 < caught_up <= MAX_LAG_S + 0.05


def test_no_period_means_no_waiting():
    clock = FakeClock()
    begun = run_steps(clock, Pacer(clock), 10, period_s=0.0)
    assert begun[0] == begun[-1]


def test_a_restarted_schedule_does_not_catch_up_with_the_pause():
    clock = FakeClock()
    pacer = Pacer(clock)
    run_steps(clock, pacer, 3)
    clock.sleep(60)
    pacer.restart()
    begun = run_steps(clock, pacer, 3)
    np.testing.assert_allclose(np.diff(begun), 0.01, rtol=1e-6)


@pytest.mark.parametrize("speed", [0.125, 1.0, 4.0])
def test_the_meter_shows_simulated_over_real_time_of_the_last_second(speed):
    clock = FakeClock()
    meter = SpeedMeter(clock)
    assert meter.speed == 0
    for i in range(200):
        clock.sleep(0.05 / speed)
        meter.add(i * 0.05)
    assert meter.speed == pytest.approx(speed)
    meter.restart()
    assert meter.speed == 0


def test_the_meter_forgets_what_is_older_than_a_second():
    clock = FakeClock()
    meter = SpeedMeter(clock)
    time_s = 0.0
    for wall in [0.5] * 20 + [0.05] * 40:
        clock.sleep(wall)
        time_s += 0.05
        meter.add(time_s)
    assert meter.speed == pytest.approx(1.0)
