"""One table of tokens: words, image coordinates, and bins of every action dimension.

Each action dimension has bins of its own, so that "+z" can be read off a direction of the network's residual stream.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.bench_vla.config import BenchVlaConfig
from workbench.core.errors import InvalidInput
from workbench.core.types import ACTION_DIM, ACTION_NAMES

PAD: Final = "<pad>"
MASK_WORD: Final = "<unsaid>"
"""Stands for the instruction when there are no words."""
SPECIALS: Final = (PAD, MASK_WORD)

ACTION_LOW: Final = np.array([-0.03, -0.03, -0.03, -0.12, -0.12, -0.12, 0.0])
ACTION_HIGH: Final = np.array([0.03, 0.03, 0.03, 0.12, 0.12, 0.12, 1.0])
"""Centres of the outermost bins: [m], [rad], opening; what one control step at 20 Hz can do."""

_UNITS: Final = ("m", "m", "m", "rad", "rad", "rad", "")
_WORD: Final = re.compile(r"[a-z0-9-]+")


def split_words(text: str) -> list[str]:
    """Return the words of an instruction, lower case, without punctuation."""
    return _WORD.findall(text.lower())


def collect_words(texts: Iterable[str]) -> tuple[str, ...]:
    """Return all words of some instructions, sorted."""
    return tuple(sorted({word for text in texts for word in split_words(text)}))


class Vocabulary:
    """Token ids of one configuration: specials, words, coordinates, then the bins of each action dimension."""

    def __init__(self, config: BenchVlaConfig) -> None:
        self._config = config
        self._word_ids = {word: len(SPECIALS) + i for i, word in enumerate(config.words)}

    @property
    def size(self) -> int:
        """Number of tokens."""
        return self.first_action + ACTION_DIM * self._config.num_bins

    @property
    def first_coordinate(self) -> int:
        """Id of the coordinate token 0."""
        return len(SPECIALS) + len(self._config.words)

    @property
    def first_action(self) -> int:
        """Id of the lowest bin of the first action dimension."""
        return self.first_coordinate + self._config.num_coordinates

    def action_slice(self, dimension: int) -> slice:
        """Return the ids of one action dimension's bins."""
        start = self.first_action + dimension * self._config.num_bins
        return slice(start, start + self._config.num_bins)

    @cached_property
    def bin_centres(self) -> NDArray[np.float32]:
        """``(7, num_bins) float32``: the value of every bin; [m], [rad], opening."""
        centres = np.linspace(ACTION_LOW, ACTION_HIGH, self._config.num_bins, axis=1)
        return centres.astype(np.float32)

    def knows(self, text: str) -> list[str]:
        """Return the words of an instruction that are not known."""
        return [word for word in split_words(text) if word not in self._word_ids]

    def encode(self, text: str) -> NDArray[np.int64]:
        """Return ``(max_words,) int64`` token ids; an empty text is one special word.

        Raises:
            InvalidInput: a word is not known, or there are too many.
        """
        words = split_words(text)
        unknown = self.knows(text)
        if unknown:
            raise InvalidInput(
                "instruction",
                expected="words that the bench VLA was trained with",
                found=f"{', '.join(repr(w[:40]) for w in unknown[:8])} in {text[:200]!r}",
                fix=f"It knows: {', '.join(self._config.words)}.",
            )
        if len(words) > self._config.max_words:
            raise InvalidInput("instruction", expected=f"at most {self._config.max_words} words", found=f"{len(words)}")
        ids = [self._word_ids[word] for word in words] or [SPECIALS.index(MASK_WORD)]
        padded = np.full(self._config.max_words, SPECIALS.index(PAD), dtype=np.int64)
        padded[: len(ids)] = ids
        return padded

    def name(self, token: int) -> str:
        """Return what a token stands for, for example ``red``, ``u=131/256`` or ``dz=+0.012 m``."""
        if token < len(SPECIALS):
            return SPECIALS[token]
        if token < self.first_coordinate:
            return self._config.words[token - len(SPECIALS)]
        if token < self.first_action:
            return f"coordinate {token - self.first_coordinate}"
        dimension, index = divmod(token - self.first_action, self._config.num_bins)
        value = float(self.bin_centres[dimension, index])
        sign = "" if ACTION_NAMES[dimension] == "gripper" else "+"
        return f"{ACTION_NAMES[dimension]}={value:{sign}.3f} {_UNITS[dimension]}".strip()
