"""Running a campaign into the store: from the beginning, or from where it was cut off; what the command line calls."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sessions.campaigns import StoredJournal, begin_campaign, find_unfinished, save_report, session_of, set_status
from sessions.records import StoredCampaign
from sessions.store import Store
from workbench.core.errors import InvalidInput, TooLarge
from workbench.evaluation.campaign_files import MAX_BYTES
from workbench.evaluation.driver import Campaign, CampaignProgress, CampaignRun, run_campaign
from workbench.evaluation.requests import Request
from workbench.evaluation.runners import IsCancelled, Runner, never
from workbench.evaluation.studies import Study, study_report

MakeRunner = Callable[[str], Runner]
"""``make_runner(session_id)``: where trials run, and to which session their episodes belong."""


@dataclass(frozen=True)
class KeptRun:
    """A run that is in the store."""

    stored: StoredCampaign
    run: CampaignRun
    document: dict[str, Any]
    """Its report."""


def open_campaign(store: Store, campaign: Campaign, *, is_fresh: bool = False) -> StoredCampaign:
    """Return the unfinished campaign that asked for the same, or a new one."""
    found = None if is_fresh else find_unfinished(store, campaign)
    return begin_campaign(store, campaign) if found is None else set_status(store, found.id, "running")


def run_and_keep(
    store: Store,
    stored: StoredCampaign,
    campaign: Campaign,
    make_runner: MakeRunner,
    *,
    study: Study | None = None,
    progress: Callable[[CampaignProgress], None] = lambda progress: None,
    is_cancelled: IsCancelled = never,
) -> KeptRun:
    """Run what is left of a campaign; each trial is safe when the next begins.

    Whatever goes wrong, the campaign is left as one that can go on.

    Args:
        store: where to; open for writing.
        stored: the campaign's row, see :func:`open_campaign`.
        campaign: what it asks for.
        make_runner: where its trials run.
        study: the question that it answers, if any.
        progress: called at the start and after each trial.
        is_cancelled: asked between trials and while waiting.
    """
    begun = time.time()
    try:
        journal = StoredJournal(store, stored.id)
        run = run_campaign(campaign, make_runner(session_of(stored.id)), journal, progress=progress, is_cancelled=is_cancelled)
    except BaseException:
        set_status(store, stored.id, "interrupted")
        raise
    document = {**run.report(), "id": stored.id, "seconds": round(time.time() - begun, 1)}
    if study is not None:
        document = study_report(study, document, run.results)
    kept = set_status(store, stored.id, "done" if run.is_complete else "cancelled", document)
    return KeptRun(kept, run, document)


def run_and_store(
    store: Store, request: Request, make_runner: MakeRunner, *, is_fresh: bool = False, tell: Callable[[str], None]
) -> dict[str, Any]:
    """Run what was asked for, or what is left of it, and return its report; ``tell`` hears of every trial."""
    campaign, study = request
    stored = open_campaign(store, campaign, is_fresh=is_fresh)
    if stored.num_trials:
        tell(f"Going on with campaign {stored.id}: {stored.num_trials} of {campaign.num_trials} trials are there (--fresh begins anew)")
    kept = run_and_keep(store, stored, campaign, make_runner, study=study, progress=lambda p: tell(p.tell()))
    for result in kept.run.results:
        tell(result.tell())
    for finding in kept.document.get("findings", ()):
        tell(finding["text"])
    return kept.document


def run_whole(store: Store, run: Callable[[], dict[str, Any]], *, config: Mapping[str, Any]) -> dict[str, Any]:
    """Run a campaign that gives a report only, keep that, and return it."""
    started = time.time()
    document = run()
    saved = save_report(store, document, config=config, started=started, ended=time.time())
    return {**document, "id": saved.id}


def read_file(name: str) -> bytes:
    """Read a campaign file.

    Raises:
        InvalidInput: there is no such file, or it cannot be read.
        TooLarge: it is over the limit; it is not read then.
    """
    path = Path(name)
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise TooLarge(
                f"campaign file {name}", limit=f"{MAX_BYTES // 1024} kB", found=f"{size / 1e6:.1f} MB", fix="Is it the right file?"
            )
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"campaign file {name}", expected="a file that can be read", found=error.strerror or str(error)) from error
