"""Mappings that make their values on look-up, and only while the moment they belong to is current."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from workbench.core.errors import InvalidInput, UnknownName

V = TypeVar("V")


class Moment:
    """A counter that tells whether the simulator has moved on."""

    def __init__(self) -> None:
        self.count = 0

    def advance(self) -> None:
        """Make everything of before stale."""
        self.count += 1


class LazyMapping(Mapping[str, V]):
    """Camera name to a value that is made when it is first looked up."""

    def __init__(self, kind: str, makers: Mapping[str, Callable[[], V]], moment: Moment) -> None:
        self._kind, self._makers, self._moment = kind, dict(makers), moment
        self._made_at = moment.count
        self._values: dict[str, V] = {}

    def __getitem__(self, name: str) -> V:
        if name in self._values:
            return self._values[name]
        if name not in self._makers:
            # Mapping wants a KeyError for its `get` and `in`.
            raise _UnknownKey(self._kind, name, self._makers)
        if self._moment.count != self._made_at:
            raise InvalidInput(
                f"{self._kind} {name!r}",
                expected="a look-up before the simulator moves on",
                found="a simulator that has been stepped or restored since",
                fix="Look the picture up before the next step.",
            )
        value = self._values[name] = self._makers[name]()
        return value

    def __contains__(self, name: object) -> bool:
        return name in self._makers

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


class _UnknownKey(UnknownName, KeyError):
    """An unknown name that a mapping's own methods understand as a missing key."""
