"""Trials in which several answers of the policy are weighed, or its chunks are put together: how that is written, and what is measured.

``pick=value`` lets a verifier choose (``likelihood``, ``value``, ``preference``, ``oracle``), ``count=16`` among so many, ``draw=policy`` or
``gaussian``, ``initial=5`` draws under the Gaussian, ``beta=0.1``. ``ensemble=temporal`` or ``adaptive`` puts chunks together, with ``kept=7``,
``alpha=0.1`` and ``decay=0.01``; ``open`` executes whole chunks. ``watch=candidates`` measures how far candidates are from the expert's action.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import numpy as np

from workbench.core.candidates import VerifierFactory
from workbench.core.catalog import Catalog
from workbench.core.errors import InvalidInput, UnknownName
from workbench.rollout.candidates import CandidateSet, CandidateSettings, Draw, Selection, When
from workbench.rollout.chunking import ChunkHandling, ChunkMode
from workbench.rollout.expert_verifier import ExpertVerifier
from workbench.rollout.loop import LiveEpisode
from workbench.simulation.simulator import BenchSimulator
from workbench.verification.action_error import COUNTS, best_of

CANDIDATE_PARTS: Final = ("pick", "count", "draw", "initial", "beta", "temperature")
CHUNK_PARTS: Final = ("ensemble", "open", "kept", "alpha", "decay")
CANDIDATES: Final = "candidates"
"""What ``watch`` names."""
CHOSEN_ERROR: Final = "chosen_error"
OWN_ERROR: Final = "own_error"
SPREAD: Final = "chosen_other"
"""Share of the calls at which another candidate than the policy's own was chosen."""


def best_error(count: int) -> str:
    """Return the name of the measure: error of the best of so many draws."""
    return f"best_of_{count}_error"


def parse_candidates(parts: Mapping[str, str]) -> CandidateSettings | None:
    """Return which candidates are weighed, or None; errors as :func:`workbench.evaluation.settings.parse_setting`."""
    if not any(name in parts for name in CANDIDATE_PARTS):
        return None
    default = CandidateSettings()
    draw = parts.get("draw", default.draw.value)
    if draw not in list(Draw):
        raise UnknownName("draw", draw, list(Draw))
    return CandidateSettings(
        When.ALWAYS,
        _whole(parts, "count", default.count),
        Draw(draw),
        _whole(parts, "initial", default.num_initial),
        _number(parts, "temperature", default.temperature),
        parts.get("pick", default.verifier),
        _number(parts, "beta", default.beta),
    )


def parse_handling(parts: Mapping[str, str], horizon: int | None) -> ChunkHandling:
    """Return how chunks are executed; errors as :func:`workbench.evaluation.settings.parse_setting`."""
    if "open" in parts:
        return ChunkHandling(ChunkMode.OPEN_LOOP)
    default, name = ChunkHandling(), parts.get("ensemble")
    if name is None:
        return default
    if name not in (ChunkMode.TEMPORAL, ChunkMode.ADAPTIVE):
        raise UnknownName("ensemble", name, (ChunkMode.TEMPORAL, ChunkMode.ADAPTIVE))
    kept, alpha, decay = (
        _whole(parts, "kept", default.num_kept),
        _number(parts, "alpha", default.alpha),
        _number(parts, "decay", default.decay),
    )
    return ChunkHandling(ChunkMode(name), horizon, kept, alpha, decay)


class Weighing:
    """What chooses in the trials of one worker, one selection at a time, and what is measured of it."""

    def __init__(self, candidates: CandidateSettings | None, handling: ChunkHandling, verifiers: Catalog[VerifierFactory] | None) -> None:
        self.selection = Selection(verifiers)
        self.selection.settings = candidates or CandidateSettings()
        self.selection.handling = handling
        self._errors: list[list[float]] = []
        self._own: list[float] = []
        self._chosen: list[float] = []
        self._moved: list[bool] = []

    def begin(self, episode: LiveEpisode, simulator: BenchSimulator, *, is_watched: bool = False) -> None:
        """Take part in a trial's episode; ``is_watched``: measure the candidates of every call against the expert's next actions."""
        self.selection.begin(episode)
        if is_watched:
            self._watch(ExpertVerifier(simulator))

    def _watch(self, expert: ExpertVerifier) -> None:

        def note(found: CandidateSet) -> None:
            errors = expert.errors(found.chunks)
            self._errors.append(best_of(errors[1:]).tolist())
            self._own.append(float(errors[0]))
            self._chosen.append(float(errors[found.chosen]))
            self._moved.append(found.chosen != 0)

        self.selection.on_choice = note

    def measures(self) -> dict[str, float]:
        """Return the means over the calls of a trial; nothing where nothing was watched.

        Raises:
            InvalidInput: the verifier could not judge what the policy does.
        """
        if self.selection.trouble:
            raise InvalidInput(
                f"verifier {self.selection.settings.verifier!r}", expected="one that can judge", found=self.selection.trouble
            )
        if not self._errors:
            return {}
        means = np.mean(self._errors, axis=0)
        found = {best_error(count): float(mean) for count, mean in zip(COUNTS, means, strict=False)}
        return found | {
            OWN_ERROR: float(np.mean(self._own)),
            CHOSEN_ERROR: float(np.mean(self._chosen)),
            SPREAD: float(np.mean(self._moved)),
        }


def _whole(parts: Mapping[str, str], name: str, default: int) -> int:
    text = parts.get(name)
    if text is not None and not (text.isascii() and text.isdigit()):
        raise InvalidInput(f"setting {name}", expected="a whole number", found=repr(text))
    return default if text is None else int(text)


def _number(parts: Mapping[str, str], name: str, default: float) -> float:
    text = parts.get(name)
    if text is not None and not re.fullmatch(r"\d+(\.\d+)?", text):
        raise InvalidInput(f"setting {name}", expected="a number of 0 or more", found=repr(text))
    return default if text is None else float(text)
