"""The network: two picture stems, target maps, and Llama decoder blocks over words, pictures, trace and action tokens.

Anatomy of OpenVLA-OFT at bench size (Source: Kim et al. 2025, arXiv:2502.19645: all action tokens of a chunk in one parallel pass, full
attention), with supervised attention from words to picture (Source: GUI-Actor, arXiv:2506.03143: attention maps trained as answers) and
prompt channels that start without effect (Source: ROCKET-1, arXiv:2410.17856: mask channel; RT-Trajectory, arXiv:2311.01977: 2.5-D trace).

Where we differ: prompt channels have a stem of their own, whose last convolutions start at zero and whose result is added to that of the
picture, so that a picture's features are computed once for many instructions; and action and trace tokens do not begin empty but with
what is known of target and arm.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Final, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import LlamaConfig, LlamaModel
from transformers.models.llama.modeling_llama import LlamaDecoderLayer

from models.bench_vla.aim import CLOSE_WIDTH, Aim, mlp
from models.bench_vla.calibration import NUM_FEATURES, Calibration
from models.bench_vla.config import NUM_ROLES, STATE_DIM, BenchVlaConfig
from models.bench_vla.heading import Heading
from models.bench_vla.normalisation import ArmPose, read_pose
from models.bench_vla.stem import NUM_GLIMPSED, PromptStem, Pyramid, Stem, Window, fourier, local_mean, look_closely, sample_at
from models.bench_vla.vocabulary import Vocabulary
from workbench.core.types import ACTION_DIM, Interaction

NUM_INTERACTIONS: Final = len(Interaction) + 1
"""No interaction is 0."""
_POINT_FEATURES: Final = 24
_KEY_WIDTH: Final = 32
_PATCH: Final = 16
"""Side of the part of a picture that one token stands for [px]."""
_TOOL_M: Final = (0.02, 0.02)
"""Height of the end-effector where it pushes or pulls."""
_PEAK_CELLS: Final = 0.6
"""Width of the peak that a mask puts into a target map, as wide as that of a trained map [cells]."""


@dataclass(frozen=True, eq=False)
class Batch:
    """What the network reads: F frames, and the same number of asks about each; ask a is about frame a // (A / F)."""

    front: Tensor
    """``(F, 3, 128, 128) float``, -1..1."""
    wrist: Tensor
    """``(F, 3, 64, 64) float``, -1..1."""
    words: Tensor
    """``(A, max_words) int64``."""
    state: Tensor
    """``(A, 26) float``: proprioception and memory, normalised."""
    interaction: Tensor
    """``(A,) int64``, 0 for none."""
    prompt: Tensor
    """``(P, 4, 128, 128) float``, 0..1: mask, trace time, height, gripper; of the asks in :attr:`prompted`."""
    prompted: Tensor
    """``(P,) int64``: the asks that have prompt channels."""
    mask_role: Tensor
    """``(P,) int64``: the role whose map the mask replaces, -1 for no mask."""
    trace: Tensor
    """``(A, 10) int64`` given coordinates u1 v1 ... u5 v5, -1 where no trace is given."""
    ahead: Tensor
    """``(A, 7, 6) float``: the given trace point by point, see :func:`models.bench_vla.prompts.look_along`; zeros where none is given."""
    low_part: Tensor
    """``(A, 2, 3) float``: ends of its low part, see :func:`models.bench_vla.prompts.find_low_part`."""


class Targets(NamedTuple):
    """Where the network looks on one picture."""

    logits: Tensor
    """``(A, 2, 1 + h * w)``: not in the picture, then every cell."""
    window: Window
    """The neighbourhood of the highest cell ``(A, 2, h * w)``, and its mean point ``(A, 2, 2)``."""


class Sight(NamedTuple):
    """What is seen, ask by ask."""

    pose: ArmPose
    """From where."""
    words: Tensor
    """``(A, max_words, width)``."""
    roles: Tensor
    """``(A, 2, width)``: what the words say of target and goal."""
    turn: Tensor
    """``(A,)``: the turn that the words say [rad], 0 for none."""
    front: Targets
    wrist: Targets
    front_seen: Tensor
    """``(A, 2, f)``: what is seen at the points, where they are, and where the arm is."""
    wrist_seen: Tensor
    glimpses: Tensor
    """``(A, 4, 972)``: the surroundings of target and goal on both pictures, closely."""
    front_tokens: Tensor
    """``(A, 64, width)``."""
    wrist_tokens: Tensor
    """``(A, 16, width)``."""


