"""Drives one episode of the bench by a policy server and reports what was seen: ``python -m models.check_server SERVER``."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from models.remote import LATENCY, WAITING, RemotePolicy
from models.remote_settings import RemoteSettings, read_settings
from workbench.core.errors import WorkbenchError
from workbench.core.types import EpisodeConfig, Step
from workbench.rollout.loop import LiveEpisode
from workbench.rollout.running import run_episode
from workbench.simulation.simulator import BenchSimulator


def check_server(settings: RemoteSettings, config: EpisodeConfig, *, max_steps: int, is_paced: bool = False) -> dict[str, Any]:
    """Run one episode and return its figures.

    Args:
        settings: of the server.
        config: of the episode.
        max_steps: after which it ends.
        is_paced: in real time, as at the page; else as fast as the mode allows.

    Returns:
        ``steps``, ``is_success``, ``moving_share`` (steps in which the robot was told to move), ``waiting_share`` (steps in which it
        held still for want of an answer), ``latency_ms`` (median), ``path_m`` (way of the end-effector), ``policy``.

    Raises:
        ServiceFailed: the server did not answer as agreed.
    """
    simulator = BenchSimulator()
    try:
        simulator.reset(config)
        policy = RemotePolicy(settings, simulator)
        seen: list[Step] = []
        began = time.perf_counter()

        def on_tick(episode: LiveEpisode, step: Step) -> None:
            seen.append(step)
            if is_paced:
                time.sleep(max(0.0, began + len(seen) / config.control_hz - time.perf_counter()))

        try:
            result = run_episode(simulator, policy, config, max_steps=max_steps, on_tick=on_tick)
        finally:
            policy.close()
    finally:
        simulator.close()
    latencies = [s.scores[LATENCY] for s in seen if s.scores.get(LATENCY)]
    ends = np.array([s.proprio[7:10] for s in seen if s.proprio is not None])
    return {
        "policy": policy.spec.description,
        "steps": result.num_steps,
        "is_success": result.is_success,
        "moving_share": float(np.mean([bool(np.any(s.action[:6])) for s in seen])),
        "waiting_share": float(np.mean([s.scores.get(WAITING, 0.0) for s in seen])),
        "latency_ms": float(np.median(latencies)) if latencies else None,
        "path_m": float(np.linalg.norm(np.diff(ends, axis=0), axis=1).sum()),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Check one server; return the exit status."""
    parser = argparse.ArgumentParser(prog="check_server", description=__doc__)
    parser.add_argument("server", help="URL[,PRESET][,sync|async], or a file, see docs/policies.md")
    parser.add_argument("--task", default="pick", help="task of the bench (default pick)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=100, help="control steps (default 100)")
    parser.add_argument("--instruction", default="", help="by default the task's own")
    args = parser.parse_args(argv)
    config = EpisodeConfig(task=args.task, seed=args.seed, instruction=args.instruction)
    try:
        settings = read_settings(args.server)
        is_paced = settings.mode == "asynchronous"
        figures = check_server(settings, config, max_steps=args.steps, is_paced=is_paced)
    except WorkbenchError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    print(json.dumps(figures, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
