"""What is known about the inside of policies, shared by all tabs: tables of neurons, how they behave, and copies to work on."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from panels.steering_jobs import SteeringJobs
from sessions.store import Store
from workbench.core.anatomy import Anatomy, Stack
from workbench.core.catalog import Catalog
from workbench.core.errors import InvalidInput
from workbench.core.protocols import Policy, PolicyFactory, Simulator, SteerablePolicy
from workbench.core.types import ACTION_NAMES

if TYPE_CHECKING:
    from workbench.steering.activity import Activity
    from workbench.steering.policy import SteeredPolicy
    from workbench.steering.projection import NeuronTable

TOP_TOKENS = 24
"""Tokens of each neuron that a word is looked for in."""


def open_policy(policy: Policy) -> SteeredPolicy | None:
    """Open a policy of a live rollout for steering; None when it does not show its inside."""
    if not hasattr(policy, "module"):  # so that a policy without a network does not load torch
        return None
    from models.steering import as_steerable
    from workbench.steering.policy import SteeredPolicy

    try:
        return SteeredPolicy(as_steerable(policy))
    except InvalidInput:
        return None


@dataclass(frozen=True, eq=False)
class Measured:
    """How one stack behaves over stored steps."""

    activity: Activity
    norms: NDArray[np.float64]
    """``(L,)`` median norm of the tokens after each layer: the unit of doses."""
    num_calls: int


class SteeringLab:
    """Tables and measurements by the fingerprint of the weights; every method may be called from any thread."""

    def __init__(self, store: Store, policies: Catalog[PolicyFactory], simulators: Catalog[Simulator]) -> None:
        self.store, self.simulators = store, simulators
        self.jobs = SteeringJobs()
        self._policies = policies
        self._lock = threading.Lock()
        self._tables: dict[tuple[str, str], NeuronTable] = {}
        self._measured: dict[tuple[str, str], Measured] = {}
        self._copies: dict[str, tuple[str, SteerablePolicy]] = {}

    def table(self, policy: SteeredPolicy, fingerprint: str, stack: str) -> NeuronTable:
        """Return the neurons of a stack in the basis of tokens; reads the weights only.

        Raises:
            UnknownName: there is no such stack.
            InvalidInput: it has no read-out.
        """
        from workbench.steering.projection import build_table
        from workbench.steering.sites import as_module

        key = (fingerprint, stack)
        with self._lock:
            if key not in self._tables:
                self._tables[key] = build_table(as_module(policy.policy.module), policy.policy.sites, stack, k=TOP_TOKENS)
            return self._tables[key]

    def measured(self, fingerprint: str, stack: str) -> Measured | None:
        """Return how a stack behaves, once that was measured."""
        return self._measured.get((fingerprint, stack))

    def keep_measured(self, fingerprint: str, stack: str, measured: Measured) -> None:
        """Keep how a stack behaves."""
        self._measured[fingerprint, stack] = measured

    def copy_of(self, name: str, fingerprint: str, simulator: Simulator) -> SteerablePolicy:
        """Return a policy of the same weights that no rollout drives, for calls beside the running one; takes seconds at first.

        Raises:
            InvalidInput: the weights on the disk are others than those that run.
        """
        from models.steering import as_steerable
        from workbench.steering.concepts import fingerprint as fingerprint_of
        from workbench.steering.sites import as_module

        if name not in self._copies or self._copies[name][0] != fingerprint:
            copy = as_steerable(self._policies.load(name)(simulator))
            found = fingerprint_of(as_module(copy.module))
            if found != fingerprint:
                fix = "Start a new episode, which loads them."
                raise InvalidInput("weights of the policy", expected=f"those that run ({fingerprint})", found=f"others ({found})", fix=fix)
            self._copies[name] = (found, copy)
        return self._copies[name][1]

    def close(self) -> None:
        """End the running job."""
        self.jobs.close()


def facts_of(anatomy: Anatomy) -> list[dict[str, Any]]:
    """Return what the page needs to know about each stack of a network."""
    return [
        {
            "name": stack.name,
            "num_layers": len(stack.blocks),
            "inner": stack.inner,
            "width": stack.width,
            "groups": ["all", "last", *stack.groups],
            "cameras": [image.camera for image in stack.images],
            "dimensions": list(stack.readout.dimensions) if stack.readout else [],
            "has_actions": stack.actions is not None,
            "default_alpha": stack.default_alpha,
        }
        for stack in anatomy.stacks
    ]


def token_spans(stack: Stack, num_tokens: int) -> list[dict[str, Any]]:
    """Return the token groups that follow each other along the tokens, for a ruler: the widest ones that do not overlap."""
    found = [
        (span.start, num_tokens if span.stop is None else min(span.stop, num_tokens), name)
        for name, spans in stack.groups.items()
        if len(spans) == 1
        for span in spans
    ]
    chosen: list[tuple[int, int, str]] = []
    for start, stop, name in sorted(found, key=lambda part: (part[0], -part[1])):
        if start < stop and (not chosen or start >= chosen[-1][1]):
            chosen.append((start, stop, name))
    return [{"name": name, "start": start, "stop": stop} for start, stop, name in chosen]


def row_to_dict(table: NeuronTable, flat: int, measured: Measured | None) -> dict[str, Any]:
    """Return a neuron as the page's table shows it."""
    row = table.row(flat)
    found: dict[str, Any] = {
        "flat": row.flat,
        "layer": row.layer,
        "unit": row.unit,
        "tokens": [[label, round(score, 3)] for label, score in row.tokens],
        "pushes": {name: round(push, 4) for name, push in row.pushes.items()},
        "norm": round(row.norm, 3),
    }
    if measured is not None:
        activity = measured.activity
        numbers = {"mean": activity.mean, "spread": activity.spread, "largest": activity.largest, "active": activity.active_share}
        found["activity"] = {name: round(float(values[flat]), 4) for name, values in numbers.items()}
    return found


def action_index(dimension: str) -> int:
    """Return where an action dimension lies in an action.

    Raises:
        InvalidInput: actions have no such dimension.
    """
    if dimension not in ACTION_NAMES:
        raise InvalidInput("action dimension", expected=f"one of {', '.join(ACTION_NAMES)}", found=repr(dimension)[:40])
    return ACTION_NAMES.index(dimension)
