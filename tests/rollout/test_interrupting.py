"""A policy that remembers what it told the robot to do is told when the robot did something else."""

import pytest

from tests.rollout.fakes import Wander
from workbench.core.protocols import Interruptible


class Mindful(Wander):
    """Counts how often it was interrupted."""

    num_interrupts = 0

    def interrupt(self):
        self.num_interrupts += 1


@pytest.fixture
def running(make_rig):
    policy = Mindful()
    rig = make_rig(mindful=lambda simulator: policy)
    rig.start("mindful", is_running=True)
    rig.wait_steps(3)
    assert isinstance(policy, Interruptible) and policy.num_interrupts == 0
    return rig, policy


def test_a_policy_hears_that_a_person_has_driven(running):
    rig, policy = running
    rig.controller.take_over()
    rig.controller.hand_back()
    rig.flush()
    assert policy.num_interrupts == 1


def test_a_policy_hears_of_a_halt_but_not_of_a_pause(running):
    rig, policy = running
    rig.controller.pause()
    rig.flush()
    assert policy.num_interrupts == 0
    rig.controller.halt()
    rig.flush()
    assert policy.num_interrupts == 1
