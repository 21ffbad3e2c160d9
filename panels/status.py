"""What the page is always told about a live session: the status message of its socket."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from workbench.core.protocols import PolicySpec
from workbench.intervention.rules import TIMEOUT_S
from workbench.rollout.status import RolloutStatus


class StoredEpisode(NamedTuple):
    """A stored episode that is shown instead of the live one."""

    episode_id: str
    num_steps: int
    control_hz: float
    task: str
    instruction: str
    """What the policy was told at its start."""


class ShownMoment(NamedTuple):
    """What a person looks at."""

    step: int | None
    """None while following live."""
    stored: StoredEpisode | None


def status_message(status: RolloutStatus, *, shown: ShownMoment, control_hz: float, gripper: float) -> dict[str, Any]:
    """Return the status as JSON values; docs/protocol.md says what they are.

    Task, instruction and length are those of the episode that is looked at; mode, policy and step those of the live one.

    Args:
        status: of the live rollout.
        shown: what is looked at.
        control_hz: of the live episode.
        gripper: the opening 0..1 that the gripper was last told.
    """
    step, stored = shown
    return {
        "mode": str(status.mode),
        "actor": str(status.actor),
        "episode_id": status.episode_id,
        "parent_id": status.parent_id,
        "task": stored.task if stored else status.task,
        "instruction": stored.instruction if stored else status.instruction,
        "policy": status.policy,
        "step": status.step,
        "time_s": round(status.time_s, 4),
        "speed": status.speed if math.isfinite(status.speed) else "max",
        "actual_speed": round(status.actual_speed, 3) if math.isfinite(status.actual_speed) else None,
        "policy_ms": round(status.policy_ms, 2),
        "is_success": status.is_success,
        "plan_step": status.plan_step,
        "error": status.error or "",
        "num_steps": stored.num_steps if stored else status.step,
        "shown_step": step,
        "shown_time_s": None if step is None else round(step / (stored.control_hz if stored else control_hz), 4),
        "stored_id": stored.episode_id if stored else None,
        "gripper": gripper,
        "ee": None if status.ee_position is None else [round(c, 4) for c in status.ee_position],
        "question": None if status.question is None else {"id": status.question.id, "text": status.question.text, "timeout_s": TIMEOUT_S},
        "note": status.note,
        "driver": driver_facts(status.spec),
        "led": {"by": status.led_by, "why": status.led_why} if status.led_by else None,
        "steering": {"is_possible": status.is_steerable, "by": list(status.steered_by)},
    }


def driver_facts(spec: PolicySpec | None) -> dict[str, Any] | None:
    """Return what the page tells of the policy that drives."""
    if spec is None:
        return None
    return {
        "name": spec.name,
        "description": spec.description,
        "reads": sorted(spec.prompts),
        "is_privileged": spec.is_privileged,
        "has_intention": spec.has_intention,
        "has_manners": "slowly" in spec.known_words,
        "card": spec.card,
    }
