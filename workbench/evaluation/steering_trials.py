"""Trials under steering: from the text of a trial's edits to a policy that acts under them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy as np
from torch import Tensor

from workbench.core.anatomy import Anatomy
from workbench.core.errors import InvalidInput, UnknownName
from workbench.core.protocols import Policy, PolicySpec, SteerablePolicy
from workbench.core.types import ActionChunk, Observation, Prompt
from workbench.evaluation.steering_bundles import ConceptBundle, parse_bundle
from workbench.evaluation.steering_finding import ACTION_TOKENS, Finder
from workbench.evaluation.steering_text import DEFAULT_SIZE, Part, Source, parse_steering
from workbench.steering.assets import Asset, asset_id
from workbench.steering.concepts import check_concept
from workbench.steering.controller import ControlLoop, Gains
from workbench.steering.controls import Control
from workbench.steering.edits import AddDirection, ClampNeurons, ClampReading, SteeringEdit, strength_of
from workbench.steering.hooks import changed
from workbench.steering.mix import Mix, Slot
from workbench.steering.policy import SteeredPolicy, setting_of
from workbench.steering.sae import TorchSae
from workbench.steering.scopes import Scope
from workbench.steering.sites import as_module

NEURON_GAINS: Final = Gains(proportional=0.15, integral=0.05, derivative=0.0, low=-4.0, high=4.0)
"""Of a controller that sets the clamp of neurons: both ways, and far gentler than the published ones, which are for a network of 7 billion."""
LESSENING: Final = ("down", "low", "slow", "careful")
"""Concepts of which more makes height or speed less."""
DOSE_GAINS: Final = Gains(proportional=0.05, integral=0.02, derivative=0.0, low=-1.5, high=1.5)
"""Of a controller that sets the dose of a direction: both ways, and gently, since a dose of one is large."""


class NamedEdit(NamedTuple):
    """One edit that a text asks for, ready for a desk."""

    slot: Slot
    assets: Mapping[str, Asset]


def steer_policy(finder: Finder, text: str, saved: Mapping[str, Any] | None = None) -> Policy:
    """Return the finder's policy under the steering that a text asks for; an empty text returns the policy itself.

    Args:
        finder: of the policy.
        text: see :mod:`workbench.evaluation.steering_text`.
        saved: documents of saved concepts by name.

    Raises:
        InvalidInput: the text is not of its form, or the policy cannot be steered so.
        UnknownName: a concept is not known.
    """
    pooled = [part.name == "pooled" for part in parse_steering(text) if part.source is Source.RECONSTRUCT]
    if len(pooled) > 1:
        raise InvalidInput(f"edits {text!r}", expected="one reconstruction at most", found=str(len(pooled)))
    policy: SteerablePolicy = ReconstructedPolicy(finder, is_pooled=pooled[0]) if pooled else finder.policy
    setting = setting_of(*desk_of(finder, text, saved))
    if not setting.edits:
        return policy
    return ControlledPolicy(SteeredPolicy(policy, setting)) if any(setting.loops) else SteeredPolicy(policy, setting)


def desk_of(finder: Finder, text: str, saved: Mapping[str, Any] | None = None) -> tuple[Mix, dict[str, Asset]]:
    """Return the edits of a text as a desk, reconstructions left out, and the assets that they name; errors as :func:`steer_policy`."""
    parts = [part for part in parse_steering(text) if part.source is not Source.RECONSTRUCT]
    named = [_named(finder, part, f"{i} {part.source.value} {part.name}"[:100], saved or {}) for i, part in enumerate(parts, 1)]
    return Mix(tuple(n.slot for n in named)), {name: asset for n in named for name, asset in n.assets.items()}


def _named(finder: Finder, part: Part, name: str, saved: Mapping[str, Any]) -> NamedEdit:
    edit, assets = _edit(finder, part, saved)
    if part.draw is not None:
        control = Control(finder.policy.sites, assets, np.random.default_rng((part.draw, 17)))
        edit = control.of(edit)
        assets = assets | control.assets
    gains = NEURON_GAINS if isinstance(edit, ClampNeurons) else DOSE_GAINS
    loop = ControlLoop(part.quantity, part.target, gains, is_inverted=part.name in LESSENING) if part.quantity else None
    return NamedEdit(Slot(name, edit, loop=loop), assets)


def _edit(finder: Finder, part: Part, saved: Mapping[str, Any]) -> tuple[SteeringEdit, dict[str, Asset]]:
    stack, strength = finder.stack.name, 0.0 if part.strength is None else part.strength
    match part.source:
        case Source.NEURONS:
            return ClampNeurons(stack, finder.neurons(part.name, part.number or DEFAULT_SIZE), strength), {}
        case Source.DIRECTION:
            layer = finder.middle if part.number is None else part.number
            direction = finder.direction(part.name, layer)
            name = asset_id(direction)
            return AddDirection(stack, name, (layer,), (direction.norm,), strength, Scope(ACTION_TOKENS)), {name: direction}
        case Source.RANGE:
            probe = finder.probe(part.name)
            return ClampReading(stack, asset_id(probe), part.low, part.high), {asset_id(probe): probe}
        case _:
            return _saved_edit(finder, part, saved)


def _saved_edit(finder: Finder, part: Part, saved: Mapping[str, Any]) -> tuple[SteeringEdit, dict[str, Asset]]:
    if part.name not in saved:
        raise UnknownName("saved concept", part.name, saved)
    bundle: ConceptBundle = parse_bundle(saved[part.name])
    check_concept(bundle.concept, finder.policy.sites, finder.fingerprint)
    edit = bundle.concept.edit(part.strength)
    if part.quantity:
        strength_of(edit)
    return edit, dict(bundle.assets)


class ControlledPolicy:
    """A policy steered in closed loop that tells the strengths with its chunks."""

    def __init__(self, policy: SteeredPolicy) -> None:
        self._policy = policy

    @property
    def spec(self) -> PolicySpec:
        """That of the policy."""
        return self._policy.spec

    def reset(self, rng: np.random.Generator) -> None:
        """Forget the episode so far."""
        self._policy.reset(rng)

    def act(self, observation: Observation, prompt: Prompt, rng: np.random.Generator) -> ActionChunk:
        """Return the policy's actions, with the mean strength that its controllers set as a score."""
        chunk = self._policy.act(observation, prompt, rng)
        set_now = [reading.strength for reading in self._policy.readings]
        return replace(chunk, scores={**chunk.scores, "strength": float(np.mean(set_now))}) if set_now else chunk


