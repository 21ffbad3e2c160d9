"""What is asked of a training, and what a training refuses."""

from pathlib import Path

import pytest

from models.training_order import TrainingOrder
from models.verifier.training import run_training
from workbench.core.errors import InvalidInput


def order(**options):
    return TrainingOrder(Path("out"), Path("data"), print, **options)


def test_what_is_not_asked_for_a_training_decides_itself():
    assert order().length(75.0) == 75.0 and order(minutes=3.0).length(75.0) == 3.0
    assert order().num_workers == 2 and order(workers=5).num_workers == 5 and order(workers=0).num_workers == 1


@pytest.mark.parametrize("minutes", [0.0, -1.0, float("nan")])
def test_a_length_that_is_not_positive_is_refused(minutes):
    with pytest.raises(InvalidInput, match="positive"):
        order(minutes=minutes).length(75.0)


@pytest.mark.parametrize(("option", "found"), [({"minutes": 3.0}, "--minutes 3.0"), ({"workers": 2}, "--workers 2")])
def test_the_training_of_the_verifiers_refuses_options_that_it_does_not_have_and_names_those_that_it_has(option, found):
    with pytest.raises(InvalidInput, match=f"only --smoke, --out, --data, --seed, --episodes, found {found}"):
        run_training(order(**option))
