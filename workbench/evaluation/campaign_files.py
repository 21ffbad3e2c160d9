"""Campaign files: YAML of what to run, checked with errors that say what to change.

    name: crowded            # optional
    policies: [bench-vla]    # or `policy: bench-vla`; so for every list
    tasks: [pick, stack]
    prompts: [words, mask]   # ways of telling, see workbench/evaluation/telling.py; default: words
    perturbations: ["", camera=0.5]   # default: none
    settings: ["", horizon=4]         # default: none
    edits: ["", "neurons:up=4", "concept:my up=6"]   # steering, see workbench/evaluation/steering_text.py; default: none
    saved: {my up: {...}}    # exported concepts that the edits name, where they are not in the database
    episodes: 20             # seeds from `seed` on ...
    seed: 1000000
    seeds: [1, 2, 3]         # ... or these seeds

Every combination is one cell.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import product
from pathlib import PurePath
from typing import Any, Final

import yaml

from workbench.core.errors import InvalidInput, TooLarge, UnknownName
from workbench.evaluation.campaign import FIRST_SEED, Cell, draw_seeds
from workbench.evaluation.driver import Campaign
from workbench.evaluation.perturbing import parse_perturbation
from workbench.evaluation.pointing import can_point
from workbench.evaluation.settings import parse_setting
from workbench.evaluation.steering_bundles import parse_bundle
from workbench.evaluation.steering_text import saved_names
from workbench.evaluation.telling import parse_telling
from workbench.simulation.tasks import TASKS

MAX_BYTES: Final = 256 * 1024
MAX_TRIALS: Final = 200_000
MAX_EPISODES: Final = 10_000
MAX_SEED: Final = 2**31 - 1
_LISTS: Final[Mapping[str, tuple[str, tuple[str, ...] | None]]] = {
    "policies": ("policy", None),
    "tasks": ("task", None),
    "prompts": ("prompt", ("words",)),
    "perturbations": ("perturbation", ("",)),
    "settings": ("setting", ("",)),
    "edits": ("edit", ("",)),
}
"""Plural, singular, default."""
_OTHERS: Final = ("name", "episodes", "seed", "seeds", "saved")
DEFAULT_EPISODES: Final = 20


def is_file_name(name: str) -> bool:
    """Tell whether a campaign's name is that of a file."""
    return PurePath(name).suffix.lower() in (".yaml", ".yml")


FindSaved = Callable[[str], Mapping[str, Any]]
"""Returns the document of a concept that was saved under a name, or raises UnknownName."""


def find_none(name: str) -> Mapping[str, Any]:
    """Find no saved concept at all."""
    raise UnknownName("saved concept", name, ())


def read_campaign(text: bytes, *, policies: Collection[str], name: str = "campaign", find_saved: FindSaved = find_none) -> Campaign:
    """Read a campaign file.

    Args:
        text: its bytes.
        policies: names of the policies that there are.
        name: of the campaign, when the file does not give one.
        find_saved: looks up concepts that the edits name and the file does not bring along.

    Raises:
        TooLarge: the file, or what it asks for, is over the limit.
        InvalidInput: the text is no YAML, or a field is not of its form.
        UnknownName: a field, policy, task or way of telling is not known.
    """
    if len(text) > MAX_BYTES:
        raise TooLarge("campaign file", limit=f"{MAX_BYTES // 1024} kB", found=f"{len(text) / 1024:.0f} kB", fix="Split it.")
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise InvalidInput("campaign file", expected="YAML", found=_first_lines(error), fix="See docs/campaigns.md.") from error
    if not isinstance(document, Mapping):
        raise InvalidInput("campaign file", expected="fields such as `tasks: [pick]`", found=type(document).__name__)
    return make_campaign(document, policies=policies, name=name, find_saved=find_saved)


