"""From a drawn document to a plan that a person can read: what the stage and the sketch panel show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workbench.core.sketches import PlanProblem, Sketch, SketchPlan, plan_to_dict, sketch_to_dict
from workbench.core.trajectories import Trajectory


@dataclass(frozen=True, eq=False)
class PlanReading:
    """A sketch with everything that was read from it."""

    sketch: Sketch
    plan: SketchPlan | None = None
    sentences: tuple[str, ...] = ()
    """One readable sentence for each plan step."""
    calls: tuple[str, ...] = ()
    """The same as code-like calls."""
    trajectories: tuple[Trajectory, ...] = ()
    """The planned 3-D path of each step, in the world [m]."""
    error: str = ""
    """Why there is no plan or no path, for the person; empty when there are both."""

    @property
    def problems(self) -> tuple[PlanProblem, ...]:
        """Warnings of all steps: reach, joint limits, missing depth."""
        return tuple(p for t in self.trajectories for p in t.problems)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON message that the stage draws from."""
        return {
            "sketch": sketch_to_dict(self.sketch),
            "plan": plan_to_dict(self.plan) if self.plan else None,
            "sentences": list(self.sentences),
            "calls": list(self.calls),
            "problems": [problem_to_dict(p) for p in self.problems],
            "ghosts": [ghost_to_dict(t) for t in self.trajectories],
            "error": self.error,
        }


def problem_to_dict(problem: PlanProblem) -> dict[str, Any]:
    """Return a JSON-able dictionary of a warning."""
    return {
        "kind": problem.kind.value,
        "step": problem.step,
        "pixel": list(problem.pixel) if problem.pixel is not None else None,
        "message": problem.message,
    }


def ghost_to_dict(trajectory: Trajectory) -> dict[str, Any]:
    """Return a JSON-able dictionary of a planned path: world points [m] rounded to a tenth of a millimetre, and their phases."""
    return {
        "step": trajectory.step,
        "points": [[round(float(c), 4) for c in point] for point in trajectory.positions()],
        "phases": [w.phase.value for w in trajectory.waypoints],
    }
