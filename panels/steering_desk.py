"""The steering desk of one tab: what turns its policy, what its instruments show, what is recorded. No weights, no disk of its own."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from panels.steering_insight import insight_message, no_insight
from panels.steering_jobs import job_message
from panels.steering_lab import facts_of
from sessions.activations import ActivationRecorder, RecordingPlan, used_bytes
from sessions.concepts import load_assets
from workbench.core.errors import InvalidInput
from workbench.rollout.steering import LiveSteering, RecordingWish
from workbench.rollout.steering_marks import assets_in
from workbench.steering.mix import Mix, parse_mix
from workbench.steering.places import Part, Site

if TYPE_CHECKING:
    from panels.live import LiveSession
    from panels.steering_lab import SteeringLab
    from workbench.steering.policy import SteeredPolicy

ANSWER_TIMEOUT_S: Final = 60.0
"""Longest wait for the stepping thread, which may be loading another policy."""


class InstrumentWish(NamedTuple):
    """Which instruments a tab shows."""

    stack: str = ""
    has_strip: bool = False
    has_lens: bool = False
    attention_to: str = ""
    attention_layers: tuple[int, ...] = ()
    contributions_to: str = ""


class SteeringDesk:
    """What a tab holds of steering; every method may be called from any thread."""

    def __init__(self, session: LiveSession) -> None:
        self._session = session
        self._lab: SteeringLab | None = None
        self._lock = threading.Lock()
        self._told: tuple[Any, ...] = ()
        self._seen: object = None
        self._readings: object = None
        self._recorder: ActivationRecorder | None = None
        self.wish = InstrumentWish()

    @property
    def lab(self) -> SteeringLab:
        """What is shared by all tabs.

        Raises:
            InvalidInput: this rollout was opened without one.
        """
        if self._lab is None:
            raise InvalidInput("steering lab", expected="a workbench with a store", found="none")
        return self._lab

    @lab.setter
    def lab(self, lab: SteeringLab) -> None:
        self._lab = lab

    @property
    def live(self) -> LiveSteering:
        """What turns the policy now."""
        return self._session.controller.steering

    def opened(self) -> SteeredPolicy:
        """Return the policy that drives, opened.

        Raises:
            InvalidInput: it does not show its inside.
        """
        policy = self.live.policy
        if policy is None:
            name = self._session.controller.status().policy
            raise InvalidInput(
                "inside of the policy", expected="a policy whose network runs here", found=repr(name), fix="Let the bench VLA drive."
            )
        return policy

    # --- turning ---

    def set(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Put a whole desk in force.

        Raises:
            InvalidInput: the document is not a desk, or an edit does not fit the policy; what was in force stays.
            NotStored: an edit names something that is not in the store.
        """
        mix = parse_mix(document)
        assets = load_assets(self.lab.store, assets_in(mix.to_dict()))
        self._check_owner(assets.values())
        self._session.controller.set_steering(mix, assets).result(ANSWER_TIMEOUT_S)
        self.poll()
        return {"steered_by": [slot.name for slot in mix.heard]}

    def reset(self) -> None:
        """Take everything off the desk; harmless for a policy without an inside."""
        if self.live.policy is not None:
            self._session.controller.set_steering(Mix()).result(ANSWER_TIMEOUT_S)
            self.poll()

    def _check_owner(self, assets: Any) -> None:
        for asset in assets:
            if asset.place.policy and asset.place.policy != self.live.fingerprint:
                raise InvalidInput(
                    f"{asset.name!r}",
                    expected=f"something made for this policy ({self.live.fingerprint})",
                    found=f"something made for {asset.place.policy}",
                    fix="Make it again on this policy, or load the policy that it belongs to.",
                )

    # --- looking ---

    def show(self, wish: InstrumentWish) -> None:
        """Show these instruments and no others; a paused policy is asked anew, so that they have something to show.

        Raises:
            UnknownName: there is no such stack, camera or action dimension.
            InvalidInput: they do not fit the policy, or it does not show its inside.
        """
        is_on = any(wish[1:])
        if not is_on and self.live.policy is None:
            self.wish = wish
            return
        from workbench.steering.instruments import Instruments

        opened = self.opened()
        stack = wish.stack or opened.policy.sites.stacks[0].name
        table = self.lab.table(opened, self.live.fingerprint, stack) if wish.contributions_to else None
        instruments = Instruments(*wish._replace(stack=stack))
        self._session.controller.inspect(lambda steering, episode: steering.show(episode, instruments, table)).result(ANSWER_TIMEOUT_S)
        self.wish = wish
        if not is_on:
            self._session.push(no_insight())
        else:
            self._session.controller.look_ahead()

    # --- recording ---

    def record(self, stack: str, parts: tuple[str, ...], layers: tuple[int, ...], tokens: str) -> dict[str, Any]:
        """Record activations of this tab's policy from its next call on, in place of what was recorded before.

        Raises:
            InvalidInput: nothing was chosen, the disk quota is used up, or the policy has no such layer.
            UnknownName: it has no such stack or token group.
        """
        self.stop_recording()
        self.opened()
        sites = tuple(Site(stack, layer, Part(part)) for part in parts for layer in layers)
        recorder = ActivationRecorder(self.lab.store, RecordingPlan(tuple(map(str, sites)), tokens, self.live.fingerprint))
        try:
            self._record_to(RecordingWish(sites, tokens, recorder.put))
        except BaseException:
            recorder.close()
            raise
        with self._lock:
            self._recorder = recorder
        return self.recording()

    def stop_recording(self) -> dict[str, Any]:
        """End the recording, if there is one, and write what is left."""
        with self._lock:
            recorder, self._recorder = self._recorder, None
        if recorder is not None:
            self._record_to(None)
            recorder.close()
        return self.recording()

    def _record_to(self, wish: RecordingWish | None) -> None:
        self._session.controller.inspect(lambda steering, episode: steering.record(episode, wish)).result(ANSWER_TIMEOUT_S)

    def recording(self) -> dict[str, Any]:
        """Return how the recording goes."""
        recorder = self._recorder
        if recorder is None:
            return {"is_on": False, "num_calls": 0, "num_bytes": used_bytes(self.lab.store) if self._lab else 0, "trouble": ""}
        state = recorder.state
        return {
            "is_on": state.is_on,
            "num_calls": state.num_calls,
            "num_bytes": state.num_bytes,
            "quota_bytes": state.quota_bytes,
            "trouble": state.trouble,
        }

    # --- what the page hears ---

    def message(self) -> dict[str, Any]:
        """Return what is on the desk, and what the policy is."""
        live = self.live
        policy = live.policy
        return {
            "type": "steering",
            "mix": live.mix.to_dict(),
            "policy": self._session.controller.status().policy,
            "fingerprint": live.fingerprint,
            "architecture": policy.policy.sites.architecture if policy else "",
            "stacks": facts_of(policy.policy.sites) if policy else [],
            "job": job_message(self._lab.jobs.status, None) if self._lab else None,
        }

    def poll(self) -> None:
        """Tell the page what changed since the last time; called often, and cheap when nothing did."""
        live = self.live
        policy, status = live.policy, self._session.controller.status()
        now = (live.mix, live.fingerprint, status.policy)
        if now != self._told:
            self._told = now
            self._session.push(self.message())
        if policy is None:
            return
        readings = policy.readings
        if readings is not self._readings:
            self._readings = readings
            if readings:
                names = [slot.name for slot in live.mix.heard]
                loops = [{**r._asdict(), "name": names[r.edit]} for r in readings if r.edit < len(names)]
                self._session.push({"type": "steering_loop", "step": status.step, "time_s": round(status.time_s, 3), "loops": loops})
        seen = policy.seen
        if seen is not None and seen is not self._seen and self._session.shown_step is None:
            self._session.push(insight_message(seen, policy.policy.sites, self.wish, step=status.step))
        self._seen = seen

    def close(self) -> None:
        """Write what is left of a recording; the rollout has ended."""
        with self._lock:
            recorder, self._recorder = self._recorder, None
        if recorder is not None:
            recorder.close()
