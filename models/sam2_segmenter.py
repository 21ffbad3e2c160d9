"""Any SAM 2 as a segmenter and a tracker of a stream: Meta's, through the ``sam2`` package, and ours of bench size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from numpy.typing import NDArray
from sam2.modeling.sam2_base import SAM2Base
from sam2.sam2_image_predictor import SAM2ImagePredictor
from torch import Tensor

from models.sam2_memory import FrameFeatures, FrameOutput, Memory, frame_features, step
from workbench.core.errors import InvalidInput, InvalidShape
from workbench.core.masks import Candidate, Embedding, MaskPrompt, Picture, TrackedMask
from workbench.core.protocols import SegmenterSpec, Tracker
from workbench.segmentation.following import make_association

MAX_PROMPTED: Final = 4
"""Prompted frames that are remembered of an object: the first and the latest."""
_BOX_CORNERS: Final = (2.0, 3.0)
_SURE_LOGIT: Final = 10.0
_CONTEXT_STRIDES: Final = (4, 8, 16)
"""Pixels to a token of the three levels of features."""


class _Looked(NamedTuple):
    """What the image predictor keeps of a picture."""

    features: dict[str, Tensor]
    size: list[tuple[int, int]]


Guess = Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]
"""Which rough mask goes in with clicks: from the finest features ``(1, C, s, s)``, places ``(1, P, 2)`` [px of the network's picture], labels
``(1, P)`` and the logits ``(1, 1, s, s)`` before, if any, to logits ``(1, 1, s, s)``."""


class Sam2Segmenter:
    """Masks from clicks and boxes by a SAM 2; one call at a time."""

    def __init__(self, network: SAM2Base, spec: SegmenterSpec, guess: Guess | None = None) -> None:
        """Take a network, what it is called, and how it was trained to be given a rough mask with clicks, if so."""
        self._network, self._spec, self._guess = network.eval(), spec, guess
        self._predictor = SAM2ImagePredictor(network)
        # The package assumes pictures of 1,024 pixels.
        self._predictor._bb_feat_sizes = [(network.image_size // s,) * 2 for s in _CONTEXT_STRIDES]

    @property
    def spec(self) -> SegmenterSpec:
        """What it is."""
        return self._spec

    @property
    def network(self) -> SAM2Base:
        """The weights."""
        return self._network

    @property
    def predictor(self) -> SAM2ImagePredictor:
        """The package's own way to the same weights."""
        return self._predictor

    def embed(self, picture: Picture) -> Embedding:
        """Look at a picture once; the costly part."""
        with torch.inference_mode():
            self._predictor.set_image(picture.pixels)
        return Embedding(picture, _Looked(self._predictor._features, self._predictor._orig_hw))

    def segment(self, embedding: Embedding, prompt: MaskPrompt) -> tuple[Candidate, ...]:
        """Return three masks for a lone click, else one, best first.

        Raises:
            InvalidInput: the prompt is empty or lies outside of the picture, or its raw output is of another segmenter.
        """
        looked, picture = embedding.data, embedding.picture
        if not isinstance(looked, _Looked):
            raise InvalidInput("embedding", expected=f"one made by {self._spec.name!r}", found="one of another segmenter")
        check_prompt(prompt, picture)
        if prompt.mask is not None and not prompt.points and prompt.box is None:
            return (Candidate(prompt.mask, 1.0, self._as_logits(prompt.mask)),)
        predictor = self._predictor
        predictor._features, predictor._orig_hw, predictor._is_image_set = looked.features, looked.size, True
        with torch.inference_mode():
            given, points, labels, box = predictor._prep_prompts(
                np.array(prompt.points) if prompt.points else None,
                np.array(prompt.labels) if prompt.points else None,
                np.array(prompt.box) if prompt.box is not None else None,
                self._given_logits(prompt),
                normalize_coords=True,
            )
            points, labels = _join(points, labels, box)
            if self._guess is not None:
                given = self._guess(looked.features["high_res_feats"][0], points, labels, given)
            # As the package's `predict`, without turning masks into numbers and back.
            found = predictor._predict(points, labels, None, given, multimask_output=prompt.is_ambiguous)
        masks, scores, logits = (tensor[0].cpu().numpy() for tensor in found)
        order = np.argsort(-scores)
        return tuple(Candidate(masks[i], float(np.clip(scores[i], 0.0, 1.0)), logits[i : i + 1]) for i in order)

    def make_tracker(self) -> Tracker:
        """Return a tracker with a memory of its own; weights are shared."""
        return self.make_memory_tracker() if self._spec.tracks_by == "memory" else make_association(self)

    def make_memory_tracker(self) -> Sam2Tracker:
        """Return a tracker by SAM 2's own memory."""
        return Sam2Tracker(self)

    def _given_logits(self, prompt: MaskPrompt) -> NDArray[np.float32] | None:
        side = self._predictor._bb_feat_sizes[0][0]
        if prompt.logits is not None:
            if prompt.logits.shape != (1, side, side):
                raise InvalidShape(f"raw output for {self._spec.name!r}", expected=(1, side, side), found=prompt.logits.shape)
            return prompt.logits
        return None if prompt.mask is None else self._as_logits(prompt.mask)

    def _as_logits(self, mask: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Return a mask as raw output ``(1, s, s)``."""
        side = self._predictor._bb_feat_sizes[0][0]
        small = F.interpolate(torch.from_numpy(mask).float()[None, None], size=(side, side), mode="bilinear", antialias=True)
        found: NDArray[np.float32] = (_SURE_LOGIT * (2 * small[0] - 1)).numpy()
        return found


def _join(points: Tensor | None, labels: Tensor | None, box: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return the corners of a box and clicks as one list of places ``(1, P, 2)`` with labels ``(1, P)``, corners first."""
    if box is None:
        assert points is not None and labels is not None
        return points, labels
    corners, names = box.reshape(1, 2, 2), torch.tensor([_BOX_CORNERS], dtype=torch.int, device=box.device)
    if points is None or labels is None:
        return corners, names
    return torch.cat([corners, points], dim=1), torch.cat([names, labels], dim=1)


def check_prompt(prompt: MaskPrompt, picture: Picture) -> None:
    """Refuse a prompt that says nothing, or of which a point or the mask does not lie on the picture.

    Raises:
        InvalidInput: see above; the message says what to do.
    """
    if prompt.is_empty:
        raise InvalidInput("prompt of a mask", expected="a click on the object, a box or a mask", found="none", fix="Click on the object.")
    size = f"{picture.width} x {picture.height} px"
    for u, v in prompt.points:
        if not (0 <= u <= picture.width and 0 <= v <= picture.height):
            raise InvalidInput("click", expected=f"a pixel of the picture, {size}", found=f"({u:.0f}, {v:.0f})")
    if prompt.mask is not None and prompt.mask.shape != (picture.height, picture.width):
        raise InvalidShape("mask of a prompt", expected=(picture.height, picture.width), found=prompt.mask.shape, dtype="bool")


class Sam2Tracker:
    """Follows objects frame by frame with SAM 2's memory, which is bounded: prompted frames and the latest ones.

    Unlike the package's own video predictor it takes pictures as they come, takes new objects at any time, and forgets.
    """

    def __init__(self, segmenter: Sam2Segmenter) -> None:
        self._segmenter, self._network = segmenter, segmenter.network
        self._memories: dict[str, Memory] = {}
        self._frame = 0
        self._picture: Picture | None = None
        self._features: FrameFeatures | None = None

    @property
    def num_remembered(self) -> int:
        """How many frames of objects are remembered."""
        return sum(len(m.prompted) + len(m.tracked) for m in self._memories.values())

    def start(self, picture: Picture) -> None:
        """Forget every object; this is the present frame."""
        self._memories, self._frame = {}, 0
        self._look(picture)

    def prompt(self, object_id: str, prompt: MaskPrompt) -> TrackedMask:
        """Add an object on the present frame, or correct one; what is remembered of it and of the others stays.

        Raises:
            InvalidInput: the prompt is empty or lies outside of the picture.
        """
        assert self._picture is not None and self._features is not None, "a tracker is started before it is prompted"
        check_prompt(prompt, self._picture)
        memory = self._memories.setdefault(object_id, Memory())
        memory.prompted.pop(self._frame, None)
        points = self._points(prompt)
        masks = self._mask(prompt) if points is None else None
        logits = self._segmenter._given_logits(prompt) if points is not None else None
        device = self._network.device
        with torch.inference_mode():
            output = step(
                self._network,
                self._features,
                memory,
                self._frame,
                points=points,
                masks=masks,
                logits=None if logits is None else torch.from_numpy(logits)[None].to(device),
            )
        self._forget(memory)
        return self._read(output)

    def track(self, picture: Picture) -> Mapping[str, TrackedMask]:
        """Go on to the next frame; return every object's mask there."""
        self._look(picture)
        self._frame += 1
        assert self._features is not None
        found: dict[str, TrackedMask] = {}
        with torch.inference_mode():
            for object_id, memory in self._memories.items():
                found[object_id] = self._read(step(self._network, self._features, memory, self._frame))
                self._forget(memory)
        return found

    def remove(self, object_id: str) -> None:
        """Follow an object no longer; an unknown one is no error."""
        self._memories.pop(object_id, None)

    def _look(self, picture: Picture) -> None:
        with torch.inference_mode():
            tensor = self._segmenter.predictor._transforms(picture.pixels)[None].to(self._network.device)
            self._features = frame_features(self._network, tensor)[0]
        self._picture = picture

    def _forget(self, memory: Memory) -> None:
        network = self._network
        reach = max(network.num_maskmem * network.memory_temporal_stride_for_eval, network.max_obj_ptrs_in_encoder)
        memory.forget(self._frame, num_frames=reach, num_prompted=MAX_PROMPTED)

    def _points(self, prompt: MaskPrompt) -> dict[str, Tensor] | None:
        """Return the prompt's clicks and corners, corners first, in pixels of the network's picture; None when there are none."""
        assert self._picture is not None
        corners = [] if prompt.box is None else [prompt.box[:2], prompt.box[2:]]
        places = np.array([*corners, *prompt.points], dtype=np.float32).reshape(-1, 2)
        if not len(places):
            return None
        scale = self._network.image_size / np.array([self._picture.width, self._picture.height], dtype=np.float32)
        labels = np.array([*_BOX_CORNERS[: len(corners)], *prompt.labels], dtype=np.int32)
        device = self._network.device
        return {
            "point_coords": torch.from_numpy(places * scale)[None].to(device),
            "point_labels": torch.from_numpy(labels)[None].to(device),
        }

    def _mask(self, prompt: MaskPrompt) -> Tensor:
        assert prompt.mask is not None, "a prompt without points has a mask"
        side = self._network.image_size
        mask = torch.from_numpy(prompt.mask).float()[None, None].to(self._network.device)
        return (F.interpolate(mask, size=(side, side), mode="bilinear", antialias=True) >= 0.5).float()

    def _read(self, output: FrameOutput) -> TrackedMask:
        """Return the mask at the size of the picture, and how sure the network is: that it sees the object, and that the mask fits."""
        assert self._picture is not None
        size = (self._picture.height, self._picture.width)
        mask = (F.interpolate(output.best.float(), size=size, mode="bilinear", align_corners=False)[0, 0] > 0).cpu().numpy()
        sure = float(output.scores[0, 0].sigmoid() * output.ious[0].max().clamp(0.0, 1.0))
        return TrackedMask(mask, sure if mask.any() else 0.0)
