"""Published findings that are run again here, one module each, and the study of our own policy."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import Final, cast

from workbench.core.catalog import Catalog
from workbench.evaluation.studies import Study

_MODULES: Final = {
    "bench-vla": ("workbench.evaluation.bench_vla", "what the bench VLA does: the table of its model card"),
    "rovi": ("workbench.evaluation.rovi", "every task from drawings: geometric, by hand, disturbed"),
    "expert": ("workbench.evaluation.expert", "how often the scripted expert leaves each task solved: the upper bound"),
    "language-baseline": ("workbench.evaluation.cards.language_baseline", "does the policy listen: words, other words, none"),
    "rovi-language": ("workbench.evaluation.cards.rovi_language", "words against sketches in ambiguous and crowded scenes"),
    "intact": ("workbench.evaluation.cards.intact", "intention against execution where the world is unlike training"),
    "stori": ("workbench.evaluation.cards.stori", "success where chance is at work"),
    "fas": ("workbench.evaluation.cards.fas", "success by how long a chunk is executed: the frequency-averaged score"),
    "haon": ("workbench.evaluation.cards.haon", "concepts read off value vectors: do they move the robot as they say"),
    "contrast": ("workbench.evaluation.cards.contrast", "directions between two instructions, beside random ones"),
    "ctrl-steer": ("workbench.evaluation.cards.ctrl_steer", "a fixed strength of steering against a controller"),
    "observer": ("workbench.evaluation.cards.observer", "what a probe reads, kept within a range"),
    "sae": ("workbench.evaluation.cards.sae", "the network on what a sparse autoencoder keeps"),
    "molmoact-steer": ("workbench.evaluation.cards.molmoact_steer", "a drawn path where words leave it open which thing is meant"),
    "hamster": ("workbench.evaluation.cards.hamster", "a path beside the picture or drawn on it; camera moved"),
    "rt-trajectory": ("workbench.evaluation.cards.rt_trajectory", "paths with and without heights, over a hurdle"),
    "ditree": ("workbench.evaluation.cards.ditree", "a planner with and without a learned sampler"),
    "rocket1-tracking": ("workbench.evaluation.cards.rocket1_tracking", "pointing every 3 and 30 frames, tracked in between or not"),
    "rocket1-ambiguous": ("workbench.evaluation.cards.rocket1_ambiguous", "two equal things: words at chance, a mask tells which"),
    "actionvos": ("workbench.evaluation.cards.actionvos", "which things take part in an action, and why"),
    "safe": ("workbench.evaluation.cards.safe", "seeing failure coming: detectors, the band, alarms"),
    "switchvla": ("workbench.evaluation.cards.switchvla", "another instruction in the middle of the first: undo, or just tell"),
    "sap": ("workbench.evaluation.cards.sap", "two and three steps: sub-goals, verifier, recovery"),
    "robomonkey": ("workbench.evaluation.cards.robomonkey", "the best of many candidates: a power law, and what verifiers make of it"),
    "vgps": ("workbench.evaluation.cards.vgps", "success by how many candidates a value function chooses from"),
    "cogact": ("workbench.evaluation.cards.cogact", "whole chunks, parts of them, ensembles"),
    "oft": ("workbench.evaluation.cards.oft", "parallel against token-by-token decoding"),
}


def _load(module: str) -> Study:
    return cast(Study, import_module(module).STUDY)


STUDIES: Final[Catalog[Study]] = Catalog("campaign")
for _name, (_module, _about) in _MODULES.items():
    STUDIES.add(_name, partial(_load, _module), _about)
