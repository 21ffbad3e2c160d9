"""Serves OpenVLA to the workbench, from an environment of its own.

    python3.11 -m venv openvla-env && openvla-env/bin/pip install -r models/servers/openvla.txt
    openvla-env/bin/python -m models.servers.openvla_server openvla/openvla-7b --trust-remote-code --unnorm-key bridge_orig --port 8002

Run it in the root folder of the workbench. The checkpoints bring their own model code; it is run only when ``--trust-remote-code``
says so. One action a request: metres and radians in the robot's base frame, and a gripper from 0 closed to 1 open, as the data of
the chosen statistics have them.

Source: Kim et al. 2024, arXiv:2406.09246.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Final

import numpy as np
import torch
from PIL import Image

from models.serve import Listening, Service, add_listening_options, serve_until_interrupted
from workbench.core.errors import InvalidInput, UnknownName, WorkbenchError

IMAGE_SIZE: Final = 224
ACTION_DIM: Final = 7


def make_prompt(instruction: str) -> str:
    """Return the words around an instruction with which OpenVLA was trained."""
    return f"In: What action should the robot take to {instruction.strip().rstrip('.').lower()}?\nOut:"


class OpenVLASession:
    """One client's use of the model; it remembers nothing between requests."""

    def __init__(self, model: Any, processor: Any, *, unnorm_key: str, camera: str) -> None:
        """Take a loaded model.

        Raises:
            UnknownName: the model has no statistics of that name.
        """
        known = dict(getattr(model, "norm_stats", {}))
        if unnorm_key not in known:
            raise UnknownName("statistics (--unnorm-key)", unnorm_key, known)
        self._model, self._processor, self._unnorm_key, self._camera = model, processor, unnorm_key, camera

    @torch.no_grad()
    def infer(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return one action ``(1, 7)``.

        Raises:
            InvalidInput: the picture is missing or of another kind, or nothing is said.
        """
        key = f"observation/images/{self._camera}"
        image = np.array(request.get(key)) if key in request else np.zeros(0)
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise InvalidInput(key, expected="a picture (H, W, 3) uint8", found=f"shape {image.shape} {image.dtype}")
        instruction = request.get("prompt")
        if not isinstance(instruction, str) or not instruction.strip():
            raise InvalidInput("prompt", expected="an instruction", found=repr(instruction)[:60])
        inputs = self._processor(make_prompt(instruction), Image.fromarray(image)).to(self._model.device, dtype=self._model.dtype)
        action = self._model.predict_action(**inputs, unnorm_key=self._unnorm_key, do_sample=False)
        row = np.asarray(action, np.float32).reshape(-1)
        if row.size != ACTION_DIM or not np.isfinite(row).all():
            raise InvalidInput("action of the model", expected=f"{ACTION_DIM} finite numbers", found=str(row.tolist()))
        return {"actions": row[None]}

    def close(self) -> None:
        """Do nothing; the model stays loaded."""


def make_service(name: str, model: Any, processor: Any, *, unnorm_key: str, camera: str = "front") -> Service:
    """Return the service of a loaded model; errors as :class:`OpenVLASession`."""
    session = OpenVLASession(model, processor, unnorm_key=unnorm_key, camera=camera)
    metadata = {
        "layout": "vla-workbench-1",
        "cameras": [{"name": camera, "width": IMAGE_SIZE, "height": IMAGE_SIZE}],
        "prompts": ["text"],
        "action_horizon": 1,
        "needs_state": False,
        "description": f"OpenVLA, statistics {unnorm_key}",
    }
    return Service(name, lambda: session, metadata)


def load(path: str, *, device: str, dtype: str) -> tuple[Any, Any]:
    """Return model and processor of a checkpoint, running the code that it brings.

    Raises:
        InvalidInput: it cannot be loaded.
    """
    try:
        library: Any = import_module("transformers")  # of 2024: what is called here has gone from later ones
        processor = library.AutoProcessor.from_pretrained(path, trust_remote_code=True)
        model = library.AutoModelForVision2Seq.from_pretrained(
            path, torch_dtype=getattr(torch, dtype), low_cpu_mem_usage=True, trust_remote_code=True, use_safetensors=True
        )
    except Exception as error:  # the hub, torch and the checkpoint's own code raise many kinds
        first = (str(error).strip().splitlines() or [""])[0][:200]
        raise InvalidInput(f"policy {path!r}", expected="an OpenVLA checkpoint", found=f"{type(error).__name__}: {first}") from error
    return model.to(device).eval(), processor


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until interrupted; return the exit status."""
    parser = argparse.ArgumentParser(prog="openvla_server", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("policy", help="directory or hub id")
    parser.add_argument(
        "--trust-remote-code", action="store_true", help="run the model code that the checkpoint brings; without it nothing is loaded"
    )
    parser.add_argument("--unnorm-key", default="bridge_orig", help="whose statistics give the actions their units (default bridge_orig)")
    parser.add_argument("--camera", default="front", help="camera of the workbench that it sees (default front)")
    add_listening_options(parser)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", default="bfloat16", choices=("bfloat16", "float16", "float32"))
    args = parser.parse_args(argv)
    try:
        if not args.trust_remote_code:
            raise InvalidInput(
                "OpenVLA's model code",
                expected="your leave to run it: it comes with the checkpoint",
                found="none",
                fix="Look at the checkpoint's *.py files, then add --trust-remote-code.",
            )
        model, processor = load(args.policy, device=args.device, dtype=args.dtype)
        service = make_service("openvla", model, processor, unnorm_key=args.unnorm_key, camera=args.camera)
        serve_until_interrupted(service, Listening(args.host, args.port, args.api_key_env))
    except WorkbenchError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