class ReconstructedPolicy:
    """A policy whose middle block's tokens go through a sparse autoencoder and back, in every call.

    Source: Action Atlas, arXiv:2603.19233, finds that a reconstruction from mean tokens destroys the policy and one token by token does
    not. Here the mean token's reconstruction takes the place of every token.
    """

    def __init__(self, finder: Finder, *, is_pooled: bool) -> None:
        """Train the autoencoder; errors as :func:`workbench.steering.sae.train_sae`."""
        self._policy, self._is_pooled = finder.policy, is_pooled
        sae = finder.sae(is_pooled)
        self._site, self._shares = sae.place.site, finder.feature_shares(is_pooled)
        self._sae = TorchSae(sae, next(as_module(finder.policy.module).parameters()).device)

    @property
    def spec(self) -> PolicySpec:
        """That of the policy."""
        return self._policy.spec

    @property
    def module(self) -> object:
        """The network."""
        return self._policy.module

    @property
    def sites(self) -> Anatomy:
        """Where it keeps what can be steered."""
        return self._policy.sites

    def reset(self, rng: np.random.Generator) -> None:
        """Forget the episode so far."""
        self._policy.reset(rng)

    def act(self, observation: Observation, prompt: Prompt, rng: np.random.Generator) -> ActionChunk:
        """Return the policy's actions, computed from what the autoencoder keeps."""
        with changed(as_module(self._policy.module), self._policy.sites, {self._site: self._reconstruct}):
            chunk = self._policy.act(observation, prompt, rng)
        return replace(chunk, scores={**chunk.scores, **self._shares})

    def _reconstruct(self, tokens: Tensor) -> Tensor:
        """Map tokens ``(B, T, d)`` to what the autoencoder keeps of them."""
        if self._is_pooled:
            mean = self._sae.reconstruct(tokens.float().mean(dim=1, keepdim=True))
            return mean.expand_as(tokens).to(tokens.dtype)
        return self._sae.reconstruct(tokens.float()).to(tokens.dtype)
