"""The campaign ``rovi``: every task from sketches alone, through the code that serves the browser.

Source: Robotic Visual Instruction, arXiv:2505.00693, reports 87.5 % (real) and 76.6 % (simulated) for VIEW on its own tasks. Here a
programmatic person draws (:mod:`workbench.evaluation.drawing`); the drawing is parsed, recognised and interpreted as in the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from workbench.core.errors import InvalidInput, WorkbenchError
from workbench.core.events import EventKind
from workbench.core.protocols import RolloutObserver
from workbench.core.sketches import Sketch, sketch_to_dict
from workbench.core.types import CameraRequest, EpisodeConfig, Prompt, Step
from workbench.evaluation.campaign import FIRST_SEED, Cell, CellResult, Progress, TrialResult, draw_seeds, report, run_cells
from workbench.evaluation.drawing import draw_task
from workbench.rollout.loop import LiveEpisode, emit, run_episode
from workbench.rollout.sketch_policy import SketchPolicy
from workbench.simulation.perturbations import disturb, draw_shift
from workbench.simulation.simulator import BenchSimulator
from workbench.simulation.tasks import TASKS
from workbench.simulation.world import GRIPPER
from workbench.sketch.hand import hand_noise
from workbench.sketch.plan import interpret
from workbench.sketch.strokes import parse_sketch

GEOMETRIC: Final = "geometric"
HAND: Final = "hand-like"
DISTURBED: Final = "disturbed"
TWO_STEP_TASKS: Final = ("sort_two",)
TARGETS: Final = {GEOMETRIC: 0.95, HAND: 0.85, DISTURBED: 0.90}
"""Least share of solved episodes, over all tasks of a style."""
CAMERA: Final = "front"
CONTROL_HZ: Final = 20.0
SHIFTS_M: Final = (0.08, 0.06, 0.04)
"""How far things are moved, the first distance for which there is room."""
CLEAR_M: Final = 0.10
"""Distance of the gripper from the thing it left at which step 1 counts as ended."""


def run(*, episodes: int = 20, seed: int = FIRST_SEED, workers: int = 1, progress: Progress) -> dict[str, Any]:
    """Run the campaign and return its report; totals tell the target of each style and whether it is met."""
    seeds = draw_seeds(episodes, seed)
    tasks = [entry.name for entry in TASKS]
    cells = [Cell("sketch", task, style, seeds) for style in (GEOMETRIC, HAND) for task in tasks]
    cells += [Cell("sketch", task, DISTURBED, seeds) for task in TWO_STEP_TASKS]
    document = report("rovi", run_cells(cells, run_cell, workers=workers, progress=progress))
    for total in document["totals"]:
        total["target"] = TARGETS[total["prompt"]]
        total["is_met"] = total["rate"] >= total["target"]
    return document


def run_cell(cell: Cell, observers: Sequence[RolloutObserver] = ()) -> CellResult:
    """Run the trials of one cell on one simulator; ``observers`` see every episode."""
    simulator = BenchSimulator()
    try:
        return CellResult(cell, tuple(run_trial(simulator, cell.task, cell.prompt, seed, observers) for seed in cell.seeds))
    finally:
        simulator.close()


def run_trial(simulator: BenchSimulator, task: str, style: str, seed: int, observers: Sequence[RolloutObserver] = ()) -> TrialResult:
    """Draw the task's sketch in the style, read it, and let the sketch policy do what it says, within the task's time limit."""
    config = EpisodeConfig(task, seed, control_hz=CONTROL_HZ)
    instruction = simulator.reset(config)
    try:
        prompt = draw_prompt(simulator, instruction, style, seed)
        result = run_episode(
            simulator,
            SketchPolicy(simulator),
            config,
            prompt,
            max_steps=round(simulator.task.time_limit_s * CONTROL_HZ),
            observers=observers,
            on_tick=SecondStepDisturbance(simulator, seed) if style == DISTURBED else None,
        )
    except WorkbenchError as error:
        return TrialResult(seed, False, 0, str(error))
    scores = ", ".join(f"{name} {value:.3f}" for name, value in result.scores.items())
    return TrialResult(seed, result.is_success, result.num_steps, "" if result.is_success else scores)


class SecondStepDisturbance:
    """Moves the things of step 2 once, while step 1 ends: its thing lies at its goal and the gripper has left it."""

    def __init__(self, simulator: BenchSimulator, seed: int) -> None:
        self._simulator, self._rng = simulator, np.random.default_rng(seed)
        self._is_done = False

    def __call__(self, episode: LiveEpisode, step: Step) -> None:
        """Look at the world after a control step; move things when the moment has come."""
        world, roles = self._simulator.world, self._simulator.instance.roles
        is_placed = world.is_touching(roles["pick"], roles["place"]) and not world.is_touching(GRIPPER, roles["pick"])
        if self._is_done or not is_placed or float(np.linalg.norm(world.ee_position - world.position(roles["pick"]))) < CLEAR_M:
            return
        self._is_done = True
        for role in ("pick_2", "place_2"):
            self._shift(episode, roles[role])

    def _shift(self, episode: LiveEpisode, name: str) -> None:
        for distance in SHIFTS_M:
            try:
                payload = disturb(self._simulator, name, *draw_shift(self._simulator.world, name, distance, self._rng))
            except InvalidInput:  # no room to go so far: try a shorter way
                continue
            emit(episode, EventKind.PERTURBATION, payload, actor="system")
            return


def draw_prompt(simulator: BenchSimulator, instruction: str, style: str, seed: int) -> Prompt:
    """Return the prompt of a sketch of the present task: drawn, sent as a document, parsed and interpreted as the page does.

    Raises:
        InvalidInput: the interpreter cannot read the drawing.
    """
    sketch = draw_sketch(simulator, style, seed)
    observation = simulator.observe((CameraRequest(sketch.camera, sketch.width, sketch.height),))
    plan = interpret(sketch, instruction=instruction, observation=observation)
    return Prompt(text=instruction, sketch=sketch, plan=plan)


def draw_sketch(simulator: BenchSimulator, style: str, seed: int) -> Sketch:
    """Return the document that the browser would send for the present task, read back."""
    sketch = draw_task(simulator, CAMERA)
    if style == HAND:
        sketch = hand_noise(sketch, np.random.default_rng(seed))
    return parse_sketch(sketch_to_dict(sketch))
