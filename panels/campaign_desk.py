"""The campaign that runs behind the page: its trials in another process, its results written by this one, one at a time."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, replace
from typing import Final

from panels.errors import bug_message
from sessions.campaign_runs import open_campaign, run_and_keep
from sessions.records import StoredCampaign
from sessions.store import Store
from workbench.core.errors import WorkbenchError, WrongMode
from workbench.evaluation.driver import CampaignProgress
from workbench.evaluation.launching import runner_maker
from workbench.evaluation.requests import Request
from workbench.evaluation.worker import WorkerSetup

log: Final = logging.getLogger(__name__)

CLOSE_TIMEOUT_S: Final = 20.0


@dataclass(frozen=True)
class DeskStatus:
    """What the desk does."""

    campaign_id: str = ""
    """The campaign that runs, or ran last; empty before the first."""
    name: str = ""
    is_running: bool = False
    is_cancelled: bool = False
    """Whether it was asked to stop; it may take the rest of a trial."""
    progress: CampaignProgress | None = None
    error: str = ""

    def tell(self) -> str:
        """Return one line for the page."""
        if not self.campaign_id:
            return "No campaign runs."
        how = "stopping" if self.is_running and self.is_cancelled else "running" if self.is_running else "stopped" if self.error else ""
        done = self.progress.tell() if self.progress else "starting the workers"
        return f"{self.name}{f', {how}' if how else ''}: {done}{f'. {self.error}' if self.error else ''}"


class CampaignDesk:
    """Runs one campaign at a time in the background; every method returns at once."""

    def __init__(self, store: Store, policies: str, opener: str = "", verifiers: str = "", detectors: str = "") -> None:
        """Write to ``store``; workers import their policies, what opens them for steering, verifiers and detectors by these names."""
        self._store = store
        self._setup = WorkerSetup(policies, has_tape=True, opener=opener, verifiers=verifiers, detectors=detectors)
        self._lock = threading.Lock()
        self._status = DeskStatus()
        self._cancel = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, request: Request, *, workers: int = 1) -> str:
        """Begin a campaign, or go on with the same one that was cut off, and return its id.

        Raises:
            WrongMode: another one runs.
            InvalidInput: a number of workers that cannot be.
            StoreError: the database refuses.
        """
        setup = replace(self._setup, saved=request.campaign.saved)
        make_runner = runner_maker(setup, workers=workers, is_here=False)
        with self._lock:
            if self._status.is_running:
                raise WrongMode("start a campaign", mode=f"{self._status.name} runs", allowed=("no campaign running",))
            stored = open_campaign(self._store, request.campaign)
            self._cancel.clear()
            self._status = DeskStatus(stored.id, stored.name, is_running=True)

        def run() -> None:
            error = ""
            try:
                run_and_keep(
                    self._store,
                    stored,
                    request.campaign,
                    make_runner,
                    study=request.study,
                    progress=self._note,
                    is_cancelled=self._cancel.is_set,
                )
            except WorkbenchError as problem:
                error = str(problem)
            except Exception as problem:
                error = bug_message(problem)
            self._change(is_running=False, error=error)

        self._thread = threading.Thread(target=run, name="campaign", daemon=True)
        self._thread.start()
        return stored.id

    def cancel(self) -> None:
        """Stop the running campaign; what is done stays, and it can go on later. Without one, nothing happens."""
        self._cancel.set()
        self._change(is_cancelled=True)

    def status(self) -> DeskStatus:
        """Return what the desk does."""
        with self._lock:
            return self._status

    def close(self) -> None:
        """Stop and wait; before the store is closed. Again is harmless."""
        self._cancel.set()
        if self._thread is not None:
            self._thread.join(CLOSE_TIMEOUT_S)

    def _note(self, progress: CampaignProgress) -> None:
        self._change(progress=progress)

    def _change(self, **changes: object) -> None:
        with self._lock:
            self._status = replace(self._status, **changes)  # type: ignore[arg-type]


def is_resumable(campaign: StoredCampaign) -> bool:
    """Tell whether a stored campaign can go on."""
    return campaign.status in ("cancelled", "interrupted") and "cells" in campaign.config
