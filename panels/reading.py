"""From a drawn document to a plan that a person can read: what the stage and the sketch panel show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from workbench.core.errors import WorkbenchError
from workbench.core.protocols import Simulator
from workbench.core.sketches import PlanProblem, PlanStep, Sketch, SketchPlan, plan_to_dict, sketch_to_dict
from workbench.core.trajectories import Trajectory
from workbench.core.types import CameraRequest, Observation
from workbench.rollout.preview import carried_out, preview_plan
from workbench.sketch.plan import call_text, interpret, parse_plan, sentence
from workbench.sketch.recognise import recognise_sketch
from workbench.sketch.strokes import parse_sketch

RunInSimulator = Callable[[Callable[[Simulator], Any]], Any]
"""Runs a function in the stepping thread, at the state that the person sees, and returns its result."""


class Interpreter(Protocol):
    """Reads a sketch as a plan: the built-in grammar, or a model."""

    def __call__(self, sketch: Sketch, *, instruction: str = "", observation: Observation | None = None) -> SketchPlan:
        """Return the plan."""
        ...


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


class SketchReader(Protocol):
    """How drawings become plans; :class:`panels.reading.BuiltInReader` is the real one."""

    def parse(self, document: Mapping[str, Any], *, is_snapped: bool) -> Sketch:
        """Check a document; recognise and straighten its freehand strokes when asked."""
        ...

    def interpret(self, sketch: Sketch, instruction: str, run: RunInSimulator) -> SketchPlan:
        """Read the strokes as an ordered plan."""
        ...

    def parse_plan(self, document: Mapping[str, Any]) -> SketchPlan:
        """Check an edited plan."""
        ...

    def preview(self, sketch: Sketch, plan: SketchPlan, run: RunInSimulator) -> PlanReading:
        """Lift a plan to 3-D paths with their warnings, and put it in words."""
        ...


class BuiltInReader:
    """Reads drawings by the grammar of Robotic Visual Instruction, or by another interpreter, and previews them in the simulator."""

    def __init__(self, interpreter: Interpreter = interpret) -> None:
        self._interpreter = interpreter

    def parse(self, document: Mapping[str, Any], *, is_snapped: bool) -> Sketch:
        """Check a document; recognise and straighten its freehand strokes when asked."""
        sketch = parse_sketch(document)
        return recognise_sketch(sketch) if is_snapped else sketch

    def interpret(self, sketch: Sketch, instruction: str, run: RunInSimulator) -> SketchPlan:
        """Read the strokes as an ordered plan, by what is in the picture now."""
        request = CameraRequest(sketch.camera, sketch.width, sketch.height)
        observation = run(lambda simulator: drawn(simulator.observe((request,))))
        return self._interpreter(sketch, instruction=instruction, observation=observation)

    def parse_plan(self, document: Mapping[str, Any]) -> SketchPlan:
        """Check an edited plan."""
        return parse_plan(document)

    def preview(self, sketch: Sketch, plan: SketchPlan, run: RunInSimulator) -> PlanReading:
        """Lift a plan to 3-D paths with their warnings, and put it in words."""
        try:
            paths: tuple[Trajectory, ...] = tuple(run(lambda simulator: preview_plan(simulator, plan)))
        except WorkbenchError as error:
            return PlanReading(sketch, plan, *in_words(plan.steps, plan.steps), error=str(error))
        done = [carried_out(step, path) for step, path in zip(plan.steps, paths, strict=True)]
        return PlanReading(sketch, plan, *in_words(plan.steps, done), paths)


def in_words(steps: Sequence[PlanStep], done: Sequence[PlanStep]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the sentences and the calls of what will be done, which for a thing too wide to grasp is not what was asked."""
    sentences = []
    for number, (asked, step) in enumerate(zip(steps, done, strict=True), 1):
        reason = "" if step.verb is asked.verb else f" (too wide for the gripper to {asked.verb.value})"
        sentences.append(sentence(step, number, has_pixels=False) + reason)
    return tuple(sentences), tuple(call_text(step) for step in done)


def drawn(observation: Observation) -> Observation:
    """Return an observation whose lazy pictures are rendered, so that it may leave the stepping thread."""
    return replace(observation, images=dict(observation.images), depth=dict(observation.depth))
