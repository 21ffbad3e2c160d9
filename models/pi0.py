"""pi0 of ``transformers`` as a policy, from a directory or a hub id; its processor comes with it.

Source: Black et al. 2024, arXiv:2410.24164. No code of a checkpoint is ever run, and weights are read as safetensors only.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from transformers import PI0ForConditionalGeneration, PI0Processor
from transformers.utils.hub import cached_file

from models.layers import pi0_anatomy
from models.remote_mapping import RemoteMapping
from models.remote_settings import RemoteSettings, settings_from
from workbench.core.anatomy import Anatomy
from workbench.core.errors import InvalidInput, InvalidShape, UnknownName
from workbench.core.protocols import Policy, PolicySpec, Simulator
from workbench.core.types import ActionChunk, Observation, Prompt

SETTINGS_ENV: Final = "VLAW_PI0"
"""Variable that says which checkpoint the policy ``pi0`` loads: what :func:`read_settings` takes."""
_DTYPES: Final = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_OUR_LAYOUT: Final[Mapping[str, Any]] = {
    "images": {"front": {"camera": "front"}, "wrist": {"camera": "wrist"}},
    "state": {"state": ["proprio"]},
}
"""The bench's own numbers: for a checkpoint that was trained on episodes of the workbench."""
_EPS: Final = 1e-8


@dataclass(frozen=True)
class Pi0Settings:
    """Which checkpoint, where it runs, and what its numbers mean."""

    path: str
    """Directory or hub id."""
    layout: RemoteSettings
    """Pictures in the order in which the checkpoint takes them, state, actions; its address is not used."""
    device: str = "cpu"
    dtype: str = "float32"
    num_steps: int = 0
    """Denoising steps; 0: as the checkpoint says."""


