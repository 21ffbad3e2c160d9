"""Where a policy's network is about to turn hidden states into actions: what is read there says most of what it will do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from workbench.core.anatomy import LAST_TOKEN, Anatomy
from workbench.steering.activity import rows_of
from workbench.steering.sites import Part, Site

ACTION_GROUP: Final = "action"


class Outlet(NamedTuple):
    """The last block of the stack that makes the actions."""

    site: Site
    tokens: str
    """The action tokens where a pass makes all of them, else the last token of each pass."""


def outlet_of(anatomy: Anatomy) -> Outlet:
    """Return where the actions come from: the last stack, which in every architecture known here is the one that makes them."""
    stack = anatomy.stacks[-1]
    return Outlet(Site(stack.name, len(stack.blocks) - 1, Part.RESIDUAL), ACTION_GROUP if ACTION_GROUP in stack.groups else LAST_TOKEN)


def read_outlet(anatomy: Anatomy, outlet: Outlet, tensors: Sequence[Tensor]) -> NDArray[np.float32]:
    """Return the hidden states ``(T, D) float32`` of one call: of its last pass, or of all passes where each makes one token."""
    passes = tensors[-1:] if outlet.tokens == ACTION_GROUP else tensors
    rows: NDArray[np.float32] = rows_of(anatomy, outlet.site, outlet.tokens, passes).numpy()
    return rows
