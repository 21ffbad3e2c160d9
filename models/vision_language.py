"""A vision-language model reads the sketch instead of the built-in interpreter: any OpenAI-compatible endpoint.

One request to ``/chat/completions`` is all that is used, so plain httpx does it: a total deadline, a limit on the answer's size and
our own errors are easier to hold than through a client package that retries and reads its own environment variables.
"""

from __future__ import annotations

import base64
import io
import json
import logging
import os
import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import httpx
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from workbench.core.errors import InvalidInput, ServiceFailed
from workbench.core.events import new_id
from workbench.core.sketches import STEP_COLOURS, Sketch, SketchPlan, StrokeKind, Verb
from workbench.sketch.fields import read_list, read_mapping, read_number, read_text
from workbench.sketch.plan import parse_plan
from workbench.sketch.raster import draw_sketch
from workbench.sketch.strokes import MAX_STROKES, step_numbers, to_pixels

MAX_ANSWER_BYTES: Final = 1_000_000
_LOG = logging.getLogger(__name__)

SYSTEM_PROMPT: Final = """\
You read drawn instructions for a robot arm with a parallel gripper at a table. A person drew on a camera picture; you turn the
drawing into steps that the robot carries out one after the other.

The drawing has two symbols.
- An ARROW starts on the thing that is to be moved (its tail is the grasp point), its line gives the points to pass, its head is
  the goal.
- A CIRCLE marks a place of a thing: to pick it up, to press it, to touch it.
A CIRCLE together with an ARROW that bends around it, in one colour, means: grasp at the middle of the circle and turn by the angle
that the arrow covers, in its direction.
Colours give the order: step 1 is green, step 2 cyan, step 3 pink, then yellow, violet, orange, blue, magenta. A number given with a
stroke overrides its colour.

Choose one verb for each step:
- move: grasp at the first keypoint, pass the others, release at the last. push: slide without grasping, for things wider than 8 cm.
  pull: grasp a handle and draw it along the arrow. follow: lead the empty gripper along the arrow. These take two keypoints or more.
- pick, press, touch: one keypoint.
- rotate: one keypoint, the pivot, and angle_deg: positive is clockwise in the picture; more than 180 is allowed. All other verbs
  have angle_deg null.

Keypoints are pixels [u, v] of the pictures you see: u to the right, v down, (0, 0) at the top left. When strokes are listed with
their points, use those points. First think: name the task, then its sub-goals, in "reasoning", in a few sentences. Then give the
steps. Answer with the JSON object only."""

ANSWER_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["reasoning", "steps"],
    "properties": {
        "reasoning": {"type": "string"},
        "steps": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["verb", "keypoints", "angle_deg", "note"],
                "properties": {
                    "verb": {"type": "string", "enum": [v.value for v in Verb]},
                    "keypoints": {"type": "array", "items": {"type": "array", "items": {"type": "number"}}},
                    "angle_deg": {"type": ["number", "null"]},
                    "note": {"type": "string"},
                },
            },
        },
    },
}


class ModelReading(NamedTuple):
    """What a model made of a sketch."""

    plan: SketchPlan
    """Checked; its source is the name of the model."""
    reasoning: str
    """The model's own words, for the person."""


