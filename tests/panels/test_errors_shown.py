import inspect
import logging

import gradio as gr
import pytest

from panels.errors import bind, plain, shown_errors
from workbench.core.errors import UnknownName


def test_an_error_for_people_becomes_a_toast_with_its_own_words():
    @shown_errors
    def handler():
        raise UnknownName("policy", "opnvla", ["openvla"])

    with pytest.raises(gr.Error, match="Did you mean 'openvla'"):
        handler()


def test_a_bug_is_logged_with_its_traceback_and_told_with_an_id(caplog):
    @shown_errors
    def handler():
        raise ZeroDivisionError("secret detail")

    with caplog.at_level(logging.ERROR), pytest.raises(gr.Error) as raised:
        handler()
    assert "secret detail" not in raised.value.message
    bug_id = raised.value.message.split("id ")[1].split(" ")[0]
    assert bug_id in caplog.text and "ZeroDivisionError: secret detail" in caplog.text


@pytest.mark.parametrize("text", ["<img src=x onerror=alert(1)>", "a & b < c", "${1+1}"])
def test_no_markup_or_template_survives_in_a_toast(text):
    shown = plain(text)
    assert "<" not in shown and "${" not in shown


def test_bound_handlers_keep_the_signature_that_gradio_reads():
    def handler(app: int, value: str, event: gr.EventData) -> str:
        return f"{app} {value}"

    bound = bind(handler, 7)
    assert list(bound.__annotations__) == ["value", "event", "return"]
    assert bound("x", None) == "7 x"
    assert list(inspect.signature(bound).parameters) == ["value", "event"]
