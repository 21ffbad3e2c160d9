"""From what a person asks for, a name or a file, to the campaign that is run."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final, NamedTuple

from workbench.core.errors import InvalidInput, UnknownName
from workbench.evaluation.campaign_files import FindSaved, find_none, is_file_name, read_campaign
from workbench.evaluation.cards import STUDIES
from workbench.evaluation.driver import Campaign
from workbench.evaluation.studies import Study, StudyOptions

CARD: Final = "card:"


class Request(NamedTuple):
    """A campaign, and the study that draws the conclusions, if any."""

    campaign: Campaign
    study: Study | None


def study_options(episodes: int | None, seed: int | None, policy: str) -> StudyOptions | None:
    """Return what was chosen of a study, or None when nothing was."""
    if episodes is None and seed is None and not policy:
        return None
    default = StudyOptions()
    return StudyOptions(default.episodes if episodes is None else episodes, default.seed if seed is None else seed, policy)


def find_request(
    name: str,
    options: StudyOptions | None,
    *,
    policies: Collection[str],
    others: Collection[str] = (),
    read: Callable[[str], bytes],
    find_saved: FindSaved = find_none,
) -> Request:
    """Return what a name stands for.

    Args:
        name: of a study (``bench-vla``), of a card (``card:intact``), or of a YAML file.
        options: episodes, seed and policy of a study; None for its own. A file says these itself.
        policies: names of the policies that there are.
        others: what else a campaign may be called, for the message of an unknown name.
        read: reads a file.
        find_saved: looks up a saved concept that a file names.

    Raises:
        UnknownName: there is no such study.
        InvalidInput: the file is not that of a campaign; its kinds say why.
    """
    if is_file_name(name):
        if options is not None:
            raise InvalidInput("campaign file", expected="episodes, seed and policy in the file", found="options beside it")
        return Request(read_campaign(read(name), policies=policies, name=name, find_saved=find_saved), None)
    if name.removeprefix(CARD) not in STUDIES:
        raise UnknownName("campaign", name, [*others, *(study.name for study in STUDIES), "a file that ends in .yaml"])
    if options is not None and options.policy and options.policy not in policies:
        raise UnknownName("policy", options.policy, policies)
    study = STUDIES.load(name.removeprefix(CARD))
    return Request(study.plan(options or StudyOptions()), study)
