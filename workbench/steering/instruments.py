"""Live instruments: what a policy call shows of the inside while it is made, paid for only by what is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import nn

from workbench.core.anatomy import Anatomy
from workbench.core.errors import InvalidInput
from workbench.steering.attention import attention_of, find_image, map_of
from workbench.steering.hooks import recorded
from workbench.steering.lens import Contribution, LensReading, actions_of, contributions_of, lens_of, sites_of, strip_of
from workbench.steering.projection import NeuronTable
from workbench.steering.sites import Part


@dataclass(frozen=True)
class Instruments:
    """Which instruments are on show; the default is none, which costs nothing."""

    stack: str = ""
    """What they look at; empty for the first stack."""
    has_strip: bool = False
    has_lens: bool = False
    attention_to: str = ""
    """Camera whose patches are attended to; empty for none."""
    attention_layers: tuple[int, ...] = ()
    """Empty for all."""
    contributions_to: str = ""
    """Action dimension whose neurons are listed; empty for none."""

    @property
    def is_on(self) -> bool:
        """Whether anything is on show."""
        return self.has_strip or self.has_lens or bool(self.attention_to) or bool(self.contributions_to)


@dataclass(frozen=True, eq=False)
class Reading:
    """What the instruments showed of one policy call; None where one was off."""

    strip: NDArray[np.float32] | None = None
    """``(L, T)``: norm of what each feed-forward layer adds to each token."""
    lens: LensReading | None = None
    attention: NDArray[np.float32] | None = None
    """``(rows, columns)``: share of the action tokens' attention on each patch."""
    contributions: tuple[Contribution, ...] = ()


def check_instruments(instruments: Instruments, anatomy: Anatomy, table: NeuronTable | None = None) -> None:
    """Check that instruments fit a network, before any call is made.

    Raises:
        UnknownName: there is no such stack, camera or action dimension.
        InvalidInput: contributions without a table of neurons, or a stack without action tokens.
    """
    if not instruments.is_on:
        return
    stack = anatomy.stack(_stack_name(instruments, anatomy))
    if instruments.attention_to:
        find_image(stack.images, instruments.attention_to)
    if instruments.has_lens or instruments.contributions_to:
        actions_of(stack)
    if instruments.contributions_to:
        if table is None or table.stack.name != stack.name:
            raise InvalidInput("contributions", expected=f"a table of the neurons of {stack.name!r}", found="none", fix="Build it first.")
        table.push(instruments.contributions_to)


@contextmanager
def watched(module: nn.Module, anatomy: Anatomy, instruments: Instruments, table: NeuronTable | None = None) -> Iterator[list[Reading]]:
    """Read the policy call within the block; afterwards the list holds one reading, or none when all instruments are off.

    Raises:
        UnknownName: there is no such stack, camera or action dimension.
        InvalidInput: the instruments do not fit, or the stack did not run within the block.
    """
    readings: list[Reading] = []
    if not instruments.is_on:
        yield readings
        return
    check_instruments(instruments, anatomy, table)
    name = _stack_name(instruments, anatomy)
    stack = anatomy.stack(name)
    layers = instruments.attention_layers or range(len(stack.blocks))
    wanted = {
        Part.FFN: instruments.has_strip,
        Part.RESIDUAL: instruments.has_lens,
        Part.NEURONS: bool(instruments.contributions_to),
    }
    sites = [site for part, is_wanted in wanted.items() if is_wanted for site in sites_of(anatomy, name, part)]
    with ExitStack() as hooks:
        tensors = hooks.enter_context(recorded(module, anatomy, sites))
        weights = hooks.enter_context(attention_of(module, anatomy, name, layers if instruments.attention_to else (), "action"))
        yield readings
    readings.append(
        Reading(
            strip_of(anatomy, name, tensors) if instruments.has_strip else None,
            lens_of(module, anatomy, name, tensors) if instruments.has_lens else None,
            map_of(weights, find_image(stack.images, instruments.attention_to)) if instruments.attention_to else None,
            contributions_of(tensors, table, instruments.contributions_to) if instruments.contributions_to and table else (),
        )
    )


def _stack_name(instruments: Instruments, anatomy: Anatomy) -> str:
    return instruments.stack or anatomy.stacks[0].name
