"""A small world for tests of the loop: pure numpy, deterministic, with slices and halt."""

import threading
from types import MappingProxyType

import numpy as np

from workbench.core.catalog import Catalog
from workbench.core.errors import InvalidInput
from workbench.core.events import EventKind
from workbench.core.geometry import Pinhole
from workbench.core.protocols import PolicySpec, SimulatorSpec
from workbench.core.types import PROPRIO, ActionChunk, EpisodeConfig, Observation, SimState, StepResult, Takeover

NUM_SLICES = 5
TASKS = ("reach", "other")


class FakeView:
    """Draws the state as grey values; notes who made, used and closed it."""

    open_views = 0

    def __init__(self):
        self._thread = threading.get_ident()
        type(self).open_views += 1

    def render(self, physics, camera, quality):
        assert threading.get_ident() == self._thread
        value = int(abs(physics[1]) * 255) % 256
        return np.full((camera.height, camera.width, 3), 255 if quality == "still" else value, dtype=np.uint8)

    def pinhole(self, physics, camera):
        return Pinhole(camera.name, camera.width, camera.height, 100.0, 100.0, camera.width / 2, camera.height / 2, np.eye(4))

    def close(self):
        assert threading.get_ident() == self._thread
        type(self).open_views -= 1


class FakeSimulator:
    """A point that follows its target with a lag; solved when x reaches the goal."""

    def __init__(self):
        self._thread = threading.get_ident()
        self.is_closed = False
        self.fail_on_step = None
        self.physics = np.zeros(8)  # time, position (3), target (3), gripper

    @property
    def spec(self):
        return SimulatorSpec("fake", ("front",), TASKS, 0.01, NUM_SLICES)

    def reset(self, config):
        assert threading.get_ident() == self._thread
        if config.task not in TASKS:
            raise InvalidInput("task", expected=str(TASKS), found=config.task)
        self.config = config
        self.rng = np.random.default_rng(config.seed)
        self.physics = np.zeros(8)
        self.physics[1:4] = self.physics[4:7] = self.rng.uniform(-0.1, 0.1, 3)
        self.physics[7] = 1.0
        self.count = 0
        self.goal = float(config.options.get("goal", 1.0))
        return config.instruction or f"{config.task} the goal"

    def step(self, action, *, on_slice=None, halt_slice=None, takeover=None):
        assert threading.get_ident() == self._thread
        if self.count == self.fail_on_step:
            raise RuntimeError("the solver diverged")
        halted = None
        for i in range(NUM_SLICES):
            wish = on_slice(i, self.physics) if halted is None and on_slice is not None else i == halt_slice
            if isinstance(wish, np.ndarray):
                takeover = Takeover(i, wish)
            elif wish:
                halted = i
                self.physics[4:7] = self.physics[1:4]
            action = takeover.action if takeover is not None and takeover.slice == i else action
            if halted is None:
                self.physics[4:7] += action[:3] / NUM_SLICES
                self.physics[7] = action[6]
            self.physics[1:4] += 0.5 * (self.physics[4:7] - self.physics[1:4]) + 1e-6 * self.rng.normal(size=3)
            self.physics[0] += 1 / self.config.control_hz / NUM_SLICES
        self.count += 1
        distance = abs(self.goal - self.physics[1])
        return StepResult(bool(distance < 0.02), halted, takeover, {"distance_to_goal": distance})

    def observe(self, cameras):
        proprio = np.zeros(16, dtype=np.float32)
        proprio[PROPRIO["ee_position"]] = self.physics[1:4]
        proprio[PROPRIO["gripper_command"]] = self.physics[7]
        empty = MappingProxyType({})
        return Observation(empty, empty, empty, proprio, self.count, float(self.physics[0]))

    def state(self):
        state = self.rng.bit_generator.state["state"]
        return SimState(self.physics.copy(), np.array([self.count], dtype=float), f"{state['state']} {state['inc']}".encode())

    def restore(self, state):
        self.physics = state.physics.copy()
        self.count = int(state.controller[0])
        value, inc = map(int, state.rng.split())
        self.rng.bit_generator.state = {**self.rng.bit_generator.state, "state": {"state": value, "inc": inc}}

    def open_view(self):
        return FakeView

    def close(self):
        assert threading.get_ident() == self._thread
        self.is_closed = True


class Wander:
    """Goes towards +x with noise from its generator: a function of observation, prompt and generator."""

    def __init__(self, simulator=None, *, horizon=1, chunk=1, scores=None):
        self.spec = PolicySpec("wander", action_horizon=horizon)
        self.chunk, self.scores = chunk, scores or {}
        self.num_calls, self.num_resets = 0, 0
        self.prompts = []

    def reset(self, rng):
        self.num_resets += 1

    def act(self, observation, prompt, rng):
        self.num_calls += 1
        self.prompts.append(prompt)
        actions = np.zeros((self.chunk, 7), dtype=np.float32)
        actions[:, :3] = rng.normal(scale=0.002, size=(self.chunk, 3))
        actions[:, 0] += 0.01 * (1.0 + 0.1 * float(observation.part("ee_position")[1]))
        actions[:, 6] = 1.0
        return ActionChunk(actions, 20.0, self.scores)


class Script:
    """Says what a list of (action x, scores) says, then holds; raises an entry that is an exception."""

    def __init__(self, entries):
        self.spec = PolicySpec("script")
        self.entries = list(entries)
        self.index = 0

    def reset(self, rng):
        self.index = 0

    def act(self, observation, prompt, rng):
        entry = self.entries[self.index] if self.index < len(self.entries) else (0.0, {})
        self.index += 1
        if isinstance(entry, Exception):
            raise entry
        action = np.zeros((1, 7), dtype=np.float32)
        action[0, 0], action[0, 6] = entry[0], 1.0
        return ActionChunk(action, 20.0, entry[1])


class Blocking:
    """Waits in `act` until it is released, as a slow model does."""

    def __init__(self):
        self.spec = PolicySpec("blocking")
        self.is_asked, self.release = threading.Event(), threading.Event()

    def reset(self, rng):
        pass

    def act(self, observation, prompt, rng):
        self.is_asked.set()
        assert self.release.wait(10)
        action = np.zeros((1, 7), dtype=np.float32)
        action[0, 0] = 0.05
        return ActionChunk(action, 20.0)


class Diary:
    """An observer that keeps everything."""

    def __init__(self):
        self.starts, self.steps, self.events, self.ends, self.log = [], [], [], [], []

    def on_start(self, start):
        self.starts.append(start)
        self.log.append("start")

    def on_step(self, step):
        self.steps.append(step)
        self.log.append("step")

    def on_event(self, episode_id, event):
        self.events.append(event)
        self.log.append(event.kind.value)

    def on_end(self, end):
        self.ends.append(end)
        self.log.append("end!")

    def kinds(self):
        return [event.kind for event in self.events]

    def count(self, kind: EventKind):
        return self.kinds().count(kind)


def fake_config(task="reach", seed=3, **options):
    return EpisodeConfig(task, seed, simulator="fake", options=options)


def simulators(make=FakeSimulator):
    catalog = Catalog("simulator")
    catalog.add("fake", make)
    return catalog


def policies(**factories):
    catalog = Catalog("policy")
    for name, factory in {"wander": Wander, **factories}.items():
        catalog.add(name, lambda factory=factory: factory)
    return catalog