class Plan(NamedTuple):
    """What is known before the decoder, ask by ask: of the arm, of what is seen at the targets, and both together."""

    state: Tensor
    """``(A, width)``."""
    front: Tensor
    """``(A, 2, width)``."""
    wrist: Tensor
    """``(A, 2, width)``."""
    whole: Tensor
    """``(A, width)``: what action and trace tokens begin with."""
    heading: Tensor
    """``(A, 2)``: how the target lies, see :class:`~models.bench_vla.heading.Heading`."""


class Output(NamedTuple):
    """What one pass gives."""

    actions: Tensor
    """``(A, 8, 7, num_bins)`` logits."""
    trace: Tensor
    """``(A, 10, 256)`` logits of the coordinates u1 v1 ... u5 v5."""
    done: Tensor
    """``(A,)`` logit of having finished."""
    front: Targets
    wrist: Targets
    plan: Tensor
    """``(A, width)`` of all asks, also those that did not go through the decoder."""
    heading: Tensor
    """``(A, 2)`` of all asks: how the target lies, see :class:`~models.bench_vla.heading.Heading`."""
    said_turn: Tensor
    """``(A,)`` of all asks: the turn that the words say [rad]."""


class BenchVla(nn.Module):
    """The bench VLA."""

    def __init__(self, config: BenchVlaConfig) -> None:
        super().__init__()
        self.config = config
        self.vocabulary = Vocabulary(config)
        width = config.width
        self.front_stem = Stem(config.stem_width, width, _KEY_WIDTH)
        self.wrist_stem = Stem(config.stem_width, width, _KEY_WIDTH)
        self.prompt_stem = PromptStem(width, _KEY_WIDTH)
        self.text = TextRoles(config)
        seen = _KEY_WIDTH + self.front_stem.middle_width + _POINT_FEATURES + NUM_FEATURES + STATE_DIM + 1
        self.front_query = nn.Linear(width, _KEY_WIDTH)
        self.wrist_query = mlp(width + seen, 2 * width, _KEY_WIDTH)
        self.null_logit = nn.Parameter(torch.zeros(2, NUM_ROLES))
        self.front_target = mlp(seen, 2 * width, width)
        self.wrist_target = mlp(seen, 2 * width, width)
        self.state = mlp(STATE_DIM, 2 * width, width)
        self.interaction = nn.Embedding(NUM_INTERACTIONS, width)
        self.done = nn.Linear(width, 1)
        self.calibration = Calibration()
        self.plan = nn.Linear((1 + 2 * NUM_ROLES) * width, width)
        self.segment = nn.Parameter(0.02 * torch.randn(self.token_slices["action"].stop, width))
        self.decoder = LlamaModel(_llama_config(config, self.vocabulary.size))
        self.close = nn.Sequential(nn.Linear(NUM_GLIMPSED, CLOSE_WIDTH), nn.GELU())
        self.heading = Heading(seen - STATE_DIM)
        self.aim = Aim(2 * NUM_ROLES * seen, width)
        for layer in self.decoder.layers:
            cast(LlamaDecoderLayer, layer).self_attn.is_causal = False

    @cached_property
    def token_slices(self) -> dict[str, slice]:
        """Where each group of tokens lies in the sequence."""
        config = self.config
        lengths = {
            "proprio": 1,
            "interaction": 1,
            "text": config.max_words,
            "target": 2 * NUM_ROLES,
            "front": (config.front_side // _PATCH) ** 2,
            "wrist": (config.wrist_side // _PATCH) ** 2,
            "trace": 2 * config.num_trace_points,
            "action": config.horizon * ACTION_DIM,
        }
        stops = dict(zip(lengths, accumulate(lengths.values()), strict=True))
        return {name: slice(stops[name] - length, stops[name]) for name, length in lengths.items()}

    def forward(self, batch: Batch, chosen: Tensor | None = None) -> Output:
        """Return bins of actions and trace, and where it looks.

        Args:
            batch: frames and asks.
            chosen: ``(C,) int64`` asks that go through the decoder, by default all; target maps are made for all.
        """
        sight = self.look(batch)
        plan = self.make_plan(batch, sight)
        tokens = self.embed(batch, sight, plan, torch.arange(len(batch.words), device=batch.words.device) if chosen is None else chosen)
        return self.read(self.decode(tokens), sight, plan)

    def look(self, batch: Batch) -> Sight:
        """Read the pictures, and find in them what the words or masks mean."""
        num_frames, pose = len(batch.front), read_pose(batch.state)
        front_picture, wrist_picture = self.front_stem(batch.front), self.wrist_stem(batch.wrist)
        prompt_keys, prompt_tokens = self.prompt_stem(batch.prompt)
        words = self.decoder.embed_tokens(batch.words)
        roles, turn = self.text(words)
        front = self._attend(front_picture, self.front_query(roles), self.null_logit[0], (batch, prompt_keys))
        front_seen = _describe(front_picture, front, batch.state, self.calibration.from_front(front.window.point, pose))
        wrist = self._attend(wrist_picture, self.wrist_query(torch.cat([roles, front_seen], -1)), self.null_logit[1], None)
        wrist_seen = _describe(wrist_picture, wrist, batch.state, self.calibration.from_wrist(wrist.window.point, pose))
        per_frame = len(batch.words) // num_frames
        glimpses = torch.cat([_glimpse(front_picture, front), _glimpse(wrist_picture, wrist)], dim=1)
        front_tokens = front_picture.tokens.repeat_interleave(per_frame, dim=0)
        front_tokens = front_tokens.index_add(0, batch.prompted, prompt_tokens.to(front_tokens.dtype))
        wrist_tokens = wrist_picture.tokens.repeat_interleave(per_frame, dim=0)
        return Sight(pose, words, roles, turn, front, wrist, front_seen, wrist_seen, glimpses, front_tokens, wrist_tokens)

    def make_plan(self, batch: Batch, sight: Sight) -> Plan:
        """Put together where the targets are from the arm, what is told, and where a given trace leads."""
        pose = sight.pose
        state, front, wrist = self.state(batch.state), self.front_target(sight.front_seen), self.wrist_target(sight.wrist_seen)
        has_goal = 1 - sight.front.logits[:, 1].softmax(-1)[:, :1]
        relations = has_goal * self.calibration.relate(sight.front.window.point, pose)
        seen = torch.cat([sight.front_seen, sight.wrist_seen], dim=1).flatten(1)
        heading = self.heading(
            (sight.glimpses[:, 0], sight.glimpses[:, NUM_ROLES]), (_without_arm(sight.front_seen), _without_arm(sight.wrist_seen)), pose
        )
        low_part = batch.low_part[:, 0, 2:] * self.calibration.relate(batch.low_part[..., :2], pose, _TOOL_M)
        led = torch.cat(
            [
                relations,
                self._read_ahead(batch, pose),
                self.calibration.grips(heading, pose),
                low_part,
                self.calibration.turns_said(sight.turn, batch.state),
            ],
            dim=-1,
        )
        aim = self.aim(seen, sight.roles.flatten(1), led, torch.cat([self.close(sight.glimpses).flatten(1), batch.state], dim=-1))
        parts = torch.cat([state[:, None], front, wrist], dim=1)
        return Plan(state, front, wrist, self.plan(parts.flatten(1)) + aim, heading)

    def embed(self, batch: Batch, sight: Sight, plan: Plan, chosen: Tensor) -> Tensor:
        """Return the token sequences ``(C, num_tokens, width)`` of some asks."""
        whole = plan.whole[chosen]
        tokens = [
            plan.state[chosen][:, None],
            self.interaction(batch.interaction[chosen])[:, None],
            sight.words[chosen],
            plan.front[chosen],
            plan.wrist[chosen],
            sight.front_tokens[chosen],
            sight.wrist_tokens[chosen],
            self._trace_inputs(batch.trace[chosen], whole),
            whole[:, None].expand(-1, self.config.horizon * ACTION_DIM, -1),
        ]
        return torch.cat(tokens, dim=1) + self.segment

    def decode(self, tokens: Tensor) -> Tensor:
        """Run the decoder blocks with full attention: ``(A, T, width)`` to normalised ``(A, T, width)``."""
        positions = torch.arange(tokens.shape[1], device=tokens.device)[None]
        rotary = self.decoder.rotary_emb(tokens, position_ids=positions)
        hidden = tokens
        for layer in self.decoder.layers:
            hidden = layer(hidden, attention_mask=None, position_embeddings=rotary)
        normalised: Tensor = self.decoder.norm(hidden)
        return normalised

    def read(self, hidden: Tensor, sight: Sight, plan: Plan) -> Output:
        """Read trace, actions and the end off the last layer, by the table of tokens."""
        slices, table, config = self.token_slices, self.decoder.embed_tokens.weight, self.config
        first = self.vocabulary.first_coordinate
        trace = hidden[:, slices["trace"]] @ table[first : first + config.num_coordinates].T
        actions = hidden[:, slices["action"]].reshape(len(hidden), config.horizon, ACTION_DIM, config.width)
        bins = table[self.vocabulary.first_action :].view(ACTION_DIM, config.num_bins, config.width)
        logits = torch.einsum("ahdw,dbw->ahdb", actions, bins)
        done = self.done(hidden[:, slices["proprio"]][:, 0])[:, 0]
        return Output(logits, trace, done, sight.front, sight.wrist, plan.whole, plan.heading, sight.turn)

    def _read_ahead(self, batch: Batch, pose: ArmPose) -> Tensor:
        """Return ``(A, 120)``: ways from the end-effector to the points of a given trace, openings, turns; zeros without one."""
        points, height, has_height = batch.ahead[..., :2], batch.ahead[..., 2], batch.ahead[..., 3]
        # Where no height is told, the trace is read as if it kept the height of the arm.
        height = torch.where(has_height > 0, height, pose.position[:, None, 2])
        ways = self.calibration.from_front(points, pose, height)
        spots = self.calibration.lift_front(points, height)[..., :2]
        turns = self.calibration.turns(spots.diff(dim=1), pose)
        is_given = (batch.trace[:, :1] >= 0).to(ways.dtype)
        return is_given * torch.cat([torch.cat([ways, batch.ahead[..., 3:]], dim=-1).flatten(1), turns.flatten(1)], dim=-1)

    def _attend(self, picture: Pyramid, query: Tensor, null: Tensor, prompt: tuple[Batch, Tensor] | None) -> Targets:
        """Attend from two queries ``(A, 2, key)`` to the pictures; a mask replaces the map of the role that it is for."""
        height, width = picture.keys.shape[-2:]
        keys, num_asks = picture.keys.flatten(2), len(query)
        scale = _KEY_WIDTH**-0.5
        cells = (scale * query.view(len(keys), -1, _KEY_WIDTH) @ keys).view(num_asks, NUM_ROLES, -1)
        if prompt is not None:
            batch, prompt_keys = prompt
            more = scale * query[batch.prompted] @ prompt_keys.flatten(2)
            cells = _put_masks(cells.index_add(0, batch.prompted, more.to(cells.dtype)), batch, (height, width))
        logits = torch.cat([null.expand(num_asks, -1)[..., None].to(cells.dtype), cells], dim=-1).float()
        return Targets(logits, local_mean(logits[..., 1:], height, width))

    def _trace_inputs(self, trace: Tensor, plan: Tensor) -> Tensor:
        """Return ``(C, 10, width)``: the given coordinates, or the plan ``(C, width)`` where the network shall answer."""
        given: Tensor = self.decoder.embed_tokens(trace.clamp(min=0) + self.vocabulary.first_coordinate)
        return torch.where((trace >= 0)[..., None], given, plan[:, None])


class TextRoles(nn.Module):
    """Reads from the words which thing plays which role: two queries for the target maps; and how far something shall be turned."""

    def __init__(self, config: BenchVlaConfig) -> None:
        super().__init__()
        width = config.width
        self.position = nn.Parameter(0.02 * torch.randn(config.max_words, width))
        self.mixer = nn.TransformerEncoderLayer(width, config.num_heads, 2 * width, 0.0, "gelu", batch_first=True, norm_first=True)
        self.roles = nn.Parameter(0.02 * torch.randn(NUM_ROLES, width))
        self.turn_query = nn.Parameter(0.02 * torch.randn(1, width))
        self.turn = mlp(width, width // 2, 1)
        self.attention = nn.MultiheadAttention(width, config.num_heads, batch_first=True)
        self.norm = nn.LayerNorm(width)

    def forward(self, words: Tensor) -> tuple[Tensor, Tensor]:
        """Map word vectors ``(A, max_words, width)`` to ``(A, 2, width)`` and turns ``(A,)`` [rad]."""
        mixed = self.mixer(words + self.position)
        queries = torch.cat([self.roles, self.turn_query]).expand(len(words), -1, -1)
        read = self.norm(queries + self.attention(queries, mixed, mixed, need_weights=False)[0])
        return read[:, :NUM_ROLES], self.turn(read[:, NUM_ROLES])[:, 0].float()


def _describe(picture: Pyramid, targets: Targets, state: Tensor, ways: Tensor) -> Tensor:
    """Return ``(A, 2, f)``: what is seen at the points, where they are on the picture and from the arm ``(A, 2, 9)``, and whether they are seen."""
    num_frames, (num_asks, _, num_cells) = len(picture.keys), targets.window.weights.shape
    weights = targets.window.weights.view(num_frames, -1, num_cells).to(picture.keys.dtype)
    fine = weights @ picture.keys.flatten(2).transpose(1, 2)
    middle = sample_at(picture.middle, targets.window.point.view(num_frames, -1, 2))
    is_seen = 1 - targets.logits.softmax(-1)[..., :1]
    arm = state[:, None].expand(-1, NUM_ROLES, -1)
    grouped = [part.reshape(num_asks, NUM_ROLES, -1) for part in (fine, middle)]
    points = targets.window.point
    return torch.cat([*grouped, fourier(points, _POINT_FEATURES), ways, arm, is_seen], dim=-1)


def _without_arm(seen: Tensor) -> Tensor:
    """Return of what is seen ``(A, 2, f)`` that of the target, without how the arm stands."""
    return torch.cat([seen[:, 0, : -STATE_DIM - 1], seen[:, 0, -1:]], dim=-1)


def _glimpse(picture: Pyramid, targets: Targets) -> Tensor:
    """Return ``(A, 2, 972)``: what is closely around the points."""
    points = targets.window.point
    return look_closely(picture, points.view(len(picture.fine), -1, 2)).reshape(*points.shape[:2], -1)


def _put_masks(cells: Tensor, batch: Batch, size: tuple[int, int]) -> Tensor:
    """Replace maps ``(A, 2, h * w)`` by a peak in the middle of the mask, where there is one."""
    height, width = size
    area = functional.adaptive_avg_pool2d(batch.prompt[:, 0], size)  # (P, h, w)
    total = area.sum((1, 2))
    rows, columns = torch.arange(height, device=area.device), torch.arange(width, device=area.device)
    share = area / total.clamp(min=1e-9)[:, None, None]
    row, column = (share.sum(2) * rows).sum(1), (share.sum(1) * columns).sum(1)
    distance = (rows - row[:, None])[:, :, None] ** 2 + (columns - column[:, None])[:, None, :] ** 2
    peak = (-0.5 / _PEAK_CELLS**2 * distance).flatten(1)[:, None]  # (P, 1, n)
    is_given = (batch.mask_role[:, None] == torch.arange(NUM_ROLES, device=area.device)) & (total > 0)[:, None]  # (P, 2)
    own = torch.where(is_given[..., None], peak, cells[batch.prompted].float())
    return cells.index_copy(0, batch.prompted, own.to(cells.dtype))


def _llama_config(config: BenchVlaConfig, vocabulary_size: int) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=vocabulary_size,
        hidden_size=config.width,
        intermediate_size=config.ffn_width,
        num_hidden_layers=config.num_layers,
        num_attention_heads=config.num_heads,
        num_key_value_heads=config.num_heads,
        max_position_embeddings=512,
        initializer_range=0.03,
        tie_word_embeddings=True,
        use_cache=False,
        attn_implementation="sdpa",  # type: ignore[call-arg] # taken by the base class
    )
