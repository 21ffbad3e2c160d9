"""Finds, in one policy, what a trial's steering text names: neurons, directions, probes, autoencoders.

Everything is found on development episodes (seeds below 1,000,000) that the unsteered policy plays, by fixed random numbers: the same
weights give the same concepts on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from workbench.core.anatomy import Stack
from workbench.core.errors import InvalidInput, UnknownName
from workbench.core.protocols import SteerablePolicy
from workbench.core.types import Prompt
from workbench.evaluation.steering_recording import RecordedCall, record_calls
from workbench.simulation.manner import say, strip_manner
from workbench.simulation.simulator import BenchSimulator
from workbench.steering.assets import Direction, Place, Probe, Sae
from workbench.steering.concepts import fingerprint
from workbench.steering.directions import Contrast, Method, contrast_prompts, fit_direction
from workbench.steering.features import feature_statistics
from workbench.steering.probes import Samples, fit_probe
from workbench.steering.projection import NeuronTable, build_table
from workbench.steering.sae import SaeTraining, TorchSae, train_sae
from workbench.steering.scopes import spans_in
from workbench.steering.selection import nearest_neurons
from workbench.steering.sites import as_module, readout_of, readout_weight, value_vectors

ACTION_TOKENS: Final = "action"
NUM_CONTRASTED: Final = 24
"""Observations that are shown under two instructions."""
NUM_TOKENS: Final = 8_000
"""Tokens that an autoencoder is trained on."""
OPPOSITES: Final = {"high": "low", "low": "high", "quick": "slow", "slow": "quick", "careful": "quick"}
_LIFTS: Final = {"up": 1, "down": -1}
_PACES: Final = {"quick": 1, "slow": -1}
_WORDS: Final = {"up": ("high",), "down": ("low",), "quick": ("quickly",), "slow": ("slowly",)}
SAID: Final = "said "
"""Begins the name of a concept that is found by words rather than by action tokens."""


class Finder:
    """Finds concepts in one policy, each once; made, used and closed in the thread that steps the simulator."""

    def __init__(self, policy: SteerablePolicy, simulator: BenchSimulator, calls: Sequence[RecordedCall] | None = None) -> None:
        """Prepare; nothing is run yet.

        Args:
            policy: not steered.
            simulator: that it was made for; it may be moved by whatever is found.
            calls: of development episodes; by default they are played when they are needed.
        """
        self.policy, self._simulator, self._given = policy, simulator, calls
        self.module = as_module(policy.module)
        self.stack: Stack = next(
            (s for s in policy.sites.stacks if s.readout is not None and s.actions is not None), policy.sites.stacks[0]
        )
        self.middle = (len(self.stack.blocks) - 1) // 2
        self.fingerprint = fingerprint(self.module)
        self.neurons = lru_cache(maxsize=None)(self._neurons)
        self.direction = lru_cache(maxsize=None)(self._direction)
        self.probe = lru_cache(maxsize=None)(self._probe)
        self.sae = lru_cache(maxsize=None)(self._sae)
        self.feature_shares = lru_cache(maxsize=None)(self._feature_shares)

    @cached_property
    def calls(self) -> tuple[RecordedCall, ...]:
        """Policy calls of development episodes."""
        return tuple(self._given) if self._given is not None else record_calls(self.policy, self._simulator)

    @cached_property
    def table(self) -> NeuronTable:
        """All value vectors on the token basis."""
        return build_table(self.module, self.policy.sites, self.stack.name)

    def norm(self, layer: int) -> float:
        """Return the median norm of the action tokens after a block: the unit of doses."""
        rows = np.concatenate([self._tokens(call, layer) for call in self.calls])
        return float(np.median(np.linalg.norm(rows.astype(np.float64), axis=1)))

    def _neurons(self, concept: str, size: int) -> tuple[int, ...]:
        """Return the flat ids of the neurons whose value vectors say a concept most, best first.

        ``up`` and ``down``: by their push on the bins of dz. ``quick`` and ``slow``: by how far they prefer the outer bins of dx, dy and dz
        to the inner ones. With :data:`SAID` before it: those nearest in meaning to the words of the bench for it.

        Raises:
            UnknownName: there is no such concept, or the policy does not know its words.
            InvalidInput: the policy has no action tokens to read it off.
        """
        if concept.startswith(SAID):
            words = _WORDS.get(concept.removeprefix(SAID), ())
            found = nearest_neurons(self.module, self.policy.sites, self.stack.name, words, neighbours=size)
            return tuple(flat for word in words for flat in found[word])[:size]
        if concept in _LIFTS:
            return self.table.search(dimension="dz", sign=_LIFTS[concept], limit=size)
        if concept in _PACES:
            order = np.argsort(-_PACES[concept] * self._paces(), kind="stable")
            return tuple(order[:size].tolist())
        raise UnknownName("concept of neurons", concept, (*_LIFTS, *_PACES, *(SAID + name for name in _WORDS)))

    def _paces(self) -> NDArray[np.float64]:
        """Return for every neuron ``(N,)`` by how many nats an activation of 1 prefers the outer bins of the motion to the inner ones."""
        readout = readout_of(self.stack)
        weight = readout_weight(self.module, readout).double().cpu().numpy()
        outward = np.zeros(weight.shape[1])
        for bins in readout.bins:
            if bins.dimension in ("dx", "dy", "dz"):
                size = np.abs(np.array(bins.centres))
                centred = size / size.max() - (size / size.max()).mean()
                outward += centred @ weight[bins.first_id : bins.first_id + len(size)] / (centred @ centred)
        if not outward.any():
            raise InvalidInput(f"policy {self.policy.spec.name!r}", expected="action tokens for dx, dy, dz", found="none")
        layers = (value_vectors(self.module, self.policy.sites, self.stack.name, n).double().cpu().numpy() for n in range(self._num_layers))
        return np.concatenate([values @ outward for values in layers])

    def _direction(self, name: str, layer: int) -> Direction:
        """Return the direction of the action tokens after a block in which an instruction for a manner differs from its opposite.

        Raises:
            UnknownName: there is no such manner.
            InvalidInput: the instructions make no difference.
        """
        if name not in OPPOSITES:
            raise UnknownName("direction", name, OPPOSITES)
        place = Place(self.stack.name, layer, ACTION_TOKENS, self.fingerprint)
        picks = np.linspace(0, len(self.calls) - 1, min(NUM_CONTRASTED, len(self.calls))).astype(int)
        sides: list[list[NDArray[np.float32]]] = [[], []]
        for i in picks:
            told = tuple(_prompt(self.calls[i], manner) for manner in (name, OPPOSITES[name]))
            one = contrast_prompts(self.policy, [self.calls[i].observation], (told[0], told[1]), place)
            sides[0].append(one.positive)
            sides[1].append(one.negative)
        groups = np.array([self.calls[i].episode for i in picks])
        contrast = Contrast(np.concatenate(sides[0]), np.concatenate(sides[1]), groups, groups)
        source = f"instructions for {name} against {OPPOSITES[name]}, {len(picks)} observations"
        rng = np.random.default_rng(0)
        return fit_direction(contrast, Method.MEAN_DIFFERENCE, name=name, place=place, norm=self.norm(layer), rng=rng, source=source)

    def _probe(self, label: str) -> Probe:
        """Return a probe of the middle block's action tokens for a label of the simulator; errors as :func:`fit_probe`."""
        place = Place(self.stack.name, self.middle, ACTION_TOKENS, self.fingerprint)
        rows = np.stack([self._tokens(call, self.middle).astype(np.float32).mean(0) for call in self.calls])
        labels = np.array([call.labels[label] for call in self.calls])
        groups = np.array([call.episode for call in self.calls])
        return fit_probe(Samples(rows, labels, groups), name=label, place=place, is_classifier=False, rng=np.random.default_rng(0))

    def _sae(self, is_pooled: bool) -> Sae:
        """Return an autoencoder of the middle block's tokens, or of each call's mean token."""
        name = (self.stack.name, self.middle)
        every = [call.residual[name].astype(np.float32) for call in self.calls]
        rows = np.stack([tokens.mean(0) for tokens in every]) if is_pooled else np.concatenate(every)
        if len(rows) > NUM_TOKENS:
            rows = rows[np.random.default_rng(0).choice(len(rows), NUM_TOKENS, replace=False)]
        training = SaeTraining(num_active=min(16, len(rows) // 10), batch=min(4096, max(1, len(rows) // 2)))
        place = Place(self.stack.name, self.middle, policy=self.fingerprint)
        return train_sae(rows, name="mean tokens" if is_pooled else "tokens", place=place, training=training)

    def _feature_shares(self, is_pooled: bool) -> dict[str, float]:
        """Return what an autoencoder keeps and what its features are: measures of a trial, see :data:`workbench.evaluation.funnel.MEASURES`.

        A feature is general rather than memorised when the published rule gives it a chance above a half; its activation in a call is
        the largest over the tokens.
        """
        sae = self.sae(is_pooled)
        coder, name = TorchSae(sae), (self.stack.name, self.middle)
        by_episode: dict[int, list[NDArray[np.float32]]] = {}
        for call in self.calls:
            tokens = torch.tensor(call.residual[name].astype(np.float32))
            values = coder.encode(tokens.mean(0, keepdim=True) if is_pooled else tokens).values
            by_episode.setdefault(call.episode, []).append(values.amax(0).numpy())
        episodes = [np.stack(rows) for rows in by_episode.values()]
        is_dead = np.max([rows.max(axis=0) for rows in episodes], axis=0) <= 0
        is_general = (feature_statistics(episodes).general_chances() > 0.5) & ~is_dead
        return {"sae_explained": sae.measures["explained"], "sae_general": float(is_general.mean()), "sae_dead": float(is_dead.mean())}

    @property
    def _num_layers(self) -> int:
        return len(self.stack.blocks)

    def _tokens(self, call: RecordedCall, layer: int) -> NDArray[np.float16]:
        """Return the action tokens ``(A, d)`` of a call after a block."""
        tokens = call.residual[self.stack.name, layer]
        spans = spans_in(self.stack, ACTION_TOKENS, len(tokens), 0)
        return np.concatenate([tokens[start:stop] for start, stop in spans])


def _prompt(call: RecordedCall, manner: str) -> Prompt:
    text = say(strip_manner(call.prompt.text), manner, np.random.default_rng(call.episode))
    return replace(call.prompt, text=text)
