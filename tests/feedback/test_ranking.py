import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.core.errors import InvalidInput
from workbench.feedback.pairing import Candidate, next_pair, order_for, pair_id, pairs_of
from workbench.feedback.ranking import Comparison, bradley_terry

TEAMS = ("Milwaukee", "Detroit", "Toronto", "New York", "Boston", "Cleveland", "Baltimore")
# American League 1987 (Agresti, Categorical Data Analysis): wins of the row against the column.
WINS = [
    [0, 7, 9, 7, 7, 9, 11], [6, 0, 7, 5, 11, 9, 9], [4, 6, 0, 7, 7, 8, 12], [6, 8, 6, 0, 6, 7, 10],
    [6, 2, 6, 7, 0, 7, 12], [4, 4, 5, 6, 6, 0, 6], [2, 4, 1, 3, 1, 7, 0],
]  # fmt: skip
PUBLISHED = [1.581, 1.436, 1.294, 1.248, 1.108, 0.684, 0.0]


def test_the_ranking_of_the_published_example():
    games = [Comparison(TEAMS[i], TEAMS[j]) for i, row in enumerate(WINS) for j, n in enumerate(row) for _ in range(n)]
    ranked = {r.name: r for r in bradley_terry(games, prior=1e-9)}
    for name, strength in zip(TEAMS, PUBLISHED, strict=True):
        assert ranked[name].strength - ranked["Baltimore"].strength == pytest.approx(strength, abs=2e-3)
        assert ranked[name].low < ranked[name].strength < ranked[name].high and ranked[name].num_comparisons == 78
    assert [r.name for r in bradley_terry(games)] == list(TEAMS)


names = st.sampled_from("abcd")
games = st.lists(st.tuples(names, names, st.booleans()).filter(lambda g: g[0] != g[1]), min_size=1, max_size=30)


@settings(deadline=None)
@given(games)
def test_strengths_are_finite_add_up_to_nothing_and_turn_round_with_the_games(played):
    there = bradley_terry([Comparison(*g) for g in played])
    back = {r.name: r for r in bradley_terry([Comparison(b, a, tie) for a, b, tie in played])}
    assert np.isfinite([[r.strength, r.low, r.high] for r in there]).all()
    assert sum(r.strength for r in there) == pytest.approx(0, abs=1e-6)
    for r in there:
        assert back[r.name].strength == pytest.approx(-r.strength, abs=1e-5)
        assert 0 <= r.win_low <= r.win_share <= r.win_high <= 1


def test_more_comparisons_make_the_interval_narrower_and_ties_make_equals():
    few, many = ([Comparison("a", "b"), Comparison("b", "a")] * n for n in (2, 20))
    width = [r.high - r.low for r in (bradley_terry(few)[0], bradley_terry(many)[0])]
    assert width[1] < width[0] / 2
    assert bradley_terry([Comparison("a", "b", is_tie=True)] * 5)[0].strength == pytest.approx(0, abs=1e-9)


def test_nobody_is_compared_with_himself():
    with pytest.raises(InvalidInput):
        bradley_terry([Comparison("a", "a")])
    assert bradley_terry([]) == ()


# Pairs

CANDIDATES = [Candidate(f"e{i}", f"s{i % 3}", f"p{i % 2}") for i in range(12)]


def test_only_episodes_of_the_same_start_are_paired_and_different_policies_come_first():
    start = {c.episode_id: c.start for c in CANDIDATES}
    group = {c.episode_id: c.group for c in CANDIDATES}
    pairs = pairs_of(CANDIDATES)
    assert pairs and all(start[a] == start[b] and a != b for a, b in pairs)
    is_same = [group[a] == group[b] for a, b in pairs]
    assert is_same == sorted(is_same)


def test_a_rater_sees_every_pair_once_and_the_least_judged_first():
    pairs = pairs_of(CANDIDATES)
    seen: set[str] = set()
    counts = {pair_id(*pairs[-1]): 0, **{pair_id(*p): 3 for p in pairs[:-1]}}
    first = next_pair("ann", pairs, seen, counts)
    assert first is not None and first.id == pair_id(*pairs[-1])
    while (pair := next_pair("ann", pairs, seen, counts)) is not None:
        assert pair.id not in seen
        seen.add(pair.id)
    assert len(seen) == len(pairs)


@given(st.text(max_size=8), st.text(max_size=8), st.text(max_size=8))
def test_the_order_is_the_same_for_the_same_rater_whoever_is_named_first(rater, a, b):
    assert order_for(rater, a, b) == order_for(rater, b, a)


def test_over_many_raters_each_episode_comes_first_about_half_the_time():
    firsts = sum(order_for(f"rater {i}", "one", "two").first == "one" for i in range(400))
    assert 160 < firsts < 240