class VisionLanguageInterpreter:
    """Asks one model at one endpoint. The key comes from the environment at each call, and is never kept, shown or logged."""

    def __init__(self, base_url: str, model: str, api_key_env: str = "VLAW_VLM_API_KEY", timeout_s: float = 30.0) -> None:
        """Take the address up to ``/v1``, the model's name, the variable that holds the key, and the time for a whole answer [s].

        Raises:
            InvalidInput: the address is not an http(s) URL, or the model has no name.
        """
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            found = f"{parts.scheme or 'no scheme'}://{parts.hostname or ''}"
            raise InvalidInput("base URL of the model", expected="http(s)://host[:port]/path without key", found=found)
        if not model:
            raise InvalidInput("name of the model", expected="a name that the endpoint knows", found="nothing")
        self.model = model
        self._url = base_url.rstrip("/") + "/chat/completions"
        self._service = f"Model {model!r} at {parts.hostname}"
        self._key_env, self._timeout_s = api_key_env, timeout_s

    def read(self, sketch: Sketch, image: NDArray[np.uint8], *, instruction: str = "") -> ModelReading:
        """Let the model read a sketch.

        Args:
            sketch: what was drawn.
            image: ``(H, W, 3) uint8`` RGB, the picture drawn on, without the drawing.
            instruction: what the person typed, may be empty.

        Raises:
            ServiceFailed: no answer in time, an error status, or an answer that does not follow the agreed form.
        """
        started = time.monotonic()
        body = self._request(sketch, image, instruction)
        answer = self._post(body)
        _LOG.info("%s answered in %.1f s", self._service, time.monotonic() - started)
        content = self._content_of(answer)
        try:
            return self._reading(json.loads(content), sketch, image.shape[1], image.shape[0])
        except InvalidInput as error:
            raise self._failed(f"its answer does not follow the form: {error}", "Ask again, or use the built-in interpreter.") from error
        except (ValueError, RecursionError) as error:
            raise self._failed("its answer is not JSON", "Use a model that supports structured output.") from error

    def complete(self, text: str, image: NDArray[np.uint8]) -> str:
        """Return the model's answer to a text with a picture ``(H, W, 3) uint8``, as it came.

        Raises:
            ServiceFailed: no answer in time, an error status, or no message in it.
        """
        content = [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": _data_url(image), "detail": "high"}}]
        body = {"model": self.model, "temperature": 0, "messages": [{"role": "user", "content": content}]}
        return self._content_of(self._post(body))

    def ask(self, system: str, text: str, schema: Mapping[str, Any], *, name: str) -> Any:
        """Return the model's answer to a text, as JSON that it was told to give by a strict schema; unchecked.

        Raises:
            ServiceFailed: no answer in time, an error status, or no JSON.
        """
        body = {
            "model": self.model,
            "temperature": 0,
            "messages": [{"role": "system", "content": system}, {"role": "user", "content": text}],
            "response_format": {"type": "json_schema", "json_schema": {"name": name, "strict": True, "schema": schema}},
        }
        content = self._content_of(self._post(body))
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            raise self._failed("its answer is not JSON", "Use a model that supports structured output.") from error

    def _request(self, sketch: Sketch, image: NDArray[np.uint8], instruction: str) -> dict[str, Any]:
        text = [f"The pictures are {image.shape[1]} x {image.shape[0]} pixels: first with the drawing, then without it."]
        text += [f"The person also typed: {instruction}"] if instruction else []
        text += ["Strokes:", *_describe(sketch, image.shape[1], image.shape[0])]
        pictures = [
            {"type": "image_url", "image_url": {"url": _data_url(picture), "detail": "high"}}
            for picture in (draw_sketch(image, sketch), image)
        ]
        return {
            "model": self.model,
            "temperature": 0,
            "messages": [
                {"role": "system", "content": SYSTEM_PROMPT},
                {"role": "user", "content": [{"type": "text", "text": "\n".join(text)}, *pictures]},
            ],
            "response_format": {"type": "json_schema", "json_schema": {"name": "plan", "strict": True, "schema": ANSWER_SCHEMA}},
        }

    def _post(self, body: Mapping[str, Any]) -> Any:
        key = os.environ.get(self._key_env, "")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        deadline = time.monotonic() + self._timeout_s
        try:
            with (
                httpx.Client(timeout=self._timeout_s, follow_redirects=False) as client,
                client.stream("POST", self._url, json=body, headers=headers) as response,
            ):
                data = bytearray()
                for chunk in response.iter_bytes():
                    data += chunk
                    # The client's limit is for each wait; an answer that drips in must end as well.
                    if time.monotonic() > deadline:
                        raise httpx.ReadTimeout("too slow")
                    if len(data) > MAX_ANSWER_BYTES:
                        raise self._failed(f"its answer is longer than {MAX_ANSWER_BYTES // 1000} kB", "Check the address.")
        except httpx.TimeoutException as error:
            fix = "Try again, or allow more time."
            raise self._failed(f"no complete answer within {self._timeout_s:g} s", fix) from error
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise self._failed(f"it could not be reached ({type(error).__name__})", "Check the address and that it runs.") from error
        if response.status_code != httpx.codes.OK:
            excerpt = bytes(data[:300]).decode(errors="replace")
            excerpt = " ".join((excerpt.replace(key, "***") if key else excerpt).split())
            fix = (
                f"Put a valid key into {self._key_env}."
                if response.status_code in (401, 403)
                else "Check the model's name and the address."
            )
            raise self._failed(f"it answered with status {response.status_code}: {excerpt or 'nothing'}", fix)
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            raise self._failed("it did not answer in JSON", "Check that the address ends before /chat/completions.") from error

    def _content_of(self, answer: Any) -> str:
        """Return the text of the model's message."""
        fix = "Check that the endpoint is OpenAI-compatible."
        try:
            choice = answer["choices"][0]
            message, reason = choice["message"], choice.get("finish_reason")
            content, refusal = message.get("content"), message.get("refusal")
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise self._failed("its answer has no choices with a message", fix) from error
        if refusal:
            raise self._failed(f"it refused: {str(refusal)[:200]}")
        if reason == "length":
            raise self._failed("its answer was cut off", "Allow longer answers at the endpoint.")
        if not isinstance(content, str) or not content.strip():
            raise self._failed("its message is empty", fix)
        return content

    def _reading(self, data: Any, sketch: Sketch, width: int, height: int) -> ModelReading:
        doc = read_mapping(data, "answer", required=("reasoning", "steps"))
        reasoning = read_text(doc["reasoning"], "reasoning", at_most=20_000)
        items = read_list(doc["steps"], "steps", at_least=1, at_most=MAX_STROKES)
        plan: dict[str, Any] = {
            "version": 1,
            "id": new_id(),
            "sketch_id": sketch.id,
            "camera": sketch.camera,
            "width": width,
            "height": height,
            "source": self.model[:200],
            "steps": [_plan_step(item, f"step {i + 1}") for i, item in enumerate(items)],
        }
        checked = parse_plan(plan)
        # Back to the frame of the sketch, in which plans are kept.
        scale = (sketch.width / width, sketch.height / height)
        for step in plan["steps"]:
            step["keypoints"] = [[u * scale[0], v * scale[1]] for u, v in step["keypoints"]]
        plan |= {"id": checked.id, "width": sketch.width, "height": sketch.height}
        return ModelReading(parse_plan(plan), reasoning)

    def _failed(self, reason: str, fix: str = "") -> ServiceFailed:
        return ServiceFailed(self._service, reason=reason, fix=fix)


def _plan_step(item: Any, what: str) -> dict[str, Any]:
    """Return one step of the answer in the form of a plan document; points and verb are checked there."""
    doc = read_mapping(item, what, required=("verb", "keypoints"), optional=("angle_deg", "note"))
    angle = doc.get("angle_deg")
    angle_rad = None if angle is None else float(np.radians(read_number(angle, f"{what}, angle_deg", -720.0, 720.0)))
    note = read_text(doc.get("note", ""), f"{what}, note", at_most=2000)
    return {"verb": doc["verb"], "keypoints": doc["keypoints"], "angle_rad": angle_rad, "note": note}


def _describe(sketch: Sketch, width: int, height: int) -> list[str]:
    """Return a line of text for each stroke, with its pixels; long freehand paths are thinned."""
    lines = []
    for stroke, number in zip(sketch.strokes, step_numbers(sketch.strokes), strict=True):
        points = to_pixels(stroke.points, width, height)
        points = points[np.unique(np.linspace(0, len(points) - 1, min(len(points), 24)).round().astype(int))]
        shown = ", ".join(f"[{u:.0f}, {v:.0f}]" for u, v in points)
        what = "circle (centre, a point of the rim)" if stroke.kind is StrokeKind.CIRCLE else stroke.kind.value
        colour = f"colour {STEP_COLOURS.index(stroke.colour) + 1}" if stroke.colour in STEP_COLOURS else f"RGB {stroke.colour}"
        verb = f", meant as {stroke.verb.value}" if stroke.verb else ""
        lines.append(f"- step {number} ({colour}), {what}{verb}: {shown}")
    return lines


def _data_url(image: NDArray[np.uint8]) -> str:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
