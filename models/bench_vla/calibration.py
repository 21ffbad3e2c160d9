"""Where the cameras stand, as a robot's calibration tells: from a place on a picture to a way from the end-effector, on the table."""

from __future__ import annotations

from math import pi
from typing import Final

import mujoco
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.bench_vla.normalisation import ArmPose, read_turns
from workbench.core.types import CameraRequest
from workbench.simulation.build import build_model
from workbench.simulation.cameras import make_pinhole
from workbench.simulation.layout import GRIPPER_YAW
from workbench.simulation.rig import find_rig
from workbench.simulation.scene import Scene

NUM_FEATURES: Final = 9
NUM_TURNS: Final = 6
NUM_GRIPS: Final = NUM_TURNS + 3
NUM_SAID: Final = 9
NUM_RELATIONS: Final = 16 + NUM_TURNS
_MIDDLE_YAW: Final = sum(GRIPPER_YAW) / 2
_PLANE_M: Final = 0.03
"""Height of the things on the table, about: pixels are lifted to this plane."""
_FLAT_M: Final = (0.015, 0.0)
"""Height of what is pushed, and of the flat place where it goes."""
_SCALES_M: Final = (0.3, 0.1, 0.03)
"""Far and near ways are both told finely."""
_SCALES_RAD: Final = (1.0, 0.3, 0.1)
_SHORTEST_M: Final = 0.01
"""Shorter ways have no direction."""


class Calibration(nn.Module):
    """The plain bench's cameras: the front one in the world, the wrist one in the end-effector's frame. Stored with the weights.

    A scene whose cameras were moved is seen through the same calibration, as by a robot that was not calibrated again.
    """

    def __init__(self) -> None:
        super().__init__()
        model = build_model(Scene(()))
        data = mujoco.MjData(model)
        data.qpos[find_rig(model).qpos] = Scene(()).arm_joints
        mujoco.mj_forward(model, data)
        site = find_rig(model).site
        T_world_ee = np.eye(4)
        T_world_ee[:3, :3], T_world_ee[:3, 3] = data.site_xmat[site].reshape(3, 3), data.site_xpos[site]
        front, wrist = (make_pinhole(model, data, CameraRequest(name, 1, 1)) for name in ("front", "wrist"))
        self.register_buffer("front", torch.tensor(front.T_world_camera, dtype=torch.float32))
        self.register_buffer("wrist", torch.tensor(np.linalg.inv(T_world_ee) @ wrist.T_world_camera, dtype=torch.float32))
        self.register_buffer("focal", torch.tensor([front.fy, wrist.fy], dtype=torch.float32))
        self.front: Tensor
        self.wrist: Tensor
        self.focal: Tensor

    def from_front(self, points: Tensor, pose: ArmPose, height: float | Tensor = _PLANE_M) -> Tensor:
        """Return ``(A, R, 9)``: ways from the end-effector to points ``(A, R, 2)`` in 0..1 of the front picture, at heights ``(A, R)`` [m]."""
        return _scaled(self.lift_front(points, height) - pose.position[:, None])

    def relate(self, points: Tensor, pose: ArmPose, heights: tuple[float, float] = _FLAT_M) -> Tensor:
        """Return ``(A, 22)``: the way on the table from the first to the second of points ``(A, 2, 2)``, and where the arm is along it.

        ``heights`` are those of the two points [m]. What pushes must come down behind a thing on the line to its goal, and turn across it.
        """
        levels = torch.tensor(heights, dtype=points.dtype, device=points.device).expand(points.shape[:2])
        spots = self.lift_front(points, levels)[..., :2]
        way, offset = spots[:, 1] - spots[:, 0], pose.position[:, :2] - spots[:, 0]
        along = functional.normalize(way, dim=-1, eps=1e-3)
        pointing = pose.rotation[:, :2, 0]
        lead, turn = _turn_into(along, offset), _turn_into(along, pointing)
        double = torch.stack([turn[:, 0] ** 2 - turn[:, 1] ** 2, 2 * turn[:, 0] * turn[:, 1]], dim=-1)
        return torch.cat([_scaled(way), _scaled(lead), along, double, self.turns(way[:, None], pose)[:, 0]], dim=-1)

    def turns(self, ways: Tensor, pose: ArmPose) -> Tensor:
        """Return ``(A, n, 6)``: how far the gripper must turn to stand across and along ways ``(A, n, 2)`` on the table; 0 for no way.

        Its fingers are alike, so of two ends it takes the one that its last joint reaches best.
        """
        yaw = _own_yaw(pose)
        # Of short ways the angle's gradient is wild: where things are is learnt from the maps alone.
        ways = ways.detach()
        is_way = ways.norm(dim=-1) > _SHORTEST_M
        safe = torch.where(is_way[..., None], ways, ways.new_tensor([1.0, 0.0]))
        heading = torch.atan2(safe[..., 1], safe[..., 0])
        both = torch.stack([heading, heading + pi / 2], dim=-1)
        reached = both - pi * torch.round(both / pi)
        reached = torch.where(reached < GRIPPER_YAW[0], reached + pi, reached)
        turn = (reached - yaw[:, None, None]) * is_way[..., None]
        return _scaled(turn, _SCALES_RAD)

    def grips(self, heading: Tensor, pose: ArmPose) -> Tensor:
        """Return ``(A, 9)``: how far the gripper must turn to grip along a heading ``(A, 2)``, see :class:`~models.bench_vla.heading.Heading`.

        First so that it can turn on counter-clockwise, then so that it can turn on clockwise; then the heading itself, and how sure it is.
        """
        heading = heading.detach()
        yaw = _own_yaw(pose)
        along = yaw + torch.atan2(heading[:, 1], heading[:, 0] + 1e-9) / 2
        low, high = GRIPPER_YAW
        ends = torch.stack([low + (along - low) % pi, high - (high - along) % pi], dim=-1)
        sureness = heading.norm(dim=-1, keepdim=True)
        return torch.cat(
            [_scaled(ends - yaw[:, None], _SCALES_RAD), functional.normalize(heading, dim=-1), torch.tanh(sureness / 10)], dim=-1
        )

    def turns_said(self, angle: Tensor, state: Tensor) -> Tensor:
        """Return ``(A, 9)``: a turn that was told ``(A,)`` [rad], and what is left of it after the turn since the last change, and the one before."""
        angle = angle.detach()[:, None]
        return _scaled(torch.cat([angle, angle - read_turns(state)], dim=-1), _SCALES_RAD)

    def from_wrist(self, points: Tensor, pose: ArmPose) -> Tensor:
        """Return ``(A, R, 9)``: ways from the end-effector to points ``(A, R, 2)`` in 0..1 of the wrist picture."""
        rays = self._rays(points, 1) @ self.wrist[:3, :3].T @ pose.rotation.transpose(1, 2)
        origin = pose.position + (pose.rotation @ self.wrist[:3, 3, None])[..., 0]
        return _scaled(_lift(origin, rays, _PLANE_M) - pose.position[:, None])

    def lift_front(self, points: Tensor, height: float | Tensor) -> Tensor:
        """Return the places ``(A, R, 3)`` [m] of points ``(A, R, 2)`` in 0..1 of the front picture, at heights ``(A, R)`` [m]."""
        rays = self._rays(points, 0) @ self.front[:3, :3].T
        return _lift(self.front[:3, 3].expand(len(points), 3), rays, height)

    def _rays(self, points: Tensor, camera: int) -> Tensor:
        level = (points - 0.5) / self.focal[camera]
        return torch.cat([level, torch.ones_like(level[..., :1])], dim=-1)


