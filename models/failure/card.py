"""What a trained failure detector is and what was measured of it, as a page beside its weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from models.failure.checkpoint import KINDS

_HEAD: Final = """# Failure detector

Watches the bench VLA whose weights have the fingerprint `{policy}`: it reads the hidden states of the action tokens behind the last block at every
call, {pooling} of the tokens, and says how much the episode looks like one that fails. Methods: SAFE (arXiv:2506.09937), see
[docs/watching.md](../../../docs/watching.md). Again, after the policy was trained anew: `python app.py train detector --out models/failure/weights`.

- **Made from** {total} watched episodes with seeds below 1,000,000: {train} to fit, {seen} of the same tasks to choose and to calibrate, {unseen} of
  other tasks to measure. Of these {f_train}, {f_seen} and {f_unseen} failed.
- **Trained on** {seen_tasks}; never on {unseen_tasks}.
- **Perturbations** of the world: {perturbations}.
- **On the page** the detector `{default}` is used.
- **Limits**: the band's promise holds for episodes like those that calibrate it, not for other tasks; with other weights of the policy it is not used.

## Measured on held-out episodes

ROC-AUC by the largest score within the length of the shortest episode of the same task; 0.5 is chance. These episodes also chose among settings, and
there are few of them: `python app.py campaign card:safe` measures on fresh seeds, with intervals.

| detector | what it looks at | seen tasks (n = {seen}) | other tasks (n = {unseen}) |
| --- | --- | --- | --- |
"""


def write_card(path: Path, facts: Mapping[str, Any]) -> None:
    """Write the page from what :func:`models.failure.fitting.describe` tells."""
    counts, failures = facts["episodes"], facts["failures"]
    names = {key: ", ".join(n.replace("_", " ") or "none" for n in facts[key]) for key in ("seen_tasks", "unseen_tasks", "perturbations")}
    told = {"policy": facts["policy"], "pooling": facts["pooling"], "default": facts["default"], "total": sum(counts.values())}
    head = _HEAD.format(**told, **counts, **{f"f_{part}": n for part, n in failures.items()}, **names)
    rows = [
        f"| `{name}` | {about} | {_number(facts['auc'][name]['seen'])} | {_number(facts['auc'][name]['unseen'])} |"
        for name, about in KINDS.items()
    ]
    path.write_text(head + "\n".join(rows) + "\n")


def _number(value: float | None) -> str:
    return "all ended alike" if value is None else f"{value:.2f}"
