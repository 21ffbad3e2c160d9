import numpy as np
import pytest

from workbench.core.trajectories import Phase
from workbench.planning import ways
from workbench.planning.switching import Contact, Mode, mode_after_change, mode_after_done

DOWN = np.array([0.0, 1.0, 0.0, 0.0])


def moment(x, z, opening, is_touching):
    return ways.Moment(np.array([x, 0.0, z]), DOWN, opening, is_touching)


def grasp_and_carry(carried=0.2):
    """Down to a thing at x = 0, shut, up, and along x."""
    down = [moment(0.0, z, 1.0, False) for z in np.linspace(0.25, 0.02, 40)]
    shut = [moment(0.0, 0.02, 0.0, i > 1) for i in range(5)]
    up = [moment(0.0, z, 0.0, True) for z in np.linspace(0.02, 0.2, 30)]
    along = [moment(x, 0.2, 0.0, True) for x in np.linspace(0.0, carried, 30)]
    return [*down, *shut, *up, *along]


def test_nothing_touched_means_no_way_back():
    assert ways.way_back([]) == ()
    assert ways.way_back([moment(0, 0.2, 1.0, False)] * 5) == ()


def test_the_way_back_lets_go_where_it_was_grasped_and_ends_clear_of_it():
    back = ways.way_back(grasp_and_carry())
    opened = next(i for i, w in enumerate(back) if w.gripper > 0.5)
    assert all(w.gripper < 0.5 for w in back[:opened])
    np.testing.assert_allclose(back[opened].position, [0.0, 0.0, 0.02], atol=0.01)
    assert back[opened].phase is Phase.RELEASE and back[opened].dwell_s > 0
    assert np.linalg.norm(back[-1].position - [0, 0, 0.02]) >= ways.CLEAR_M - 0.01
    assert back[-1].gripper > 0.5


@pytest.mark.parametrize("carried", [0.05, 0.1, 0.3])
def test_the_way_back_only_goes_where_the_hand_has_been(carried):
    tape = grasp_and_carry(carried)
    been = np.array([m.position for m in tape])
    for point in ways.way_back(tape):
        assert np.linalg.norm(been - point.position, axis=1).min() < 1e-9


def test_only_the_last_contact_is_undone():
    first = [
        *grasp_and_carry(),
        *[moment(0.2, 0.2 - 0.01 * i, 1.0, False) for i in range(5)],
        *[moment(0.2, z, 1.0, False) for z in np.linspace(0.1, 0.3, 20)],
    ]
    second = [moment(x, 0.3, 1.0, False) for x in np.linspace(0.2, 0.5, 20)] + [moment(0.5, 0.3 - 0.01 * i, 0.0, i > 20) for i in range(25)]
    back = ways.way_back([*first, *second])
    assert back and min(w.position[0] for w in back) > 0.3


def test_points_of_the_way_are_neither_crowded_nor_far_apart():
    points = np.array([w.position for w in ways.way_back(grasp_and_carry())])
    gaps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    assert gaps.max() < 0.04 and np.median(gaps) > 0.008


def test_a_way_to_the_start_rises_before_it_crosses_the_table():
    low = np.array([0.6, 0.2, 0.03])
    way = ways.to_start(low, moment(0.3, 0.3, 1.0, False))
    assert way[0].position[2] >= ways.TRAVEL_M and np.allclose(way[0].position[:2], low[:2])
    np.testing.assert_allclose(way[-1].position, [0.3, 0.0, 0.3])


def test_the_first_attempt_begins_at_the_start_and_the_others_around_it():
    assert not ways.new_start(1).any()
    later = [ways.new_start(i) for i in range(2, 6)]
    assert all(0.01 < np.linalg.norm(p) < 0.06 for p in later)
    assert all(np.linalg.norm(a - b) > 0.01 for i, a in enumerate(later) for b in later[:i])


@pytest.mark.parametrize("is_touching", [False, True])
@pytest.mark.parametrize("held", ["", "cube_red"])
@pytest.mark.parametrize("acts_on", ["", "cube_red", "cube_blue"])
def test_the_mode_after_a_change_in_every_case(is_touching, held, acts_on):
    contact = Contact(is_touching, held if is_touching else "")
    assert mode_after_change(contact, is_same=True, acts_on=acts_on) is Mode.FORWARD
    found = mode_after_change(contact, is_same=False, acts_on=acts_on)
    if not is_touching:
        assert found is Mode.ADVANCE
    else:
        assert found is (Mode.FORWARD if held and held == acts_on else Mode.ROLLBACK)


def test_what_is_done_is_not_undone_but_what_hangs_in_the_air_is_put_down():
    assert mode_after_done(Contact(True, "drawer_white", False), acts_on="cube_red") is Mode.ADVANCE
    assert mode_after_done(Contact(True, "cube_red", True), acts_on="cube_blue") is Mode.ROLLBACK
    assert mode_after_done(Contact(True, "cube_red", True), acts_on="cube_red") is Mode.FORWARD
    assert mode_after_done(Contact()) is Mode.ADVANCE
