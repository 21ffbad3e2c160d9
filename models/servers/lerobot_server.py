"""Serves a LeRobot policy (ACT, SmolVLA, pi0, pi0.5, ...) to the workbench, from an environment of its own.

    python3.12 -m venv lerobot-env && lerobot-env/bin/pip install -r models/servers/lerobot.txt
    lerobot-env/bin/python -m models.servers.lerobot_server DIRECTORY_OR_HUB_ID --port 8001

Run it in the root folder of the workbench. It speaks the layout of :mod:`models.serve_policy`, so that the client needs the address
alone. Weights are read as safetensors, never as pickle.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from lerobot.configs import FeatureType, PreTrainedConfig
from lerobot.policies.factory import get_policy_class, make_pre_post_processors

from models.serve import Listening, Service, add_listening_options, serve_until_interrupted
from workbench.core.errors import InvalidInput, UnknownName, WorkbenchError
from workbench.core.types import PROPRIO, PROPRIO_DIM

STATE: Final = "observation.state"
USUAL_CAMERAS: Final = ("front", "wrist")
USUAL_STATES: Final[Mapping[int, tuple[str, ...]]] = {
    PROPRIO_DIM: ("joints", "ee_position", "ee_quaternion", "gripper", "gripper_command"),
    8: ("joints", "gripper"),
    7: ("joints",),
}
"""Length of a policy's state -> parts of our proprioception that make it up, unless ``--state`` names others."""
_SEED_RANGE: Final = 2**63