def make_campaign(
    fields: Mapping[Any, Any], *, policies: Collection[str], name: str = "campaign", find_saved: FindSaved = find_none
) -> Campaign:
    """Return the campaign that the fields of a file or a form ask for; errors as :func:`read_campaign`."""
    known = [*_LISTS, *(one for one, _ in _LISTS.values()), *_OTHERS]
    for field in fields:
        if field not in known:
            raise UnknownName("field of a campaign", str(field), known)
    asked = {many: _strings(fields, many, one, default) for many, (one, default) in _LISTS.items()}
    _check_names("policy", asked["policies"], policies)
    _check_names("task", asked["tasks"], [entry.name for entry in TASKS])
    _check_each(asked["prompts"], parse_telling)
    _check_each(asked["perturbations"], parse_perturbation)
    _check_each(asked["settings"], parse_setting)
    saved = _saved(fields.get("saved", {}), asked["edits"], find_saved)
    _check_pointing(asked["tasks"], asked["prompts"])
    seeds = _seeds(fields)
    num_trials = len(seeds) * len(list(product(*asked.values())))
    if num_trials > MAX_TRIALS:
        raise TooLarge("campaign", limit=f"{MAX_TRIALS} trials", found=f"{num_trials}", fix="Ask for fewer episodes or combinations.")
    cells = tuple(
        Cell(policy, task, prompt, seeds, edits, perturbation, setting)
        for policy, task, prompt, perturbation, setting, edits in product(*asked.values())
    )
    title = fields.get("name", name)
    if not isinstance(title, str) or not 0 < len(title.strip()) <= 200:
        raise InvalidInput("name of the campaign", expected="a text of 1 to 200 characters", found=repr(title)[:60])
    return Campaign(title.strip(), cells, saved)


def _strings(fields: Mapping[Any, Any], many: str, one: str, default: Sequence[str] | None) -> tuple[str, ...]:
    """Return the values of a field that may be a list or a single text."""
    if many in fields and one in fields:
        raise InvalidInput("campaign", expected=f"{one!r} or {many!r}", found="both")
    value = fields.get(many, fields.get(one, default))
    if value is None:
        raise InvalidInput("campaign", expected=f"a field {many!r}", found="none", fix=f"Name at least one {one}.")
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list | tuple) or not values or not all(isinstance(v, str) for v in values):
        raise InvalidInput(f"{many} of the campaign", expected="one text, or a list of texts", found=repr(value)[:60])
    texts = tuple(v.strip() for v in values)
    twice = [text for text in texts if texts.count(text) > 1]
    if twice:
        raise InvalidInput(f"{many} of the campaign", expected="each once", found=f"{twice[0]!r} twice")
    return texts


def _check_names(kind: str, names: Sequence[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            raise UnknownName(kind, name, known)


def _check_each(texts: Sequence[str], parse: Callable[[str], object]) -> None:
    for text in texts:
        parse(text)


def _saved(given: object, edits: Sequence[str], find_saved: FindSaved) -> dict[str, Any]:
    """Return the documents of the concepts that some edits name: those of the file, then those that were saved."""
    if not isinstance(given, Mapping):
        raise InvalidInput("saved concepts of the campaign", expected="names with exported concepts", found=type(given).__name__)
    wanted = dict.fromkeys(name for text in edits for name in saved_names(text))
    found = {name: given[name] if name in given else find_saved(name) for name in wanted}
    return {name: parse_bundle(document).to_dict() for name, document in found.items()}


def _check_pointing(tasks: Sequence[str], prompts: Sequence[str]) -> None:
    for task, prompt in product(tasks, prompts):
        if parse_telling(prompt).has_mask and not can_point(task):
            raise InvalidInput("campaign", expected="masks for tasks with a thing to point at", found=f"{prompt!r} for {task!r}")


def _seeds(fields: Mapping[Any, Any]) -> tuple[int, ...]:
    if "seeds" in fields:
        seeds = fields["seeds"]
        if "episodes" in fields or "seed" in fields:
            raise InvalidInput("campaign", expected="'seeds', or 'episodes' with 'seed'", found="both")
        if not isinstance(seeds, list | tuple) or not 0 < len(seeds) <= MAX_EPISODES or not all(_is_whole(s, 0, MAX_SEED) for s in seeds):
            raise InvalidInput("seeds", expected=f"a list of whole numbers from 0 to {MAX_SEED}", found=repr(seeds)[:60])
        if len(set(seeds)) < len(seeds):
            raise InvalidInput("seeds", expected="each once", found="one twice")
        return tuple(seeds)
    episodes, first = fields.get("episodes", DEFAULT_EPISODES), fields.get("seed", FIRST_SEED)
    if not _is_whole(episodes, 1, MAX_EPISODES):
        raise InvalidInput("episodes", expected=f"a whole number from 1 to {MAX_EPISODES}", found=repr(episodes)[:60])
    if not _is_whole(first, 0, MAX_SEED - MAX_EPISODES):
        raise InvalidInput("seed", expected=f"a whole number from 0 to {MAX_SEED - MAX_EPISODES}", found=repr(first)[:60])
    return draw_seeds(episodes, first)


def _is_whole(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _first_lines(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
