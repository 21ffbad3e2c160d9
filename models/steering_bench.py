"""What steering costs: one policy call with ten clamped neurons in three layers, beside the bare call and beside nnsight's edit."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from statistics import median
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from models.bench_vla.checkpoint import WEIGHTS, load_network
from models.bench_vla.config import CONTROL_HZ, MEMORY_DIM, BenchVlaConfig
from models.bench_vla.network import BenchVla
from models.bench_vla.policy import BenchVlaPolicy
from models.bench_vla.processor import read_inputs
from models.bench_vla.vocabulary import collect_words
from models.steering import as_steerable
from workbench.core.anatomy import Readout, Stack
from workbench.core.errors import NotStored
from workbench.core.protocols import Policy
from workbench.core.types import EpisodeConfig, Observation, Prompt
from workbench.simulation.simulator import BenchSimulator
from workbench.steering.edits import ClampNeurons
from workbench.steering.instruments import Instruments
from workbench.steering.policy import Setting, SteeredPolicy
from workbench.steering.projection import build_table, table_of
from workbench.steering.steered import Steering

PROMPT: Final = Prompt(text="pick up the red cube")
ALPHA: Final = 4.0
_UNITS: Final = ((3, 11, 19, 27), (5, 13, 21), (7, 15, 23))
"""Clamped units of each of the last three layers: ten neurons."""
_SEVEN_BILLION: Final = (32, 4096, 11008, 32000)
"""Layers, width, neurons a layer and words of a Llama of seven billion parameters."""


def bench_steering(*, rounds: int = 200) -> dict[str, Any]:
    """Measure policy calls alternately with and without edits, in processor time of all threads, of which torch gets one.

    ``ratio`` is the median of the ratios of neighbouring calls. ``details`` has the same edit on the bare network, by us and, where it is
    installed, by nnsight.
    """
    torch.set_num_threads(1)
    network = _network()
    policy = BenchVlaPolicy(network)
    opened = as_steerable(policy)
    stack = opened.sites.stacks[0]
    first = len(stack.blocks) - len(_UNITS)
    edit = ClampNeurons(stack.name, tuple((first + i) * stack.inner + u for i, units in enumerate(_UNITS) for u in units), ALPHA)
    steered, observation = SteeredPolicy(opened, Setting((edit,))), _observation(policy)
    bare_s, steered_s = _alternate(rounds, lambda: _act(policy, observation), lambda: _act(steered, observation))
    details: dict[str, Any] = {"weights": "trained" if WEIGHTS.exists() else "random", "neurons": len(edit.neurons)}
    details |= _compare_networks(network, Steering(network, opened.sites, [edit]), observation, rounds)
    return {
        "name": "steering",
        "value": 1e3 * median(steered_s),
        "unit": "ms per steered policy call",
        "baseline": 1e3 * median(bare_s),
        "ratio": median(a / b for a, b in zip(steered_s, bare_s, strict=True)),
        "n": rounds,
        "details": details,
    }


def bench_projection(*, layers: int = 1) -> dict[str, Any]:
    """Project value vectors of a Llama of seven billion parameters with random weights, made layer by layer.

    The value is the largest memory of the process; the baseline is the limit of 2 GB. ``details`` has the time a layer takes.
    """
    torch.set_num_threads(1)
    _, width, inner, num_words = _SEVEN_BILLION
    stack = Stack("decoder", tuple(f"layer {i}" for i in range(layers)), width, inner, readout=Readout("lm_head"))
    table = torch.randn(num_words, width)

    def made() -> Iterator[Tensor]:
        for seed in range(layers):
            yield torch.randn(inner, width, generator=torch.Generator().manual_seed(seed))

    begun = time.process_time()
    table_of(stack, made(), table)
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    seconds = (time.process_time() - begun) / layers
    return {
        "name": "projection",
        "value": peak_gb,
        "unit": "GB resident",
        "baseline": 2.0,
        "ratio": peak_gb / 2.0,
        "n": layers,
        "details": {"processor_s_per_layer": seconds, "processor_s_for_all_layers": seconds * _SEVEN_BILLION[0]},
    }


def bench_instruments(*, rounds: int = 60) -> dict[str, Any]:
    """Measure what each live instrument costs, in processor time of a policy call with it and without any, alternately.

    ``ratio`` is the time that the dearest one adds, as a share of the control period in which the call falls; ``details`` has all.
    """
    torch.set_num_threads(1)
    policy = BenchVlaPolicy(_network())
    opened = as_steerable(policy)
    stack, observation = opened.sites.stacks[0], _observation(policy)
    table = build_table(policy.network, opened.sites, stack.name)
    wishes = {
        "hidden": Instruments(),
        "activity": Instruments(has_strip=True),
        "lens": Instruments(has_lens=True),
        "attention": Instruments(attention_to=stack.images[0].camera),
        "neurons": Instruments(contributions_to="dz"),
    }
    watched = {name: SteeredPolicy(opened) for name in wishes}
    for name, instruments in wishes.items():
        watched[name].watch(instruments, table)
    seconds = _alternate(rounds, lambda: _act(policy, observation), *(lambda p=p: _act(p, observation) for p in watched.values()))
    added = {name: 1e3 * median(a - b for a, b in zip(s, seconds[0], strict=True)) for name, s in zip(wishes, seconds[1:], strict=True)}
    period_ms = 1e3 / CONTROL_HZ
    return {
        "name": "instruments",
        "value": max(added.values()),
        "unit": "ms added to a policy call by the dearest instrument",
        "baseline": period_ms,
        "ratio": max(added.values()) / period_ms,
        "n": rounds,
        "details": {f"{name}_share_of_tick": ms / period_ms for name, ms in added.items()} | {"call_ms": 1e3 * median(seconds[0])},
    }


def _network() -> BenchVla:
    """Return the trained network, or a random one of its size: the cost does not depend on the weights."""
    try:
        return load_network(WEIGHTS)
    except NotStored:
        torch.manual_seed(0)
        return BenchVla(BenchVlaConfig(words=collect_words([PROMPT.text]))).eval()


def _observation(policy: Policy) -> Observation:
    simulator = BenchSimulator()
    try:
        simulator.reset(EpisodeConfig("pick", 1))
        seen = simulator.observe(policy.spec.cameras)
        return replace(seen, images={c.name: seen.images[c.name] for c in policy.spec.cameras})
    finally:
        simulator.close()


def _act(policy: Policy, observation: Observation) -> None:
    policy.act(observation, PROMPT, np.random.default_rng(0))


def _compare_networks(network: BenchVla, steering: Steering, observation: Observation, rounds: int) -> dict[str, float]:
    batch = read_inputs(network.config, network.vocabulary, observation, PROMPT, np.zeros(MEMORY_DIM, dtype=np.float32))

    def bare() -> Tensor:
        with torch.inference_mode():
            actions: Tensor = network(batch).actions
            return actions

    def ours() -> Tensor:
        with steering.applied():
            return bare()

    calls = [bare, ours]
    if find_spec("nnsight") is not None:
        calls.append(_nnsight_call(network, batch))
    seconds = _alternate(rounds, *calls)
    names = ("forward_ms", "forward_steered_ms", "forward_nnsight_ms")
    found = {name: 1e3 * median(s) for name, s in zip(names, seconds, strict=False)}
    if len(calls) == 3:
        found["ours_to_nnsight"] = median(a / b for a, b in zip(seconds[1], seconds[2], strict=True))
        found["largest_difference_to_nnsight"] = float((calls[2]() - ours()).abs().max())
    return found


def _nnsight_call(network: nn.Module, batch: object) -> Callable[[], Tensor]:
    """Return the same clamp by nnsight (MIT), written as its documentation shows edits of a module's input."""
    from nnsight import NNsight, save
    from nnsight._c import unmount

    unmount("save")  # importing it puts that name on every object of the process
    model = NNsight(network)
    first, second, third = (torch.tensor(units) for units in _UNITS)
    num_layers = len(model.decoder.layers)
    blocks = [model.decoder.layers[i].mlp.down_proj for i in range(num_layers - len(_UNITS), num_layers)]

    def call() -> Tensor:
        with torch.inference_mode(), model.trace(batch):
            blocks[0].input = blocks[0].input.index_fill(-1, first, ALPHA)
            blocks[1].input = blocks[1].input.index_fill(-1, second, ALPHA)
            blocks[2].input = blocks[2].input.index_fill(-1, third, ALPHA)
            output = save(model.output)
        actions: Tensor = output.actions
        return actions

    return call


def _alternate(rounds: int, *calls: Callable[[], object]) -> list[list[float]]:
    """Return processor seconds of each call, made in turn and in turned order, after a few that only warm up."""
    seconds: list[list[float]] = [[] for _ in calls]
    for i in range(rounds + 3):
        pairs = list(zip(calls, seconds, strict=True))
        for call, kept in pairs if i % 2 else reversed(pairs):
            begun = time.process_time()
            call()
            if i >= 3:
                kept.append(time.process_time() - begun)
    return seconds
