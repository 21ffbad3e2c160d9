"""Lines of plain text on the page: nothing of what is known passes through a template."""

from __future__ import annotations

from typing import Any, Final

import gradio as gr

_TEMPLATE: Final = '<div class="fact-lines"></div>'
_ON_LOAD: Final = """const box = element.querySelector('.fact-lines');
const show = () => box.replaceChildren(...(props.value?.lines ?? []).map((line) => {
  const p = document.createElement('p');
  p.textContent = line;
  return p;
}));
watch('value', show); show();"""


def fact_lines(elem_id: str) -> gr.HTML:
    """Return a place for lines; its value is ``{"lines": [...]}``, written as text."""
    value: dict[str, Any] = {"lines": []}
    return gr.HTML(html_template=_TEMPLATE, js_on_load=_ON_LOAD, value=value, elem_id=elem_id)
