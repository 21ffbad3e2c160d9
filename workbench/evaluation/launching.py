"""Choosing where trials run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from workbench.evaluation.ray_runner import RayRunner, import_ray
from workbench.evaluation.runners import ProcessRunner, Runner, SerialRunner
from workbench.evaluation.worker import WorkerSetup


def runner_maker(setup: WorkerSetup, *, workers: int = 1, ray: str = "", is_here: bool = True) -> Callable[[str], Runner]:
    """Return ``make_runner(session_id)``.

    Args:
        setup: what the workers need.
        workers: how many processes; with ``is_here``, one means this process.
        ray: ``local``, ``auto`` or a cluster's address; empty for without Ray.
        is_here: whether a single worker may run in this process.

    Raises:
        InvalidInput: a number of workers that cannot be.
        MissingDependency: Ray is asked for and not installed.
    """
    if ray:
        import_ray()
        return lambda session_id: RayRunner(replace(setup, session_id=session_id), ray, workers if ray == "local" else None)
    if workers == 1 and is_here:
        return lambda session_id: SerialRunner(replace(setup, session_id=session_id))
    checked = ProcessRunner(setup, workers)
    return lambda session_id: replace(checked, setup=replace(setup, session_id=session_id))
