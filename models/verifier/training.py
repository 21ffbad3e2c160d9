"""``python app.py train value``: records episodes, fits the value function and the preference model, writes both with their card."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any, Final

import torch

from models.bench_vla.policy import load_policy
from models.training_order import TrainingOrder
from models.verifier.card import write_card
from models.verifier.episodes import RecordedEpisode, record_all
from models.verifier.fitting import best_of_laws, fit_preference, fit_value, judge, pairs_of, transitions_of
from models.verifier.verifiers import save_weights
from workbench.core.errors import InvalidInput

TASKS: Final = ("push_to_zone", "place_on_plate", "pick", "stack")
SHIFTS: Final = ("", "action_noise=0.5")
"""Plain, and with actions that chance disturbs, so that there are failures to learn from."""
HELD_OUT: Final = 5
"""Every fifth episode judges what was learnt from the others."""


@dataclass(frozen=True)
class Plan:
    """How much data, and how long a training."""

    episodes: int = 20
    """Of each task, plain and disturbed."""
    num_steps: int = 3000
    tasks: tuple[str, ...] = TASKS


SMOKE: Final = Plan(episodes=3, num_steps=30, tasks=("touch",))
"""Goes through everything in about a minute; what it learns is nothing."""


def run_training(order: TrainingOrder) -> dict[str, Any]:
    """Record what is missing, fit both, and return what came out.

    ``episodes`` are of each task, plain and disturbed.

    Raises:
        InvalidInput: too few episodes to leave some out, or minutes or workers were asked for.
    """
    order.refuse("minutes", "workers", reason="It takes a fixed number of steps, and records one episode after the other.")
    plan, out, seed, progress = SMOKE if order.smoke else Plan(), order.out, order.seed, order.progress
    torch.set_num_threads(1)
    count = plan.episodes if order.episodes is None else order.episodes
    seeds = range(1000 * seed, 1000 * seed + count)
    shifts = SHIFTS[:1] if order.smoke else SHIFTS
    trials = [(task, shift, number) for number, task, shift in product(seeds, plan.tasks, shifts)]
    recorded = [RecordedEpisode.load(path) for path in record_all(order.data, load_policy, trials, progress=progress)]
    kept = [e for i, e in enumerate(recorded) if i % HELD_OUT != HELD_OUT - 1]
    held_out = [e for i, e in enumerate(recorded) if i % HELD_OUT == HELD_OUT - 1] or recorded[-1:]
    if len(recorded) < 2:
        raise InvalidInput("recorded episodes", expected="at least 2", found=str(len(recorded)))
    critics = fit_value(transitions_of(kept), num_steps=plan.num_steps, seed=seed, progress=progress)
    model = fit_preference(pairs_of(kept), num_steps=plan.num_steps, seed=seed, progress=progress)
    facts = {
        "episodes": len(recorded),
        "episodes_each": count,
        "solved": sum(e.is_success for e in recorded),
        "calls": sum(len(e.chosen) for e in recorded),
        "held_out_episodes": len(held_out),
        "steps": plan.num_steps,
        "tasks": list(plan.tasks),
        "shifts": [shift or "plain" for shift in shifts],
        "laws": {draw: {n: round(v, 4) for n, v in law.items()} for draw, law in best_of_laws(recorded).items()},
        "held_out": {name: round(value, 4) for name, value in judge(critics, model, held_out).items()},
    }
    save_weights(out / "verifier.safetensors", critics, model, facts)
    write_card(out / "MODEL_CARD.md", facts)
    return {"weights": str(out / "verifier.safetensors"), "card": str(out / "MODEL_CARD.md"), **facts}
