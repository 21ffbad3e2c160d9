"""Studies: their figures follow from the trials, by hand-checked examples."""

import json

import numpy as np
import pytest

from workbench.core.errors import InvalidInput
from workbench.evaluation.campaign import Cell, CellResult, TrialResult
from workbench.evaluation.cards import STUDIES, actionvos
from workbench.evaluation.cards.fas import frequency_averaged_score, span_score
from workbench.evaluation.conditions import compare_conditions, tell_comparison
from workbench.evaluation.driver import CampaignRun
from workbench.evaluation.pages import NOT_YET, study_page
from workbench.evaluation.studies import Finding, StudyOptions, mean_of, study_report

PUBLISHED = (1, *range(2, 31, 2))
"""The sixteen horizons of the frequency-averaged score's publication."""


def run_of(study, solves, measures=lambda cell, seed: {"went": 1.0}):
    """Return a complete run of a study in which ``solves(cell, seed)`` tells what is solved."""
    campaign = STUDIES.load(study).plan(StudyOptions(episodes=8, seed=0))
    results = tuple(
        CellResult(c, tuple(TrialResult(s, bool(solves(c, s)), 9, "", measures(c, s), policy_ms=5.0) for s in c.seeds))
        for c in campaign.cells
    )
    return CampaignRun(campaign, results, True)


def findings(study, solves, **kwargs):
    run = run_of(study, solves, **kwargs)
    document = study_report(STUDIES.load(study), run.report(), run.results)
    return {f["name"]: f for f in json.loads(json.dumps(document))["findings"]}


@pytest.mark.parametrize("study", [entry.name for entry in STUDIES])
def test_every_study_concludes_from_its_cells_and_its_page_shows_it(study):
    measures = {"went": 1.0, "mean_speed": 0.2, "clearance": 0.1, "trace_px": 5.0}
    measures |= {f"{kind}_{figure}": 0.5 for kind in actionvos.KINDS for figure in actionvos.FIGURES}
    run = run_of(study, lambda cell, seed: seed % 2 == 0, lambda cell, seed: measures)
    document = json.loads(json.dumps(study_report(STUDIES.load(study), run.report(), run.results)))
    assert document["findings"] and all(f["low"] <= f["value"] <= f["high"] and f["n"] >= 8 for f in document["findings"])
    page = study_page(STUDIES.load(study), document, when=1.7e9)
    assert all(f["name"] in page for f in document["findings"]) and "2023-11-14" in page and NOT_YET not in page
    assert page.count("\n| ") >= len(document["cells"]) + len(document["findings"])


def test_a_page_without_figures_says_so_and_how_to_get_them():
    page = study_page(STUDIES.load("fas"))
    assert NOT_YET in page and "campaign card:fas" in page


def test_an_incomplete_campaign_concludes_nothing():
    run = run_of("fas", lambda cell, seed: True)
    assert study_report(STUDIES.load("fas"), {**run.report(), "is_complete": False}, run.results)["findings"] == []


@pytest.mark.parametrize(("rate", "score"), [(lambda x: 1.0, 29 / 30), (lambda x: 1 - x / 30, 0.46722), (lambda x: float(x == 1), 1 / 60)])
def test_the_frequency_averaged_score_is_the_published_one(rate, score):
    rates = np.array([rate(x) for x in PUBLISHED])
    assert frequency_averaged_score(rates, PUBLISHED) == pytest.approx(score, abs=1e-5)


def test_the_score_by_its_span_is_one_for_a_perfect_policy():
    assert span_score(np.ones(8)) == 1.0
    scores = findings("fas", lambda cell, seed: "held" not in cell.setting)
    assert scores["chunks, the same by its span"]["value"] == 1.0 and scores["chunks, frequency-averaged score"]["value"] == 7 / 8
    assert scores["first action held, the same by its span"]["high"] == 0.0


def test_manners_are_compared_on_the_same_seeds():
    def measure(cell, seed):
        speed = {"words:slow": 0.1, "words:quick": 0.2}.get(cell.prompt, 0.15) * (1 + 0.1 * seed)
        return {"mean_speed": speed, "clearance": {"words:high": 0.22, "words:low": 0.12}.get(cell.prompt, 0.14), "trace_px": 13.0}

    found = findings("bench-vla", lambda cell, seed: True, measures=measure)
    speed, height, trace = (found[n] for n in ("speed, quickly / slowly", "clearance, high less low", "predicted trace to driven path"))
    assert speed["value"] == pytest.approx(2.0) and speed["is_met"] and height["value"] == pytest.approx(0.10) and height["is_met"]
    assert trace["is_met"] is False and trace["n"] == 96
    assert found["ambiguous_cubes by words alone"]["is_met"] is False and found["touch by words"]["is_met"] is True


def test_chance_is_met_when_the_interval_holds_it():
    found = findings("bench-vla", lambda cell, seed: seed % 2 == 0)
    assert found["ambiguous_cubes by words alone"]["is_met"] is True and found["touch by words"]["is_met"] is False


def test_a_comparison_of_a_study_tells_its_p_value():
    found = findings("language-baseline", lambda cell, seed: cell.prompt != "none")
    assert found["words less none, same scenes"]["value"] == 1.0 and found["words less none, same scenes"]["n"] == 80
    assert "McNemar p = " in found["words less none, same scenes"]["text"]


def test_a_finding_reads_as_one_line():
    finding = Finding("success", 0.9, 0.81, 0.95, 100, "%", 0.95)
    assert finding.tell() == "success: 90 %, n = 100, 95 % interval 81 to 95; wanted: at least 95 %, NOT met"


def test_conditions_without_a_common_episode_are_not_compared():
    first, second = run_of("oft", lambda cell, seed: True).results[:2]
    with pytest.raises(InvalidInput, match="same seeds"):
        compare_conditions([first], [second])


def test_an_unclear_difference_tells_how_many_episodes_it_takes():
    run = run_of("oft", lambda cell, seed: seed < (4 if "token" in cell.setting else 5))
    found = compare_conditions(run.results[:2], run.results[2:])
    assert [task for task, _ in found] == ["pick", "place_on_plate", "all tasks"]
    assert "from 5 to 4 of 8" in tell_comparison(found[0]) and "episodes each" in tell_comparison(found[0])


def test_a_single_pair_has_no_interval_and_no_clear_effect():
    finding = Finding("step", 0.41, 0.41, 0.41, 1, "%", null=0.0)
    assert "too few for an interval" in finding.tell() and finding.is_clear is None
    assert not finding.to_dict()["has_interval"]
    assert Finding("success", 1.0, 0.21, 1.0, 1, "%").has_interval


def test_the_interval_of_a_mean_share_stays_a_share():
    trials = tuple(TrialResult(seed, False, 10, measures={"share": share}) for seed, share in enumerate((1.0, 1.0, 0.5)))
    cell = CellResult(Cell("expert", "touch", "words", (0, 1, 2)), trials)
    finding = mean_of("share", [cell], "share", unit="%")
    assert finding.low >= 0.0 and finding.high == 1.0 and finding.value == pytest.approx(2.5 / 3)
    assert mean_of("length", [cell], "share", unit="m").high > 1.0
