"""Drivers that take their time to come: the page says so until they act."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from panels.live import LiveSession

SLOW: Final[Mapping[str, str]] = {
    "bench-vla": "the bench VLA",
    "trace-blend": "the bench VLA",
    "informed-tree": "the bench VLA",
    "remote": "the policy server",
    "pi0": "pi0",
}
"""Policies that load a network or ask another computer, and how the page calls what is waited for."""


def announce(session: LiveSession, policy: str) -> None:
    """Tell every viewer that a policy is being loaded, when that is another one than drives and takes long."""
    title = SLOW.get(policy) or ("a version of the bench VLA" if policy.startswith("bench-vla") else "")
    if title and policy != session.controller.status().policy:
        session.push({"type": "loading", "policy": policy, "title": title})
