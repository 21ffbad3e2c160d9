"""Campaigns: every cell counted once, in order, with its interval; the same in one process and in two."""

import json

import pytest

from workbench.core.errors import InvalidInput
from workbench.evaluation.campaign import Cell, CellResult, TrialResult, draw_seeds, report, run_cells


def even_seeds_succeed(cell: Cell) -> CellResult:
    return CellResult(cell, tuple(TrialResult(s, s % 2 == 0, s, "" if s % 2 == 0 else "odd") for s in cell.seeds))


CELLS = [Cell("p", task, prompt, (1, 2, 4)) for prompt in ("loose", "exact") for task in ("a", "b")]


def run_silently(cells, workers=1):
    return run_cells(cells, even_seeds_succeed, workers=workers, progress=lambda line: None)


def test_results_come_in_the_order_of_the_cells():
    assert [r.cell for r in run_silently(CELLS)] == CELLS


@pytest.mark.slow
def test_two_processes_give_what_one_gives():
    # A module that another process can import by name is needed: the expert's cells are.
    from workbench.evaluation.expert import run_cell

    cells = [Cell("expert", task, "none", (1, 2)) for task in ("touch", "pick", "press_button")]
    serial, parallel = (run_cells(cells, run_cell, workers=n, progress=lambda line: None) for n in (1, 2))
    assert serial == parallel


def test_progress_tells_every_cell_once_with_its_interval():
    lines = []
    run_cells(CELLS, even_seeds_succeed, progress=lines.append)
    assert len(lines) == len(CELLS)
    assert lines[0] == "[1/4] p · a · loose: 2 of 3 solved, 95 % interval 21 to 94 %"


def test_the_report_is_json_with_the_agreed_fields_of_every_cell():
    document = json.loads(json.dumps(report("name", run_silently(CELLS))))
    assert document["name"] == "name" and len(document["cells"]) == len(CELLS)
    for cell in document["cells"]:
        assert {"policy", "task", "prompt", "edits", "n", "success", "low", "high"} <= set(cell)
        assert cell["n"] == 3 and cell["success"] == 2 and cell["low"] < 2 / 3 < cell["high"]
        assert cell["failures"] == [{"seed": 1, "num_steps": 1, "note": "odd"}] and cell["median_steps"] == 3.0


def test_totals_sum_the_cells_of_each_way_of_telling():
    totals = {t["prompt"]: t for t in report("name", run_silently(CELLS))["totals"]}
    assert {p: (t["n"], t["success"]) for p, t in totals.items()} == {"loose": (6, 4), "exact": (6, 4)}


def test_seeds_are_consecutive_and_start_at_the_published_ones():
    assert draw_seeds(3) == (1_000_000, 1_000_001, 1_000_002)


def test_no_episode_is_refused():
    with pytest.raises(InvalidInput, match="at least 1"):
        draw_seeds(0)


@pytest.mark.parametrize("workers", [0, 3])
def test_more_workers_than_allowed_are_refused(workers):
    with pytest.raises(InvalidInput, match="1 to 2"):
        run_silently(CELLS, workers)
