"""Decoding action tokens one after another: each in a pass of its own that is given the tokens before it.

The network learnt to give all action tokens of a chunk in one pass, and was never shown an action token as an input. Decoded bins are put
in as given coordinates of a trace are, by the same table of tokens; what that does to a network that does not expect it is measured by
the card ``oft``, not assumed.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from models.bench_vla.network import Batch, BenchVla, Output
from workbench.core.types import ACTION_DIM


class TokenByToken(NamedTuple):
    """What was decoded."""

    output: Output
    """As of one pass, with the logits of every action token from its own pass."""
    agreement: float
    """Share of the action tokens whose likeliest bin is the one that decoding in parallel gives for the same observation."""


def decode_by_token(network: BenchVla, batch: Batch) -> TokenByToken:
    """Decode the action tokens of one ask in the order of time, each step's dimensions in their own order.

    Args:
        network: without gradients.
        batch: one frame and one ask about it.
    """
    config, start = network.config, network.token_slices["action"].start
    sight = network.look(batch)
    plan = network.make_plan(batch, sight)
    tokens = network.embed(batch, sight, plan, torch.arange(1)).clone()
    parallel = network.read(network.decode(tokens), sight, plan)
    logits = parallel.actions.clone()  # (1, 8, 7, bins)
    for index in range(config.horizon * ACTION_DIM):
        step, dimension = divmod(index, ACTION_DIM)
        if index > 0:
            logits[:, step, dimension] = network.read(network.decode(tokens), sight, plan).actions[:, step, dimension]
        token = network.vocabulary.action_slice(dimension).start + logits[0, step, dimension].argmax()
        tokens[:, start + index] = network.decoder.embed_tokens(token) + network.segment[start + index]
    agreement = (logits.argmax(-1) == parallel.actions.argmax(-1)).float().mean()
    return TokenByToken(parallel._replace(actions=logits), float(agreement))
