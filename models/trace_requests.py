"""A vision-language model is asked for the path that the gripper shall take: any OpenAI-compatible endpoint, answers in a published format."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.vision_language import VisionLanguageInterpreter
from workbench.core.errors import InvalidInput, ServiceFailed
from workbench.core.types import Trace
from workbench.trajectory.trace_formats import Frame, TraceTextError, read_trace_text

MAX_INSTRUCTION: Final = 2000
"""Letters."""

PROMPTS: Final = {
    "hamster": (
        "You see the table of a robot arm with a parallel gripper. Draw the path that the gripper shall take in the picture to follow this "
        "instruction: {instruction}\nAnswer with the path alone, as points (x, y) from 0 to 1 of the picture's width and height, from where the "
        "gripper is now to where it ends, two to ten points, between <ans> and </ans>. After the point at which the gripper closes or opens "
        "write <action>Close Gripper</action> or <action>Open Gripper</action>. Example: <ans>[(0.252, 0.328), (0.327, 0.174), "
        "<action>Close Gripper</action>, (0.139, 0.242), <action>Open Gripper</action>]</ans>"
    ),
    "molmoact": (
        "You see the table of a robot arm with a parallel gripper. The instruction is: {instruction}\nAnswer with the path of the gripper alone: one "
        "to five points [x, y], whole numbers from 0 to 255 of the picture's width and height, from where the gripper is now to where it ends. "
        "Example: [[242,115],[140,77],[94,58]]"
    ),
}
"""What is asked, for each format of the answer."""


class TraceAsker:
    """Asks one model at one endpoint for paths."""

    def __init__(self, endpoint: VisionLanguageInterpreter, format_name: str = "hamster") -> None:
        """Take the endpoint, and the format in which the model shall answer.

        Raises:
            InvalidInput: nothing is asked in that format.
        """
        if format_name not in PROMPTS:
            raise InvalidInput("format of the answer", expected=", ".join(PROMPTS), found=repr(format_name)[:40])
        self._endpoint, self._format = endpoint, format_name

    def ask(self, image: NDArray[np.uint8], camera: str, instruction: str) -> Trace:
        """Return the path that the model draws for an instruction.

        Args:
            image: ``(H, W, 3) uint8`` RGB of the camera.
            camera: its name.
            instruction: what shall be done.

        Raises:
            InvalidInput: there is no instruction.
            ServiceFailed: no answer in time, or one that is not a path of the format; the message tells the place in the answer.
        """
        if not instruction.strip() or len(instruction) > MAX_INSTRUCTION:
            raise InvalidInput("instruction", expected=f"1 to {MAX_INSTRUCTION} letters", found=f"{len(instruction)}")
        answer = self._endpoint.complete(PROMPTS[self._format].format(instruction=instruction.strip()), image)
        try:
            return read_trace_text(answer, self._format, Frame(camera, image.shape[1], image.shape[0]))
        except TraceTextError as error:
            raise ServiceFailed(f"Model {self._endpoint.model!r}", reason=f"its answer is no path: {error}", fix="Ask again.") from error
