"""Versions: their names, what may be used, and rolling back."""

import pytest

from sessions.campaigns import begin_campaign, set_status
from sessions.store import Store
from sessions.versions import (
    FIRST,
    StoredVersion,
    comparisons_of,
    find_version,
    is_compared,
    keep_comparison,
    keep_version,
    list_versions,
    next_name,
    roll_back,
    use_version,
    version_in_use,
)
from workbench.core.errors import InvalidInput, NotStored
from workbench.evaluation.campaign import Cell
from workbench.evaluation.driver import Campaign


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "w.db") as opened:
        yield opened


def teach(store, parent=FIRST):
    version = StoredVersion(next_name(store), parent, "abc", {"episodes": ["e1"], "num_corrections": 3})
    keep_version(store, version)
    return version.name


def compare(store, name, against=FIRST, status="done"):
    cells = (Cell(against, "touch", "words", (1, 2)), Cell(name, "touch", "words", (1, 2)))
    stored = begin_campaign(store, Campaign(f"{name} against {against}", cells))
    keep_comparison(store, name, against, stored.id)
    set_status(store, stored.id, status, {})


def test_names_count_on_and_a_version_keeps_what_it_was_made_from(store):
    assert [teach(store), teach(store, "bench-vla-2")] == ["bench-vla-2", "bench-vla-3"]
    assert next_name(store, ["bench-vla-4", "bench-vla-5"]) == "bench-vla-6"
    assert [v.name for v in list_versions(store)] == ["bench-vla-3", "bench-vla-2"]
    assert find_version(store, "bench-vla-3").parent == "bench-vla-2" and find_version(store, "bench-vla-2").lineage["num_corrections"] == 3
    with pytest.raises(InvalidInput, match="new name"):
        keep_version(store, StoredVersion("bench-vla-3", FIRST, ""))
    with pytest.raises(NotStored, match="bench-vla-9"):
        find_version(store, "bench-vla-9")


def test_only_a_version_that_was_compared_to_the_end_may_be_used(store):
    name = teach(store)
    with pytest.raises(InvalidInput, match="Compare it first"):
        use_version(store, name)
    compare(store, name, status="cancelled")
    assert not is_compared(store, name) and [c.is_done for c in comparisons_of(store, name)] == [False]
    compare(store, name)
    use_version(store, name)
    assert version_in_use(store) == name
    with pytest.raises(NotStored):
        use_version(store, "bench-vla-7")


def test_rolling_back_goes_through_all_choices_to_the_first_version(store):
    names = [teach(store), teach(store)]
    for name in names:
        compare(store, name)
        use_version(store, name)
        use_version(store, name)  # again changes nothing
    assert [roll_back(store), roll_back(store)] == [names[0], FIRST]
    with pytest.raises(InvalidInput, match="none"):
        roll_back(store)
    use_version(store, names[1])
    assert version_in_use(store) == names[1]
