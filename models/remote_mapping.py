"""From our observations to a server's requests, and from its numbers to our actions."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.remote_masks import as_picture, drawn_on, told
from models.remote_settings import ActionLayout, ImageSource, Normalisation, RemoteSettings, Scaling
from workbench.core.errors import InvalidInput, InvalidShape, UnknownName
from workbench.core.geometry import matrix_from_quat, quat_conjugate, quat_from_matrix, quat_from_rotvec, quat_multiply, rotvec_from_quat
from workbench.core.types import ACTION_DIM, CameraRequest, Observation, Prompt

Floats = NDArray[np.float64]
JointPose = Callable[[Floats], tuple[Floats, Floats]]
"""Joint angles ``(7,)`` -> position ``(3,)`` [m] and quaternion ``(4,)`` wxyz of the end-effector in the base frame."""
Statistics = Mapping[str, Mapping[str, Floats]]
"""``state`` or ``actions`` -> name of the statistic -> numbers."""

FINGER_TRAVEL: Final = 0.04
"""Of each finger of a Panda's hand [m]."""
_NUM_JOINTS: Final = 7
_ROTATION_SIZES: Final = {"rotvec": 3, "euler_xyz": 3, "quaternion_wxyz": 4, "quaternion_xyzw": 4, "none": 0}
_NEEDED: Final = {"mean_std": ("mean", "std"), "quantile": ("q01", "q99"), "min_max": ("min", "max")}
_OTHER_NAMES: Final = {"state": ("state", "observation.state"), "actions": ("actions", "action")}
_EPS: Final = 1e-6


def _axis_angle(observation: Observation) -> Floats:
    """Return the orientation as a rotation vector whose x does not jump while the gripper points down, about (pi, 0, 0)."""
    rotvec = rotvec_from_quat(observation.part("ee_quaternion"))
    angle = float(np.linalg.norm(rotvec))
    if angle > np.pi / 2 and rotvec[0] < 0:
        rotvec = rotvec * (1.0 - 2 * np.pi / angle)
    return rotvec


STATE_PARTS: Final[Mapping[str, Callable[[Observation], Any]]] = {
    "joints": lambda o: o.part("joints"),
    "ee_position": lambda o: o.part("ee_position"),
    "ee_axis_angle": _axis_angle,
    "ee_quaternion_wxyz": lambda o: o.part("ee_quaternion"),
    "ee_quaternion_xyzw": lambda o: np.roll(o.part("ee_quaternion"), -1),
    "ee_euler_xyz": lambda o: euler_from_quat(o.part("ee_quaternion")),
    "gripper_opening": lambda o: o.part("gripper"),
    "gripper_closedness": lambda o: 1.0 - o.part("gripper"),
    "gripper_fingers": lambda o: FINGER_TRAVEL * o.part("gripper") * np.array([1.0, -1.0]),
    "gripper_command": lambda o: o.part("gripper_command"),
    "proprio": lambda o: o.proprio,
}
"""What a request's state can be put together from; units as in :mod:`workbench.core`."""


