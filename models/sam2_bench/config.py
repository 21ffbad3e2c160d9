"""What a bench SAM 2 is made of; stored as JSON beside its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from workbench.core.errors import InvalidInput


@dataclass(frozen=True)
class Sam2BenchConfig:
    """Sizes of the network; everything else is as in SAM 2.1."""

    image_side: int = 256
    """Side of the picture that the network sees [px]."""
    embed_dim: int = 32
    """Channels of the trunk's first stage; each further stage has twice as many."""
    blocks: tuple[int, ...] = (1, 1, 3, 1)
    """Blocks of each stage of the trunk."""
    hidden_dim: int = 128
    decoder_ffn_dim: int = 512
    memory_dim: int = 64
    """Channels of a memory of a frame."""
    num_memory_layers: int = 2
    memory_ffn_dim: int = 256
    num_memories: int = 5
    """Frames that are remembered, the prompted one included."""
    num_pointers: int = 8
    """Frames whose object pointers are remembered."""

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able dictionary."""
        return {**asdict(self), "blocks": list(self.blocks)}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Sam2BenchConfig:
        """Read what :meth:`to_dict` wrote.

        Raises:
            InvalidInput: a field is missing, unknown or of the wrong type.
        """
        known = {f.name for f in fields(Sam2BenchConfig)}
        if set(data) != known:
            raise InvalidInput("bench SAM 2 configuration", expected=f"the fields {sorted(known)}", found=str(sorted(data)))
        blocks = data["blocks"]
        if not isinstance(blocks, list | tuple) or len(blocks) != 4:
            raise InvalidInput("bench SAM 2 configuration, blocks", expected="four numbers", found=str(blocks))
        numbers = {name: value for name, value in data.items() if name != "blocks"}
        checked = {**numbers, **{f"blocks {i}": n for i, n in enumerate(blocks)}}
        bad = {n: v for n, v in checked.items() if not isinstance(v, int) or isinstance(v, bool) or not 0 < v <= 4096}
        if bad:
            raise InvalidInput("bench SAM 2 configuration", expected="whole numbers from 1 to 4096", found=str(bad))
        return Sam2BenchConfig(blocks=tuple(blocks), **numbers)
