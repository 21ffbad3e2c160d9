"""The model card of the learned verifiers, written from what their training says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

_ABOUT: Final = {
    "pairs_right": "pairs of candidates that the preference model orders as the expert's action does",
    "value_pairs_right": "the same by the value function, which was not trained for it",
    "success_auc": "chance that the mean value of a solved episode is above that of a failed one",
    "own_error": "error of the policy's own answer to the expert's action (root mean square, normalised)",
    "preferred_error": "the same of the candidate that the preference model chooses",
    "valued_error": "the same of the candidate that the value function chooses",
    "best_error": "the same of the best of the 16 candidates",
}


def write_card(path: Path, facts: Mapping[str, Any]) -> None:
    """Write the card."""
    held_out = facts["held_out"]
    rows = "\n".join(f"| {about} | {held_out[name]:.3f} |" for name, about in _ABOUT.items() if name in held_out)
    laws = "\n".join(
        f"| {draw} | {law['a']:.3f} | {law['b']:.3f} | {law['low']:.3f} to {law['high']:.3f} | {law['episodes']:.0f} | {law['calls']:.0f} |"
        for draw, law in facts["laws"].items()
    )
    path.write_text(
        f"""# Learned verifiers of the bench

A value function (two Q networks and a value, learnt by implicit Q-learning) and a preference model (Bradley-Terry with a margin), each a
perceptron with two hidden layers of 128. They read where the hand is, where the policy says it sees its target and goal (lifted by the depth
of the front camera), the words, and the mean motion of a candidate's next four actions; nothing from inside a network.

Made by `python app.py train value --episodes {facts["episodes_each"]}`: {facts["episodes"]} episodes ({facts["solved"]} solved) with {facts["calls"]} calls of the bench VLA,
tasks {", ".join(facts["tasks"])}, {" and ".join(facts["shifts"])}; {facts["steps"]} steps of each fit. In about a third of the calls another
candidate than the policy's own was executed.

On {facts["held_out_episodes"]} episodes left out ({held_out.get("pairs", 0):.0f} pairs):

| what | value |
| --- | --- |
{rows}

How the error of the best of k draws falls with k in all recorded calls (RoboMonkey's power law, error = a k^b, k = 1 to 8; intervals of b by
drawing the episodes anew):

| drawn from | a | b | 95 % interval | episodes | calls |
| --- | --- | --- | --- | --- | --- |
{laws}

Limits: the labels of the preference model are nearness to the scripted expert's next actions, which is not the only way to do a task. Both know
the tasks that they were trained on. Neither sees obstacles; what the arm must not touch is a matter of the hard checks.
""",
        encoding="utf-8",
    )
