"""Asking a vision-language model for a path: a good answer is a trace, anything else a clear error."""

import json

import numpy as np
import pytest

from models.trace_requests import TraceAsker
from models.vision_language import VisionLanguageInterpreter
from tests.models.test_vision_language import Stub, completion
from workbench.core.errors import InvalidInput, ServiceFailed

IMAGE = np.full((240, 320, 3), 90, np.uint8)


@pytest.fixture
def ask():
    stub = Stub()

    def asked(answer, format_name="hamster", instruction="put the cube on the plate"):
        stub.body = json.dumps(completion(answer)).encode()
        trace = TraceAsker(VisionLanguageInterpreter(stub.url, "painter"), format_name).ask(IMAGE, "front", instruction)
        return trace, stub.requests[-1]["body"]

    yield asked
    stub.close()


def test_a_drawn_path_comes_back_as_a_trace_on_the_picture(ask):
    trace, body = ask("Here: <ans>[(0.5, 0.25), <action>Close Gripper</action>, (0.75, 0.5)]</ans>")
    assert (trace.camera, trace.width, trace.height) == ("front", 320, 240)
    assert trace.points == ((160.0, 60.0), (240.0, 120.0)) and trace.gripper == (0.0, 0.0) and trace.source == "model"
    text, picture = body["messages"][0]["content"]
    assert "put the cube on the plate" in text["text"] and picture["image_url"]["url"].startswith("data:image/png;base64,")


def test_whole_points_are_asked_for_and_read_as_well(ask):
    trace, body = ask("[[0,0],[255,255]]", "molmoact")
    assert len(trace.points) == 2 and "0 to 255" in body["messages"][0]["content"][0]["text"]


def test_an_answer_that_is_no_path_is_an_error_with_its_place(ask):
    with pytest.raises(ServiceFailed, match=r"'up' at letter 7"):
        ask("<ans>[up]</ans>")


@pytest.mark.parametrize("instruction", ["", " ", "x" * 3000])
def test_an_instruction_is_needed_and_has_a_limit(ask, instruction):
    with pytest.raises(InvalidInput, match="instruction"):
        ask("", instruction=instruction)


def test_only_formats_that_are_asked_for_can_be_chosen():
    with pytest.raises(InvalidInput, match="hamster, molmoact"):
        TraceAsker(VisionLanguageInterpreter("http://localhost:1/v1", "painter"), "json")
