"""``app.py campaign``: one JSON document on stdout, everything kept, mistakes told with status 2."""

import json

import pytest

from app import main
from sessions.campaigns import list_campaigns, trial_episodes
from sessions.store import Store

FILE = "name: tiny\npolicy: expert\ntask: touch\nprompts: [words, mask]\nepisodes: 1\nseed: 3\n"


@pytest.fixture
def campaign(tmp_path, capsys):
    def run(name, *options):
        status = main(["--root-dir", str(tmp_path / "root"), "campaign", name, "--workers", "1", "--json", *options])
        said = capsys.readouterr()
        return status, json.loads(said.out) if status == 0 else None, said.err

    return run


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(FILE)
    return path


def test_a_file_is_run_reported_and_kept_with_its_episodes(campaign, file, tmp_path):
    status, document, said = campaign(str(file), "--out", str(tmp_path / "trials.csv"))
    assert status == 0 and document["is_complete"] and [c["success"] for c in document["cells"]] == [1, 1]
    assert "2 of 2 trials, 2 solved" in said and "expert · touch · words: 1 of 1 solved" in said
    with Store.open(tmp_path / "root" / "workbench.db", read_only=True) as store:
        (stored,) = list_campaigns(store)
        assert stored.id == document["id"] and len(trial_episodes(store, stored.id)) == 2
    assert (tmp_path / "trials.csv").read_text().count("\n") == 3


def test_without_episodes_only_results_are_kept(campaign, file, tmp_path):
    status, document, _ = campaign(str(file), "--no-episodes")
    with Store.open(tmp_path / "root" / "workbench.db", read_only=True) as store:
        assert status == 0 and trial_episodes(store, document["id"]) == {} and store.storage().num_episodes == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("touch", "juggle"), "UnknownName: Unknown task 'juggle'"),
        (("episodes: 1", "episodes: 0"), "InvalidInput: episodes"),
        (("policy: expert", "policy: [expert"), "InvalidInput: campaign file: expected YAML"),
        (("words", "shouting"), "way of telling"),
    ],
)
def test_a_mistake_in_a_file_is_told_before_anything_runs(campaign, file, tmp_path, change, said):
    file.write_text(FILE.replace(*change))
    status, _, told = campaign(str(file))
    assert status == 2 and said in told and not (tmp_path / "root").exists()


def test_a_huge_file_is_not_even_read(campaign, tmp_path):
    path = tmp_path / "huge.yaml"
    with path.open("wb") as file:
        file.truncate(50_000_000)
    status, _, told = campaign(str(path))
    assert status == 2 and "TooLarge" in told and "50.0 MB" in told


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("nowhere.yaml", (), "No such file"),
        ("nonsense", (), "Unknown campaign 'nonsense'"),
        ("card:nonsense", (), "Unknown campaign"),
        ("card:fas", ("--episodes", "0"), "episodes: expected at least 1"),
        ("card:fas", ("--policy", "nobody"), "Unknown policy 'nobody'"),
        ("card:fas", ("--workers", "0"), "workers: expected 1 to 64"),
    ],
)
def test_what_cannot_be_run_is_told(campaign, name, options, said):
    status, _, told = campaign(name, *options)
    assert status == 2 and said in told
