"""The core's observations, prompts and action chunks as wire messages, in the workbench's own layout, and back.

A request holds::

    observation/images/<camera>   (H, W, 3) uint8 RGB
    observation/cameras/<camera>  {fx, fy, cx, cy, T_world_camera (4, 4)} for that picture
    observation/proprio           (16,) float32
    step, time_s                  control step and simulated time [s]
    prompt                        text; beside it, where they are set: trace, mask, interaction, plan
    seed                          list of integers from which the policy's random generator is made
    reset                         true in the first request of an episode

and a reply ``actions`` (T, 7) float32, ``control_hz``, ``scores`` and, where the policy tells it, ``intention``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import InvalidInput, InvalidShape
from workbench.core.geometry import Pinhole
from workbench.core.sketches import plan_to_dict
from workbench.core.types import PROPRIO_DIM, ActionChunk, CameraRequest, Intention, Interaction, Mask, Observation, Prompt, Target, Trace

IMAGES: Final = "observation/images/"
CAMERAS: Final = "observation/cameras/"
PROPRIO_KEY: Final = "observation/proprio"
Wire = dict[str, Any]


def observation_to_wire(observation: Observation, cameras: tuple[CameraRequest, ...]) -> Wire:
    """Return the part of a request that holds an observation; the pictures are rendered here."""
    wire: Wire = {
        PROPRIO_KEY: np.asarray(observation.proprio, np.float32),
        "step": int(observation.step),
        "time_s": float(observation.time_s),
    }
    for camera in cameras:
        wire[IMAGES + camera.name] = observation.images[camera.name]
        pinhole = observation.cameras.get(camera.name)
        if pinhole is not None:
            numbers = {name: float(getattr(pinhole, name)) for name in ("fx", "fy", "cx", "cy")}
            wire[CAMERAS + camera.name] = numbers | {"T_world_camera": np.asarray(pinhole.T_world_camera, float)}
    return wire


def observation_from_wire(wire: Mapping[str, Any], cameras: tuple[CameraRequest, ...], *, step: int, time_s: float) -> Observation:
    """Return the observation in a request.

    Args:
        wire: the request.
        cameras: what the policy asks for; each must be there.
        step: control step, where the request does not tell it.
        time_s: simulated time, where the request does not tell it [s].

    Raises:
        InvalidInput: a part is missing or of the wrong kind.
    """
    images = {c.name: read_image(wire, IMAGES + c.name) for c in cameras}
    pinholes = {name: _pinhole_from_wire(name, wire[CAMERAS + name], image) for name, image in images.items() if CAMERAS + name in wire}
    return Observation(
        images=images,
        depth={},
        cameras=pinholes,
        proprio=read_array(wire, PROPRIO_KEY, (PROPRIO_DIM,)),
        step=int(_number(wire.get("step", step), "step")),
        time_s=_number(wire.get("time_s", time_s), "time_s"),
    )


def prompt_to_wire(prompt: Prompt, understood: frozenset[str]) -> Wire:
    """Return the part of a request that holds a prompt: the text, and what else the policy understands."""
    wire: Wire = {"prompt": prompt.text}
    if prompt.trace is not None and "trace" in understood:
        wire["trace"] = _trace_to_wire(prompt.trace)
    if prompt.mask is not None and "mask" in understood:
        wire["mask"] = {"camera": prompt.mask.camera, "pixels": prompt.mask.pixels, "source": prompt.mask.source}
        wire["interaction"] = prompt.interaction.value if prompt.interaction else None
    if prompt.plan is not None and "sketch" in understood:
        wire["plan"] = plan_to_dict(prompt.plan)
    return wire


def prompt_from_wire(wire: Mapping[str, Any]) -> Prompt:
    """Return the prompt in a request, without its plan; errors as :func:`observation_from_wire`."""
    trace, mask, interaction = wire.get("trace"), wire.get("mask"), wire.get("interaction")
    return Prompt(
        text=_text(wire.get("prompt", ""), "prompt"),
        trace=None if trace is None else _trace_from_wire(_map(trace, "trace")),
        mask=None if mask is None else _mask_from_wire(_map(mask, "mask")),
        interaction=None if interaction is None else _interaction(interaction),
    )


def chunk_to_wire(chunk: ActionChunk) -> Wire:
    """Return a reply."""
    wire: Wire = {
        "actions": np.asarray(chunk.actions, np.float32),
        "control_hz": float(chunk.control_hz),
        "scores": {name: float(value) for name, value in chunk.scores.items()},
    }
    if (told := chunk.intention) is not None:
        wire["intention"] = {
            "trace": None if told.trace is None else _trace_to_wire(told.trace),
            "targets": [
                {"camera": t.camera, "point": list(t.point), "role": t.role, "confidence": float(t.confidence), "heatmap": t.heatmap}
                for t in told.targets
            ],
            "confidences": told.confidences,
            "entropies": told.entropies,
        }
    return wire


def scores_from_wire(wire: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers that a reply tells beside its actions; what is no number is left out."""
    scores = wire.get("scores")
    if not isinstance(scores, Mapping):
        return {}
    return {str(k): float(v) for k, v in scores.items() if isinstance(v, int | float | np.number) and np.isfinite(v)}


