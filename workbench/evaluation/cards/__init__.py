"""Published findings that are run again here, one module each, and the study of our own policy."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import Final, cast

from workbench.core.catalog import Catalog
from workbench.evaluation.studies import Study

_MODULES: Final = {
    "bench-vla": ("workbench.evaluation.bench_vla", "what the bench VLA does: the table of its model card"),
    "language-baseline": ("workbench.evaluation.cards.language_baseline", "does the policy listen: words, other words, none"),
    "rovi-language": ("workbench.evaluation.cards.rovi_language", "words against sketches in ambiguous and crowded scenes"),
    "intact": ("workbench.evaluation.cards.intact", "intention against execution where the world is unlike training"),
    "stori": ("workbench.evaluation.cards.stori", "success where chance is at work"),
    "fas": ("workbench.evaluation.cards.fas", "success by how long a chunk is executed: the frequency-averaged score"),
    "oft": ("workbench.evaluation.cards.oft", "parallel against token-by-token decoding"),
}


def _load(module: str) -> Study:
    return cast(Study, import_module(module).STUDY)


STUDIES: Final[Catalog[Study]] = Catalog("campaign")
for _name, (_module, _about) in _MODULES.items():
    STUDIES.add(_name, partial(_load, _module), _about)