def _lift(origin: Tensor, rays: Tensor, height: float | Tensor) -> Tensor:
    """Follow rays ``(A, R, 3)`` from ``origin`` ``(A, 3)`` down to ``height`` ``(A, R)`` [m]: ``(A, R, 3)``."""
    down = rays[..., 2].clamp(max=-1e-2)
    length = ((height - origin[:, None, 2]) / down).clamp(0, 3)
    return origin[:, None] + length[..., None] * rays


def _scaled(values: Tensor, scales: tuple[float, ...] = _SCALES_M) -> Tensor:
    """Return ways [m] or turns [rad] ``(..., n)`` at three scales, ``(..., 3 n)``."""
    return torch.tanh(values[..., None, :] / values.new_tensor(scales)[:, None]).flatten(-2)


def _own_yaw(pose: ArmPose) -> Tensor:
    """Return ``(A,)``, how the gripper is turned [rad], within half a turn of the middle of what it reaches."""
    rotation = pose.rotation
    return _MIDDLE_YAW + _wrap(torch.atan2(rotation[:, 1, 0], rotation[:, 0, 0]) - _MIDDLE_YAW)


def _wrap(angle: Tensor) -> Tensor:
    """Return an angle [rad] in -pi..pi."""
    return torch.atan2(angle.sin(), angle.cos())


def _turn_into(along: Tensor, way: Tensor) -> Tensor:
    """Return ``(A, 2)``: the parts of a way ``(A, 2)`` along and across a direction."""
    return torch.stack([(along * way).sum(-1), along[:, 0] * way[:, 1] - along[:, 1] * way[:, 0]], dim=-1)