class RemoteMapping:
    """The two directions for one server's settings."""

    def __init__(self, settings: RemoteSettings) -> None:
        """Read the statistics.

        Raises:
            UnknownName: a part of the state that there is not.
            InvalidInput: the file of statistics cannot be used.
        """
        self._settings = settings
        for part in (p for parts in settings.state.values() for p in parts):
            if part not in STATE_PARTS:
                raise UnknownName("part of the robot's state", part, STATE_PARTS)
        self._statistics = read_statistics(settings.normalisation)

    @property
    def cameras(self) -> tuple[CameraRequest, ...]:
        """The pictures that are needed, one a camera."""
        largest: dict[str, CameraRequest] = {}
        for source in self._settings.images.values():
            known = largest.get(source.camera)
            if known is None or source.width * source.height > known.width * known.height:
                largest[source.camera] = CameraRequest(source.camera, source.width, source.height)
        return tuple(largest.values())

    def request(self, observation: Observation, prompt: Prompt) -> dict[str, Any]:
        """Return a request in the server's layout; pictures are rendered here."""
        settings = self._settings
        mask, wire = prompt.mask, {**settings.extra, settings.prompt_key: told(prompt, settings)}
        for key, source in settings.images.items():
            image = observation.images[source.camera]
            is_drawn = settings.mask == "overlay" and mask is not None and mask.camera == source.camera
            wire[key] = prepare_image(drawn_on(image, mask) if is_drawn and mask is not None else image, source)
            if settings.mask == "image" and settings.mask_key not in wire:
                wire[settings.mask_key] = prepare_image(as_picture(mask, source), source)
        for key, parts in settings.state.items():
            values = [np.atleast_1d(np.asarray(STATE_PARTS[p](observation), float)) for p in parts]
            values = [v + settings.ee_offset if p == "ee_position" else v for p, v in zip(parts, values, strict=True)]
            state = np.concatenate(values) if values else np.zeros(0)
            wire[key] = scale(state, self._statistics.get("state", {}), settings.normalisation.state).astype(np.float32)
        return wire

    def rows(self, reply: Mapping[str, Any]) -> NDArray[np.float32]:
        """Return the server's actions ``(T, D) float32`` in its own units, unnormalised and checked.

        Raises:
            InvalidInput: they are missing, not finite, or too few numbers for the layout.
        """
        if "actions" not in reply:
            raise InvalidInput("reply", expected="the field 'actions'", found=f"only {', '.join(sorted(map(str, reply)))}")
        try:
            rows = np.array(reply["actions"], dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InvalidInput("reply, actions", expected="numbers", found=type(reply["actions"]).__name__) from error
        rows = rows[None] if rows.ndim == 1 else rows
        rows = rows[0] if rows.ndim == 3 and rows.shape[0] == 1 else rows
        width = row_width(self._settings.action)
        if rows.ndim != 2 or len(rows) == 0 or rows.shape[1] < width:
            raise InvalidShape("reply, actions", expected=("T >= 1", f"{width} or more"), found=rows.shape)
        rows = unscale(rows, self._statistics.get("actions", {}), self._settings.normalisation.actions)
        if not np.isfinite(rows).all():
            raise InvalidInput("reply, actions", expected="finite numbers", found="NaN or infinity")
        # Some models pad their actions; what the layout does not know is left out.
        return rows[:, :width].astype(np.float32)

    def actions(self, rows: NDArray[np.float32], observation: Observation, joint_pose: JointPose | None = None) -> NDArray[np.float32]:
        """Return our actions ``(T, 7) float32`` for consecutive rows ``(T, D)``, the first executed from ``observation``.

        Raises:
            InvalidInput: the rows are of joints, and this simulator does not tell its arm's kinematics.
        """
        layout = self._settings.action
        actions = np.zeros((len(rows), ACTION_DIM))
        closed, opened = layout.gripper_closed, layout.gripper_open
        opening = np.clip((rows[:, -1].astype(float) - closed) / (opened - closed), 0.0, 1.0)
        actions[:, 6] = np.round(opening) if layout.is_gripper_binary else opening
        if layout.kind == "delta":
            actions[:, :3] = rows[:, :3] * layout.position_scale
            actions[:, 3:6] = [rotvec_from_quat(_quat(row[3:-1], layout)) for row in rows]
        else:
            actions[:, :6] = _chain(self._poses(rows, observation, joint_pose), observation)
        return actions.astype(np.float32)

    def _poses(self, rows: NDArray[np.float32], observation: Observation, joint_pose: JointPose | None) -> list[tuple[Floats, Floats]]:
        """Return the pose after each row: position in the base frame [m] and quaternion wxyz."""
        layout, offset = self._settings.action, np.array(self._settings.ee_offset)
        if layout.kind == "absolute":
            keep = observation.ee_quaternion
            turned = [keep if layout.rotation == "none" else _quat(row[3:-1], layout) for row in rows]
            return [(row[:3] * layout.position_scale - offset, q) for row, q in zip(rows.astype(float), turned, strict=True)]
        if joint_pose is None:
            raise InvalidInput("actions of joints", expected="a simulator that tells its arm's kinematics", found="one that does not")
        joints = np.asarray(observation.part("joints"), float)
        steps = joints + np.cumsum(rows[:, :_NUM_JOINTS].astype(float) * layout.rotation_scale, axis=0)
        return [joint_pose(q) for q in steps]


def row_width(layout: ActionLayout) -> int:
    """Return how many numbers an action of that layout has."""
    return _NUM_JOINTS + 1 if layout.kind == "joint_delta" else 3 + _ROTATION_SIZES[layout.rotation] + 1


def prepare_image(image: NDArray[np.uint8], source: ImageSource) -> NDArray[np.uint8]:
    """Return a picture as a server wants it: size, turn, order of the axes; always a copy."""
    resized = resize_with_pad(image, source.width, source.height)
    turned = resized[::-1, ::-1] if source.is_rotated else resized
    return np.ascontiguousarray(turned.transpose(2, 0, 1) if source.is_channels_first else turned).copy()


def resize_with_pad(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Return ``(height, width, 3) uint8``: scaled bilinearly without changing the aspect, black where nothing is."""
    rows, columns = image.shape[:2]
    if (rows, columns) == (height, width):
        return np.asarray(image, np.uint8)
    ratio = max(columns / width, rows / height)
    new_width, new_height = max(1, int(columns / ratio)), max(1, int(rows / ratio))
    scaled = np.asarray(Image.fromarray(np.asarray(image, np.uint8)).resize((new_width, new_height), Image.Resampling.BILINEAR))
    padded = np.zeros((height, width, 3), np.uint8)
    top, left = (height - new_height) // 2, (width - new_width) // 2
    padded[top : top + new_height, left : left + new_width] = scaled
    return padded


def read_statistics(normalisation: Normalisation) -> Statistics:
    """Return the statistics of a file, of openpi's (``norm_stats``) or LeRobot's form; empty when nothing is to be scaled.

    Raises:
        InvalidInput: it cannot be read, or lacks a statistic that is needed.
    """
    wanted = {part: kind for part in ("state", "actions") if (kind := getattr(normalisation, part)) != "none"}
    if not wanted:
        return {}
    path = Path(normalisation.file)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"statistics {path.name}", expected="a JSON file", found=str(error)[:120]) from error
    document = document.get("norm_stats", document) if isinstance(document, dict) else {}
    return {part: _read_part(document, part, kind, path.name) for part, kind in wanted.items()}


def _read_part(document: Mapping[str, Any], part: str, kind: str, file: str) -> dict[str, Floats]:
    found = next((document[name] for name in _OTHER_NAMES[part] if name in document), None)
    numbers: dict[str, Floats] = {}
    for name in _NEEDED[kind]:
        try:
            numbers[name] = np.asarray(found[name], dtype=np.float64).reshape(-1)  # type: ignore[index]
        except (TypeError, KeyError, ValueError) as error:
            raise InvalidInput(f"statistics {file}, {part}", expected=f"the numbers {name!r}", found="none") from error
        if not np.isfinite(numbers[name]).all():
            raise InvalidInput(f"statistics {file}, {part}, {name}", expected="finite numbers", found="others")
    return numbers


def scale(values: Floats, statistics: Mapping[str, Floats], kind: Scaling) -> Floats:
    """Return normalised values; :func:`unscale` undoes it.

    Raises:
        InvalidShape: the statistics are of fewer numbers.
    """
    if kind == "none":
        return values
    first, second = _aligned(statistics, kind, values.shape[-1])
    if kind == "mean_std":
        return (values - first) / (second + _EPS)
    return (values - first) / (second - first + _EPS) * 2.0 - 1.0


def unscale(values: Floats, statistics: Mapping[str, Floats], kind: Scaling) -> Floats:
    """Return values in their own units; numbers beyond the statistics, which some models pad with, are left out.

    Raises:
        InvalidShape: there are fewer values than statistics.
    """
    if kind == "none":
        return values
    size = min(values.shape[-1], len(statistics[_NEEDED[kind][0]]))
    first, second = _aligned(statistics, kind, size)
    kept = values[..., :size]
    if kind == "mean_std":
        return kept * (second + _EPS) + first
    return (kept + 1.0) / 2.0 * (second - first + _EPS) + first


def _aligned(statistics: Mapping[str, Floats], kind: str, size: int) -> tuple[Floats, Floats]:
    first, second = (statistics[name] for name in _NEEDED[kind])
    if min(len(first), len(second)) < size:
        raise InvalidShape("statistics", expected=(size,), found=first.shape)
    return first[:size], second[:size]


def euler_from_quat(quaternion: object) -> Floats:
    """Return roll, pitch, yaw [rad] (turns about the fixed x, then y, then z) of a unit quaternion ``(4,)`` wxyz."""
    R = matrix_from_quat(np.asarray(quaternion, float))
    return np.array([np.arctan2(R[2, 1], R[2, 2]), np.arcsin(np.clip(-R[2, 0], -1.0, 1.0)), np.arctan2(R[1, 0], R[0, 0])])


def quat_from_euler(angles: object) -> Floats:
    """Return the unit quaternion ``(4,)`` wxyz of roll, pitch, yaw [rad]; undoes :func:`euler_from_quat`."""
    roll, pitch, yaw = np.asarray(angles, float)
    turns = [quat_from_rotvec(v) for v in ([roll, 0, 0], [0, pitch, 0], [0, 0, yaw])]
    return quat_multiply(turns[2], quat_multiply(turns[1], turns[0]))


def _quat(numbers: NDArray[np.float32], layout: ActionLayout) -> Floats:
    """Return the unit quaternion wxyz that the rotation part of a row means."""
    values = np.asarray(numbers, float)
    if layout.rotation == "none":
        return np.array([1.0, 0.0, 0.0, 0.0])
    if layout.rotation == "rotvec":
        return quat_from_rotvec(values * layout.rotation_scale)
    if layout.rotation == "euler_xyz":
        return quat_from_euler(values * layout.rotation_scale)
    wxyz = np.roll(values, 1) if layout.rotation == "quaternion_xyzw" else values
    length = float(np.linalg.norm(wxyz))
    if length < _EPS:
        raise InvalidInput("reply, actions", expected="unit quaternions", found="zeros")
    return quat_from_matrix(matrix_from_quat(wxyz / length))


def _chain(poses: list[tuple[Floats, Floats]], observation: Observation) -> Floats:
    """Return ``(T, 6)`` steps that lead from the observed pose through all the poses."""
    position, quaternion = observation.ee_position, observation.ee_quaternion
    steps = np.zeros((len(poses), 6))
    for step, (next_position, next_quaternion) in zip(steps, poses, strict=True):
        step[:3] = next_position - position
        step[3:] = rotvec_from_quat(quat_multiply(next_quaternion, quat_conjugate(quaternion)))
        position, quaternion = next_position, next_quaternion
    return steps
