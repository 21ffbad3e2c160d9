"""How to talk to a policy server that is not ours: which pictures, which state, what its numbers mean. Plain data, from a file or a preset."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Literal, get_args
from urllib.parse import urlsplit

import yaml

from workbench.core.errors import InvalidInput, UnknownName

SETTINGS_ENV: Final = "VLAW_REMOTE"
"""Variable that says which server the policy ``remote`` talks to: what :func:`read_settings` takes."""
KEY_ENV: Final = "VLAW_REMOTE_API_KEY"

Mode = Literal["asynchronous", "synchronous"]
Kind = Literal["delta", "absolute", "joint_delta"]
Rotation = Literal["rotvec", "euler_xyz", "quaternion_wxyz", "quaternion_xyzw", "none"]
MaskWay = Literal["none", "overlay", "image", "text"]
Scaling = Literal["none", "mean_std", "quantile", "min_max"]


@dataclass(frozen=True)
class ImageSource:
    """Where a picture of a request comes from."""

    camera: str
    width: int = 224
    height: int = 224
    is_rotated: bool = False
    """Turned by 180 degrees, as the pictures in LIBERO's data are."""
    is_channels_first: bool = False


@dataclass(frozen=True)
class ActionLayout:
    """What the numbers of a server's actions mean."""

    kind: Kind = "delta"
    """``delta`` and ``absolute``: a pose of the end-effector in the base frame; ``joint_delta``: steps of the seven joints."""
    rotation: Rotation = "rotvec"
    position_scale: float = 1.0
    """Metres for one unit."""
    rotation_scale: float = 1.0
    """Radians for one unit; of the joints too."""
    gripper_open: float = 1.0
    """The number that means open ..."""
    gripper_closed: float = 0.0
    """... and the one that means closed."""
    is_gripper_binary: bool = False
    """Whether the gripper is opened or closed fully, whichever is nearer."""


@dataclass(frozen=True)
class Normalisation:
    """Statistics with which a server's numbers are scaled; a server of openpi scales by itself and needs none."""

    file: str = ""
    """JSON with ``state`` and ``actions``, each with ``mean``, ``std``, ``q01``, ``q99``, ``min``, ``max`` as far as needed."""
    state: Scaling = "none"
    actions: Scaling = "none"


@dataclass(frozen=True)
class RemoteSettings:
    """Everything about one server."""

    url: str
    is_ours: bool = True
    """Whether requests follow :mod:`models.wire_types`, with the cameras that the server asks for; else the mapping below."""
    images: Mapping[str, ImageSource] = field(default_factory=dict)
    """Key of the request -> picture."""
    state: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Key of the request -> parts of the robot's state, see :data:`models.remote_mapping.STATE_PARTS`."""
    prompt_key: str = "prompt"
    mask: MaskWay = "none"
    """How a masked object is told: drawn on its camera's picture, as a picture of its own under ``mask_key``, or as a box in words."""
    mask_key: str = "observation/mask"
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Fields that are sent as they are."""
    ee_offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Added to the end-effector's position in requests, and taken off absolute actions [m]."""
    action: ActionLayout = field(default_factory=ActionLayout)
    normalisation: Normalisation = field(default_factory=Normalisation)
    mode: Mode = "asynchronous"
    """``asynchronous``: the robot goes on, or holds still, while the server thinks. ``synchronous``: the world waits for it."""
    execute_steps: int = 0
    """Steps of a chunk after which the next one is asked for; 0: half of the chunk, at most what our server says, else at most 8."""
    blend: float = 1.0
    """Weight of the newer chunk where two overlap, 0..1."""
    control_hz: float = 20.0
    timeout_s: float = 20.0
    """For an answer, reconnecting included."""
    warm_up_s: float = 60.0
    """For the first answer of a connection: many servers compile then."""
    connect_timeout_s: float = 5.0
    api_key_env: str = KEY_ENV


