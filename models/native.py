"""Keeping two compilers apart: Mesa's software renderer and triton each bring an LLVM, and triton's crashes the process when it comes second."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

_NVIDIA: Final = Path("/proc/driver/nvidia")
"""Present where an NVIDIA driver is; its renderer has no LLVM, and triton is of use there."""


def keep_triton_out(nvidia: Path = _NVIDIA) -> None:
    """Make torch do without triton in this process, unless it is there already or there is a GPU for it.

    To be called before torch is imported in a process that renders. Without a GPU triton has nothing to do; torch takes it as not installed.
    """
    if "triton" not in sys.modules and not nvidia.exists():
        sys.modules["triton"] = None  # type: ignore[assignment]  # how Python marks a module that must not be imported
