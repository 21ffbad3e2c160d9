"""Made-up recordings for the tests of the store."""

import numpy as np

from workbench.core.events import EpisodeEnd, EpisodeStart, Event, EventKind, Outcome, new_id
from workbench.core.types import Actor, EpisodeConfig, SimState, Step


def state(rng: np.random.Generator, index: int) -> SimState:
    physics = np.concatenate([[0.05 * index], np.zeros(60), rng.normal(size=40) * 1e-3])
    return SimState(physics, rng.normal(size=5), bytes(rng.integers(0, 256, 13, dtype=np.uint8)))


def step(rng: np.random.Generator, index: int, **changes) -> Step:
    action = rng.normal(size=7).astype(np.float32)
    values = {
        "index": index,
        "time_s": 0.05 * index,
        "state": state(rng, index),
        "action": action,
        "proposal": action.copy(),
        "actor": Actor.POLICY,
        "is_success": bool(rng.integers(2)),
        "prompt_id": "",
        "scores": {"distance_to_goal": 0.25},
        "policy_ms": 1.5,
        "step_ms": 2.25,
        "wall_time": 1.7e9 + 0.05 * index,
        "proprio": rng.normal(size=16).astype(np.float32),
    }
    return Step(**(values | changes))


def start(task: str = "pick", *, session_id: str = "sitting", seed: int = 3, **changes) -> EpisodeStart:
    config = EpisodeConfig(task, seed, instruction=f"please {task} the red cube")
    values = {
        "episode_id": new_id(),
        "session_id": session_id,
        "config": config.to_dict(),
        "instruction": config.instruction,
        "policy": "expert",
        "wall_time": 1.7e9,
    }
    return EpisodeStart(**(values | changes))


def record(observer, head: EpisodeStart, num_steps: int, *, seed: int = 0, outcome: Outcome | None = Outcome.SUCCESS) -> list[Step]:
    """Tell an observer a whole episode; without an outcome it does not end."""
    rng = np.random.default_rng(seed)
    steps = [step(rng, index) for index in range(num_steps)]
    observer.on_start(head)
    observer.on_event(head.episode_id, Event(EventKind.START, 0, 0.0, {"task": head.config["task"]}, "system"))
    for one in steps:
        observer.on_step(one)
    if outcome is not None:
        final = state(rng, num_steps).to_bytes()
        observer.on_end(EpisodeEnd(head.episode_id, outcome, num_steps, 0.05 * num_steps, final))
    return steps
