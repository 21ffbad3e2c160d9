import gradio as gr
import pytest

from models.bench_vla.checkpoint import WEIGHTS_ENV
from models.bench_vla.policy import card_of
from panels.model_card import card_updates, read_card
from workbench.core.protocols import PolicySpec

CARD = "models/bench_vla/weights/MODEL_CARD.md"


def test_the_card_of_the_driver_is_shown_once_and_goes_with_it():
    spec = PolicySpec("bench-vla", card=CARD)
    shown, box, text = card_updates(spec, "")
    assert shown == CARD and box.visible and text.startswith("# Bench VLA")
    assert card_updates(spec, shown) == (CARD, gr.skip(), gr.skip())
    shown, box, text = card_updates(PolicySpec("sketch"), shown)
    assert shown == "" and not box.visible and text == ""


@pytest.mark.parametrize("path", ["", "nowhere.md", "app.py", "docs"])
def test_what_is_no_card_is_not_read(path):
    assert read_card(path) == ""


def test_the_card_lies_beside_the_weights_that_are_used(tmp_path, monkeypatch):
    from models.bench_vla.checkpoint import find_weights

    assert card_of(find_weights()) == CARD
    monkeypatch.setenv(WEIGHTS_ENV, str(tmp_path / "mine.safetensors"))
    assert card_of(find_weights()) == ""
    (tmp_path / "MODEL_CARD.md").write_text("# Mine")
    assert read_card(card_of(find_weights())) == "# Mine"
