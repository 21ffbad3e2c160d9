"""A store with three short episodes of the bench, one of them corrected by a person, and the dataset that they become."""

import numpy as np

from sessions.recorder import Recorder
from sessions.store import Store
from workbench.core.events import EpisodeStart, EventKind, Outcome
from workbench.core.types import Actor, EpisodeConfig, Prompt, Trace
from workbench.rollout.hold import HoldPolicy, hold_action
from workbench.rollout.loop import Choice, begin_episode, change_prompt, emit, finish_episode, tick
from workbench.simulation.simulator import BenchSimulator

NUM_STEPS = 8
TRACE = Trace("front", 480, 480, ((100.0, 100.0), (200.0, 200.0)))
EPISODES = (("first", "touch", 3, Outcome.SUCCESS), ("corrected", "pick", 4, Outcome.FAILURE), ("third", "touch", 5, Outcome.STOPPED))


def record_session(path, *, session_id="monday", control_hz=20.0):
    """Record the episodes into a new database; in ``corrected`` a person drives steps 3 to 5, and steps 2 on have a trace."""
    with Store.open(path) as store, Recorder(store) as recorder:
        simulator = BenchSimulator()
        for name, task, seed, outcome in EPISODES:
            config = EpisodeConfig(task, seed, control_hz=control_hz)
            told = simulator.reset(config)
            head = EpisodeStart(name, session_id, config.to_dict(), told, "bench-vla")
            episode = begin_episode(simulator, HoldPolicy(), head, prompt=Prompt(text=told), observer=recorder)
            for index in range(NUM_STEPS):
                if name == "corrected":
                    events_at(episode, index)
                is_human = name == "corrected" and 3 <= index < 6
                tick(episode, lambda seen, wish, i=index, h=is_human: Choice(moved(seen, i), Actor.HUMAN if h else Actor.POLICY))
            finish_episode(episode, outcome)
        simulator.close()


def events_at(episode, index):
    if index == 2:
        change_prompt(episode, {"trace": TRACE})
    if index == 3:
        emit(episode, EventKind.TAKEOVER, {"via": "key", "reason": "stuck"})
        emit(episode, EventKind.INTERVENTION, {"segment": "recovery"})
    if index == 5:
        emit(episode, EventKind.INTERVENTION, {"segment": "correction"})
    if index == 6:
        emit(episode, EventKind.HANDBACK, {})


def moved(seen, index):
    return hold_action(seen) + np.array([0.002 * (index + 1), 0, 0, 0, 0, 0, 0], dtype=np.float32)
