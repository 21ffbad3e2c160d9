"""A language model takes an instruction apart instead of the built-in grammar: any OpenAI-compatible endpoint, off unless its address is given.

Source: Agentic Robot (arXiv:2505.23450), whose planner gives sub-goals in the words of a fixed list of skills. The model sees what can be asked
of the scene, in words; whatever it answers is read again by what understands words here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from models.vision_language import VisionLanguageInterpreter
from workbench.core.errors import InvalidInput, ServiceFailed
from workbench.planning.subgoals import MAX_GOALS, MAX_LETTERS
from workbench.sketch.fields import read_list, read_mapping, read_text

MAX_OFFERS: Final = 120
SYSTEM_PROMPT: Final = """\
You plan for a robot arm with a parallel gripper at a table. A person says what shall be done; you give the sub-goals that the robot does one
after the other. Each sub-goal is one sentence of the list that you are given, word by word. Give as few as are needed, in the order in which
they must be done. Leave out what is not asked for. When nothing on the list fits a part of what is asked, write that part in your own words.
Answer with the JSON object only."""
SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["sub_goals"],
    "properties": {"sub_goals": {"type": "array", "items": {"type": "string"}}},
}


def plan_by_model(model: VisionLanguageInterpreter, text: str, offers: Sequence[str]) -> tuple[str, ...]:
    """Return the sub-goals that a model makes of an instruction.

    Args:
        model: which one, and where.
        text: what a person said.
        offers: everything that can be asked of the scene, one wording each.

    Raises:
        ServiceFailed: no answer in time, an error status, or an answer that does not follow the agreed form.
    """
    can_do = "\n".join(f"- {offer}" for offer in offers[:MAX_OFFERS])
    answer = model.ask(SYSTEM_PROMPT, f"What the robot can be told here:\n{can_do}\n\nWhat shall be done: {text}", SCHEMA, name="sub_goals")
    try:
        items = read_list(read_mapping(answer, "answer", required=("sub_goals",))["sub_goals"], "sub_goals", at_least=1, at_most=MAX_GOALS)
        return tuple(read_text(item, f"sub-goal {i + 1}", at_most=MAX_LETTERS).strip() for i, item in enumerate(items))
    except InvalidInput as error:
        fix = "Ask again, or let the built-in grammar plan."
        raise ServiceFailed(f"Model {model.model!r}", reason=f"its plan does not follow the form: {error}", fix=fix) from error
