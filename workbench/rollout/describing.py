"""One line about a live rollout, put together from what its stepping thread leaves to be read."""

from __future__ import annotations

from workbench.core.events import Outcome
from workbench.core.protocols import Policy
from workbench.core.types import Actor
from workbench.rollout.hold import HOLD
from workbench.rollout.modes import RolloutMode
from workbench.rollout.status import RolloutStatus
from workbench.rollout.stepping import Stepper


def describe(stepper: Stepper, mode: RolloutMode) -> RolloutStatus:
    """Return what is going on."""
    episode, history = stepper.episode, stepper.history
    head = history.start
    if episode is None:
        return RolloutStatus(
            mode,
            Actor.HOLD,
            episode_id=head.episode_id,
            parent_id=head.parent_id,
            task=str(head.config.get("task", "")),
            instruction=head.instruction,
            policy=stepper.policy_name,
            step=history.num_steps,
            time_s=history.end.time_s if history.end else 0.0,
            speed=stepper.speed,
            is_success=history.end is not None and history.end.outcome is Outcome.SUCCESS,
            error=stepper.error,
        )
    acting = Actor.HOLD if stepper.policy_name == HOLD else Actor.POLICY
    actors = {RolloutMode.AUTONOMOUS: acting, RolloutMode.CORRECTING: Actor.HUMAN}
    return RolloutStatus(
        mode,
        actors.get(mode, Actor.HOLD),
        episode_id=episode.id,
        parent_id=episode.start.parent_id,
        task=episode.config.task,
        instruction=episode.prompt.text,
        policy=stepper.policy_name,
        step=episode.index,
        time_s=episode.time_s,
        speed=stepper.speed,
        actual_speed=stepper.actual_speed,
        policy_ms=episode.policy_ms,
        is_success=episode.is_success,
        plan_step=episode.plan_step,
        error=stepper.error,
        note=(episode.trimmer.progress.trouble if episode.is_tracing else "") or _told_by(episode.policy),
        spec=episode.policy.spec,
        ee_position=stepper.oversight.position,
        question=stepper.oversight.gate.question,
        is_steerable=stepper.steering.policy is not None,
        led_by=stepper.oversight.pilot.mode.value if stepper.oversight.pilot.is_leading else "",
        led_why=stepper.oversight.pilot.note,
        steered_by=tuple(slot.name for slot in stepper.steering.mix.heard),
    )


def _told_by(policy: Policy) -> str:
    """Return what a policy tells a person of itself, for example that its server does not answer."""
    note = getattr(policy, "note", "")
    return note if isinstance(note, str) else ""
