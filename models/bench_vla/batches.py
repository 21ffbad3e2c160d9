"""From demonstrations to what the network reads and should answer: prompts are drawn and dropped here."""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.bench_vla.config import NUM_PROMPT_CHANNELS, NUM_ROLES, BenchVlaConfig
from models.bench_vla.network import Batch
from models.bench_vla.normalisation import normalise_state, to_pictures
from models.bench_vla.prompts import NUM_AHEAD, draw_outline, draw_trace, find_low_part, five_points, look_along
from models.bench_vla.shards import EPISODE, STATIC, TASK_NAMES, ShardSet
from models.bench_vla.shards import Batch as Asked
from models.bench_vla.vocabulary import Vocabulary
from workbench.core.types import PROPRIO
from workbench.simulation.layout import said_turn
from workbench.simulation.manner import PLAIN, manner_of

_NEEDS_WORDS: Final = frozenset(TASK_NAMES.index(name) for name in ("turn_knob", "rotate_block", "sort_two"))
"""Neither a mask nor a trace tells how far to turn, or what comes second."""
_HAS_HEADING: Final = tuple(TASK_NAMES.index(name) for name in ("turn_knob", "rotate_block", "open_drawer"))
_OPEN_ABOVE: Final = 0.5
"""An opening above which nothing is held."""
_HELD: Final = -1
"""Beside the kinds of frames: moments of episodes in which something is held that is turned; they are few, and decide the angle."""
_TURNED: Final = tuple(TASK_NAMES.index(name) for name in ("turn_knob", "rotate_block"))
_TASK_SHARES: Final = {
    "touch": 0.8,
    "place_on_plate": 1.6,
    "place_in_bowl": 1.2,
    "stack": 1.4,
    "push_to_zone": 2.0,
    "open_drawer": 1.2,
    "close_drawer": 0.8,
    "press_button": 0.6,
    "turn_knob": 3.0,
    "rotate_block": 1.5,
    "ambiguous_cubes": 0.6,
    "ambiguous_plates": 0.6,
    "sort_two": 0.3,
}
"""How often each task is trained, against 1 for all others."""
_DROP_INTERACTION: Final = 0.15
_DROP_HEIGHT: Final = 0.4
_DROP_GRIPPER: Final = 0.3
_SHUT_HALF: Final = 0.5
"""How often the half open gripper of a push is told as a shut one: a person who draws a push knows open and shut alone."""
_BRIGHTNESS: Final = 0.12
_STATE_NOISE: Final = 0.01


class Telling(Enum):
    """What an ask is told by."""

    WORDS = (True, False, False)
    WORDS_MASK = (True, True, False)
    WORDS_TRACE = (True, False, True)
    MASK = (False, True, False)
    TRACE = (False, False, True)
    NOTHING = (False, False, False)

    @property
    def has_words(self) -> bool:
        """Whether the instruction is given."""
        return self.value[0]

    @property
    def has_mask(self) -> bool:
        """Whether the thing of the present sub-step is masked."""
        return self.value[1]

    @property
    def has_trace(self) -> bool:
        """Whether the path ahead is drawn."""
        return self.value[2]


_SHARES: Final = {
    Telling.WORDS: 0.52,
    Telling.WORDS_MASK: 0.05,
    Telling.WORDS_TRACE: 0.07,
    Telling.MASK: 0.12,
    Telling.TRACE: 0.22,
    Telling.NOTHING: 0.02,
}


class Labels(NamedTuple):
    """What the network should answer; ``chosen`` asks go through the decoder."""

    chosen: Tensor
    """``(C,) int64``."""
    actions: Tensor
    """``(A, 8, 7) float``."""
    has_action: Tensor
    """``(A, 8) bool``; false when all is done: an arm that learnt to keep still would stop short of the goal."""
    turn: Tensor
    """``(A,) float``: what the gripper must turn on before it comes down [rad]."""
    said_turn: Tensor
    """``(A,) float``: the turn that the words tell [rad], 0 for none."""
    has_heading: Tensor
    """``(A,) bool``: that turn leads to the heading of the target, which has two like ends."""
    trace: Tensor
    """``(C, 10) int64``."""
    has_trace: Tensor
    """``(C,) bool``: the path is known and was not given."""
    done: Tensor
    """``(C,) float``, 0 or 1."""
    front: Tensor
    """``(A, 2, 3)``: u, v in 0..1 and whether it is in the picture."""
    wrist: Tensor
    """``(A, 2, 3)``."""
    has_front: Tensor
    """``(A, 2) bool``: whether what was told decides it, and no mask replaces it."""
    has_wrist: Tensor
    """``(A, 2) bool``."""


