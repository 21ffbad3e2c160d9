import numpy as np
import pytest

from sessions.feedback import (
    find_pair,
    load_preferences,
    load_ratings,
    next_comparison,
    next_episode,
    save_preference,
    save_rating,
)
from sessions.interventions import help_by_policy
from sessions.recorder import Recorder
from sessions.store import Store
from tests.sessions.recordings import record, start
from tests.sessions.recordings import step as make_step
from workbench.core.errors import InvalidInput, NotStored
from workbench.core.events import EpisodeEnd, Event, EventKind, Outcome
from workbench.core.types import Actor
from workbench.feedback.judgements import Rating, parse_rater, parse_rating


@pytest.fixture
def store(tmp_path):
    """Two policies from two starts each, and one episode of a start of its own."""
    with Store.open(tmp_path / "workbench.db") as opened, Recorder(opened) as recorder:
        for seed in (1, 2):
            for policy in ("sketch", "bench-vla"):
                record(recorder, start(seed=seed, policy=policy), 8)
        record(recorder, start(seed=9), 8)
        assert recorder.flush()
        yield opened


def judge_all(store, rater, choice):
    while True:
        pair, progress = next_comparison(store, rater)
        if pair is None:
            return progress
        save_preference(store, pair, rater, choice)


def test_a_rater_compares_every_pair_of_the_same_start_once(store):
    assert judge_all(store, "Ann", "a").num_done == 2
    found = load_preferences(store)
    assert len(found) == 2 and all(p.first_policy != p.second_policy for p in found)
    assert all(p.winner == p.first for p in found)
    pair, progress = next_comparison(store, "Bob")
    assert pair is not None and progress.num_done == 0, "another rater has his own queue"


def test_a_later_answer_replaces_the_earlier_one_and_a_skip_is_not_asked_again(store):
    pair, _ = next_comparison(store, "Ann")
    save_preference(store, pair, "Ann", "skip")
    assert next_comparison(store, "Ann")[0].id != pair.id
    save_preference(store, find_pair(store, "Ann", pair.id), "Ann", "tie", "equally good")
    (found,) = load_preferences(store)
    assert found.choice == "tie" and found.reason == "equally good" and found.winner is None


def test_a_rating_comes_back_as_it_was_given_and_goes_with_its_episode(store):
    episode_id, progress = next_episode(store, "Ann")
    assert progress.num_all == 5
    given = parse_rating(
        {
            "is_success": False,
            "progress": 40,
            "quality": 2,
            "is_safe": True,
            "reasons": ["jerky"],
            "text": "hm",
            "notes": [{"time_s": 1.5, "text": "here"}],
        }
    )
    save_rating(store, episode_id, "  Ann ", given)
    (found,) = load_ratings(store)
    assert found.rating == given and found.rater == "Ann" and found.policy
    assert next_episode(store, "Ann")[0] != episode_id
    save_rating(store, episode_id, "Ann", Rating(quality=5))
    assert [r.rating.quality for r in load_ratings(store)] == [5]
    store.delete(episode_id)
    store.purge()
    assert load_ratings(store) == ()


@pytest.mark.parametrize(
    "data",
    [{}, {"quality": 6}, {"quality": True}, {"progress": -1}, {"is_success": "yes"}, {"notes": [{"time_s": "x"}]}, {"text": "\ud800"}],
)
def test_what_is_no_rating_is_refused(data):
    with pytest.raises(InvalidInput):
        parse_rating(data)


def test_nameless_raters_unknown_episodes_and_choices_are_refused(store):
    pair, _ = next_comparison(store, "Ann")
    with pytest.raises(InvalidInput):
        save_preference(store, pair, "Ann", "c")
    with pytest.raises(InvalidInput):
        parse_rater("   ")
    with pytest.raises(NotStored):
        save_rating(store, "nothing", "Ann", Rating(quality=1))
    with pytest.raises(NotStored):
        find_pair(store, "Ann", "nothing")


def test_how_much_people_helped_each_policy(tmp_path):
    with Store.open(tmp_path / "other.db") as store, Recorder(store) as recorder:
        head = start(policy="bench-vla")
        record(recorder, head, 10)
        helped = start(policy="bench-vla", seed=4)
        recorder.on_start(helped)
        recorder.on_event(helped.episode_id, Event(EventKind.TAKEOVER, 2, 0.1))
        rng = np.random.default_rng(0)
        for index in range(10):
            recorder.on_step(make_step(rng, index, actor=Actor.HUMAN if index < 4 else Actor.POLICY))
        recorder.on_end(EpisodeEnd(helped.episode_id, Outcome.FAILURE, 10, 0.5))
        assert recorder.flush()
        (found,) = help_by_policy(store)
    assert (found.policy, found.num_episodes, found.num_interventions, found.num_human_steps, found.num_steps) == ("bench-vla", 2, 1, 4, 20)
    assert found.trend == (0.0, 0.4) and found.share == 0.2
