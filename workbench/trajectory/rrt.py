"""A way around things from start and goal alone: a rapidly exploring random tree in the space of the end-effector.

Source: LaValle 1998; the way that is found is then shortened, because a random tree's is crooked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.core.errors import InvalidShape, Unreachable
from workbench.trajectory.paths import Floats, SpacePath

STEP_M: Final = 0.05
"""Longest branch that is added at once."""
GOAL_SHARE: Final = 0.2
"""Share of branches that grow towards the goal."""
MAX_NODES: Final = 1500
NUM_SHORTCUTS: Final = 60
_EDGE_M: Final = 0.01
_SAME_M: Final = 1e-6

IsFree = Callable[[Floats], bool]
"""``is_free(places (K, 3))``: whether the arm can pass all these places, which are near to each other, in this order."""


@dataclass(frozen=True, eq=False)
class RandomWay:
    """A way that was found."""

    path: SpacePath
    num_nodes: int
    num_checks: int
    """How many edges were looked at."""


def plan_random_tree(
    start: ArrayLike,
    goal: ArrayLike,
    is_free: IsFree,
    bounds: tuple[ArrayLike, ArrayLike],
    rng: np.random.Generator,
    *,
    max_nodes: int = MAX_NODES,
    is_stopped: Callable[[], bool] = lambda: False,
) -> RandomWay:
    """Return a free way from start to goal ``(3,)`` [m].

    Args:
        start: where the end-effector is.
        goal: where it shall be.
        is_free: whether an edge can be passed.
        bounds: least and greatest x, y, z in which the tree grows ``(3,)`` each [m].
        rng: of the tree; the same one gives the same way.
        max_nodes: how large the tree may become.
        is_stopped: asked before each branch.

    Raises:
        Unreachable: start or goal are not free, or no way was found with so many nodes.
    """
    first, last = _place(start), _place(goal)
    low, high = np.asarray(bounds[0], dtype=float), np.asarray(bounds[1], dtype=float)
    for place, name in ((first, "start"), (last, "goal")):
        if not is_free(place[None]):
            raise Unreachable(f"a way from the {name}", reason="something is in the way there already", fix=f"Choose another {name}.")
    tree = _Tree(first, is_free)
    if tree.joins(0, last):
        return RandomWay(SpacePath(np.stack([first, last])), 1, tree.num_checks)
    while tree.count < max_nodes and not is_stopped():
        target = last if rng.random() < GOAL_SHARE else rng.uniform(low, high)
        node = tree.grow(target)
        if node is not None and np.linalg.norm(tree.places[node] - last) <= 4 * STEP_M and tree.joins(node, last):
            way = shorten(np.concatenate([tree.way_to(node), last[None]]), is_free, rng)
            return RandomWay(SpacePath(way), tree.count, tree.num_checks)
    raise Unreachable(
        "the goal", reason=f"no way around was found with {tree.count} places", fix="Try again, or move the goal or what is in the way."
    )


class _Tree:
    """The places that were reached, each with the one that it was reached from."""

    def __init__(self, root: Floats, is_free: IsFree) -> None:
        self.places: Floats = np.empty((256, 3))
        self.places[0] = root
        self._parents = [-1]
        self._is_free = is_free
        self.count, self.num_checks = 1, 0

    def grow(self, target: Floats) -> int | None:
        """Add a branch from the nearest place towards a target; return its node, or None where something is in the way."""
        nearest = int(np.argmin(((self.places[: self.count] - target) ** 2).sum(axis=1)))
        offset = target - self.places[nearest]
        length = float(np.linalg.norm(offset))
        if length < _SAME_M:
            return None
        place = self.places[nearest] + offset * min(1.0, STEP_M / length)
        if not self.joins(nearest, place):
            return None
        if self.count == len(self.places):
            self.places = np.concatenate([self.places, np.empty_like(self.places)])
        self.places[self.count] = place
        self._parents.append(nearest)
        self.count += 1
        return self.count - 1

    def joins(self, node: int, place: Floats) -> bool:
        """Tell whether the straight way from a node to a place is free."""
        self.num_checks += 1
        return self._is_free(edge_places(self.places[node], place))

    def way_to(self, node: int) -> Floats:
        """Return the places ``(K, 3)`` from the root to a node."""
        order = []
        while node >= 0:
            order.append(node)
            node = self._parents[node]
        return self.places[order[::-1]].copy()


def shorten(way: Floats, is_free: IsFree, rng: np.random.Generator, *, num_tries: int = NUM_SHORTCUTS) -> Floats:
    """Return a way ``(K, 3)`` with detours cut off where the straight line is free; its ends stay."""
    for _ in range(num_tries):
        if len(way) < 3:
            break
        first, last = sorted(rng.choice(len(way), size=2, replace=False))
        if last - first >= 2 and is_free(edge_places(way[first], way[last])):
            way = np.concatenate([way[: first + 1], way[last:]])
    return way


def edge_places(start: Floats, stop: Floats) -> Floats:
    """Return places ``(K, 3)`` along an edge, both ends among them."""
    num = max(1, int(np.ceil(float(np.linalg.norm(stop - start)) / _EDGE_M)))
    shares: NDArray[np.float64] = np.linspace(0.0, 1.0, num + 1)
    return start + shares[:, None] * (stop - start)


def _place(place: ArrayLike) -> Floats:
    array = np.asarray(place, dtype=float)
    if array.shape != (3,):
        raise InvalidShape("place", expected=(3,), found=array.shape)
    return array
