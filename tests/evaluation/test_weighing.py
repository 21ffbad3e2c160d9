import numpy as np
import pytest

from workbench.core.errors import InvalidInput, UnknownName
from workbench.evaluation.campaign import TrialResult
from workbench.evaluation.cards.robomonkey import power_law
from workbench.evaluation.settings import Setting, parse_setting
from workbench.evaluation.weighing import best_error
from workbench.rollout.candidates import CandidateSettings, Draw, When
from workbench.rollout.chunking import ChunkHandling, ChunkMode
from workbench.verification.action_error import COUNTS


def test_a_setting_says_which_candidates_are_weighed():
    found = parse_setting("pick=value,count=10,draw=policy,beta=0.1,watch=candidates")
    assert found.candidates == CandidateSettings(When.ALWAYS, 10, Draw.POLICY, verifier="value", beta=0.1)
    assert found.watched == "candidates" and parse_setting("").candidates is None


def test_a_setting_says_how_chunks_are_put_together():
    found = parse_setting("ensemble=adaptive,kept=7,alpha=5,horizon=4")
    assert found.handling == ChunkHandling(ChunkMode.ADAPTIVE, 4, 7, 5.0)
    assert parse_setting("open").handling.mode is ChunkMode.OPEN_LOOP
    assert parse_setting("horizon=4") == Setting(4)


@pytest.mark.parametrize("text", ["count=many", "pick=value,count=65", "ensemble=adaptive,kept=0", "beta=-1,pick=value"])
def test_a_setting_out_of_its_form_is_refused(text):
    with pytest.raises(InvalidInput):
        parse_setting(text)


@pytest.mark.parametrize("text", ["draw=dice,pick=value", "ensemble=mean"])
def test_an_unknown_way_is_refused_with_those_that_there_are(text):
    with pytest.raises(UnknownName):
        parse_setting(text)


def test_the_card_finds_a_planted_power_law_again():
    rng = np.random.default_rng(0)
    trials = [
        TrialResult(seed, True, 9, measures={best_error(k): 0.4 * k**-0.3 * float(np.exp(rng.normal(0, 0.05))) for k in COUNTS})
        for seed in range(40)
    ]
    error, exponent, best = power_law("draws", trials)
    assert error.value == pytest.approx(0.4, rel=0.03) and exponent.value == pytest.approx(-0.3, rel=0.05)
    assert exponent.low < -0.3 < exponent.high and exponent.is_clear
    assert best.value == pytest.approx(0.4 * 64**-0.3, rel=0.05)
    assert power_law("nothing", []) == []