def intention_from_wire(wire: Mapping[str, Any]) -> Intention | None:
    """Return the intention in a reply; errors as :func:`observation_from_wire`."""
    if wire.get("intention") is None:
        return None
    told = _map(wire["intention"], "intention")
    items = () if told.get("targets") is None else told["targets"]
    if not isinstance(items, list | tuple):
        raise InvalidInput("intention, targets", expected="a list", found=type(items).__name__)
    return Intention(
        trace=None if told.get("trace") is None else _trace_from_wire(_map(told["trace"], "intention, trace")),
        targets=tuple(_target_from_wire(_map(item, "intention, target")) for item in items),
        confidences=None if told.get("confidences") is None else read_array(told, "confidences", ("T", "D")),
        entropies=None if told.get("entropies") is None else read_array(told, "entropies", ("T", "D")),
    )


def read_image(wire: Mapping[str, Any], key: str) -> NDArray[np.uint8]:
    """Return a picture ``(H, W, 3) uint8`` of a message, copied; also from channels first, and from floats 0..1.

    Raises:
        InvalidInput: it is missing or no picture.
    """
    image = _as_array(_found(wire, key), key)
    if image.ndim == 3 and image.shape[0] == 3 and image.shape[2] != 3:
        image = image.transpose(1, 2, 0)
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape or image.dtype.kind not in "uif":
        raise InvalidInput(key, expected="a picture (H, W, 3) uint8", found=f"shape {image.shape} {image.dtype}")
    if image.dtype.kind == "f":
        image = np.rint(np.clip(np.nan_to_num(image), 0.0, 1.0) * 255)
    return np.array(np.clip(image, 0, 255), np.uint8)


def read_flag(wire: Mapping[str, Any], key: str) -> bool:
    """Tell whether a field of a message is there and true; anything but a truth value counts as not true."""
    value = wire.get(key)
    return isinstance(value, bool | np.bool_) and bool(value)


