"""Fixtures of the rollout's tests."""

import pytest

from tests.rollout.rigs import Rig


@pytest.fixture
def make_rig():
    """Make controllers that are closed in the end."""
    rigs = []

    def make(**options):
        rigs.append(Rig(**options))
        return rigs[-1]

    yield make
    for rig in rigs:
        rig.controller.close()


@pytest.fixture
def rig(make_rig):
    """One controller."""
    return make_rig()
