"""What a steering claim is compared with: random neurons of the same number, random directions of the same length."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from workbench.core.anatomy import Anatomy, Stack
from workbench.core.errors import InvalidInput
from workbench.steering.assets import Asset, Conceptor, Direction, Library, Probe, Sae, asset_id, find_asset
from workbench.steering.conceptors import random_conceptor
from workbench.steering.edits import (
    AddDirection,
    ApplyConceptor,
    ClampNeurons,
    ClampReading,
    RemoveDirection,
    SteerFeature,
    SteeringEdit,
)
from workbench.steering.places import neuron_of


def random_neurons(stack: Stack, neurons: tuple[int, ...], rng: np.random.Generator) -> tuple[int, ...]:
    """Return as many other neurons, as many of each layer, drawn at random.

    Raises:
        InvalidInput: a layer has not enough other neurons.
    """
    drawn: list[int] = []
    layers = [neuron_of(stack, flat).layer for flat in neurons]
    for layer in sorted(set(layers)):
        free = np.setdiff1d(np.arange(layer * stack.inner, (layer + 1) * stack.inner), neurons)
        if len(free) < layers.count(layer):
            raise InvalidInput(f"random neurons of layer {layer}", expected=f"{layers.count(layer)} others", found=f"{len(free)}")
        drawn += rng.choice(free, size=layers.count(layer), replace=False).tolist()
    return tuple(drawn)


def random_direction(direction: Direction, rng: np.random.Generator) -> Direction:
    """Return a direction of the same length with random orientation."""
    vector = rng.normal(size=direction.vector.shape)
    vector *= np.linalg.norm(direction.vector) / np.linalg.norm(vector)
    name = f"random like {direction.name}"
    return replace(direction, name=name, vector=vector.astype(np.float32), source="random, equal length", measures={})


class Control:
    """Draws the random counterpart of edits, and the assets that it needs."""

    def __init__(self, anatomy: Anatomy, assets: Library, rng: np.random.Generator) -> None:
        self._anatomy, self._source, self._rng = anatomy, assets, rng
        self._drawn: dict[str, str] = {}
        self._neurons_drawn: dict[tuple[str, tuple[int, ...]], tuple[int, ...]] = {}
        self._features_drawn: dict[tuple[str, int], int] = {}
        self.assets: dict[str, Asset] = dict(assets)
        """The given assets and the random ones."""

    def of(self, edit: SteeringEdit) -> SteeringEdit:
        """Return the counterpart: same number, layers, scope and strength, random content.

        One object keeps to one draw for each asset and set of neurons, so that a sweep of doses follows one control.

        Raises:
            InvalidInput: there are not enough other neurons.
            UnknownName: the edit names an asset that is not there.
        """
        match edit:
            case ClampNeurons():
                return replace(edit, neurons=self._neurons(edit))
            case AddDirection() | RemoveDirection():
                return replace(edit, direction=self._asset(edit.direction))
            case ClampReading():
                return replace(edit, probe=self._asset(edit.probe))
            case SteerFeature():
                return replace(edit, feature=self._feature(edit))
            case ApplyConceptor():
                return replace(edit, conceptor=self._asset(edit.conceptor))

    def _neurons(self, edit: ClampNeurons) -> tuple[int, ...]:
        key = (edit.stack, edit.neurons)
        if key not in self._neurons_drawn:
            self._neurons_drawn[key] = random_neurons(self._anatomy.stack(edit.stack), edit.neurons, self._rng)
        return self._neurons_drawn[key]

    def _feature(self, edit: SteerFeature) -> int:
        key = (edit.sae, edit.feature)
        if key not in self._features_drawn:
            num_features = find_asset(self._source, edit.sae, Sae).num_features
            if num_features < 2:
                raise InvalidInput("random feature", expected="another feature", found="an autoencoder with one")
            self._features_drawn[key] = (edit.feature + 1 + int(self._rng.integers(num_features - 1))) % num_features
        return self._features_drawn[key]

    def _asset(self, id: str) -> str:
        if id not in self._drawn:
            made = self._random(self._source[id]) if id in self._source else find_asset(self._source, id, Direction)
            self._drawn[id] = asset_id(made)
            self.assets[self._drawn[id]] = made
        return self._drawn[id]

    def _random(self, asset: Asset) -> Asset:
        match asset:
            case Direction():
                return random_direction(asset, self._rng)
            case Probe():
                weight = self._rng.normal(size=asset.weight.shape)
                weight *= np.linalg.norm(asset.weight) / np.linalg.norm(weight)
                return replace(asset, name=f"random like {asset.name}", weight=weight.astype(np.float32), measures={})
            case Conceptor():
                return random_conceptor(asset, self._rng)
            case Sae():
                raise InvalidInput("random counterpart", expected="a direction, probe or conceptor", found="an autoencoder")