PRESETS: Final[Mapping[str, Mapping[str, Any]]] = {
    "ours": {},
    # openpi's examples/libero: both pictures turned, state = position, axis-angle, two finger joints; OSC_POSE actions in [-1, 1].
    "libero": {
        "images": {
            "observation/image": {"camera": "front", "is_rotated": True},
            "observation/wrist_image": {"camera": "wrist", "is_rotated": True},
        },
        "state": {"observation/state": ["ee_position", "ee_axis_angle", "gripper_fingers"]},
        "action": {"position_scale": 0.05, "rotation_scale": 0.5, "gripper_open": -1.0, "gripper_closed": 1.0},
        "execute_steps": 5,
    },
    # openpi's examples/droid: joint velocities in [-1, 1] of at most 0.2 rad a step at 15 Hz; gripper 0 open .. 1 closed.
    "droid": {
        "images": {"observation/exterior_image_1_left": {"camera": "front"}, "observation/wrist_image_left": {"camera": "wrist"}},
        "state": {"observation/joint_position": ["joints"], "observation/gripper_position": ["gripper_closedness"]},
        "action": {
            "kind": "joint_delta",
            "rotation_scale": 0.2,
            "gripper_open": 0.0,
            "gripper_closed": 1.0,
            "is_gripper_binary": True,
        },
        "control_hz": 15.0,
        "execute_steps": 8,
    },
}
"""Settings of known families; a file may start from one and change it."""


def read_settings(text: str) -> RemoteSettings:
    """Read ``URL[,PRESET][,sync|async]``, or the path of a JSON or YAML file with the fields of :class:`RemoteSettings`.

    Raises:
        InvalidInput: it is neither, or a field is unknown or of the wrong kind.
        UnknownName: there is no such preset.
    """
    if text.partition(",")[0].partition("://")[1]:
        url, *words = (part.strip() for part in text.split(","))
        modes = {"sync": "synchronous", "async": "asynchronous"}
        chosen = [modes[w] for w in words if w in modes] or ["asynchronous"]
        presets = [w for w in words if w not in modes] or ["ours"]
        if len(presets) > 1 or len(chosen) > 1:
            raise InvalidInput("remote policy", expected="URL[,PRESET][,sync|async]", found=text)
        return settings_from({"url": url, "preset": presets[0], "mode": chosen[0]})
    path = Path(text)
    if not path.is_file():
        raise InvalidInput(
            "remote policy", expected="ws://HOST:PORT[,PRESET][,sync|async], or a JSON or YAML file", found=text or "nothing"
        )
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))  # JSON is YAML
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidInput(f"settings in {path.name}", expected="JSON or YAML", found=str(error).splitlines()[0]) from error
    if not isinstance(document, Mapping):
        raise InvalidInput(f"settings in {path.name}", expected="an object", found=type(document).__name__)
    settings = settings_from(document)
    file = settings.normalisation.file
    if file and not Path(file).is_absolute():  # beside the settings
        return settings_from({**document, "normalisation": {**document["normalisation"], "file": str(path.parent / file)}})
    return settings


def settings_from_environment() -> RemoteSettings:
    """Return what the variable :data:`SETTINGS_ENV` says; errors as :func:`read_settings`."""
    text = os.environ.get(SETTINGS_ENV, "")
    if not text:
        raise InvalidInput(
            "remote policy",
            expected="the address of a policy server",
            found="none",
            fix=f"Start with --remote ws://HOST:PORT[,PRESET], or set {SETTINGS_ENV}.",
        )
    return read_settings(text)


def settings_from(document: Mapping[str, Any]) -> RemoteSettings:
    """Return the settings of a document, on top of its ``preset`` where it names one; errors as :func:`read_settings`."""
    given = dict(document)
    preset = given.pop("preset", None)
    if preset is not None and preset not in PRESETS:
        raise UnknownName("preset of remote policies", str(preset), PRESETS)
    merged: dict[str, Any] = {**PRESETS[preset or "ours"], **given}
    for part in ("action", "normalisation"):
        if part in given and preset and isinstance(given[part], Mapping):
            merged[part] = {**PRESETS[preset].get(part, {}), **given[part]}
    is_mapped = bool({"images", "state", "action"} & set(merged))
    merged.setdefault("is_ours", not is_mapped)
    settings: RemoteSettings = _read(RemoteSettings, _with_parts(merged), "settings of the remote policy")
    _check(settings)
    return settings


