"""Agreement against published examples, and against laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.core.errors import InvalidInput
from workbench.feedback.agreement import Level, cohen_kappa, fleiss_kappa, krippendorff_alpha

# Fleiss 1971: ten subjects (of the textbook example), fourteen raters, five categories.
FLEISS = [
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
]  # fmt: skip

NAN = np.nan
# Krippendorff 2011: four observers, twelve units, with gaps.
KRIPPENDORFF = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
    [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
]


def test_cohens_kappa_of_the_textbook_example():
    """Two readers of fifty grant proposals: 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no give 0.4."""
    a = ["yes"] * 25 + ["no"] * 25
    b = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert cohen_kappa(a, b) == pytest.approx(0.4)


def test_fleiss_kappa_of_the_textbook_example():
    assert fleiss_kappa(FLEISS) == pytest.approx(0.210, abs=5e-4)


@pytest.mark.parametrize(("level", "alpha"), [(Level.NOMINAL, 0.743), (Level.ORDINAL, 0.815), (Level.INTERVAL, 0.849)])
def test_krippendorffs_alpha_of_the_published_example(level, alpha):
    assert krippendorff_alpha(KRIPPENDORFF, level) == pytest.approx(alpha, abs=6e-4)


labels = st.lists(st.integers(1, 5), min_size=4, max_size=30)


@given(labels)
def test_raters_who_always_agree_reach_one(values):
    values = [*values, 1, 5]
    assert cohen_kappa(values, values) == pytest.approx(1.0)
    for level in Level:
        assert krippendorff_alpha([values, values, values], level) == pytest.approx(1.0)


@given(labels, st.randoms(use_true_random=False))
def test_agreement_does_not_depend_on_who_is_first_nor_on_the_order_of_items(values, random):
    other = [random.randint(1, 5) for _ in values]
    order = list(range(len(values)))
    random.shuffle(order)
    a, b = np.array(values, float), np.array(other, float)
    for level in Level:
        expected = krippendorff_alpha([a, b], level)
        assert krippendorff_alpha([b[order], a[order]], level) == pytest.approx(expected, nan_ok=True)
    assert cohen_kappa(values, other) == pytest.approx(cohen_kappa(other, values), nan_ok=True)


def test_items_that_one_person_judged_say_nothing_about_agreement():
    alone = np.full((2, 3), NAN)
    alone[0] = [1, 2, 3]
    assert np.isnan(krippendorff_alpha(alone))
    both = np.array([[1.0, 2, 3, 1], [1, 2, 3, 2]])
    assert krippendorff_alpha(np.hstack([both, alone])) == pytest.approx(krippendorff_alpha(both))


def test_tables_that_cannot_be_read_are_refused():
    with pytest.raises(InvalidInput):
        fleiss_kappa([[1, 0], [1, 1]])
    with pytest.raises(InvalidInput):
        cohen_kappa([1, 2], [1])
