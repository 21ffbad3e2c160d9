"""Where a network keeps what can be read and steered: names of its modules and positions of its tokens, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from workbench.core.errors import UnknownName

ALL_TOKENS: Final = "all"
LAST_TOKEN: Final = "last"
"""Groups that every stack has without naming them."""


class Span(NamedTuple):
    """Consecutive token positions; ``stop`` None means up to the end of the sequence."""

    start: int
    stop: int | None


@dataclass(frozen=True)
class ImageTokens:
    """Patches of one camera's picture, row by row."""

    camera: str
    start: int
    """Position of the first one among the keys that the stack attends to."""
    rows: int
    columns: int


@dataclass(frozen=True)
class ActionTokens:
    """Tokens that hold an action chunk: ``start + step * num_dims + dim`` (``num_dims`` 1: one token for a whole action)."""

    start: int
    num_steps: int
    num_dims: int


@dataclass(frozen=True)
class ActionBins:
    """Rows of the read-out that stand for values of one action dimension."""

    dimension: str
    """For example ``dz``; ``any`` when all dimensions share the bins."""
    first_id: int
    centres: tuple[float, ...]
    """Value of each consecutive row; in the unit of the dimension."""
    unit: str = ""


@dataclass(frozen=True)
class ActionAxis:
    """A row of a continuous read-out: the hidden state times this row is the dimension's value, or its velocity."""

    dimension: str
    row: int
    gain: float = 1.0
    """-1 where a larger product means a smaller action, as in flow matching from noise to action."""


@dataclass(frozen=True)
class Readout:
    """What a stack's residual stream is read by."""

    weight: str
    """Dotted name of the module whose ``weight`` is ``(V, d)``: the tied table, the unembedding, or a linear head."""
    labels: tuple[str, ...] = ()
    """What each row stands for; rows beyond the labels are shown by number."""
    bins: tuple[ActionBins, ...] = ()
    axes: tuple[ActionAxis, ...] = ()

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Names of the action dimensions that can be read off."""
        return tuple(b.dimension for b in self.bins) or tuple(a.dimension for a in self.axes)

    def label(self, row: int) -> str:
        """Return what a row stands for, an action bin as its decoded value."""
        for bins in self.bins:
            if 0 <= row - bins.first_id < len(bins.centres):
                return f"{bins.dimension}={bins.centres[row - bins.first_id]:+.3f} {bins.unit}".strip()
        for axis in self.axes:
            if axis.row == row:
                return axis.dimension
        return self.labels[row] if row < len(self.labels) else f"#{row}"

    def is_action(self, row: int) -> bool:
        """Tell whether a row stands for an action."""
        return any(0 <= row - b.first_id < len(b.centres) for b in self.bins) or any(a.row == row for a in self.axes)


@dataclass(frozen=True)
class Stack:
    """One run of transformer blocks with gated feed-forward layers."""

    name: str
    """For example ``decoder``, ``vlm``, ``expert``."""
    blocks: tuple[str, ...]
    """Dotted name of each block."""
    width: int
    """Width d of the residual stream."""
    inner: int
    """Neurons m of a feed-forward layer."""
    down: str = "mlp.down_proj"
    """Name, within a block, of the linear layer whose columns are the value vectors."""
    attention: str = "self_attn"
    final_norm: str = ""
    """Dotted name of the norm before the read-out."""
    groups: Mapping[str, tuple[Span, ...]] = field(default_factory=dict)
    """Named groups of token positions."""
    images: tuple[ImageTokens, ...] = ()
    actions: ActionTokens | None = None
    readout: Readout | None = None
    default_alpha: float = 4.0
    """Usual value of a clamped neuron: 4 for Llama, 10 for Gemma."""

    def group(self, name: str) -> tuple[Span, ...]:
        """Return the positions of a group of tokens; ``last`` is relative to the end.

        Raises:
            UnknownName: the stack has no such group.
        """
        if name == ALL_TOKENS:
            return (Span(0, None),)
        if name == LAST_TOKEN:
            return (Span(-1, None),)
        if name not in self.groups:
            raise UnknownName("token group", name, (ALL_TOKENS, LAST_TOKEN, *self.groups))
        return self.groups[name]


@dataclass(frozen=True)
class Anatomy:
    """All stacks of a network."""

    architecture: str
    stacks: tuple[Stack, ...]

    def stack(self, name: str) -> Stack:
        """Return a stack.

        Raises:
            UnknownName: there is none of that name.
        """
        for stack in self.stacks:
            if stack.name == name:
                return stack
        raise UnknownName("stack", name, (s.name for s in self.stacks))
