"""Picture features at three scales, and reading them at points."""

from __future__ import annotations

from math import pi
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.bench_vla.config import NUM_PROMPT_CHANNELS


class Pyramid(NamedTuple):
    """Features of pictures."""

    keys: Tensor
    """``(n, key_width, side / 2, side / 2)``: what target maps look at."""
    fine: Tensor
    """``(n, 12, side / 2, side / 2)``: what is looked at closely around a point."""
    middle: Tensor
    """``(n, middle_width, side / 8, side / 8)``: what is read at a point."""
    tokens: Tensor
    """``(n, (side / 16) ** 2, width)``."""


NUM_FINE: Final = 12
_GLIMPSE: Final = 9
NUM_GLIMPSED: Final = NUM_FINE * _GLIMPSE**2
"""Features of the surroundings of a point."""


class Residual(nn.Module):
    """A convolution around which the picture also goes."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, picture: Tensor) -> Tensor:
        """Keep the shape ``(n, width, h, w)``."""
        return picture + functional.relu(self.convolution(picture))


class Stem(nn.Module):
    """A small convolutional network with a way back up, so that fine features know what is around them."""

    def __init__(self, width: int, token_width: int, key_width: int) -> None:
        super().__init__()
        self.middle_width, coarse = 2 * width, 128
        self.first = nn.Conv2d(3, width // 2, 4, stride=2, padding=1)
        self.second = nn.Conv2d(width // 2, width, 3, stride=2, padding=1)
        self.second_block = Residual(width)
        self.third = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.third_block = Residual(2 * width)
        self.fourth = nn.Conv2d(2 * width, coarse, 3, stride=2, padding=1)
        self.fourth_block = Residual(coarse)
        self.to_tokens = nn.Conv2d(coarse, token_width, 1)
        self.up_to_third = nn.Conv2d(coarse, 2 * width, 1)
        self.up_to_second = nn.Conv2d(2 * width, width, 1)
        self.up_to_first = nn.Conv2d(width, key_width, 1)
        self.first_to_keys = nn.Conv2d(width // 2, key_width, 1)
        self.to_keys = nn.Conv2d(key_width, key_width, 1)
        self.to_fine = nn.Conv2d(key_width, NUM_FINE, 1)

    def forward(self, picture: Tensor) -> Pyramid:
        """Map ``(n, 3, side, side)`` in -1..1 to features."""
        first = functional.relu(self.first(picture))
        second = self.second_block(functional.relu(self.second(first)))
        third = self.third_block(functional.relu(self.third(second)))
        fourth = self.fourth_block(functional.relu(self.fourth(third)))
        third = functional.relu(third + _double(self.up_to_third(fourth)))
        second = functional.relu(second + _double(self.up_to_second(third)))
        fine = functional.relu(self.first_to_keys(first) + _double(self.up_to_first(second)))
        return Pyramid(self.to_keys(fine), self.to_fine(fine), third, self.to_tokens(fourth).flatten(2).transpose(1, 2))


class PromptStem(nn.Module):
    """Reads mask and trace channels; its last convolutions start at zero, so that an untrained prompt changes nothing."""

    def __init__(self, width: int, key_width: int) -> None:
        super().__init__()
        self.fine = nn.Conv2d(NUM_PROMPT_CHANNELS, 24, 4, stride=2, padding=1)
        self.medium = nn.Conv2d(24, 48, 3, stride=2, padding=1)
        self.coarse = nn.Conv2d(48, 64, 4, stride=4)
        self.to_keys = nn.Conv2d(24, key_width, 1)
        self.to_tokens = nn.Conv2d(64, width, 1)
        for last in (self.to_keys, self.to_tokens):
            for parameter in last.parameters():
                nn.init.zeros_(parameter)

    def forward(self, prompt: Tensor) -> tuple[Tensor, Tensor]:
        """Map ``(P, 4, 128, 128)`` to what is added to the picture's keys ``(P, key, 64, 64)`` and tokens ``(P, 64, width)``."""
        fine = functional.relu(self.fine(prompt))
        coarse = functional.relu(self.coarse(functional.relu(self.medium(fine))))
        return self.to_keys(fine), self.to_tokens(coarse).flatten(2).transpose(1, 2)


def _double(picture: Tensor) -> Tensor:
    return functional.interpolate(picture, scale_factor=2.0, mode="nearest")


class Window(NamedTuple):
    """The neighbourhood of a map's highest cell."""

    weights: Tensor
    """``(..., h * w)``: sums to one, zero outside the neighbourhood."""
    point: Tensor
    """``(..., 2)``: mean u, v in 0..1."""


def local_mean(logits: Tensor, height: int, width: int, radius: int = 3) -> Window:
    """Return the mean place of maps ``(..., h * w)`` within ``radius`` cells of their highest cell.

    The mean over the whole map would lie between two things that look alike.
    """
    rows = torch.arange(height, device=logits.device).repeat_interleave(width)
    columns = torch.arange(width, device=logits.device).repeat(height)
    best = logits.argmax(-1, keepdim=True)
    is_near = ((rows - rows[best]).abs() <= radius) & ((columns - columns[best]).abs() <= radius)
    weights = logits.masked_fill(~is_near, float("-inf")).softmax(-1)
    u = (weights * (columns + 0.5)).sum(-1) / width
    v = (weights * (rows + 0.5)).sum(-1) / height
    return Window(weights, torch.stack([u, v], dim=-1))


def sample_at(features: Tensor, points: Tensor) -> Tensor:
    """Read features ``(F, f, h, w)`` at points ``(F, n, 2)`` in 0..1, between cells linearly: ``(F, n, f)``."""
    grid = (2 * points - 1)[:, :, None].to(features.dtype)
    return functional.grid_sample(features, grid, mode="bilinear", padding_mode="border", align_corners=False)[..., 0].transpose(1, 2)


def look_closely(picture: Pyramid, points: Tensor) -> Tensor:
    """Read the 9 x 9 cells around points ``(F, n, 2)`` in 0..1: ``(F, n, 972)``; how a thing lies is seen in its edges alone."""
    height, width = picture.fine.shape[-2:]
    steps = torch.arange(_GLIMPSE, device=points.device) - _GLIMPSE // 2
    offsets = torch.stack(torch.meshgrid(steps / width, steps / height, indexing="xy"), dim=-1).flatten(0, 1)
    around = (points[:, :, None] + offsets).flatten(1, 2)
    return sample_at(picture.fine, around).reshape(*points.shape[:2], -1)


def fourier(points: Tensor, num_features: int) -> Tensor:
    """Return waves of coordinates: ``(..., 2)`` in 0..1 to ``(..., num_features)``, from half a period to many over the picture."""
    frequencies = pi * 2.0 ** torch.arange(num_features // 4, device=points.device)
    angles = (points[..., None] * frequencies).flatten(-2)
    return torch.cat([angles.sin(), angles.cos()], dim=-1)
