import pytest
import torch

from tests.steering.tiny import TinyPolicy, make_observation
from workbench.core.types import Prompt


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def policy():
    """One policy for all tests, which is itself a test that edits leave nothing behind."""
    return TinyPolicy()


@pytest.fixture
def logits(policy):
    """``logits(seed)``: the action logits for a random observation."""

    def call(seed=0, text="lift red cube"):
        return policy.logits(make_observation(seed), Prompt(text=text))

    return call
