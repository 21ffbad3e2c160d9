"""The model card: what the bench SAM 2 is, how it was made, and what was measured, written from what training and measuring told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

_HEAD: Final = """# Bench SAM 2

SAM 2 in small, for the bench of this workbench: the classes of the `sam2` package (Hiera trunk, feature pyramid, prompt encoder, two-way
mask decoder with three masks and their expected IoU, object pointers, memory attention, memory encoder), {parameters:,} parameters,
pictures of 256 x 256 pixels.

- **Made from** {pictures:,} rendered pictures and {clips:,} clips of random scenes (lights, textures, clutter, cameras anywhere, the arm
  anywhere) with true masks; seeds below 1,000,000. No foreign weights, no real pictures.
- **Held out**: three shapes (ball, cylinder, corner) and the hues from turquoise to cyan are never trained on.
- **Trained** for {minutes} minutes and {steps:,} steps. Again: `python app.py train sam2-bench`
- **Differs from the paper's training**: attention starts as a look at what is near (`network.look_near_first`); pixels of one thing are
  drawn together in the finest features (`losses.affinity_loss`); what is like the clicked pixel in them goes in with the first prompt as the
  rough mask that SAM 2 takes beside clicks (`heads.guess_mask`); first windows of 128 pixels, then whole pictures; clips of {num_frames}
  frames as well after {clips_after_min:.0f} minutes, for the memory.
{note}- **Limits**: it knows the bench's world alone; things below a thousandth of the picture are found poorly.
"""
_GOALS: Final = {"click": 0.85, "box": 0.90, "corrected": 0.90}
_NAMES: Final = {
    "click": "one click, first mask",
    "best of three": "one click, best of its three masks",
    "box": "box",
    "corrected": "one click and three corrections",
}


def write_card(path: Path, facts: Mapping[str, Any], report: Mapping[str, Any], curve: Sequence[Mapping[str, float]]) -> None:
    """Write the card.

    Args:
        path: a Markdown file.
        facts: what the training told of itself; ``note`` is one sentence more, if there is one.
        report: what was measured, empty when nothing was.
        curve: losses and IoUs over the training.
    """
    note = f"- **Note**: {facts['note']}\n" if facts.get("note") else ""
    parts = [_HEAD.format(**{"num_frames": 6, **facts, "note": note})]
    parts += [_prompts(report), _tracking(report["tracking"])] if report else ["\nNothing was measured yet.\n"]
    if curve:
        parts.append(_curve(curve))
    path.write_text("".join(parts))


def _prompts(report: Mapping[str, Any]) -> str:
    count = next(iter(report["prompts"].values()))["n"]
    text = (
        f"\n## Masks\n\nMean IoU on {count} prompts in held-out scenes (seeds from 1,000,000): every thing is of a held-out shape or colour and"
        " covers at least 64 pixels; a click is in its middle. `python app.py train sam2-bench` measures this at its end.\n"
    )
    count = next(iter(report["bench_prompts"].values()))["n"]
    more = f"\nThe same on {count} things of the workbench's own tasks, as the stage shows them (seeds from 1,000,000, shapes and hues as in training):\n"
    return text + _table(report["prompts"]) + more + _table(report["bench_prompts"])


def _table(prompts: Mapping[str, Mapping[str, Any]]) -> str:
    rows = [f"\n| prompt | wanted | {' | '.join(prompts)} |\n| --- | --- {'| --- ' * len(prompts)}|\n"]
    for key, name in _NAMES.items():
        wanted = f">= {_GOALS[key]:.2f}" if key in _GOALS else ""
        cells = [f"{p[key]['mean']:.3f} ({p[key]['low']:.3f} to {p[key]['high']:.3f})" for p in prompts.values()]
        rows.append(f"| {name} | {wanted} | {' | '.join(cells)} |\n")
    return "".join(rows)


def _tracking(tracking: Mapping[str, Mapping[str, Any]]) -> str:
    one = next(iter(tracking.values()))
    rows = [
        f"\n## Tracking\n\nMean J over {one['things']} things of {one['episodes']} episode(s) of {one['frames']} frames, one click each on the"
        f" first frame; the arm solves the task, then wanders in front of everything ({100 * one['partly_hidden']:.0f} % of all masks are"
        " hidden by more than 30 %). Wanted: J >= 0.80. `association` asks sam2-bench again on every frame, `colour` grows masks by colour from its"
        " first one, `memory` is SAM 2's own.\n\n| tracker | J (95 % interval) | ms a frame, all things |\n| --- | --- | --- |\n",
    ]
    for name, found in tracking.items():
        j = found["J"]
        rows.append(f"| {name} | {j['mean']:.3f} ({j['low']:.3f} to {j['high']:.3f}) | {found['ms_a_frame']:.0f} |\n")
    return "".join(rows)


def _curve(curve: Sequence[Mapping[str, float]]) -> str:
    names = [n for n in ("click of three IoU", "click IoU", "box IoU", "more IoU", "track IoU", "affinity") if any(n in p for p in curve)]
    head = f"\n## Over the training\n\nRunning means on training batches.\n\n| minutes | steps | {' | '.join(names)} |\n"
    kept = [*curve[:: max(1, len(curve) // 14)], curve[-1]]
    rows = [f"| {p['minutes']} | {p['steps']} | {' | '.join(f'{p[n]:.3f}' if n in p else '' for n in names)} |\n" for p in kept]
    return head + "| --- " * (len(names) + 2) + "|\n" + "".join(rows)
