"""The model card: what the bench VLA is, how it was made, and what was measured, written from the documents of training and campaign."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

_HEAD: Final = """# Bench VLA

A small vision-language-action model for the bench of this workbench: {parameters:,} parameters. It reads two pictures (front 128 x 128,
wrist 64 x 64), proprioception and a prompt (words, a mask, a trace, in any combination), and gives eight actions of seven dimensions at
20 Hz, with the path that it means to take and where it sees what the words mean.

- **Made from** {frames:,} frames of scripted demonstrations and static scenes with {asks:,} instructions, all with seeds below 1,000,000.
- **Trained** for {minutes} minutes and {steps:,} steps. Again: `python app.py train bench-vla`
{note}- **Limits**: it knows the words, things and tasks of the bench alone; it was never shown a real picture.
"""
_TABLE: Final = """
## Measured

`python app.py campaign bench-vla --episodes {episodes}`; seeds from 1,000,000, none of which was trained on.

| figure | value | 95 % interval | n | wanted | met |
| --- | --- | --- | --- | --- | --- |
"""


def write_card(path: Path, facts: Mapping[str, Any], report: Mapping[str, Any], curve: Sequence[Mapping[str, float]]) -> None:
    """Write the card.

    Args:
        path: a Markdown file.
        facts: what the training told of itself; ``note`` is one sentence more, if there is one.
        report: of the campaign, empty when there was none.
        curve: losses over the training.
    """
    note = f"- **Note**: {facts['note']}\n" if facts.get("note") else ""
    parts = [_HEAD.format(**{**facts, "note": note})]
    findings = report.get("findings", [])
    if findings:
        episodes = max(int(cell["n"]) for cell in report["cells"])
        parts += [_TABLE.format(episodes=episodes), *(_row(finding) for finding in findings)]
    else:
        parts.append("\nNothing was measured yet.\n")
    if curve:
        parts.append(
            "\n## Losses over the training [nat]\n\n| minutes | steps | actions | front map | wrist map | trace |\n" + "| --- " * 6 + "|\n"
        )
        kept = curve[:: max(1, len(curve) // 12)]
        parts += [
            f"| {p['minutes']} | {p['steps']} | {p['action']:.2f} | {p['front']:.2f} | {p['wrist']:.2f} | {p['trace']:.2f} |\n"
            for p in kept
        ]
    path.write_text("".join(parts))


def _row(finding: Mapping[str, Any]) -> str:
    is_rate = finding["unit"] == "%"
    scale, digits = (100, 0) if is_rate else (1, 3 if abs(finding["value"]) < 1 else 2)
    value, low, high = (f"{scale * finding[name]:.{digits}f}" for name in ("value", "low", "high"))
    unit = f" {finding['unit']}" if finding["unit"] else ""
    wanted = "" if finding["target"] is None else f"{finding['goal']} {scale * finding['target']:.{digits}f}{unit}"
    met = {None: "", True: "yes", False: "no"}[finding["is_met"]]
    return f"| {finding['name']} | {value}{unit} | {low} to {high} | {finding['n']} | {wanted} | {met} |\n"