class LeRobotPolicy:
    """A loaded policy with its processors, and where its inputs come from."""

    def __init__(self, path: str, device: str, *, cameras: Mapping[str, str], state: Sequence[str], is_lenient: bool = False) -> None:
        """Load a policy.

        Args:
            path: a directory with ``config.json`` and ``model.safetensors``, or a hub id.
            device: for torch.
            cameras: our camera -> image feature; for features that are not named here, see :func:`match_cameras`.
            state: parts of :data:`~workbench.core.types.PROPRIO`; empty: by the length of the policy's state.
            is_lenient: accept weights that do not match the configuration one to one.

        Raises:
            InvalidInput: files are missing, broken or of another model, or an input cannot be matched.
        """
        self.config = config = _read_config(path)
        config.device = device
        if config.n_obs_steps != 1:
            found = f"{config.n_obs_steps} for {config.type!r}"
            raise InvalidInput("policy", expected="one that needs a single observation", found=found)
        self.name = f"{config.type}"
        self.policy, (self._before, self._after) = _load(path, config, is_strict=not is_lenient)
        self.features = {key: tuple(f.shape) for key, f in config.input_features.items() if f.type is FeatureType.VISUAL}
        self.sources = match_cameras(tuple(self.features), cameras)
        self.parts = _match_state(config, state)

    def metadata(self) -> dict[str, Any]:
        """Return what a client needs to know: the cameras in the sizes the policy was made for."""
        shapes = {camera: self.features[feature] for feature, camera in self.sources.items()}
        return {
            "layout": "vla-workbench-1",
            "cameras": [{"name": name, "width": width, "height": height} for name, (_, height, width) in shapes.items()],
            "prompts": ["text"],
            "action_horizon": int(getattr(self.config, "n_action_steps", 1)),
            "action_dim": int(self.config.output_features["action"].shape[0]),
            "needs_state": False,
            "description": f"LeRobot {self.config.type}",
        }

    @torch.no_grad()
    def infer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the actions for one request.

        Raises:
            InvalidInput: a picture or the proprioception is missing or of another shape.
        """
        seed = request.get("seed")
        if isinstance(seed, list) and seed and all(type(n) is int for n in seed):
            torch.manual_seed(sum(n << (32 * i) for i, n in enumerate(seed)) % _SEED_RANGE)
        batch = self._before(self._batch(request))
        chunk = self.policy.predict_action_chunk(batch)
        chunk = chunk if chunk.ndim == 3 else chunk[None]
        # The processors know single actions only.
        rows = [self._after(chunk[:, i]).squeeze(0) for i in range(chunk.shape[1])]
        return {"actions": torch.stack(rows).float().cpu().numpy()}

    def _batch(self, request: Mapping[str, Any]) -> dict[str, Any]:
        batch: dict[str, Any] = {"task": str(request.get("prompt", "")), "robot_type": ""}
        for feature, camera in self.sources.items():
            image = np.array(_found(request, f"observation/images/{camera}"))
            expected = self.features[feature]
            if image.ndim != 3 or image.dtype != np.uint8 or image.shape[2] != expected[0]:
                raise InvalidInput(f"picture {camera!r}", expected=f"(H, W, {expected[0]}) uint8", found=f"{image.shape} {image.dtype}")
            batch[feature] = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
        if self.parts:
            proprio = np.array(_found(request, "observation/proprio"), np.float32)
            if proprio.shape != (PROPRIO_DIM,):
                raise InvalidInput("observation/proprio", expected=f"shape ({PROPRIO_DIM},)", found=str(proprio.shape))
            batch[STATE] = torch.from_numpy(np.concatenate([proprio[PROPRIO[p]] for p in self.parts]))[None]
        return batch


class LeRobotSession:
    """One client's use of the policy."""

    def __init__(self, policy: LeRobotPolicy) -> None:
        self._policy = policy
        policy.policy.reset()

    def infer(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Answer one request."""
        if request.get("reset") is True:
            self._policy.policy.reset()
        return self._policy.infer(request)

    def close(self) -> None:
        """Do nothing; the policy stays loaded."""


def match_cameras(features: Sequence[str], given: Mapping[str, str]) -> dict[str, str]:
    """Return for each image feature the camera of ours that feeds it.

    Given pairs first; then a feature whose last part is the name of a camera of ours; then the cameras that are left, in order.

    Raises:
        InvalidInput: a pair names a feature that the policy does not have, or a feature finds no camera.
    """
    matched = {feature: camera for camera, feature in given.items()}
    for feature in matched:
        if feature not in features:
            raise UnknownName("image feature", feature, features)
    for feature in features:
        last = feature.rsplit(".", 1)[-1]
        if feature not in matched and last in USUAL_CAMERAS and last not in matched.values():
            matched[feature] = last
    for feature in features:
        free = [c for c in USUAL_CAMERAS if c not in matched.values()]
        if feature not in matched and not free:
            raise InvalidInput(f"image feature {feature!r}", expected="a camera", found="none left", fix=f"Give --camera NAME={feature}.")
        if feature not in matched:
            matched[feature] = free[0]
    return {feature: matched[feature] for feature in features}


def _match_state(config: PreTrainedConfig, state: Sequence[str]) -> tuple[str, ...]:
    for part in state:
        if part not in PROPRIO:
            raise UnknownName("part of the state", part, PROPRIO)
    if STATE not in config.input_features:
        return ()
    size = int(config.input_features[STATE].shape[0])
    parts = tuple(state) or USUAL_STATES.get(size, ())
    length = sum(PROPRIO[p].stop - PROPRIO[p].start for p in parts)
    if length != size:
        raise InvalidInput(
            "state of the policy",
            expected=f"{size} numbers",
            found=f"{length} of {', '.join(parts) or 'nothing'}",
            fix=f"Give --state with parts of {', '.join(PROPRIO)}.",
        )
    return parts


def _read_config(path: str) -> PreTrainedConfig:
    try:
        return PreTrainedConfig.from_pretrained(path)
    except Exception as error:  # draccus and the hub raise many kinds
        raise InvalidInput(f"policy {path!r}", expected="a LeRobot policy with config.json", found=_line(error)) from error


def _load(path: str, config: PreTrainedConfig, *, is_strict: bool) -> tuple[Any, Any]:
    """Return the policy, and its two processors."""
    if Path(path).is_dir() and not (Path(path) / "model.safetensors").is_file():
        raise InvalidInput(f"policy {path!r}", expected="the file model.safetensors", found="none; other formats are not read")
    try:
        policy = get_policy_class(config.type).from_pretrained(path, config=config, strict=is_strict)
        device = {"device_processor": {"device": config.device}}
        return policy, make_pre_post_processors(config, pretrained_path=path, preprocessor_overrides=device)
    except Exception as error:  # torch, safetensors, the hub and the policies raise many kinds
        fix = "--lenient loads what matches." if is_strict else ""
        raise InvalidInput(f"policy {path!r}", expected=f"whole weights of {config.type!r}", found=_line(error), fix=fix) from error


def _found(request: Mapping[str, Any], key: str) -> Any:
    if key not in request:
        raise InvalidInput("request", expected=f"the field {key!r}", found="none")
    return request[key]


def _line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200] if lines else ''}"


def _pair(text: str) -> tuple[str, str]:
    camera, equals, feature = text.partition("=")
    if not (camera and equals and feature):
        raise argparse.ArgumentTypeError(f"expected CAMERA=FEATURE, found {text!r}")
    return camera, feature


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until interrupted; return the exit status."""
    parser = argparse.ArgumentParser(prog="lerobot_server", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("policy", help="directory with config.json and model.safetensors, or a hub id")
    add_listening_options(parser)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--camera", action="append", default=[], type=_pair, metavar="CAMERA=FEATURE", help="front=observation.images.top")
    parser.add_argument("--state", nargs="*", default=[], metavar="PART", help=f"what the state is made of: {', '.join(PROPRIO)}")
    parser.add_argument("--lenient", action="store_true", help="accept weights that do not match the configuration one to one")
    args = parser.parse_args(argv)
    try:
        policy = LeRobotPolicy(args.policy, args.device, cameras=dict(args.camera), state=args.state, is_lenient=args.lenient)
        service = Service(policy.name, lambda: LeRobotSession(policy), policy.metadata())
        serve_until_interrupted(service, Listening(args.host, args.port, args.api_key_env))
    except WorkbenchError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
