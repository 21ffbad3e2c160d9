"""Edits applied to a network for the time of a policy call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import torch
from torch import Tensor, nn

from workbench.core.anatomy import ALL_TOKENS, Anatomy
from workbench.core.errors import InvalidInput, InvalidShape
from workbench.core.protocols import SteerablePolicy
from workbench.steering import changes
from workbench.steering.assets import A, Conceptor, Direction, Library, Probe, Sae, check_place, find_asset
from workbench.steering.edits import (
    AddDirection,
    ApplyConceptor,
    ClampNeurons,
    ClampReading,
    RemoveDirection,
    SteerFeature,
    SteeringEdit,
    strength_of,
)
from workbench.steering.hooks import Change, changed
from workbench.steering.scopes import Moment, Scope, spans_in
from workbench.steering.sites import Part, Site, as_module, neuron_of, site_module, width_of

NO_ASSETS: Final[Library] = MappingProxyType({})
_NOW: Final = Moment()


@dataclass(frozen=True, eq=False)
class Turn:
    """One edit at one site, ready to run."""

    site: Site
    scope: Scope
    tokens: str
    change: Change


class Steering:
    """Edits prepared for one network: make it when the edits change, apply it to call after call."""

    def __init__(self, module: nn.Module, anatomy: Anatomy, edits: Sequence[SteeringEdit], assets: Library = NO_ASSETS) -> None:
        """Prepare.

        Raises:
            InvalidInput: an edit does not fit the network.
            UnknownName: an edit names a stack, token group or asset that is not there.
        """
        self._module, self._anatomy = module, anatomy
        self._indices: dict[tuple[str, str, int, bool], Tensor | None] = {}
        self.edits = tuple(edits)
        """What was asked for."""
        self.turns = tuple(turn for edit in edits if not _is_nothing(edit) for turn in _prepare(module, anatomy, edit, assets))

    @contextmanager
    def applied(self, moment: Moment = _NOW) -> Iterator[None]:
        """Steer every forward pass within the block by the edits that are active at that moment."""
        active = [turn for turn in self.turns if turn.scope.is_active(moment)]
        sites = dict.fromkeys(turn.site for turn in active)
        with changed(self._module, self._anatomy, {s: self._run([t for t in active if t.site == s]) for s in sites}):
            yield

    def _run(self, turns: Sequence[Turn]) -> Change:
        """Return one change that applies the turns of a site in order and counts the forward passes."""
        passes = 0

        def change(x: Tensor) -> Tensor:
            nonlocal passes
            index, passes = passes, passes + 1
            for turn in turns:
                if not turn.scope.has_pass(index):
                    continue
                positions = self._positions(turn, x, index)
                if positions is None:
                    x = turn.change(x)
                elif len(positions):
                    x = x.index_copy(1, positions, turn.change(x.index_select(1, positions)))
            return x

        return change

    def _positions(self, turn: Turn, x: Tensor, index: int) -> Tensor | None:
        """Return the token positions ``(n,) int64`` of a turn in one forward pass, or None for all of them."""
        num_tokens = x.shape[1]
        key = (turn.site.stack, turn.tokens, num_tokens, index > 0)
        if key not in self._indices:
            spans = spans_in(self._anatomy.stack(turn.site.stack), turn.tokens, num_tokens, index)
            at = [p for span in spans for p in range(span.start, span.stop or 0)]
            self._indices[key] = None if len(at) == num_tokens else torch.tensor(at, dtype=torch.int64, device=x.device)
        return self._indices[key]


@contextmanager
def steered(
    policy: SteerablePolicy, edits: Sequence[SteeringEdit], assets: Library = NO_ASSETS, moment: Moment = _NOW
) -> Iterator[Steering]:
    """Steer a policy within a block; errors as :class:`Steering`, and then nothing stays behind."""
    steering = Steering(as_module(policy.module), policy.sites, edits, assets)
    with steering.applied(moment):
        yield steering


def _is_nothing(edit: SteeringEdit) -> bool:
    """Tell whether an edit surely changes nothing, so that outputs stay equal bit for bit."""
    match edit:
        case ClampNeurons():
            return not edit.neurons
        case AddDirection() | RemoveDirection() | ApplyConceptor():
            return strength_of(edit) == 0
    return False


def _prepare(module: nn.Module, anatomy: Anatomy, edit: SteeringEdit, assets: Library) -> list[Turn]:
    stack = anatomy.stack(edit.stack)
    stack.group(edit.scope.tokens)
    like = next(module.parameters()).detach()
    match edit:
        case ClampNeurons():
            return _prepare_clamp(module, anatomy, edit)
        case AddDirection():
            vector = _direction(assets, edit, anatomy).vector
            pairs = zip(edit.layers, edit.norms, strict=True)
            made = {Site(edit.stack, n, edit.part): changes.add_direction(vector, edit.dose * norm, like) for n, norm in pairs}
        case RemoveDirection():
            removal = changes.remove_direction(_direction(assets, edit, anatomy).vector, edit.share, like)
            made = {Site(edit.stack, layer, edit.part): removal for layer in edit.layers}
        case ClampReading():
            probe = _asset(assets, edit.probe, Probe, anatomy)
            tokens = probe.place.tokens if edit.scope.tokens == ALL_TOKENS else edit.scope.tokens
            change = changes.clamp_reading(probe, edit.bounds, like)
            return [_turn(module, anatomy, edit, probe.place.site, change, tokens)]
        case SteerFeature():
            sae = _asset(assets, edit.sae, Sae, anatomy)
            if edit.feature >= sae.num_features:
                raise InvalidInput(f"feature of {sae.name!r}", expected=f"0 to {sae.num_features - 1}", found=str(edit.feature))
            made = {sae.place.site: changes.steer_feature(sae, edit.feature, edit.mode, edit.value, like)}
        case ApplyConceptor():
            conceptor = _asset(assets, edit.conceptor, Conceptor, anatomy)
            made = {conceptor.place.site: changes.apply_conceptor(conceptor, edit.beta, like)}
    return [_turn(module, anatomy, edit, site, change) for site, change in made.items()]


def _prepare_clamp(module: nn.Module, anatomy: Anatomy, edit: ClampNeurons) -> list[Turn]:
    stack = anatomy.stack(edit.stack)
    by_layer: dict[int, list[int]] = {}
    for flat in edit.neurons:
        layer, index = neuron_of(stack, flat)
        by_layer.setdefault(layer, []).append(index)
    device = next(module.parameters()).device
    turns = []
    for layer, indices in sorted(by_layer.items()):
        site = Site(edit.stack, layer, Part.NEURONS)
        site_module(module, anatomy, site)
        change = changes.clamp_neurons(torch.tensor(indices, device=device), edit.alpha)
        turns.append(Turn(site, edit.scope, edit.scope.tokens, change))
    return turns


def _turn(module: nn.Module, anatomy: Anatomy, edit: SteeringEdit, site: Site, change: Change, tokens: str = "") -> Turn:
    site_module(module, anatomy, site)
    return Turn(site, edit.scope, tokens or edit.scope.tokens, change)


def _direction(assets: Library, edit: AddDirection | RemoveDirection, anatomy: Anatomy) -> Direction:
    """Return the direction of an edit; it may act in other layers and parts than it was measured in, if they are as wide."""
    direction = _asset(assets, edit.direction, Direction, anatomy)
    width = width_of(anatomy.stack(edit.stack), edit.part)
    if len(direction.vector) != width:
        raise InvalidShape(f"direction {direction.name!r}", expected=(width,), found=direction.vector.shape)
    return direction


def _asset(assets: Library, id: str, kind: type[A], anatomy: Anatomy) -> A:
    asset = find_asset(assets, id, kind)
    check_place(asset, anatomy)
    return asset
