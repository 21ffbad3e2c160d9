"""Writes a tiny LeRobot policy with random weights, to try the server without downloads: ``python -m models.servers.lerobot_tiny OUT``.

It moves at random, by centimetres; what it shows is that pictures, state and actions cross the border.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch
from lerobot.configs import FeatureType, PolicyFeature
from lerobot.policies.act.configuration_act import ACTConfig
from lerobot.policies.act.modeling_act import ACTPolicy
from lerobot.policies.factory import make_pre_post_processors

IMAGE_SIZE: Final = 96
CHUNK: Final = 8


def write_tiny_act(out: Path) -> None:
    """Write a random ACT policy of the bench's observations and actions, with its processors and made-up statistics."""
    torch.manual_seed(0)
    image = PolicyFeature(type=FeatureType.VISUAL, shape=(3, IMAGE_SIZE, IMAGE_SIZE))
    config = ACTConfig(
        input_features={
            "observation.images.front": image,
            "observation.images.wrist": image,
            "observation.state": PolicyFeature(type=FeatureType.STATE, shape=(16,)),
        },
        output_features={"action": PolicyFeature(type=FeatureType.ACTION, shape=(7,))},
        device="cpu",
        chunk_size=CHUNK,
        n_action_steps=CHUNK // 2,
        pretrained_backbone_weights=None,
        dim_model=32,
        n_heads=2,
        dim_feedforward=64,
        n_encoder_layers=1,
        use_vae=False,
    )
    policy = ACTPolicy(config)
    policy.save_pretrained(out)
    for processor in make_pre_post_processors(config, dataset_stats=_statistics()):
        processor.save_pretrained(out)


def _statistics() -> dict[str, Any]:
    def of(mean: torch.Tensor, std: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"mean": mean, "std": std, "min": mean - 3 * std, "max": mean + 3 * std}

    channels = torch.full((3, 1, 1), 0.5), torch.full((3, 1, 1), 0.25)
    action = torch.tensor([0, 0, 0, 0, 0, 0, 0.5]), torch.tensor([0.004] * 3 + [0.01] * 3 + [0.3])
    return {
        "observation.images.front": of(*channels),
        "observation.images.wrist": of(*channels),
        "observation.state": of(torch.zeros(16), torch.ones(16)),
        "action": of(*action),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Write the policy; return the exit status."""
    parser = argparse.ArgumentParser(prog="lerobot_tiny", description=__doc__)
    parser.add_argument("out", type=Path, metavar="OUT", help="directory to write")
    args = parser.parse_args(argv)
    write_tiny_act(args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
