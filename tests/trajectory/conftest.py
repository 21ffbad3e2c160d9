"""Synthetic depth pictures: a table and upright boxes, cast ray by ray, so that the truth is exact."""

from dataclasses import dataclass

import numpy as np
import pytest

from workbench.core.geometry import Pinhole
from workbench.trajectory.lift import DepthPicture


@dataclass(frozen=True)
class Box:
    x: float
    y: float
    yaw: float
    size: tuple[float, float, float]
    base: float = 0.0

    @property
    def top(self) -> np.ndarray:
        return np.array([self.x, self.y, self.base + self.size[2]])


def look_down(eye=(1.32, 0.0, 0.86), target=(0.45, 0.0, 0.05), size_px=480, fov_deg=45.0) -> Pinhole:
    """A camera like the stage's: OpenCV axes, looking from beyond the table."""
    eye, target = np.array(eye), np.array(target)
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    T = np.eye(4)
    T[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
    T[:3, 3] = eye
    focal = 0.5 * size_px / np.tan(np.deg2rad(fov_deg) / 2)
    return Pinhole("front", size_px, size_px, focal, focal, size_px / 2, size_px / 2, T)


def cast(pinhole: Pinhole, boxes=()) -> DepthPicture:
    """Render the depth of a table at z = 0 and boxes on it."""
    v, u = np.mgrid[0 : pinhole.height, 0 : pinhole.width]
    pixels = np.stack([u + 0.5, v + 0.5], axis=-1).reshape(-1, 2)
    origin = pinhole.T_world_camera[:3, 3]
    rays = pinhole.unproject(pixels, np.ones(len(pixels))) - origin  # one metre of z-depth each
    with np.errstate(divide="ignore"):
        depth = np.where(rays[:, 2] < 0, -origin[2] / rays[:, 2], np.inf)
    for box in boxes:
        c, s = np.cos(box.yaw), np.sin(box.yaw)
        R = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
        half = 0.5 * np.array(box.size)
        local_origin = (origin - [box.x, box.y, box.base + half[2]]) @ R
        local_rays = rays @ R
        with np.errstate(divide="ignore", invalid="ignore"):
            a, b = (-half - local_origin) / local_rays, (half - local_origin) / local_rays
        enter, leave = np.minimum(a, b).max(axis=1), np.maximum(a, b).min(axis=1)
        hit = (enter <= leave) & (enter > 0)
        depth = np.where(hit & (enter < depth), enter, depth)
    return DepthPicture(depth.reshape(pinhole.height, pinhole.width).astype(np.float32), pinhole)


@pytest.fixture
def make_box():
    return Box


@pytest.fixture
def pinhole():
    return look_down()


@pytest.fixture
def make_picture(pinhole):
    return lambda *boxes, camera=pinhole: cast(camera, boxes)


@pytest.fixture
def pixel_of(pinhole):
    def project(point, camera=pinhole):
        (u, v), *_ = camera.project(point)[0]
        return float(u), float(v)

    return project