def read_array(wire: Mapping[str, Any], key: str, shape: tuple[int | str, ...]) -> NDArray[np.float32]:
    """Return finite numbers of a message as ``float32`` of that shape, copied; a name in ``shape`` stands for any length.

    Raises:
        InvalidInput: it is missing, of another shape, or not all finite numbers.
    """
    value = _found(wire, key)
    try:
        array = np.array(value, dtype=np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInput(key, expected="numbers", found=type(value).__name__) from error
    if array.ndim != len(shape) or any(isinstance(n, int) and n != m for n, m in zip(shape, array.shape, strict=True)):
        raise InvalidShape(key, expected=shape, found=array.shape, dtype="float32")
    if not np.isfinite(array).all():
        raise InvalidInput(key, expected="finite numbers", found="NaN or infinity")
    return array


def _found(wire: Mapping[str, Any], key: str) -> Any:
    if key not in wire:
        raise InvalidInput("message", expected=f"the field {key!r}", found=f"only {', '.join(sorted(map(str, wire))) or 'nothing'}")
    return wire[key]


def _as_array(value: object, what: str) -> NDArray[Any]:
    try:
        return np.asarray(value)
    except (TypeError, ValueError) as error:
        raise InvalidInput(what, expected="an array", found=type(value).__name__) from error


def _map(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidInput(what, expected="a map", found=type(value).__name__)
    return value


def _number(value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not np.isfinite(value):
        raise InvalidInput(what, expected="a finite number", found=repr(value)[:60])
    return float(value)


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise InvalidInput(what, expected="text", found=type(value).__name__)
    return value


def _interaction(value: object) -> Interaction:
    try:
        return Interaction(str(value))
    except ValueError as error:
        raise InvalidInput("interaction", expected=f"one of {', '.join(Interaction)}", found=repr(value)[:60]) from error


def _trace_to_wire(trace: Trace) -> Wire:
    optional = {name: None if (part := getattr(trace, name)) is None else list(part) for name in ("times_s", "depths_m", "gripper")}
    points = np.array(trace.points, np.float32).reshape(-1, 2)
    return {"camera": trace.camera, "width": trace.width, "height": trace.height, "points": points, "source": trace.source} | optional


def _trace_from_wire(wire: Mapping[str, Any]) -> Trace:
    points = read_array(wire, "points", ("N", 2))

    def optional(name: str) -> tuple[float, ...] | None:
        return None if wire.get(name) is None else tuple(read_array(wire, name, (len(points),)).tolist())

    return Trace(
        camera=_text(_found(wire, "camera"), "trace, camera"),
        width=int(_number(_found(wire, "width"), "trace, width")),
        height=int(_number(_found(wire, "height"), "trace, height")),
        points=tuple((float(u), float(v)) for u, v in points),
        times_s=optional("times_s"),
        depths_m=optional("depths_m"),
        gripper=optional("gripper"),
        source=_text(wire.get("source", "human"), "trace, source"),
    )


def _mask_from_wire(wire: Mapping[str, Any]) -> Mask:
    pixels = _as_array(_found(wire, "pixels"), "mask, pixels")
    if pixels.ndim != 2 or pixels.dtype.kind not in "bui":
        raise InvalidShape("mask, pixels", expected=("H", "W"), found=pixels.shape, dtype="bool")
    camera, source = _text(_found(wire, "camera"), "mask, camera"), _text(wire.get("source", "human"), "mask, source")
    return Mask(camera, np.array(pixels, bool), source)


def _target_from_wire(wire: Mapping[str, Any]) -> Target:
    u, v = read_array(wire, "point", (2,)).tolist()
    heatmap = None if wire.get("heatmap") is None else read_array(wire, "heatmap", ("h", "w"))
    confidence = _number(wire.get("confidence", 1.0), "target, confidence")
    return Target(
        _text(_found(wire, "camera"), "target, camera"), (u, v), _text(wire.get("role", "target"), "target, role"), confidence, heatmap
    )


def _pinhole_from_wire(name: str, value: object, image: NDArray[np.uint8]) -> Pinhole:
    wire = _map(value, CAMERAS + name)
    fx, fy, cx, cy = (_number(_found(wire, k), f"{CAMERAS}{name}, {k}") for k in ("fx", "fy", "cx", "cy"))
    transform = read_array(wire, "T_world_camera", (4, 4)).astype(float)
    return Pinhole(name, image.shape[1], image.shape[0], fx, fy, cx, cy, transform)
