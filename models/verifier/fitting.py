"""Fitting the value function and the preference model to recorded episodes, and how well they rank candidates of episodes left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.training_order import Progress
from models.verifier.episodes import RecordedEpisode
from models.verifier.verifiers import make_preference, make_value
from workbench.verification.action_error import COUNTS, best_of, fit_power_law
from workbench.verification.preferences import make_pairs, preference_loss
from workbench.verification.value import Critics, Perceptron, Transitions, iql_loss, rewards_of

BATCH: Final = 256
LEARNING_RATE: Final = 3e-4
WEIGHT_DECAY: Final = 1e-3
_TOLD_EVERY: Final = 500


class PairRows(NamedTuple):
    """Pairs of candidates, N of them."""

    winners: Tensor
    """``(N, s + a)``"""
    losers: Tensor
    """``(N, s + a)``"""
    gaps: Tensor
    """``(N,)``"""


def transitions_of(episodes: Sequence[RecordedEpisode]) -> Transitions:
    """Return the executed calls of all episodes."""
    columns: list[list[np.ndarray]] = [[], [], [], [], []]
    for episode in episodes:
        count = len(episode.chosen)
        told = rewards_of(count, episode.is_success)
        executed = episode.motions[np.arange(count), episode.chosen]
        after = np.concatenate([episode.situations[1:], episode.situations[-1:]])
        for column, values in zip(columns, (episode.situations, executed, told.rewards, told.goes_on, after), strict=True):
            column.append(values)
    return Transitions(*(torch.from_numpy(np.concatenate(c).astype(np.float32)) for c in columns))


def pairs_of(episodes: Sequence[RecordedEpisode]) -> PairRows:
    """Return the pairs of all calls of all episodes."""
    winners, losers, gaps = [], [], []
    for number, episode in enumerate(episodes):
        for call, situation in enumerate(episode.situations):
            motions = episode.motions[call]
            for pair in make_pairs(motions, episode.errors[call], 1000 * number + call):
                winners.append(np.concatenate([situation, motions[pair.winner]]))
                losers.append(np.concatenate([situation, motions[pair.loser]]))
                gaps.append(pair.gap)
    return PairRows(*(torch.from_numpy(np.array(rows, dtype=np.float32)) for rows in (winners, losers, gaps)))


def fit_value(data: Transitions, *, num_steps: int, seed: int, progress: Progress) -> Critics:
    """Return a value function learnt by implicit Q-learning."""
    torch.manual_seed(seed)
    critics = make_value()
    critics.fit_inputs(data.situations, data.actions)
    optimiser = torch.optim.AdamW([p for p in critics.parameters() if p.requires_grad], LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    generator = torch.Generator().manual_seed(seed)
    for step in range(num_steps):
        batch = data.pick(torch.randint(len(data.rewards), (BATCH,), generator=generator))
        loss = iql_loss(critics, batch)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        critics.follow()
        if step % _TOLD_EVERY == 0:
            progress(f"value, step {step} of {num_steps}: loss {loss.item():.4f}")
    return critics


def fit_preference(data: PairRows, *, num_steps: int, seed: int, progress: Progress) -> Perceptron:
    """Return a preference model learnt from pairs."""
    torch.manual_seed(seed)
    model = make_preference()
    model.fit_inputs(torch.cat([data.winners, data.losers]))
    optimiser = torch.optim.AdamW(model.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    generator = torch.Generator().manual_seed(seed)
    for step in range(num_steps):
        rows = torch.randint(len(data.gaps), (BATCH,), generator=generator)
        loss = preference_loss(model(data.winners[rows]), model(data.losers[rows]), data.gaps[rows])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if step % _TOLD_EVERY == 0:
            progress(f"preference, step {step} of {num_steps}: loss {loss.item():.4f}")
    return model


def best_of_laws(episodes: Sequence[RecordedEpisode]) -> dict[str, dict[str, float]]:
    """Return for each way to draw how the error of the best of k draws falls with k: error = ``a`` * k ** ``b``.

    ``low`` and ``high`` are the 95 % interval of ``b``, by drawing the episodes anew; only ways with two episodes or more are reported.
    """
    found, rng = {}, np.random.default_rng(0)
    for draw in dict.fromkeys(e.draw for e in episodes):
        drawn = [e for e in episodes if e.draw == draw]
        if len(drawn) < 2:
            continue
        counts = np.array([k for k in COUNTS if k < drawn[0].errors.shape[1]], dtype=float)
        errors = np.array([np.mean([best_of(row[1:]) for row in e.errors], axis=0)[: len(counts)] for e in drawn])
        law = fit_power_law(counts, errors.mean(axis=0))
        again = [fit_power_law(counts, errors[rng.integers(len(drawn), size=len(drawn))].mean(axis=0)).b for _ in range(1000)]
        low, high = np.percentile(again, [2.5, 97.5])
        calls = float(sum(len(e.errors) for e in drawn))
        found[draw] = {"a": law.a, "b": law.b, "low": float(low), "high": float(high), "episodes": float(len(drawn)), "calls": calls}
    return found


def judge(critics: Critics, model: Perceptron, episodes: Sequence[RecordedEpisode]) -> dict[str, float]:
    """Return how the fitted ones do on episodes left out.

    ``pairs_right``: share of pairs that the preference model orders as the expert's action does; ``value_pairs_right``: the same by the value
    function, which was not trained for it; ``success_auc``: chance that the mean value of a solved episode is above that of a failed one;
    ``own_error``, ``preferred_error``, ``valued_error`` and ``best_error``: mean error of the policy's own candidate, of the one each
    chooses, and of the best.
    """
    rows = pairs_of(episodes)
    num = episodes[0].situations.shape[1]
    with torch.inference_mode():
        found = {
            "pairs": float(len(rows.gaps)),
            "pairs_right": float((model(rows.winners) > model(rows.losers)).float().mean()),
            "value_pairs_right": float(
                (critics.score(rows.winners[:, :num], rows.winners[:, num:]) > critics.score(rows.losers[:, :num], rows.losers[:, num:]))
                .float()
                .mean()
            ),
        }
        values: dict[bool, list[float]] = {True: [], False: []}
        errors = np.zeros((0, 4))
        for episode in episodes:
            situations = torch.from_numpy(episode.situations.astype(np.float32))
            motions = torch.from_numpy(episode.motions.astype(np.float32))
            wide = situations[:, None].expand(-1, motions.shape[1], -1)
            scored = critics.score(wide, motions)
            preferred = model(torch.cat([wide, motions], -1))
            values[episode.is_success].append(float(critics.value(situations).mean()))
            at = np.arange(len(episode.errors))
            chosen = [episode.errors[at, s.argmax(1).numpy()] for s in (preferred, scored)]
            errors = np.vstack([errors, np.column_stack([episode.errors[:, 0], *chosen, episode.errors.min(1)])])
    solved, failed = np.array(values[True]), np.array(values[False])
    if len(solved) and len(failed):
        found["success_auc"] = float((solved[:, None] > failed[None]).mean())
    names = ("own_error", "preferred_error", "valued_error", "best_error")
    return found | {name: float(mean) for name, mean in zip(names, errors.mean(axis=0), strict=True)}
