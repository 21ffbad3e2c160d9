"""Campaigns: every cell counted once, in order, with its interval."""

import json

import pytest

from workbench.core.errors import InvalidInput
from workbench.evaluation.campaign import Cell, CellResult, TrialResult, draw_seeds, report


def result_of(cell: Cell) -> CellResult:
    """Let the even seeds succeed."""
    return CellResult(cell, tuple(TrialResult(s, s % 2 == 0, s, "" if s % 2 == 0 else "odd") for s in cell.seeds))


RESULTS = [result_of(Cell("p", task, prompt, (1, 2, 4))) for prompt in ("loose", "exact") for task in ("a", "b")]


def test_a_cell_is_told_in_one_line_with_its_interval():
    assert RESULTS[0].tell() == "p · a · loose: 2 of 3 solved, 95 % interval 21 to 94 %"


def test_the_report_is_json_with_the_agreed_fields_of_every_cell():
    document = json.loads(json.dumps(report("name", RESULTS)))
    assert document["name"] == "name" and len(document["cells"]) == len(RESULTS)
    for cell in document["cells"]:
        assert {"policy", "task", "prompt", "edits", "n", "success", "low", "high"} <= set(cell)
        assert cell["n"] == 3 and cell["success"] == 2 and cell["low"] < 2 / 3 < cell["high"]
        assert cell["failures"] == [{"seed": 1, "num_steps": 1, "note": "odd"}] and cell["median_steps"] == 3.0


def test_totals_sum_the_cells_of_each_way_of_telling():
    totals = {t["prompt"]: t for t in report("name", RESULTS)["totals"]}
    assert {p: (t["n"], t["success"]) for p, t in totals.items()} == {"loose": (6, 4), "exact": (6, 4)}


def test_seeds_are_consecutive_and_start_at_the_published_ones():
    assert draw_seeds(3) == (1_000_000, 1_000_001, 1_000_002)


def test_no_episode_is_refused():
    with pytest.raises(InvalidInput, match="at least 1"):
        draw_seeds(0)


def test_trials_that_ended_in_an_error_are_counted_apart():
    trials = (TrialResult(0, True, 9), TrialResult(1, False, 40, "error: KeyError: ball"), TrialResult(2, False, 40, "distance 0.1"))
    result = CellResult(Cell("expert", "touch", "words", (0, 1, 2)), trials)
    assert result.num_errors == result.to_dict()["num_errors"] == 1
    assert "1 ended in an error" in result.tell()
    assert "error" not in CellResult(result.cell, trials[:1]).tell()