def _with_parts(merged: dict[str, Any]) -> dict[str, Any]:
    """Return the document with its nested parts read."""
    read = dict(merged)
    if "images" in read:
        items = _mapping(read["images"], "images")
        read["images"] = {str(key): _read(ImageSource, _mapping(item, f"images, {key}"), f"images, {key}") for key, item in items.items()}
    if "state" in read:
        read["state"] = {str(key): _names(names, f"state, {key}") for key, names in _mapping(read["state"], "state").items()}
    if "action" in read:
        read["action"] = _read(ActionLayout, _mapping(read["action"], "action"), "action")
    if "normalisation" in read:
        read["normalisation"] = _read(Normalisation, _mapping(read["normalisation"], "normalisation"), "normalisation")
    if "extra" in read:
        read["extra"] = dict(_mapping(read["extra"], "extra"))
    if "ee_offset" in read:
        offset = read["ee_offset"]
        if not isinstance(offset, list | tuple) or len(offset) != 3 or not all(_is_number(n) for n in offset):
            raise InvalidInput("ee_offset", expected="three numbers", found=repr(offset)[:60])
        read["ee_offset"] = tuple(float(n) for n in offset)
    return read


def _read(kind: type[Any], document: Mapping[str, Any], what: str) -> Any:
    """Return a dataclass from a document whose fields have the types of its defaults."""
    known = {f.name: f for f in fields(kind)}
    for name, value in document.items():
        if name not in known:
            raise UnknownName(f"field in {what}", str(name), known)
        _check_type(value, str(known[name].type), f"{what}, {name}")
    missing = {"url", "camera"} & set(known) - set(document)
    if missing:
        raise InvalidInput(what, expected=f"the field {min(missing)!r}", found="an object without it")
    return kind(**document)


_LITERALS: Final[Mapping[str, tuple[str, ...]]] = {
    "Mode": get_args(Mode),
    "Kind": get_args(Kind),
    "Rotation": get_args(Rotation),
    "Scaling": get_args(Scaling),
    "MaskWay": get_args(MaskWay),
}


def _check_type(value: object, annotation: str, what: str) -> None:
    if annotation in _LITERALS:
        is_right, expected = value in _LITERALS[annotation], f"one of {', '.join(_LITERALS[annotation])}"
    elif annotation == "float":
        is_right, expected = _is_number(value), "a finite number"
    elif annotation in ("int", "str", "bool"):
        is_right, expected = (
            type(value).__name__ == annotation,
            {"int": "a whole number", "str": "text", "bool": "true or false"}[annotation],
        )
    else:
        return  # read by _with_parts
    if not is_right:
        raise InvalidInput(what, expected=expected, found=repr(value)[:60])


def _check(settings: RemoteSettings) -> None:
    parts = urlsplit(settings.url)
    if parts.scheme not in ("ws", "wss") or not parts.hostname or parts.username:
        raise InvalidInput("address of the policy server", expected="ws://HOST:PORT or wss://HOST", found=settings.url[:80])
    ranges = {"execute_steps": (0, 1000), "blend": (0, 1), "control_hz": (0.1, 1000)}
    ranges |= {name: (0.01, 3600) for name in ("timeout_s", "warm_up_s", "connect_timeout_s")}
    for name, (low, high) in ranges.items():
        if not low <= getattr(settings, name) <= high:
            raise InvalidInput(name, expected=f"{low:g} to {high:g}", found=str(getattr(settings, name)))
    if settings.action.gripper_open == settings.action.gripper_closed:
        raise InvalidInput("action, gripper_open", expected="another number than gripper_closed", found=str(settings.action.gripper_open))
    for key, source in settings.images.items():
        if not (1 <= source.width <= 4096 and 1 <= source.height <= 4096):
            raise InvalidInput(f"images, {key}", expected="1 to 4096 pixels", found=f"{source.width} x {source.height}")
    if (settings.normalisation.state, settings.normalisation.actions) != ("none", "none") and not settings.normalisation.file:
        raise InvalidInput("normalisation", expected="the file with the statistics", found="none")


def _mapping(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidInput(what, expected="an object", found=type(value).__name__)
    return value


def _names(value: object, what: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(v, str) for v in value):
        raise InvalidInput(what, expected="a list of names", found=repr(value)[:60])
    return tuple(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")
