from hypothesis import given
from hypothesis import strategies as st

from workbench.core.events import Event, EventKind
from workbench.intervention.segments import SegmentKind, interventions_of, kinds_of_steps


def event(kind, step, **payload):
    return Event(kind, step, step / 20, payload)


TAKEN = [
    event(EventKind.TAKEOVER, 10, via="key"),
    event(EventKind.INTERVENTION, 10, segment="recovery"),
    event(EventKind.INTERVENTION, 14, segment="correction"),
    event(EventKind.INTERVENTION, 15, reason="missed grasp"),
    event(EventKind.HANDBACK, 20),
]


def test_a_correction_has_its_start_end_reason_and_parts():
    (found,) = interventions_of(TAKEN, 40)
    assert (found.start, found.stop, found.reason, found.via) == (10, 20, "missed grasp", "key")
    kinds = kinds_of_steps([found], 40)
    assert kinds[9:21] == ["none"] + ["recovery"] * 4 + ["correction"] * 6 + ["none"]


def test_a_reason_may_be_said_after_control_was_handed_back():
    (found,) = interventions_of([*TAKEN, event(EventKind.INTERVENTION, 25, reason="too slow")], 40)
    assert found.reason == "too slow"


def test_an_intervention_that_goes_on_ends_at_the_present():
    (found,) = interventions_of(TAKEN[:1], 17)
    assert (found.start, found.stop) == (10, 17)


def test_nobody_learns_from_a_discarded_correction():
    for events in ([*TAKEN, event(EventKind.DISCARD, 20, start=10)], [TAKEN[0], event(EventKind.DISCARD, 15, start=10)]):
        (found,) = interventions_of(events, 20)
        assert found.is_discarded
        assert set(kinds_of_steps([found], 20)[10:]) == {SegmentKind.DISCARDED}


@st.composite
def stories(draw):
    events, step = [], 0
    for _ in range(draw(st.integers(0, 5))):
        step += draw(st.integers(0, 6))
        events.append(event(EventKind.TAKEOVER, step))
        for _ in range(draw(st.integers(0, 3))):
            step += draw(st.integers(0, 4))
            events.append(event(EventKind.INTERVENTION, step, segment=draw(st.sampled_from(["recovery", "correction", "else"]))))
        step += draw(st.integers(0, 4))
        events.append(event(EventKind.HANDBACK, step))
    return events, step + draw(st.integers(0, 5))


@given(stories())
def test_the_parts_of_a_correction_cover_it_without_gap_or_overlap(story):
    events, num_steps = story
    for found in interventions_of(events, num_steps):
        edges = [found.start] + [s.stop for s in found.segments]
        assert edges[-1] == found.stop or found.start == found.stop
        assert all(s.start == e and s.stop > s.start for s, e in zip(found.segments, edges, strict=False))
