"""Puts a policy of the workbench behind :mod:`models.serve`.

A policy that reads the simulator's truth (the scripted expert, the sketch follower) gets a simulator of the server's own: the client
sends the episode's configuration and the full physics state with every request, and the server restores them before it asks the
policy. Every other policy needs the observation alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from models.serve import ACTIVATIONS, STEERING, Service, read_wishes
from models.wire_types import Wire, chunk_to_wire, observation_from_wire, prompt_from_wire, read_flag
from workbench.core.errors import InvalidInput
from workbench.core.protocols import Policy, PolicyFactory, PolicySpec, Simulator
from workbench.core.types import EpisodeConfig, Observation, Prompt, SimState
from workbench.sketch.plan import parse_plan

if TYPE_CHECKING:
    from models.serve_inside import ServedInside

LAYOUT: Final = "vla-workbench-1"
"""Name of the request layout of :mod:`models.wire_types`, told in the metadata."""
_MOST_SEED_NUMBERS: Final = 64


def needs_state(spec: PolicySpec) -> bool:
    """Tell whether a policy looks at the simulator itself."""
    return spec.is_privileged or "sketch" in spec.prompts


def describe(spec: PolicySpec) -> Wire:
    """Return the metadata that tell a client what to send."""
    return {
        "layout": LAYOUT,
        "cameras": [{"name": c.name, "width": c.width, "height": c.height} for c in spec.cameras],
        "prompts": sorted(spec.prompts),
        "action_horizon": spec.action_horizon,
        "is_privileged": spec.is_privileged,
        "needs_state": needs_state(spec),
        "has_intention": spec.has_intention,
        "known_words": sorted(spec.known_words),
        "description": spec.description,
    }


class PolicySession:
    """One client's own policy; those of one server share what their factory shares, such as weights."""

    def __init__(self, make: PolicyFactory, make_simulator: Callable[[str], Simulator]) -> None:
        """Make the policy, on a simulator that stands nowhere yet."""
        self._make, self._make_simulator = make, make_simulator
        self._simulator = make_simulator("bench")
        self._simulator_name = "bench"
        self._config: EpisodeConfig | None = None
        self._policy: Policy = make(self._simulator)
        self._inside: ServedInside | None = None
        self._num_requests = 0

    @property
    def spec(self) -> PolicySpec:
        """What the policy is."""
        return self._policy.spec

    def infer(self, request: Mapping[str, Any]) -> Wire:
        """Answer one request.

        Raises:
            InvalidInput: a part is missing or of the wrong kind.
        """
        rng = _rng_from(request)
        if "config" in request or "state" in request:
            self._restore(request)
        elif needs_state(self.spec):
            raise InvalidInput(
                "request",
                expected=f"the fields 'config' and 'state', since the policy {self.spec.name!r} looks at the simulator",
                found="neither",
            )
        if read_flag(request, "reset") or self._num_requests == 0:
            self._policy.reset(rng)
            self._num_requests = 0
            if self._inside is not None:
                self._inside.reset()
        return self._act(request, rng)

    def close(self) -> None:
        """Release the simulator."""
        self._simulator.close()

    @property
    def inside(self) -> ServedInside | None:
        """The policy's inside; None when it does not show it."""
        if self._inside is None and hasattr(self._policy, "module"):  # so that a policy without a network does not load torch
            from models.serve_inside import ServedInside

            try:
                self._inside = ServedInside(self._policy)
            except InvalidInput:
                return None
        return self._inside

    def _act(self, request: Mapping[str, Any], rng: np.random.Generator) -> Wire:
        prompt = prompt_from_wire(request)
        if request.get("plan") is not None:
            prompt = Prompt(text=prompt.text, plan=parse_plan(request["plan"]))
        observation = self._observation(request)
        self._num_requests += 1
        wishes, inside = read_wishes(request), self.inside
        if inside is None or not (wishes.edits or wishes.sites):
            return chunk_to_wire(self._policy.act(observation, prompt, rng))
        if request.get("steering_assets") is not None:
            inside.keep(request["steering_assets"])
        chunk, activations = inside.act(observation, prompt, rng, wishes.edits, wishes.sites)
        return {**chunk_to_wire(chunk), ACTIVATIONS: activations}

    def _observation(self, request: Mapping[str, Any]) -> Observation:
        if self._config is not None:
            return self._simulator.observe(self.spec.cameras)
        return observation_from_wire(request, self.spec.cameras, step=self._num_requests, time_s=0.0)

    def _restore(self, request: Mapping[str, Any]) -> None:
        """Put the client's simulator state into ours."""
        config, state = request.get("config"), request.get("state")
        if not isinstance(config, Mapping) or not isinstance(state, bytes):
            raise InvalidInput(
                "request", expected="'config', a map, with 'state', bytes", found=f"{type(config).__name__}, {type(state).__name__}"
            )
        wanted = EpisodeConfig.from_dict(config)
        if wanted.robot:
            raise InvalidInput("episode configuration", expected="the built-in arm", found="a robot file, which a server does not read")
        if self._config is None or wanted.digest() != self._config.digest():
            self._enter(wanted)
        self._simulator.restore(SimState.from_bytes(state))

    def _enter(self, config: EpisodeConfig) -> None:
        """Build the scene of another episode, and make the policy anew in it."""
        self._config = None
        if config.simulator != self._simulator_name:
            self._simulator.close()
            self._simulator, self._simulator_name = self._make_simulator(config.simulator), config.simulator
        self._simulator.reset(config)
        self._policy, self._inside = self._make(self._simulator), None
        self._config, self._num_requests = config, 0


def make_service(name: str, make: PolicyFactory, make_simulator: Callable[[str], Simulator]) -> Service:
    """Return a service of a policy; it is made once here, to learn what it is.

    Args:
        name: under which it is served.
        make: makes the policy for a simulator.
        make_simulator: makes a simulator by its name.
    """
    probe = PolicySession(make, make_simulator)
    try:
        metadata, inside = describe(probe.spec), probe.inside
        if inside is not None:
            metadata["inside"] = inside.describe()
    finally:
        probe.close()
    abilities = frozenset({STEERING, ACTIVATIONS}) if inside is not None else frozenset()
    return Service(name, lambda: PolicySession(make, make_simulator), metadata, abilities)


def _rng_from(request: Mapping[str, Any]) -> np.random.Generator:
    """Return the generator that the request asks for, or a fresh one."""
    seed = request.get("seed")
    if seed is None:
        return np.random.default_rng()
    if isinstance(seed, int) and not isinstance(seed, bool):
        seed = [seed]
    is_list = isinstance(seed, list | tuple) and len(seed) <= _MOST_SEED_NUMBERS
    if not is_list or not all(type(n) is int and 0 <= n < 2**64 for n in seed):
        raise InvalidInput("seed", expected=f"up to {_MOST_SEED_NUMBERS} integers >= 0", found=repr(seed)[:60])
    return np.random.default_rng(list(seed))
