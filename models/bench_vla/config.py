"""What a bench VLA is made of; stored as JSON beside its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from workbench.core.errors import InvalidInput
from workbench.core.types import PROPRIO_DIM

CONTROL_HZ: Final = 20.0
"""Rate of the demonstrations, and so of the actions."""
MEMORY_DIM: Final = 10
"""Length of the short proprioceptive memory, see :mod:`models.bench_vla.memory`."""
NUM_ROLES: Final = 2
"""Things that an instruction may name: the one that is acted on, and the one where it goes."""
ROLE_NAMES: Final = ("target", "goal")
NUM_PROMPT_CHANNELS: Final = 4
"""Extra channels of the front picture: mask, and the trace's time, height and gripper."""
STATE_DIM: Final = PROPRIO_DIM + MEMORY_DIM


@dataclass(frozen=True)
class BenchVlaConfig:
    """Sizes of the network, and its words."""

    words: tuple[str, ...]
    """The words that it knows, in the order of their ids."""
    width: int = 128
    num_layers: int = 4
    num_heads: int = 4
    ffn_width: int = 384
    stem_width: int = 48
    """Channels of the stem's finest layers; coarser ones have more."""
    front_side: int = 128
    """Side of the front picture [px]."""
    wrist_side: int = 64
    max_words: int = 22
    num_bins: int = 64
    """Bins of each action dimension."""
    num_coordinates: int = 256
    """Bins of an image coordinate, as MolmoAct's traces have them."""
    horizon: int = 8
    """Actions in a chunk."""
    num_trace_points: int = 5
    execution_horizon: int = 4
    """Actions of a chunk that are executed before the policy is asked again."""

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able dictionary."""
        return {**asdict(self), "words": list(self.words)}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> BenchVlaConfig:
        """Read what :meth:`to_dict` wrote.

        Raises:
            InvalidInput: a field is missing, unknown or of the wrong type.
        """
        known = {f.name for f in fields(BenchVlaConfig)}
        if set(data) != known:
            raise InvalidInput("bench VLA configuration", expected=f"the fields {sorted(known)}", found=str(sorted(data)))
        words = data["words"]
        numbers = {name: value for name, value in data.items() if name != "words"}
        if not isinstance(words, list) or not all(isinstance(w, str) for w in words):
            raise InvalidInput("bench VLA configuration, words", expected="a list of words", found=type(words).__name__)
        bad = {n: v for n, v in numbers.items() if not isinstance(v, int) or isinstance(v, bool) or not 0 < v <= 4096}
        if bad:
            raise InvalidInput("bench VLA configuration", expected="whole numbers from 1 to 4096", found=str(bad))
        return BenchVlaConfig(words=tuple(words), **numbers)
