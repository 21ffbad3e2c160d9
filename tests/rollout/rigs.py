"""A controller on the fake world, and ways to wait for it."""

import math
import time

from tests.rollout.fakes import Diary, FakeSimulator, fake_config, policies, simulators
from workbench.rollout.controller import RolloutController


def wait_for(condition, timeout_s=10.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.001)


class Rig:
    """A controller on the fake world, with a diary of what observers hear."""

    def __init__(self, *, clock=time.monotonic, observers=(), **factories):
        self.diary = Diary()
        self.made = []

        def make():
            self.made.append(FakeSimulator())
            return self.made[-1]

        self.controller = RolloutController(
            simulators=simulators(make), policies=policies(**factories), observers=[self.diary, *observers], session_id="s", clock=clock
        )

    def start(self, policy="wander", *, config=None, speed=math.inf, **options):
        self.controller.set_speed(speed)
        return self.controller.start(config or fake_config(), policy=policy, **options).result(10)

    @property
    def mode(self):
        return self.controller.status().mode

    def flush(self):
        """Wait until everything that was asked so far is done."""
        self.controller.call(lambda simulator: None).result(10)

    def wait_steps(self, num_steps):
        wait_for(lambda: len(self.diary.steps) >= num_steps)

    def settled_steps(self):
        """Return the number of steps once no more arrive."""
        self.flush()
        count = len(self.diary.steps)
        time.sleep(0.05)
        assert len(self.diary.steps) == count
        return count
