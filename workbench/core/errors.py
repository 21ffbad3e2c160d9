"""What can go wrong that a person can mend. Anything else is a bug and keeps its own traceback.

WorkbenchError
├── UnknownName              asked for an entry that a catalogue does not have
├── InvalidInput             a value, document or file that does not follow its format
│   ├── InvalidShape         an array of the wrong shape or type
│   └── TooLarge             an upload or document over a stated limit
├── Unreachable              a pose, path or pixel that the robot or camera cannot serve
├── WrongMode                a command that the present mode of the rollout does not allow
├── MissingDependency        an optional package or system library is not installed
├── ServiceFailed            a remote endpoint did not answer as agreed
└── StoreError               the database or an archive cannot be used
    ├── StoreLocked          another process writes to this database
    ├── StoreCorrupt         the file is not a database of ours, or is damaged
    └── NotStored            no such session, episode, step or file in the store
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class WorkbenchError(Exception):
    """Base of every error whose text is meant for the person at the page."""


class UnknownName(WorkbenchError):
    """A name that a catalogue does not have; the message lists what it has."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind, self.name, self.known = kind, name, sorted(known)
        near = get_close_matches(str(name), self.known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        super().__init__(f"Unknown {kind} {name!r}.{hint} Known: {', '.join(self.known) or 'none'}.")


class InvalidInput(WorkbenchError):
    """A value that does not follow its format: what was asked, what was found, what to do."""

    def __init__(self, what: str, *, expected: str, found: str, fix: str = "") -> None:
        self.what, self.expected, self.found, self.fix = what, expected, found, fix
        super().__init__(f"{what}: expected {expected}, found {found}." + (f" {fix}" if fix else ""))


class InvalidShape(InvalidInput):
    """An array of the wrong shape or type."""

    def __init__(self, what: str, *, expected: Sequence[int | str], found: Sequence[int], dtype: str = "") -> None:
        wanted = "(" + ", ".join(str(n) for n in expected) + ")" + (f" {dtype}" if dtype else "")
        super().__init__(what, expected=f"shape {wanted}", found=f"shape {tuple(found)}")


class TooLarge(InvalidInput):
    """Something over a stated limit."""

    def __init__(self, what: str, *, limit: str, found: str, fix: str = "") -> None:
        super().__init__(what, expected=f"at most {limit}", found=found, fix=fix)


class Unreachable(WorkbenchError):
    """A pose, path or pixel that the robot or the camera cannot serve."""

    def __init__(self, what: str, *, reason: str, fix: str = "") -> None:
        self.what, self.reason = what, reason
        super().__init__(f"{what} cannot be reached: {reason}." + (f" {fix}" if fix else ""))


class WrongMode(WorkbenchError):
    """A command that the present mode of the rollout does not allow."""

    def __init__(self, command: str, *, mode: str, allowed: Iterable[str]) -> None:
        self.command, self.mode, self.allowed = command, mode, sorted(allowed)
        super().__init__(f"Cannot {command} while {mode}; possible while: {', '.join(self.allowed)}.")


class MissingDependency(WorkbenchError):
    """An optional package or system library is not installed; the message holds the command that installs it."""

    def __init__(self, feature: str, *, needs: str, install: str) -> None:
        self.feature, self.needs, self.install = feature, needs, install
        super().__init__(f"{feature} needs {needs}, which is not installed. Install it with: {install}")


class ServiceFailed(WorkbenchError):
    """A remote endpoint did not answer as agreed."""

    def __init__(self, service: str, *, reason: str, fix: str = "") -> None:
        self.service, self.reason = service, reason
        super().__init__(f"{service} failed: {reason}." + (f" {fix}" if fix else ""))


class StoreError(WorkbenchError):
    """The database or an archive cannot be used."""

    def __init__(self, what: str, *, reason: str, fix: str = "") -> None:
        self.what, self.reason, self.fix = what, reason, fix
        super().__init__(f"{what}: {reason}." + (f" {fix}" if fix else ""))


class StoreLocked(StoreError):
    """Another process writes to this database."""


class StoreCorrupt(StoreError):
    """The file is not a database of ours, or is damaged."""


class NotStored(StoreError):
    """No such session, episode, step or file in the store."""
