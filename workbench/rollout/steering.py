"""Steering of a live rollout: what turns its policy now, and how a branch gets to what its parent's policy had become.

The edits themselves, and everything that looks into a network, are those of :mod:`workbench.steering`. Here they meet the episode: a
change is an event before its step, drops what is left of the chunk, and so acts at the next call of the policy. A branch is shown the
steps of its parent again (:func:`workbench.rollout.loop.catch_up`) under the edits that were in force at each of them, so that
controllers stand where they stood.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import InvalidInput, WorkbenchError
from workbench.core.events import EventKind
from workbench.core.protocols import Policy
from workbench.core.types import SimState
from workbench.rollout.loop import LiveEpisode, catch_up, emit
from workbench.rollout.steering_marks import SteeringMark
from workbench.rollout.watch import LiveWatch
from workbench.steering.assets import Asset, Library
from workbench.steering.concepts import fingerprint
from workbench.steering.mix import Mix

if TYPE_CHECKING:
    from workbench.steering.instruments import Instruments
    from workbench.steering.places import Site
    from workbench.steering.policy import SteeredPolicy
    from workbench.steering.projection import NeuronTable

OpenPolicy: TypeAlias = "Callable[[Policy], SteeredPolicy | None]"
"""Opens a policy for steering; None when it does not show its inside."""
NO_EDITS: Final = Mix()


def open_nothing(policy: Policy) -> None:
    """Open no policy at all."""


class RecordingWish(NamedTuple):
    """Which activations are recorded."""

    sites: tuple[Site, ...]
    tokens: str
    sink: Callable[[str, int, Mapping[str, NDArray[np.float32]]], None]
    """Told the episode, the step and ``{site: (T, C)}`` in the stepping thread; must return at once."""


class LiveSteering:
    """What turns the policy of a live rollout. Methods belong to the stepping thread; attributes are replaced as a whole, read by any."""

    def __init__(self, open_policy: OpenPolicy = open_nothing, watch: LiveWatch | None = None) -> None:
        self.mix = NO_EDITS
        """What is on the desk and acts."""
        self.policy: SteeredPolicy | None = None
        """The policy that drives, opened; None when it does not show its inside."""
        self.fingerprint = ""
        """Of that policy's weights."""
        self.watch = watch or LiveWatch()
        """What scores the policy's calls and raises alarms."""
        self._open_policy = open_policy
        self._assets: dict[str, Asset] = {}
        self._wish, self._wished_for = NO_EDITS, ""
        self._shown: tuple[Instruments, NeuronTable | None] | None = None
        self._recording: RecordingWish | None = None

    def open(self, policy: Policy) -> Policy:
        """Return a policy that was just made in the form that drives; edits that were made for the same weights go on."""
        self.policy, self.mix, self.fingerprint = self._open_policy(policy), NO_EDITS, ""
        if self.policy is not None:
            self.fingerprint = fingerprint(self.policy.policy.module)  # type: ignore[arg-type]  # opened: it is a torch module
        self.watch.open(self.policy, self.fingerprint)
        if self.policy is None:
            return policy
        if self._wished_for == self.fingerprint:
            self._apply(self._wish)
        if self._shown is not None:
            self._show(*self._shown)
        return self.policy

    def change(self, episode: LiveEpisode | None, mix: Mix, assets: Library) -> None:
        """Steer by this from the next call of the policy on, and put it on the timeline.

        Raises:
            InvalidInput: the policy has no inside to steer, or an edit does not fit it; what was in force stays.
            UnknownName: an edit names something that is not there.
        """
        if self.policy is None or episode is None:
            name = repr(episode.policy.spec.name) if episode else "none"
            raise InvalidInput(
                "steering",
                expected="a policy that shows its inside",
                found=f"{name}, which does not",
                fix="Let the bench VLA drive (Scene tab).",
            )
        self._assets |= assets
        if mix == self.mix:
            return
        self._apply(mix)
        self._wish, self._wished_for = mix, self.fingerprint
        episode.chunk.clear()
        episode.is_policy_down = False
        emit(episode, EventKind.STEERING, self._payload())

    def catch_up(self, episode: LiveEpisode, lead: Sequence[SimState], marks: Sequence[SteeringMark], assets: Library) -> str:
        """Bring a branch's policy to where its parent's stood; return what a person should know, for example that edits do not fit."""
        self._assets |= assets
        trouble = self._trouble_with(marks)
        self._apply(NO_EDITS)
        done = 0
        for mark in () if trouble else marks:
            catch_up(episode, lead[done : mark.at])
            done = mark.at
            self._apply(mark.mix)
            if mark.is_change:
                episode.chunk.clear()
        catch_up(episode, lead[done:])
        self._wish, self._wished_for = self.mix, self.fingerprint
        return f"The branch goes on without the steering of its parent. {trouble}" if trouble else ""

    def announce(self, episode: LiveEpisode) -> None:
        """Put on the timeline what an episode begins with, and record it if that is wished."""
        with contextlib.suppress(WorkbenchError):  # another policy has other layers, and is not recorded
            self._attach(episode)
        if self.mix != NO_EDITS:
            emit(episode, EventKind.STEERING, {**self._payload(), "is_start": True})

    def announce_change(self, episode: LiveEpisode, before: Mix) -> None:
        """Put on the timeline what another policy is steered by, if that differs; a recording goes on."""
        with contextlib.suppress(WorkbenchError):
            self._attach(episode)
        if self.mix != before:
            emit(episode, EventKind.STEERING, self._payload(), actor="system")

    def show(self, episode: LiveEpisode | None, instruments: Instruments, table: NeuronTable | None) -> None:
        """Read these instruments from the next call of the policy on, of this and later policies that have them.

        A policy whose answer was not begun yet is asked again, so that there is something to see; it gives the same answer.

        Raises:
            UnknownName: the policy has no such stack, camera or action dimension.
            InvalidInput: the instruments do not fit it.
        """
        if self.policy is not None:
            self.policy.watch(instruments, table)
        self._shown = (instruments, table)
        if instruments.is_on and episode is not None and episode.chunk.is_fresh:
            episode.chunk.clear()

    def record(self, episode: LiveEpisode | None, wish: RecordingWish | None) -> None:
        """Hand the activations of every call, of this and later episodes, to a sink; None ends it.

        Raises:
            InvalidInput: the policy does not show its inside, or has no such layer; nothing is recorded then.
            UnknownName: it has no such stack or token group.
        """
        self._recording = wish
        try:
            self._attach(episode)
        except WorkbenchError:
            self._recording = None
            raise
        if wish is not None and self.policy is None:
            self._recording = None
            raise InvalidInput("recording of activations", expected="a policy that shows its inside", found="one that does not")

    def _attach(self, episode: LiveEpisode | None) -> None:
        wish = self._recording
        if self.policy is None or episode is None:
            return
        if wish is not None and episode.chunk.is_fresh:
            episode.chunk.clear()  # the call that acts first is recorded too; it gives the same answer again
        if wish is None:
            self.policy.tap(None)
            return
        from workbench.steering.policy import Tap

        self.policy.tap(Tap(wish.sites, wish.tokens, lambda _, tensors: wish.sink(episode.id, episode.index, tensors)))

    def _show(self, instruments: Instruments, table: NeuronTable | None) -> None:
        """Carry instruments over to a policy that may not have them."""
        assert self.policy is not None
        try:
            self.policy.watch(instruments, table)
        except WorkbenchError:
            self._shown = None

    def _payload(self) -> dict[str, Any]:
        return {**self.mix.to_dict(), "policy": self.fingerprint}

    def _trouble_with(self, marks: Sequence[SteeringMark]) -> str:
        """Return why some marks cannot act on this policy, or nothing."""
        for mark in marks:
            if mark.policy and mark.policy != self.fingerprint and mark.mix != NO_EDITS:
                return f"It was made for a policy with the weights {mark.policy}, and these are {self.fingerprint or 'not open'}."
            try:
                self._apply(mark.mix)
            except WorkbenchError as error:
                return str(error)
        return ""

    def _apply(self, mix: Mix) -> None:
        if self.policy is not None:
            from workbench.steering.policy import setting_of  # loads torch, which a policy without an inside does not need

            self.policy.set(setting_of(mix, dict(self._assets)))
        elif mix != NO_EDITS:
            raise InvalidInput("steering", expected="a policy that shows its inside", found="one that does not")
        self.mix = mix
