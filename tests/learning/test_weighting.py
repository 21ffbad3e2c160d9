"""Laws of the weights: what they sum to, what has how much mass, and what happens where a kind is missing."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from workbench.core.errors import InvalidInput
from workbench.core.types import Actor
from workbench.learning.lessons import Mode, modes_of_steps, starts_of_interventions
from workbench.learning.mixing import mix, shares_of
from workbench.learning.weighting import BEFORE_MASS, HUMAN_MASS, Weighting, effective_number, weigh

MODES = st.lists(st.sampled_from(list(Mode)), min_size=1, max_size=200).map(np.array)
ACTORS = st.lists(st.sampled_from([Actor.POLICY, Actor.HUMAN, Actor.HOLD]), min_size=1, max_size=120)
NONE, CORRECTION = "none", "correction"


def masses(modes, weights):
    return {mode: weights[modes == mode].sum() / weights.sum() for mode in Mode}


def kinds_of(actors):
    return [CORRECTION if a is Actor.HUMAN else NONE for a in actors]


@given(MODES, st.sampled_from(list(Weighting)))
def test_weights_sum_to_the_number_of_steps_and_none_is_negative(modes, weighting):
    weights = weigh(modes, weighting)
    used = modes != Mode.LEFT_OUT
    assert weights.sum() == pytest.approx(used.sum()) and (weights >= 0).all() and not weights[~used].any()


@given(MODES)
def test_iwr_gives_hand_and_policy_the_same_mass(modes):
    used = modes != Mode.LEFT_OUT
    human = modes == Mode.HUMAN
    assume(human.any() and (used & ~human).any())
    weights = weigh(modes, Weighting.IWR)
    assert weights[human].sum() == pytest.approx(weights[used & ~human].sum())
    assert np.unique(weights[human]).size == 1


@given(MODES)
def test_sirius_gives_interventions_half_and_what_led_to_them_next_to_nothing(modes):
    counts = {mode: int((modes == mode).sum()) for mode in Mode}
    assume(counts[Mode.HUMAN] and counts[Mode.BEFORE] and counts[Mode.POLICY])
    found = masses(modes, weigh(modes, Weighting.SIRIUS))
    assert found[Mode.HUMAN] == pytest.approx(HUMAN_MASS) and found[Mode.BEFORE] == pytest.approx(BEFORE_MASS)


def test_sirius_follows_its_formula_where_nothing_is_guarded():
    modes = np.repeat([Mode.DEMONSTRATION, Mode.HUMAN, Mode.BEFORE, Mode.POLICY], [30, 20, 10, 40])
    weights = weigh(modes, Weighting.SIRIUS)
    assert weights[0] == pytest.approx(1.0)
    assert weights[30] == pytest.approx(0.5 / 0.2) and weights[50] == pytest.approx(0.002 / 0.1)
    assert weights[60] == pytest.approx((1 - 0.5 - 0.3 - 0.002) / 0.4)


def test_sirius_never_weighs_a_step_below_nothing_where_demonstrations_are_many():
    modes = np.repeat([Mode.DEMONSTRATION, Mode.HUMAN, Mode.BEFORE, Mode.POLICY], [80, 5, 5, 10])
    weights = weigh(modes, Weighting.SIRIUS)
    found = masses(modes, weights)
    assert not weights[modes == Mode.POLICY].any() and found[Mode.HUMAN] == pytest.approx(0.5)
    assert found[Mode.DEMONSTRATION] == pytest.approx(0.498)


@pytest.mark.parametrize("weighting", Weighting)
def test_without_interventions_or_with_nothing_else_all_count_the_same(weighting):
    for modes in ([Mode.POLICY] * 7 + [Mode.DEMONSTRATION] * 2, [Mode.HUMAN] * 5):
        assert (weigh(modes, weighting) == 1).all()


def test_what_is_no_mode_is_refused():
    with pytest.raises(InvalidInput, match="modes"):
        weigh([0, 7], Weighting.IWR)


@given(ACTORS, st.integers(0, 30))
def test_the_window_before_is_the_policy_s_never_too_long_and_ends_at_an_intervention(actors, before):
    modes = modes_of_steps(actors, kinds_of(actors), before=before)
    for step in np.flatnonzero(modes == Mode.BEFORE):
        start = next(s for s in starts_of_interventions(actors) if s > step)
        assert start - step <= before and all(a is Actor.POLICY for a in actors[step:start])
    assert (modes == Mode.HUMAN).sum() == actors.count(Actor.HUMAN)


def test_the_window_stops_at_the_start_and_at_the_intervention_before():
    actors = [Actor.POLICY] * 3 + [Actor.HUMAN] * 2 + [Actor.POLICY] * 4 + [Actor.HUMAN] + [Actor.POLICY] * 20 + [Actor.HUMAN]
    modes = modes_of_steps(actors, kinds_of(actors))
    assert modes.tolist() == [-10] * 3 + [1] * 2 + [-10] * 4 + [1] + [0] * 5 + [-10] * 15 + [1]


def test_nobody_learns_from_a_discarded_correction_but_what_led_to_it_counts_as_bad():
    actors = [Actor.POLICY] * 2 + [Actor.HUMAN] * 3 + [Actor.HOLD]
    kinds = [NONE, NONE, "discarded", "discarded", "discarded", NONE]
    assert modes_of_steps(actors, kinds).tolist() == [-10, -10, -100, -100, -100, -100]


def test_recoveries_can_be_left_out():
    actors = [Actor.HUMAN] * 4
    kinds = ["recovery", "recovery", CORRECTION, CORRECTION]
    assert modes_of_steps(actors, kinds).tolist() == [1, 1, 1, 1]
    assert modes_of_steps(actors, kinds, has_recovery=False).tolist() == [-100, -100, 1, 1]


@given(MODES, st.sampled_from(list(Weighting)), st.floats(0, 1))
def test_the_mixture_has_the_share_of_demonstrations_that_was_asked_for(modes, weighting, share):
    others = (modes != Mode.DEMONSTRATION) & (modes != Mode.LEFT_OUT)
    assume((modes == Mode.DEMONSTRATION).any() and others.any())
    chances = mix(modes, weighting, demonstrations=share)
    assert chances.sum() == pytest.approx(1) and shares_of(modes, chances).demonstrations == pytest.approx(share)
    inside = weigh(modes[others], weighting)
    assert chances[others] == pytest.approx((1 - share) * inside / inside.sum())


def test_a_mixture_of_nothing_is_refused():
    with pytest.raises(InvalidInput, match="at least one"):
        mix([Mode.LEFT_OUT], Weighting.UNIFORM)
    with pytest.raises(InvalidInput, match="share"):
        mix([Mode.HUMAN], Weighting.UNIFORM, demonstrations=1.5)


def test_the_effective_number_is_the_number_for_equal_weights_and_one_for_a_single_one():
    assert effective_number(np.ones(9)) == pytest.approx(9) and effective_number([0, 3.0, 0]) == pytest.approx(1)
