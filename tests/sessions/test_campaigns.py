import pytest

from sessions.campaigns import find_campaign, list_campaigns, load_cells, save_campaign
from sessions.store import Store
from workbench.core.errors import NotStored
from workbench.evaluation.campaign import Cell, CellResult, TrialResult, report


def result(prompt, successes):
    trials = tuple(TrialResult(1_000_000 + k, ok, 40 + k, "" if ok else "dropped it") for k, ok in enumerate(successes))
    return CellResult(Cell("sketch", "pick", prompt, tuple(t.seed for t in trials)), trials)


def test_a_campaign_comes_back_with_every_trial_and_its_report(tmp_path):
    results = (result("geometric", [True, True, False]), result("loose", [False, True]))
    with Store.open(tmp_path / "workbench.db") as store:
        saved = save_campaign(store, "rovi", results, config={"episodes": 3}, started=1.7e9, ended=1.7e9 + 60)
        save_campaign(store, "rovi", results[:1], config={}, started=1.8e9, ended=1.8e9 + 60)
    with Store.open(tmp_path / "workbench.db", read_only=True) as store:
        assert [c.num_trials for c in list_campaigns(store)] == [3, 5]
        assert find_campaign(store, saved.id) == saved
        assert load_cells(store, saved.id) == results
        assert saved.report == report("rovi", results)
        with store.reading() as connection:
            cells = connection.execute("SELECT prompt, n, successes FROM campaign_cells WHERE n < 3 OR successes = 2").fetchall()
        assert {tuple(row) for row in cells} == {("loose", 2, 1), ("geometric", 3, 2)}
        with pytest.raises(NotStored):
            load_cells(store, "nobody")
