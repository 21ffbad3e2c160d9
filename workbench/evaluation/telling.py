"""Ways of telling a policy what to do in one seeded episode: in words, by a mask, by a trace, by a sketch, in any combination.

A way of telling is written as parts joined by ``+``:

    words            the task's own instruction
    words:slow       the instruction with words for a manner (any of :data:`workbench.simulation.manner.MANNERS`)
    words:other      another wording of the same instruction
    mask             oracle mask of the thing of the present sub-step, with its interaction, made anew at each policy call;
                     ``mask:every30`` only every 30 steps, ``mask:tracked30`` pointed at every 30 steps and tracked in between (or 3)
    trace            the whole path on the front camera with depths and gripper events, which the control loop trims to what lies
                     ahead; ``trace:flat`` without depths, ``trace:high`` that keeps high on its way, ``trace:high-flat`` both,
                     ``trace:overlay`` drawn on the picture as HAMSTER draws it, and not told beside it
    sketch           arrows and circles as exact as a ruler's; ``sketch:hand`` as a hand draws them
    none             nothing at all
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from workbench.core.errors import InvalidInput, UnknownName
from workbench.core.protocols import Segmenter
from workbench.core.types import CameraRequest, Mask, Prompt
from workbench.evaluation.drawing import GEOMETRIC, HAND, draw_prompt
from workbench.evaluation.mask_telling import MASK_OPTIONS, PointingHand, rhythm_of
from workbench.evaluation.planned import plan_path, trace_of, trace_pinhole
from workbench.evaluation.pointing import oracle_mask, point_out
from workbench.segmentation.classical import ClassicalSegmenter
from workbench.simulation.manner import MANNERS, PLAIN, say
from workbench.simulation.sayings import sayings_in
from workbench.simulation.simulator import BenchSimulator

NOTHING: Final = "none"
FLAT: Final = "flat"
OTHER: Final = "other"
HIGH: Final = "high"
HIGH_FLAT: Final = "high-flat"
OVERLAY: Final = "overlay"
MASK_CAMERA: Final = CameraRequest("front", 128, 128)
_PARTS: Final = {
    "words": (*MANNERS, OTHER),
    "mask": MASK_OPTIONS,
    "trace": (FLAT, HIGH, HIGH_FLAT, OVERLAY),
    "sketch": ("hand",),
}
"""The parts of a way of telling, and what may follow each after a colon."""


@dataclass(frozen=True)
class Telling:
    """A way of telling."""

    has_words: bool = False
    manner: str = PLAIN
    """Of the words, and of the expert whose path a trace shows."""
    is_reworded: bool = False
    """Whether the instruction is put in another wording of the task's."""
    has_mask: bool = False
    mask_option: str = ""
    """How often the mask is given, see :mod:`workbench.evaluation.mask_telling`; empty for anew at each call."""
    has_trace: bool = False
    has_depth: bool = True
    """Whether the trace tells depths."""
    is_high: bool = False
    """Whether the path of the trace keeps high on its way."""
    is_overlaid: bool = False
    """Whether the trace is drawn on the picture instead of told."""
    has_sketch: bool = False
    is_by_hand: bool = False
    """Whether the sketch is drawn as a hand draws."""

    def __str__(self) -> str:
        """Return what :func:`parse_telling` reads."""
        option = OTHER if self.is_reworded else "" if self.manner == PLAIN else self.manner
        words = f"words:{option}" if option else "words"
        shape = OVERLAY if self.is_overlaid else "-".join([*[HIGH] * self.is_high, *[FLAT] * (not self.has_depth)])
        trace = f"trace:{shape}" if shape else "trace"
        sketch = "sketch:hand" if self.is_by_hand else "sketch"
        parts = (
            (self.has_words, words),
            (self.has_mask, f"mask:{self.mask_option}" if self.mask_option else "mask"),
            (self.has_trace, trace),
            (self.has_sketch, sketch),
        )
        return "+".join(text for is_told, text in parts if is_told) or NOTHING


