"""Pictures of a model: colour, depth, object ids; one GL context a thread."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import MissingDependency, TooLarge, UnknownName
from workbench.core.geometry import Pinhole
from workbench.core.masks import ObjectIds
from workbench.core.protocols import Quality
from workbench.core.types import CameraRequest
from workbench.simulation.build import KEY_LIGHT, TABLE
from workbench.simulation.shadows import FlatShadows

MAX_SIDE: Final = 2048
"""Largest width or height of a picture [px]."""
_FIRST_SIDE: Final = 256
"""Frame buffers start at this size and grow with what is asked for: many views may be open [px]."""
_FAST_FLAGS: Final = (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION, mujoco.mjtRndFlag.mjRND_HAZE)


class _Detail(NamedTuple):
    """How finely a GL context draws."""

    samples: int
    shadow_side: int
    slices: int
    stacks: int
    quads: int


_FAST: Final = _Detail(0, 0, 20, 8, 1)
_FINE: Final = _Detail(4, 2048, 48, 24, 4)
_FLIP: Final = np.diag([1.0, -1.0, -1.0, 1.0])
"""MuJoCo's camera axes (-Z forward, +Y up) to OpenCV's."""


@dataclass(frozen=True)
class FreeCamera:
    """A camera that the model does not have: it looks at a point from a distance (angles as in MuJoCo's viewer)."""

    target: tuple[float, float, float]
    """World point in the middle of the picture [m]."""
    distance: float
    """[m]"""
    azimuth_rad: float
    """Heading of the view direction, about world +Z from +X."""
    elevation_rad: float
    """Of the view direction; negative looks down."""

    def pose(self) -> NDArray[np.float64]:
        """Return ``(4, 4)``, camera (OpenCV axes) to world."""
        level, height = np.cos(self.elevation_rad), np.sin(self.elevation_rad)
        forward = np.array([level * np.cos(self.azimuth_rad), level * np.sin(self.azimuth_rad), height])
        right = np.array([np.sin(self.azimuth_rad), -np.cos(self.azimuth_rad), 0.0])
        T_world_camera = np.eye(4)
        T_world_camera[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
        T_world_camera[:3, 3] = np.asarray(self.target) - self.distance * forward
        return T_world_camera


FreeCameras = Mapping[str, FreeCamera]


def make_pinhole(model: mujoco.MjModel, data: mujoco.MjData, request: CameraRequest, free: FreeCameras = MappingProxyType({})) -> Pinhole:
    """Return intrinsics for the size asked for, and the camera's pose in the state of ``data``."""
    if request.name in free:
        T_world_camera, fovy = free[request.name].pose(), float(model.vis.global_.fovy)
    else:
        camera = find_camera(model, request.name, free)
        T_world_camera, fovy = np.eye(4), float(model.cam_fovy[camera])
        T_world_camera[:3, :3] = data.cam_xmat[camera].reshape(3, 3)
        T_world_camera[:3, 3] = data.cam_xpos[camera]
        T_world_camera = T_world_camera @ _FLIP
    focal = 0.5 * request.height / np.tan(0.5 * np.deg2rad(fovy))
    return Pinhole(request.name, request.width, request.height, focal, focal, request.width / 2, request.height / 2, T_world_camera)


def find_camera(model: mujoco.MjModel, name: str, free: FreeCameras = MappingProxyType({})) -> int:
    """Return the id of a camera.

    Raises:
        UnknownName: the model has none of that name; the message lists those it has.
    """
    index = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_CAMERA, name)
    if index < 0:
        raise UnknownName("camera", name, [*(model.camera(i).name for i in range(model.ncam)), *free])
    return int(index)


@contextmanager
def _needing_egl() -> Iterator[None]:
    """Say what is missing when there is no way to draw."""
    try:
        yield
    except (AttributeError, ImportError, RuntimeError, mujoco.FatalError) as error:
        raise MissingDependency(
            "Rendering", needs="a working EGL library", install="apt-get install libegl1 libgl1-mesa-dri, and set MUJOCO_GL=egl"
        ) from error


def make_gl() -> mujoco.GLContext:
    """Return a GL context that renderers of this thread may share, one after the other or side by side; free it when they are closed.

    Raises:
        MissingDependency: there is no EGL library that works.
    """
    with _needing_egl():
        return mujoco.GLContext(MAX_SIDE, MAX_SIDE)


class SceneRenderer:
    """Draws one model. Make, use and close it in one thread; it keeps one GL context for all sizes."""

    def __init__(self, model: mujoco.MjModel, free: FreeCameras = MappingProxyType({}), *, gl: mujoco.GLContext | None = None) -> None:
        """Take a model, the cameras to be used besides its own, and a GL context to share: a new one costs a tenth of a second."""
        self._free = free
        # The quality settings are read from the model when a context is made: work on a copy, other threads use the original.
        self._model = copy.copy(model)
        self._scene = mujoco.MjvScene(self._model, maxgeom=2 * model.ngeom + 100)
        self._option = mujoco.MjvOption()
        self._option.geomgroup[3:] = 0
        self._camera = mujoco.MjvCamera()
        self._contexts: dict[_Detail, mujoco.MjrContext] = {}
        self._shadows = make_shadows(self._model)
        self._is_gl_shared = gl is not None
        self._gl: mujoco.GLContext | None = make_gl() if gl is None else gl
        with _needing_egl():
            self._gl.make_current()
            self._get_context(_FAST)

    def rgb(self, data: mujoco.MjData, request: CameraRequest, quality: Quality = "policy") -> NDArray[np.uint8]:
        """Return ``(H, W, 3) uint8`` RGB."""
        self._update(data, request)
        is_still = quality == "still"
        for flag in _FAST_FLAGS:
            self._scene.flags[flag] = is_still and flag != mujoco.mjtRndFlag.mjRND_HAZE
        if quality == "live" and self._shadows is not None:
            self._shadows.add(data, self._scene)
        picture = np.empty((request.height, request.width, 3), dtype=np.uint8)
        self._draw(request, _FINE if is_still else _FAST, picture, None)
        return picture[::-1]

    def depth(self, data: mujoco.MjData, request: CameraRequest) -> NDArray[np.float32]:
        """Return ``(H, W) float32``, metric distance along the camera's axis [m]; the far plane where nothing is."""
        self._update(data, request)
        raw = np.empty((request.height, request.width), dtype=np.float32)
        with _flags(self._scene, mujoco.mjtRndFlag.mjRND_SEGMENT, mujoco.mjtRndFlag.mjRND_IDCOLOR):
            self._draw(request, _FAST, None, raw)
        extent = self._model.stat.extent
        near, far = self._model.vis.map.znear * extent, self._model.vis.map.zfar * extent
        # The depth buffer is reversed, 1 at the near plane: depth = near * far / (near + z * (far - near)).
        metric = near * far / (near + raw[::-1].astype(np.float64) * (far - near))
        return metric.astype(np.float32)

    def geom_ids(self, data: mujoco.MjData, request: CameraRequest) -> NDArray[np.int32]:
        """Return ``(H, W) int32``: the geom seen at each pixel, -1 where there is none."""
        self._update(data, request)
        picture = np.empty((request.height, request.width, 3), dtype=np.uint8)
        with _flags(self._scene, mujoco.mjtRndFlag.mjRND_SEGMENT, mujoco.mjtRndFlag.mjRND_IDCOLOR):
            self._draw(request, _FAST, picture, None)
        codes = picture[::-1].astype(np.int32)
        segments = codes[..., 0] + (codes[..., 1] << 8) + (codes[..., 2] << 16)
        table = np.full(self._scene.ngeom + 1, -1, dtype=np.int32)
        for geom in self._scene.geoms[: self._scene.ngeom]:
            if geom.segid >= 0 and geom.objtype == mujoco.mjtObj.mjOBJ_GEOM:
                table[geom.segid + 1] = geom.objid
        return table[segments]

    def close(self) -> None:
        """Release the GL context; in the thread that used it."""
        if self._gl is None:
            return
        self._gl.make_current()
        for context in self._contexts.values():
            context.free()
        self._contexts.clear()
        if not self._is_gl_shared:
            self._gl.free()
        self._gl = None

    def _update(self, data: mujoco.MjData, request: CameraRequest) -> None:
        if not (0 < request.width <= MAX_SIDE and 0 < request.height <= MAX_SIDE):
            raise TooLarge("picture size", limit=f"{MAX_SIDE} px a side", found=f"{request.width} x {request.height}")
        self._aim(request.name)
        mujoco.mjv_updateScene(self._model, data, self._option, None, self._camera, mujoco.mjtCatBit.mjCAT_ALL.value, self._scene)

    def _aim(self, name: str) -> None:
        camera = self._camera
        if name not in self._free:
            camera.type = mujoco.mjtCamera.mjCAMERA_FIXED
            camera.fixedcamid = find_camera(self._model, name, self._free)
            return
        free = self._free[name]
        camera.type, camera.fixedcamid = mujoco.mjtCamera.mjCAMERA_FREE, -1
        camera.lookat[:], camera.distance = free.target, free.distance
        camera.azimuth, camera.elevation = np.rad2deg(free.azimuth_rad), np.rad2deg(free.elevation_rad)

    def _draw(self, request: CameraRequest, detail: _Detail, picture: NDArray[np.uint8] | None, depth: NDArray[np.float32] | None) -> None:
        assert self._gl is not None, "the renderer was closed"
        self._gl.make_current()
        context = self._get_context(detail)
        if request.width > context.offWidth or request.height > context.offHeight:
            mujoco.mjr_resizeOffscreen(max(request.width, context.offWidth), max(request.height, context.offHeight), context)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, context)
        rect = mujoco.MjrRect(0, 0, request.width, request.height)
        mujoco.mjr_render(rect, self._scene, context)
        mujoco.mjr_readPixels(picture, depth, rect, context)

    def _get_context(self, detail: _Detail) -> mujoco.MjrContext:
        context = self._contexts.get(detail)
        if context is None:
            quality = self._model.vis.quality
            quality.offsamples, quality.shadowsize, quality.numslices, quality.numstacks, quality.numquads = detail
            self._model.vis.global_.offwidth = self._model.vis.global_.offheight = _FIRST_SIDE
            context = self._contexts[detail] = mujoco.MjrContext(self._model, mujoco.mjtFontScale.mjFONTSCALE_100.value)
            context.readDepthMap = mujoco.mjtDepthMap.mjDEPTH_ZEROFAR
        return context


