import numpy as np
import pytest

from panels.commands import COMMANDS
from panels.watch_candidates_desk import candidates_to_dict
from tests.panels.fake_live import make_session
from workbench.core.errors import InvalidInput, UnknownName
from workbench.core.types import Step
from workbench.rollout.candidates import CandidateSet, When
from workbench.rollout.chunking import ChunkMode, Share


def found(**changes):
    chunks = np.zeros((3, 8, 7))
    chunks[1, :, 0], chunks[2, :, 1] = 0.01, 0.02
    values = {
        "step": 4,
        "chunks": chunks,
        "scores": np.array([0.5, 0.9, np.nan]),
        "refusals": ("", "", "leaves the workspace by 2.0 cm"),
        "chosen": 1,
        "num_executed": 4,
        "verifier": "likelihood",
        "position": np.array([0.5, 0.0, 0.3]),
    }
    return CandidateSet(**{**values, **changes})


def pushed(session, kind):
    heard = []
    session.attach(heard.append)
    return lambda: [m for m in heard if m["type"] == kind]


def test_settings_are_checked_kept_and_put_on_the_timeline():
    session = make_session()
    state = session.command("candidates_set", {"when": "always", "count": 9, "beta": 0.5})
    assert state["settings"]["count"] == 9 and session.controller.selection.settings.when is When.ALWAYS
    assert any(name == "record" for name, _ in session.controller.calls)
    state = session.command("chunks_set", {"mode": "adaptive", "horizon": 2})
    assert session.controller.selection.handling.mode is ChunkMode.ADAPTIVE and state["handling"]["horizon"] == 2
    assert session.command("chunks_set", {"horizon": 0})["handling"]["horizon"] is None


@pytest.mark.parametrize("wrong", [{"count": 65}, {"when": "sometimes"}, {"beta": -1}, {"speed": 3}])
def test_what_does_not_fit_is_refused_and_changes_nothing(wrong):
    session = make_session()
    before = session.command("candidates_state")
    with pytest.raises(InvalidInput):
        session.command("candidates_set", wrong)
    assert session.command("candidates_state") == before


def test_an_unknown_verifier_is_refused_with_those_that_there_are():
    with pytest.raises(UnknownName, match="likelihood"):
        make_session().command("candidates_set", {"verifier": "nobody"})


def test_every_candidate_reaches_the_page_with_its_way_score_and_refusal():
    session = make_session()
    heard = pushed(session, "candidates")
    session.controller.selection.on_choice(found())
    (message,) = heard()
    told = message["candidates"]
    assert told["chosen"] == 1 and told["scores"] == [0.5, 0.9, None]
    assert told["refused"] == {"2": "leaves the workspace by 2.0 cm"}
    assert np.shape(told["paths"]) == (3, 9, 3)
    assert told["paths"][1][-1] == pytest.approx([0.58, 0.0, 0.3])
    assert told["reach_cm"] == [0.0, 8.0, 16.0]


def test_a_picked_candidate_says_so():
    assert candidates_to_dict(found(is_picked=True))["is_picked"]


def test_shares_are_told_only_where_several_chunks_count():
    session = make_session()
    heard = pushed(session, "chunk_shares")
    selection = session.controller.selection
    selection._episode = type("Episode", (), {"chunk": type("Queue", (), {"taken_shares": (Share(0, 1.0),)})()})()
    step = Step(3, 0.15, None, np.zeros(7, dtype=np.float32), None, "policy", False)
    session.candidates.on_step(step)
    assert heard() == []
    selection._episode.chunk.taken_shares = (Share(1, 0.4), Share(0, 0.6))
    session.candidates.on_step(step)
    assert heard()[0]["shares"] == [{"age": 1, "weight": 0.4}, {"age": 0, "weight": 0.6}]


def test_the_commands_of_the_part_are_in_the_table():
    assert {"candidates_state", "candidates_set", "candidates_now", "candidates_pick", "chunks_set"} <= set(COMMANDS)
