import numpy as np

from tests.rollout.fakes import FakeView, fake_config
from workbench.rollout.publishing import Publisher
from workbench.rollout.status import LiveScene

SCENE = LiveScene(fake_config(), lambda: FakeView())


class FakeClock:
    now = 0.0

    def __call__(self):
        return self.now


def publish(publisher, value, *, step=0, is_due=True):
    publisher.publish(SCENE, "e", np.array([float(value)]), step=step, time_s=0.0, is_due=is_due)


def test_the_slot_holds_the_newest_state_and_listeners_hear_of_each():
    publisher, heard = Publisher(FakeClock()), []
    assert publisher.latest is None
    publisher.subscribe(lambda: heard.append(publisher.latest.physics[0]))
    for value in range(3):
        publish(publisher, value)
    assert heard == [0, 1, 2]
    assert publisher.latest.seq == 3


def test_a_published_state_does_not_change_when_the_simulator_reuses_its_memory():
    publisher, physics = Publisher(FakeClock()), np.zeros(1)
    publisher.publish(SCENE, "e", physics, step=0, time_s=0.0)
    physics += 1
    assert publisher.latest.physics[0] == 0


def test_what_is_not_due_is_left_out_while_the_last_one_is_young():
    clock = FakeClock()
    publisher = Publisher(clock)
    for value in range(100):
        clock.now += 0.001
        publish(publisher, value, is_due=False)
    assert publisher.latest.seq == 6
    publish(publisher, 7)
    assert publisher.latest.physics[0] == 7


def test_the_very_same_state_is_recognised():
    publisher = Publisher(FakeClock())
    assert not publisher.shows(SCENE, "e", np.zeros(1), step=0)
    publish(publisher, 0)
    assert publisher.shows(SCENE, "e", np.zeros(1), step=0)
    assert not publisher.shows(SCENE, "e", np.ones(1), step=0)
    assert not publisher.shows(SCENE, "e", np.zeros(1), step=1)
    assert not publisher.shows(SCENE, "f", np.zeros(1), step=0)
    assert not publisher.shows(LiveScene(fake_config(), FakeView), "e", np.zeros(1), step=0)


def test_who_unsubscribed_hears_nothing_more():
    publisher, heard = Publisher(FakeClock()), []

    def listen():
        heard.append(1)

    publisher.subscribe(listen)
    publish(publisher, 0)
    publisher.unsubscribe(listen)
    publisher.unsubscribe(listen)
    publish(publisher, 1)
    assert heard == [1]
    publisher.clear()
    assert publisher.latest is None