def parse_telling(text: str) -> Telling:
    """Read a way of telling.

    Raises:
        UnknownName: a part, or what follows its colon, is not known.
        InvalidInput: a part comes twice.
    """
    told: dict[str, str] = {}
    if text.strip() != NOTHING:
        for part in text.split("+"):
            name, _, option = part.strip().partition(":")
            if name not in _PARTS:
                raise UnknownName("way of telling", name, (*_PARTS, NOTHING))
            if option and option not in _PARTS[name]:
                raise UnknownName(f"option of {name!r}", option, _PARTS[name])
            if name in told:
                raise InvalidInput("way of telling", expected="each part once", found=repr(text))
            told[name] = option
    words = told.get("words", "")
    return Telling(
        has_words="words" in told,
        manner=words if words in MANNERS else PLAIN,
        is_reworded=words == OTHER,
        has_mask="mask" in told,
        mask_option=told.get("mask", ""),
        has_trace="trace" in told,
        has_depth=told.get("trace") not in (FLAT, HIGH_FLAT),
        is_high=told.get("trace") in (HIGH, HIGH_FLAT),
        is_overlaid=told.get("trace") == OVERLAY,
        has_sketch="sketch" in told,
        is_by_hand=bool(told.get("sketch")),
    )


class Teller:
    """Tells one episode; made when the simulator stands at its start."""

    def __init__(
        self, simulator: BenchSimulator, telling: Telling, instruction: str, *, seed: int, segmenter: Segmenter | None = None
    ) -> None:
        """Look at the scene, and decide on what does not change while the episode runs.

        Args:
            simulator: reset to the episode's start; it is as before when this returns.
            telling: the way of telling.
            instruction: the task's own.
            seed: of the wording of a manner and of a hand's tremor.
            segmenter: makes masks of what is pointed at now and then; by default the classical one.

        Raises:
            InvalidInput: the task cannot be told in this way.
        """
        self._simulator, self.telling = simulator, telling
        self._mask: Mask | None = None
        self._masked = ""
        rhythm = rhythm_of(telling.mask_option)
        self._hand = PointingHand(simulator, rhythm, segmenter or ClassicalSegmenter()) if rhythm else None
        prompt = Prompt()
        if telling.has_sketch:
            prompt = replace(draw_prompt(simulator, instruction, HAND if telling.is_by_hand else GEOMETRIC, seed), text="")
        if telling.has_words:
            rng = np.random.default_rng(seed)
            wording = reword(simulator, instruction, rng) if telling.is_reworded else instruction
            prompt = replace(prompt, text=say(wording, telling.manner, rng))
        if telling.has_trace:
            path = plan_path(simulator, HIGH if telling.is_high else telling.manner)
            prompt = replace(prompt, trace=trace_of(path, trace_pinhole(simulator), has_depth=telling.has_depth))
        self.first = self.refresh(prompt)
        """What the policy is told at the start."""

    def refresh(self, prompt: Prompt) -> Prompt:
        """Return the prompt with the mask as it is now; the control loop trims the trace."""
        if not self.telling.has_mask:
            return prompt
        if self._hand is not None:
            return self._hand.tell(prompt)
        pointed = point_out(self._simulator)
        return replace(prompt, mask=self._see(pointed.name), interaction=pointed.interaction)

    def _see(self, name: str) -> Mask:
        """Return the mask of a thing; while the arm hides it, where it was last seen."""
        mask = oracle_mask(self._simulator, name, MASK_CAMERA)
        if self._mask is None or self._masked != name or mask.pixels.any():
            self._mask, self._masked = mask, name
        return self._mask


def reword(simulator: BenchSimulator, instruction: str, rng: np.random.Generator) -> str:
    """Return another wording of the same, of those that the task has; the instruction itself when there is none."""
    wordings = next((s.wordings for s in sayings_in(simulator) if instruction in s.wordings), ())
    others = [w for w in wordings if w != instruction]
    return others[int(rng.integers(len(others)))] if others else instruction
