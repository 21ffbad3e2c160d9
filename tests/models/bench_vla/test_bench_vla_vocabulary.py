"""Words, coordinates and action bins in one table."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.bench_vla.config import BenchVlaConfig
from models.bench_vla.training import known_words
from models.bench_vla.vocabulary import ACTION_HIGH, ACTION_LOW, Vocabulary, split_words
from workbench.core.errors import InvalidInput
from workbench.core.types import ACTION_DIM, ACTION_NAMES
from workbench.simulation.manner import MANNERS, say
from workbench.simulation.tasks import TASKS

CONFIG = BenchVlaConfig(words=known_words())
VOCABULARY = Vocabulary(CONFIG)


def test_every_token_has_a_name_of_its_own():
    names = [VOCABULARY.name(i) for i in range(VOCABULARY.first_action)]
    assert len(set(names)) == len(names)
    assert VOCABULARY.size == VOCABULARY.action_slice(ACTION_DIM - 1).stop


@pytest.mark.parametrize("dimension", range(ACTION_DIM))
def test_an_action_token_is_named_by_its_dimension_and_value(dimension):
    ids = VOCABULARY.action_slice(dimension)
    assert VOCABULARY.name(ids.start).startswith(ACTION_NAMES[dimension])
    assert f"{ACTION_HIGH[dimension]:.3f}" in VOCABULARY.name(ids.stop - 1)


def test_bins_span_what_one_step_can_do():
    np.testing.assert_allclose(VOCABULARY.bin_centres[:, 0], ACTION_LOW)
    np.testing.assert_allclose(VOCABULARY.bin_centres[:, -1], ACTION_HIGH)


@pytest.mark.parametrize("task", [entry.name for entry in TASKS])
def test_it_knows_and_has_room_for_what_every_task_may_say(task):
    rng = np.random.default_rng(7)
    for manner in MANNERS:
        for _ in range(5):
            text = say(TASKS.load(task).initialize(rng).instruction, manner, rng)
            ids = VOCABULARY.encode(text)
            assert [VOCABULARY.name(int(i)) for i in ids[: len(split_words(text))]] == split_words(text)


def test_unknown_words_are_named_with_those_that_are_known():
    with pytest.raises(InvalidInput, match=r"'teapot'.*cube"):
        VOCABULARY.encode("pick up the teapot")


def test_no_words_are_one_special_token():
    assert VOCABULARY.name(int(VOCABULARY.encode("")[0])) == "<unsaid>"


@given(st.text(max_size=300))
def test_any_text_is_encoded_or_refused_with_a_message(text):
    try:
        assert VOCABULARY.encode(text).shape == (CONFIG.max_words,)
    except InvalidInput as error:
        assert "instruction" in str(error)


def test_a_configuration_survives_json_and_refuses_nonsense():
    assert BenchVlaConfig.from_dict(CONFIG.to_dict()) == CONFIG
    for change in ({"width": -1}, {"width": True}, {"words": "red"}, {"extra": 1}):
        with pytest.raises(InvalidInput):
            BenchVlaConfig.from_dict(CONFIG.to_dict() | change)
