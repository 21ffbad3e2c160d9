import json

import pandas as pd
import pytest

from panels.rating_files import WRITERS, agreement_of, export_judgements, preference_pairs, summary
from sessions.feedback import find_pair, next_comparison, save_preference, save_rating
from sessions.recorder import Recorder
from sessions.store import Store
from tests.sessions.recordings import record, start
from workbench.core.errors import UnknownName
from workbench.feedback.agreement import Level
from workbench.feedback.judgements import parse_rating


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Three raters who all prefer the better policy wherever it is shown, and rate two episodes alike."""
    with Store.open(tmp_path_factory.mktemp("judged") / "workbench.db") as opened, Recorder(opened) as recorder:
        heads = [start(seed=seed, policy=policy) for seed in range(4) for policy in ("good", "poor")]
        for head in heads:
            record(recorder, head, 8)
        assert recorder.flush()
        policy = {head.episode_id: head.policy for head in heads}
        for rater in ("Ann", "Bob", "Cy"):
            while (pair := next_comparison(opened, rater)[0]) is not None:
                save_preference(opened, pair, rater, "a" if policy[pair.first] == "good" else "b")
            for head in heads[:2]:
                quality = 5 if head.policy == "good" else 2
                save_rating(
                    opened, head.episode_id, rater, parse_rating({"is_success": quality > 3, "quality": quality, "text": 'a "b", c'})
                )
        yield opened


def test_the_ranking_puts_the_preferred_policy_first_with_an_interval(store):
    first, second = summary(store)["ranking"]
    assert (first["name"], second["name"]) == ("good", "poor") and first["num_wins"] == 12
    assert first["win_low"] < first["win_share"] < first["win_high"] and first["low"] > second["high"] - 3


def test_raters_who_say_the_same_agree_whatever_order_they_saw(store):
    found = {a["name"]: a for a in summary(store)["agreement"]}
    assert found["quality"]["alpha"] == 1.0 and found["is_success"]["fleiss"] == 1.0 and found["quality"]["num_items"] == 2
    assert found["is_safe"]["alpha"] is None
    pair, _ = next_comparison(store, "someone new")
    orders = {find_pair(store, f"rater {i}", pair.id).first for i in range(40)}
    assert len(orders) == 2, "both orders are drawn"


def test_agreement_needs_two_people_on_one_thing():
    alone = agreement_of("quality", [("Ann", "e1", 3.0), ("Bob", "e2", 3.0)], Level.ORDINAL)
    assert alone["num_items"] == 0 and alone["alpha"] is None
    both = agreement_of("quality", [(r, i, float(q)) for r in ("Ann", "Bob") for i, q in (("e1", 1), ("e2", 5))], Level.ORDINAL)
    assert both["alpha"] == 1.0 and both["cohen"] == 1.0 and both["fleiss"] is None


def test_preference_pairs_name_the_chosen_and_the_rejected_episode(store):
    pairs = preference_pairs(store)
    assert len(pairs) == 12
    with_policy = {e.id: e.policy for e in store.episodes().episodes}
    assert {(with_policy[p["chosen"]], with_policy[p["rejected"]]) for p in pairs} == {("good", "poor")}


@pytest.mark.parametrize("form", WRITERS)
def test_every_export_holds_what_was_judged(store, form, tmp_path):
    if form == "parquet":
        pytest.importorskip("pyarrow")
    path = export_judgements(store, form, tmp_path)
    if form == "preferences":
        assert len([json.loads(line) for line in path.read_text().splitlines()]) == 12
    elif form == "json":
        document = json.loads(path.read_text())
        assert len(document["ratings"]) == 6 and len(document["preferences"]) == 12
    else:
        table = pd.read_csv(path) if form == "csv" else pd.read_parquet(path)
        assert len(table) == 6 and set(table["quality"]) == {5, 2} and set(table["text"]) == {'a "b", c'}


def test_an_unknown_export_is_refused_with_the_known_ones(store, tmp_path):
    with pytest.raises(UnknownName, match="parquet"):
        export_judgements(store, "xlsx", tmp_path)