def make_shadows(model: mujoco.MjModel) -> FlatShadows | None:
    """Return the live picture's shadows, or None for a model without our table and light."""
    has_table = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_GEOM, TABLE) >= 0
    has_light = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_LIGHT, KEY_LIGHT) >= 0
    return FlatShadows(model, TABLE, KEY_LIGHT) if has_table and has_light else None


class _flags:  # noqa: N801 - reads as a statement: `with _flags(...)`
    """Switches render flags on for a while."""

    def __init__(self, scene: mujoco.MjvScene, *flags: mujoco.mjtRndFlag) -> None:
        self._scene, self._names = scene, flags

    def __enter__(self) -> None:
        self._before = [self._scene.flags[f] for f in self._names]
        for flag in self._names:
            self._scene.flags[flag] = 1

    def __exit__(self, *_: object) -> None:
        for flag, before in zip(self._names, self._before, strict=True):
            self._scene.flags[flag] = before


class GeomNames(NamedTuple):
    """What the geoms of a model belong to."""

    owners: tuple[str, ...]
    """For each geom the unique name of its thing; empty for what is no thing, such as the table."""
    labels: Mapping[str, str] = MappingProxyType({})
    """What a person calls a thing; by default its own name."""


class BenchView:
    """Draws states of one model: the core's ``View`` and ``Surveyor``. Made and used in one thread."""

    def __init__(
        self,
        model: mujoco.MjModel,
        free: FreeCameras = MappingProxyType({}),
        *,
        gl: mujoco.GLContext | None = None,
        names: GeomNames | None = None,
    ) -> None:
        """Take a model that nobody writes to.

        Args:
            model: what is drawn.
            free: cameras to be used besides the model's own.
            gl: a GL context to share.
            names: what its geoms belong to; by default to the bodies that they are fixed to.
        """
        self._model, self._free = model, free
        self._names = names or GeomNames(tuple(model.body(int(body)).name for body in model.geom_bodyid))
        self._data = mujoco.MjData(model)
        self._renderer = SceneRenderer(model, free, gl=gl)

    def render(self, physics: NDArray[np.float64], camera: CameraRequest, quality: Quality) -> NDArray[np.uint8]:
        """Return ``(H, W, 3) uint8`` RGB of a state's ``physics`` part."""
        self._place(physics)
        return self._renderer.rgb(self._data, camera, quality)

    def depth(self, physics: NDArray[np.float64], camera: CameraRequest) -> NDArray[np.float32]:
        """Return ``(H, W) float32`` metric z-depth [m]."""
        self._place(physics)
        return self._renderer.depth(self._data, camera)

    def object_ids(self, physics: NDArray[np.float64], camera: CameraRequest) -> ObjectIds:
        """Return which thing is seen where."""
        self._place(physics)
        owners, labels = self._names
        things = tuple(dict.fromkeys(owner for owner in owners if owner))
        table = np.array([things.index(owner) + 1 if owner else 0 for owner in owners] + [0], dtype=np.int32)
        return ObjectIds(table[self._renderer.geom_ids(self._data, camera)], tuple(labels.get(thing, thing) for thing in things))

    def pinhole(self, physics: NDArray[np.float64], camera: CameraRequest) -> Pinhole:
        """Return the camera's intrinsics and pose in that state."""
        self._place(physics)
        return make_pinhole(self._model, self._data, camera, self._free)

    def close(self) -> None:
        """Release the GL context; in the thread that used it."""
        self._renderer.close()

    def _place(self, physics: NDArray[np.float64]) -> None:
        mujoco.mj_setState(self._model, self._data, physics, mujoco.mjtState.mjSTATE_INTEGRATION)
        # Only what is drawn: no collisions, no dynamics.
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_comPos(self._model, self._data)
        mujoco.mj_camlight(self._model, self._data)