def read_settings(text: str) -> Pi0Settings:
    """Read ``PATH_OR_HUB_ID[,PRESET]``, or a JSON or YAML file with ``path`` and any of ``device``, ``dtype``, ``num_steps``, ``layout``.

    Presets and the fields of ``layout`` are those of :mod:`models.remote_settings`.

    Raises:
        InvalidInput: a field is of the wrong kind.
        UnknownName: no such field, preset or type of number.
    """
    document: dict[str, Any]
    if Path(text).suffix in (".json", ".yaml", ".yml") and Path(text).is_file():
        try:
            document = dict(yaml.safe_load(Path(text).read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError, ValueError) as error:
            raise InvalidInput(f"settings of pi0 in {Path(text).name}", expected="an object in JSON or YAML", found=_line(error)) from error
    else:
        path, _, preset = text.partition(",")
        document = {"path": path.strip(), "layout": {"preset": preset.strip() or "ours"}}
    layout = document.pop("layout", {})
    if not isinstance(layout, Mapping):
        raise InvalidInput("settings of pi0, layout", expected="an object", found=type(layout).__name__)
    if layout.get("preset", "ours") == "ours":
        layout = {**_OUR_LAYOUT, **layout}
    kinds = {"path": str, "device": str, "dtype": str, "num_steps": int}
    for name, value in document.items():
        if name not in kinds:
            raise UnknownName("field in settings of pi0", str(name), [*kinds, "layout"])
        if type(value) is not kinds[name]:
            raise InvalidInput(f"settings of pi0, {name}", expected=kinds[name].__name__, found=repr(value)[:60])
    if not document.get("path"):
        raise InvalidInput(
            "policy pi0",
            expected="a directory or hub id",
            found="none",
            fix=f"Set {SETTINGS_ENV}=PATH[,PRESET] before you start, see docs/policies.md.",
        )
    if document.get("dtype", "float32") not in _DTYPES:
        raise UnknownName("type of number", str(document["dtype"]), _DTYPES)
    return Pi0Settings(layout=replace(settings_from({"url": "ws://none", **layout}), is_ours=False), **document)


class Pi0Policy:
    """Implements the core's ``SteerablePolicy``."""

    def __init__(self, settings: Pi0Settings, simulator: Simulator | None = None) -> None:
        """Load the checkpoint.

        Raises:
            InvalidInput: files are missing, broken or of another model, or the layout does not fit the checkpoint.
        """
        self._settings = settings
        self._mapping = RemoteMapping(settings.layout)
        self._network, self._processor = load_pi0(settings)
        kinematics = getattr(simulator, "kinematics", None)
        self._joint_pose = None if kinematics is None else kinematics.pose
        _check_statistics(self._processor)
        chunk = int(self._network.config.chunk_size)
        self._spec = PolicySpec(
            "pi0",
            cameras=self._mapping.cameras,
            prompts=frozenset({"text"}),
            action_horizon=min(settings.layout.execute_steps or max(1, chunk // 2), chunk),
            description=f"pi0 from {Path(settings.path).name}",
        )

    @property
    def spec(self) -> PolicySpec:
        """What it is, asks for and understands."""
        return self._spec

    @property
    def module(self) -> torch.nn.Module:
        """The network, for hooks."""
        return self._network

    @property
    def sites(self) -> Anatomy:
        """Where the network keeps what can be read and steered."""
        return pi0_anatomy(self._network, [source.camera for source in self._settings.layout.images.values()])

    def reset(self, rng: np.random.Generator) -> None:
        """Nothing to forget: every chunk follows from the present."""

    def act(self, observation: Observation, prompt: Prompt, rng: np.random.Generator) -> ActionChunk:
        """Return a chunk, denoised from noise of ``rng``.

        Raises:
            InvalidInput: the state has more numbers than the checkpoint takes, or the network gave no finite numbers.
        """
        layout = self._settings.layout
        request = self._mapping.request(observation, prompt)
        images = [request[key] for key in layout.images]
        state = np.concatenate([request[key] for key in layout.state])
        width = len(self._processor.state_mean or ())
        if state.size != width:
            raise InvalidShape("state of pi0's layout", expected=(width,), found=state.shape)
        actions = self._sample(images, prompt.text, state, rng)
        rows = self._mapping.rows({"actions": actions})
        return ActionChunk(self._mapping.actions(rows, observation, self._joint_pose), layout.control_hz)

    def _sample(
        self, images: list[NDArray[np.uint8]], text: str, state: NDArray[np.float32], rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """Return the checkpoint's actions ``(T, D)`` in its data's units."""
        network, processor = self._network, self._processor
        config, dtype, device = network.config, network.dtype, network.device
        inputs = processor(images=[images], text=[text], state=state[None], return_tensors="pt")
        noise = torch.from_numpy(rng.standard_normal((1, config.chunk_size, config.max_action_dim), dtype=np.float32))
        sampled = network.sample_actions(
            state=inputs["state"].to(device, dtype),
            input_ids=inputs["input_ids"].to(device),
            pixel_values=inputs["pixel_values"].to(device, dtype),
            noise=noise.to(device, dtype),
            attention_mask=inputs["attention_mask"].to(device),
            pixel_attention_mask=inputs["pixel_attention_mask"].to(device),
            num_steps=self._settings.num_steps or None,
        )
        mean, std = np.asarray(processor.actions_mean, float), np.asarray(processor.actions_std, float)
        normalised = sampled[0].float().cpu().numpy().astype(np.float64)[:, : mean.size]
        return np.asarray(normalised * (std + _EPS) + mean)


def load_pi0(settings: Pi0Settings) -> tuple[PI0ForConditionalGeneration, PI0Processor]:
    """Return network and processor of a checkpoint.

    Raises:
        InvalidInput: files are missing, broken, or of another model; weights that do not match one to one count as broken.
    """
    path, what = settings.path, f"pi0 checkpoint {settings.path!r}"
    fix = "Name a directory written by save_pretrained of transformers' PI0ForConditionalGeneration and PI0Processor."
    try:
        config_file = cached_file(path, "config.json")
        kind = json.loads(Path(str(config_file)).read_text(encoding="utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError) as error:
        raise InvalidInput(what, expected="config.json", found=_line(error), fix=fix) from error
    if kind != "pi0":
        raise InvalidInput(what, expected="model_type pi0 in config.json", found=repr(kind), fix=fix)
    loader: Any = PI0ForConditionalGeneration
    try:
        network, info = loader.from_pretrained(path, use_safetensors=True, dtype=_DTYPES[settings.dtype], output_loading_info=True)
        processor = PI0Processor.from_pretrained(path)
    except Exception as error:  # safetensors, torch, tokenizers and the hub raise many kinds
        raise InvalidInput(what, expected="whole weights and a processor", found=_line(error), fix=fix) from error
    for problem in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        names = sorted(map(str, info.get(problem) or ()))
        if names:
            found = f"{len(names)} {problem.replace('_', ' ')}, such as {names[0]}"
            raise InvalidInput(what, expected="weights that match the network one to one", found=found, fix=fix)
    expected, found_id = int(network.config.vlm_config.image_token_id), int(processor.image_token_id)
    if expected != found_id:  # a tokenizer whose file is missing is made up of nothing, without a word
        found = f"{found_id}, of a tokenizer with {len(processor.tokenizer)} words"
        raise InvalidInput(f"{what}, tokenizer", expected=f"the token {expected} for pictures", found=found, fix=fix)
    return network.to(settings.device).eval(), processor


def load_policy(simulator: Simulator) -> Policy:
    """Return pi0 with what the environment says; a :data:`~workbench.core.protocols.PolicyFactory`."""
    return Pi0Policy(read_settings(os.environ.get(SETTINGS_ENV, "")), simulator)


def _check_statistics(processor: PI0Processor) -> None:
    for name in ("state_mean", "state_std", "actions_mean", "actions_std"):
        if not getattr(processor, name, None):
            raise InvalidInput(
                "pi0's processor",
                expected=f"the statistics {name!r} of its data",
                found="none",
                fix="Save the processor with the statistics of the data that the checkpoint was trained on.",
            )


def _line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200] if lines else ''}"
