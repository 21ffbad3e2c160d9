"""A named set of lazy factories."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from workbench.core.errors import UnknownName

T = TypeVar("T")


@dataclass(frozen=True)
class Entry(Generic[T]):
    """One entry of a catalogue."""

    name: str
    load: Callable[[], T]
    """Imports and makes the thing; called only when it is asked for."""
    description: str = ""


@dataclass
class Catalog(Generic[T]):
    """Names to lazy factories, in the order in which they were added."""

    kind: str
    """What the entries are, for error messages: ``policy``, ``task``."""
    _entries: dict[str, Entry[T]] = field(default_factory=dict)

    def add(self, name: str, load: Callable[[], T], description: str = "") -> None:
        """Add an entry; a name that is there already is our own mistake."""
        assert name not in self._entries, f"{self.kind} {name!r} added twice"
        self._entries[name] = Entry(name, load, description)

    def entry(self, name: str) -> Entry[T]:
        """Return an entry.

        Raises:
            UnknownName: there is none of that name; the message lists the known ones.
        """
        if name not in self._entries:
            raise UnknownName(self.kind, name, self._entries)
        return self._entries[name]

    def load(self, name: str) -> T:
        """Make the entry of that name; errors as :meth:`entry`."""
        return self.entry(name).load()

    def __iter__(self) -> Iterator[Entry[T]]:
        return iter(self._entries.values())

    def __contains__(self, name: object) -> bool:
        return name in self._entries
