"""What a person is told when a handler refuses."""

import gradio as gr
import pytest

from panels.errors import shown_errors
from workbench.core.errors import InvalidInput, UnknownName


def refuse(error):
    def handler():
        raise error

    return shown_errors(handler)


def test_a_refusal_is_shown_with_its_words_as_text():
    with pytest.raises(gr.Error, match="&lt;b&gt;"):
        refuse(InvalidInput("name", expected="a word", found="<b>"))()


def test_an_unknown_name_is_shown_with_what_is_known():
    with pytest.raises(gr.Error, match="sketch"):
        refuse(UnknownName("policy", "skech", ["sketch"]))()


def test_a_page_whose_tab_was_closed_is_left_as_it_is():
    assert refuse(UnknownName("tab", "t1", ()))() == gr.skip()


def test_a_bug_is_told_by_an_id_and_not_by_its_traceback(caplog):
    with pytest.raises(gr.Error, match="Report id") as raised:
        refuse(ZeroDivisionError("secret"))()
    assert "secret" not in str(raised.value) and "secret" in caplog.text
