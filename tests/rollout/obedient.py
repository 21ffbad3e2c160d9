"""A policy for tests of plans: does what it is told, from the simulator's truth, or nothing at all."""

import numpy as np

from workbench.core.protocols import PolicySpec
from workbench.core.types import ActionChunk
from workbench.rollout.goals import find_goal
from workbench.rollout.hold import hold_action
from workbench.simulation.expert import _follow
from workbench.simulation.expert_skills import SKILLS
from workbench.simulation.manner import MANNERS, PLAIN


class Obedient:
    """Goes for what its prompt says; ``fails`` counts down attempts in which it only keeps still."""

    def __init__(self, simulator, *, fails=0, says_done=True):
        self.simulator, self.fails, self.says_done = simulator, fails, says_done
        self.spec = PolicySpec("obedient", prompts=frozenset({"text"}))
        self.told = []
        self.num_resets = 0

    def reset(self, rng):
        self.num_resets += 1

    def act(self, observation, prompt, rng):
        if not self.told or self.told[-1] != prompt.text:
            self.told.append(prompt.text)
        goal = find_goal(self.simulator, prompt.text)
        if self.fails > 0 or goal is None:
            return ActionChunk(hold_action(observation)[None], 20.0)
        command = SKILLS[goal.task.name](self.simulator.world, goal.instance, 0.2)
        action = _follow(self.simulator.world, command, MANNERS[PLAIN], 20.0)
        return ActionChunk(action[None].astype(np.float32), 20.0, {"done": float(command.is_done and self.says_done)})