class BatchMaker:
    """Draws batches from shards: tasks by their shares, and of each as many moments of episodes as static scenes, and as many of turning."""

    def __init__(self, shards: ShardSet, config: BenchVlaConfig, *, num_frames: int = 32, asks_per_frame: int = 4) -> None:
        """Draw ``num_frames`` frames with ``asks_per_frame`` asks of each; the first of these goes through the decoder."""
        self.shards, self.config = shards, config
        self._num_frames, self._asks_per_frame = num_frames, asks_per_frame
        self._vocabulary = Vocabulary(config)
        self._groups: dict[tuple[int, int], NDArray[np.int64]] = {}
        self._num_grouped = self._num_shown = 0

    def draw(self, rng: np.random.Generator) -> tuple[Batch, Labels]:
        """Draw a batch and its labels."""
        asked = self.shards.gather(np.concatenate([self._with_others(a, rng) for a in self.draw_asks(rng, self._num_frames)]))
        tellings = [_draw_telling(asked, a, rng) for a in range(len(asked.texts))]
        return self._read(asked, tellings, rng), self._label(asked, tellings)

    def draw_asks(self, rng: np.random.Generator, num_frames: int) -> NDArray[np.int64]:
        """Draw asks of different frames by task and kind, in the order of their frames."""
        self._group()
        tasks = sorted({task for task, _ in self._groups})
        shares = np.array([_TASK_SHARES.get(TASK_NAMES[task], 1.0) for task in tasks])
        owner = self.shards.column("ask_frame")
        first: dict[int, int] = {}
        while len(first) < min(num_frames, self._num_shown):
            task = tasks[int(rng.choice(len(tasks), p=shares / shares.sum()))]
            kinds = [kind for kind in (STATIC, EPISODE, _HELD) if (task, kind) in self._groups]
            group = self._groups[task, kinds[int(rng.integers(len(kinds)))]]
            ask = int(group[int(rng.integers(len(group)))])
            first.setdefault(int(owner[ask]), ask)
        return np.array([first[frame] for frame in sorted(first)], dtype=np.int64)

    def _with_others(self, ask: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Return an ask, and beside it others about the same frame."""
        owner = self.shards.column("ask_frame")
        low, high = np.searchsorted(owner, [owner[ask], owner[ask] + 1])
        others = rng.permutation([a for a in range(low, high) if a != ask])
        return np.resize([ask, *others[: self._asks_per_frame - 1]], self._asks_per_frame).astype(np.int64)

    def _group(self) -> None:
        """Sort the asks of demonstrations by task and kind of frame, again when there are new ones."""
        if self._num_grouped == self.shards.num_asks:
            return
        tasks, kinds = self.shards.column("ask_task"), self.shards.column("kind")[self.shards.column("ask_frame")]
        pairs = {(int(task), int(kind)) for task, kind in zip(tasks, kinds, strict=True) if kind in (STATIC, EPISODE)}
        self._groups = {(task, kind): np.flatnonzero((tasks == task) & (kinds == kind)) for task, kind in pairs}
        opening = self.shards.column("proprio")[:, PROPRIO["gripper"]][:, 0][self.shards.column("ask_frame")]
        held = (kinds == EPISODE) & (opening < _OPEN_ABOVE)
        self._groups |= {(task, _HELD): found for task in _TURNED if len(found := np.flatnonzero(held & (tasks == task)))}
        self._num_grouped, self._num_shown = self.shards.num_asks, int((self.shards.column("kind") <= EPISODE).sum())

    def _read(self, asked: Asked, tellings: list[Telling], rng: np.random.Generator) -> Batch:
        frames, asks = asked.frames, asked.asks
        told = [text if telling.has_words else "" for text, telling in zip(asked.texts, tellings, strict=True)]
        prompted = [a for a, telling in enumerate(tellings) if telling.has_mask or telling.has_trace]
        side = self.config.front_side
        channels = np.zeros((len(prompted), NUM_PROMPT_CHANNELS, side, side), dtype=np.float32)
        mask_role = np.full(len(prompted), -1, dtype=np.int64)
        trace = np.full((len(tellings), 2 * self.config.num_trace_points), -1, dtype=np.int64)
        ahead = np.zeros((len(tellings), NUM_AHEAD, 6), dtype=np.float32)
        low_part = np.zeros((len(tellings), 2, 3), dtype=np.float32)
        interaction = np.zeros(len(tellings), dtype=np.int64)
        for row, ask in enumerate(prompted):
            if tellings[ask].has_trace:
                path = asks["path"][ask].astype(float)
                trace[ask] = five_points(path, self.config.num_trace_points, self.config.num_coordinates)
                path[:, 2] = np.nan if rng.random() < _DROP_HEIGHT else path[:, 2]
                path[:, 3] = np.nan if rng.random() < _DROP_GRIPPER else path[:, 3]
                if rng.random() < _SHUT_HALF:
                    path[:, 3] = np.where(path[:, 3] == 0.5, 0.0, path[:, 3])
                draw_trace(channels[row], path)
                ahead[ask] = look_along(path)
                low_part[ask] = find_low_part(path)
            if tellings[ask].has_mask:
                mask_role[row] = asks["role_now"][ask]
                draw_outline(channels[row], _shake(asks["outlines"][ask, mask_role[row]], rng))
                interaction[ask] = 0 if rng.random() < _DROP_INTERACTION else 1 + int(asks["interaction"][ask])
        state = normalise_state(frames["proprio"], frames["memory"])[asked.frame]
        return Batch(
            front=_change_light(to_pictures(frames["front"]), rng),
            wrist=_change_light(to_pictures(frames["wrist"]), rng),
            words=torch.from_numpy(np.stack([self._vocabulary.encode(text) for text in told])),
            state=torch.from_numpy(state + rng.normal(0, _STATE_NOISE, state.shape).astype(np.float32)),
            interaction=torch.from_numpy(interaction),
            prompt=torch.from_numpy(channels),
            prompted=torch.tensor(prompted, dtype=torch.int64),
            mask_role=torch.from_numpy(mask_role),
            trace=torch.from_numpy(trace),
            ahead=torch.from_numpy(ahead),
            low_part=torch.from_numpy(low_part),
        )

    def _label(self, asked: Asked, tellings: list[Telling]) -> Labels:
        asks = asked.asks
        chosen = np.arange(0, len(tellings), self._asks_per_frame)
        points, cells = self.config.num_trace_points, self.config.num_coordinates
        trace = np.stack([five_points(path, points, cells) for path in np.nan_to_num(asks["path"][chosen])])
        is_given = np.array([tellings[a].has_trace for a in chosen])
        says_all = np.array([t.has_words or t.has_trace for t in tellings]) & ~np.array(
            [asks["is_ambiguous"][a] and t is Telling.WORDS for a, t in enumerate(tellings)]
        )
        is_masked = np.array([t.has_mask for t in tellings])[:, None] & (asks["role_now"][:, None] == np.arange(NUM_ROLES))
        has_action = asks["valid"] & ~asks["done"][:, None]
        is_shown = says_all[:, None] | is_masked
        is_empty = asked.frames["proprio"][asked.frame][:, PROPRIO["gripper"]][:, 0] > _OPEN_ABOVE
        return Labels(
            chosen=torch.from_numpy(chosen),
            actions=torch.from_numpy(asks["actions"]),
            has_action=torch.from_numpy(has_action),
            turn=torch.from_numpy(asks["turn"]),
            said_turn=torch.tensor([said_turn(x) if t.has_words else 0.0 for x, t in zip(asked.texts, tellings, strict=True)]),
            has_heading=torch.from_numpy(is_shown[:, 0] & is_empty & np.isin(asks["ask_task"], _HAS_HEADING) & has_action[:, 0]),
            trace=torch.from_numpy(trace),
            has_trace=torch.from_numpy(asks["has_path"][chosen] & ~asks["is_detour"][chosen] & ~is_given),
            done=torch.from_numpy(asks["done"][chosen].astype(np.float32)),
            front=torch.from_numpy(asks["front_targets"]),
            wrist=torch.from_numpy(asks["wrist_targets"]),
            has_front=torch.from_numpy(says_all[:, None] & ~is_masked),
            has_wrist=torch.from_numpy(is_shown),
        )


def _draw_telling(asked: Asked, ask: int, rng: np.random.Generator) -> Telling:
    """Draw how an ask is told, such that what is told decides what is done."""
    asks = asked.asks
    has_outline = bool(np.isfinite(asks["outlines"][ask, asks["role_now"][ask]]).all())
    has_path = bool(asks["has_path"][ask])
    needs_words = int(asks["ask_task"][ask]) in _NEEDS_WORDS or manner_of(asked.texts[ask]) != PLAIN
    is_open = bool(asks["is_detour"][ask]) or bool(asks["is_ambiguous"][ask])
    shares = {
        telling: share
        for telling, share in _SHARES.items()
        if (not telling.has_mask or (has_outline and not asks["is_detour"][ask]))
        and (not telling.has_trace or has_path)
        and (telling.has_words or not needs_words)
        and (not is_open or telling.has_trace or telling.has_mask)
    } or {Telling.WORDS: 1.0}
    total = sum(shares.values())
    return list(shares)[int(rng.choice(len(shares), p=[s / total for s in shares.values()]))]


def _shake(outline: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float64]:
    """Make an outline a little larger or smaller and shift it, as masks that were not cut by an oracle are."""
    middle = outline.mean(0)
    shaken: NDArray[np.float64] = middle + (outline - middle) * rng.uniform(0.8, 1.2) + rng.normal(0, 0.004, 2)
    return shaken


def _change_light(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """Change brightness and tint of each picture."""
    gain = rng.uniform(1 - _BRIGHTNESS, 1 + _BRIGHTNESS, (len(pictures), 1, 1, 1)) * rng.uniform(0.96, 1.04, (len(pictures), 3, 1, 1))
    return pictures.add_(1).mul_(torch.from_numpy(gain.astype(np.float32))).sub_(1).clamp_(-1, 1)
