"""A tiny network with the anatomy of a VLA: proprio, words, picture and action tokens, one pass, words and bins in one tied table."""

import numpy as np
import torch
from torch import nn
from transformers import LlamaConfig, LlamaModel

from workbench.core.anatomy import ActionBins, ActionTokens, Anatomy, ImageTokens, Readout, Span, Stack
from workbench.core.protocols import PolicySpec
from workbench.core.types import ACTION_NAMES, ActionChunk, Observation

WIDTH, INNER, LAYERS, NUM_STEPS, NUM_BINS, SIDE = 32, 48, 3, 2, 9, 4
WORDS = ("<pad>", "red", "cube", "up", "down", "fast", "slow", "lift", "raise", "lower")
NUM_DIMS = len(ACTION_NAMES)
FIRST_ACTION = 1 + len(WORDS) + SIDE * SIDE
CENTRES = tuple(np.linspace(-0.03, 0.03, NUM_BINS).tolist())


class TinyVla(nn.Module):
    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        size = len(WORDS) + NUM_DIMS * NUM_BINS
        config = LlamaConfig(
            vocab_size=size, hidden_size=WIDTH, intermediate_size=INNER, num_hidden_layers=LAYERS, num_attention_heads=4,
            num_key_value_heads=4, max_position_embeddings=128, initializer_range=0.15, use_cache=False,
        )  # fmt: skip
        self.decoder = LlamaModel(config)
        for layer in self.decoder.layers:
            layer.self_attn.is_causal = False
        self.patches = nn.Linear(3, WIDTH)
        self.proprio = nn.Linear(16, WIDTH)
        self.queries = nn.Parameter(0.5 * torch.randn(NUM_STEPS * NUM_DIMS, WIDTH))
        self.eval()

    def forward(self, proprio, words, image):
        """``(B, 16)``, ``(B, 10)``, ``(B, 4, 4, 3)`` to logits ``(B, steps, dims, bins)``."""
        tokens = torch.cat(
            [
                self.proprio(proprio)[:, None],
                self.decoder.embed_tokens(words),
                self.patches(image.flatten(1, 2)),
                self.queries.expand(len(proprio), -1, -1),
            ],
            dim=1,
        )
        rotary = self.decoder.rotary_emb(tokens, position_ids=torch.arange(tokens.shape[1])[None])
        hidden = tokens
        for layer in self.decoder.layers:
            hidden = layer(hidden, attention_mask=None, position_embeddings=rotary)
        hidden = self.decoder.norm(hidden)[:, FIRST_ACTION:].unflatten(1, (NUM_STEPS, NUM_DIMS))
        table = self.decoder.embed_tokens.weight[len(WORDS) :].unflatten(0, (NUM_DIMS, NUM_BINS))
        return torch.einsum("bsdw,dnw->bsdn", hidden, table)


def tiny_anatomy():
    end = FIRST_ACTION + NUM_STEPS * NUM_DIMS
    groups = {
        "proprio": (Span(0, 1),),
        "text": (Span(1, 1 + len(WORDS)),),
        "image": (Span(1 + len(WORDS), FIRST_ACTION),),
        "action": (Span(FIRST_ACTION, end),),
        "action dz": tuple(Span(n, n + 1) for n in range(FIRST_ACTION + 2, end, NUM_DIMS)),
    }
    bins = tuple(ActionBins(name, len(WORDS) + i * NUM_BINS, CENTRES, "m") for i, name in enumerate(ACTION_NAMES))
    stack = Stack(
        "decoder",
        tuple(f"decoder.layers.{i}" for i in range(LAYERS)),
        WIDTH,
        INNER,
        final_norm="decoder.norm",
        groups=groups,
        images=(ImageTokens("front", 1 + len(WORDS), SIDE, SIDE),),
        actions=ActionTokens(FIRST_ACTION, NUM_STEPS, NUM_DIMS),
        readout=Readout("decoder.embed_tokens", WORDS, bins),
    )
    return Anatomy("tiny", (stack,))


class TinyPolicy:
    """Acts by the expected value of each dimension's bins."""

    def __init__(self, seed=0):
        self.module, self.sites = TinyVla(seed), tiny_anatomy()
        self.spec = PolicySpec("tiny", prompts=frozenset({"text"}))

    def reset(self, rng):
        pass

    def logits(self, observation, prompt):
        ids = [WORDS.index(w) for w in prompt.text.split()]
        words = torch.tensor([ids + [0] * (len(WORDS) - len(ids))])
        image = torch.tensor(observation.images["front"].copy(), dtype=torch.float32)[None] / 255
        with torch.inference_mode():
            return self.module(torch.tensor(observation.proprio)[None], words, image)

    def act(self, observation, prompt, rng):
        chances = self.logits(observation, prompt)[0].softmax(-1)
        return ActionChunk((chances @ torch.tensor(CENTRES)).numpy().astype(np.float32), 20.0)


def make_observation(seed=0, step=0, **parts):
    rng = np.random.default_rng(seed)
    proprio = rng.normal(0, 0.5, 16).astype(np.float32)
    image = rng.integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)
    return Observation({"front": image}, {}, {}, proprio, step, step / 20.0, **parts)
