"""The campaign that runs behind the page: its trials in another process, its results written by this one, one at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace

from panels.background_desk import BackgroundDesk, BackgroundStatus, Job
from sessions.campaign_runs import open_campaign, run_and_keep
from sessions.records import StoredCampaign
from sessions.store import Store
from workbench.evaluation.driver import CampaignProgress
from workbench.evaluation.launching import runner_maker
from workbench.evaluation.requests import Request
from workbench.evaluation.worker import WorkerSetup


@dataclass(frozen=True)
class DeskStatus(BackgroundStatus):
    """What the desk does."""

    campaign_id: str = ""
    """The campaign that runs, or ran last; empty before the first."""
    name: str = ""
    progress: CampaignProgress | None = None

    def tell(self) -> str:
        """Return one line for the page."""
        if not self.campaign_id:
            return (
                "No campaign runs. Choose who drives and which tasks, then Run: every episode is kept, and what came of it is shown below."
            )
        how = "stopping" if self.is_running and self.is_cancelled else "running" if self.is_running else "stopped" if self.error else ""
        done = self.progress.tell() if self.progress else "starting the workers"
        return f"{self.name}{f', {how}' if how else ''}: {done}{f'. {self.error}' if self.error else ''}"


class CampaignDesk(BackgroundDesk[DeskStatus]):
    """Runs one campaign at a time in the background; every method returns at once."""

    def __init__(self, store: Store, policies: str, opener: str = "", verifiers: str = "", detectors: str = "") -> None:
        """Write to ``store``; workers import their policies, what opens them for steering, verifiers and detectors by these names."""
        super().__init__("campaign", DeskStatus())
        self._store = store
        self._setup = WorkerSetup(policies, has_tape=True, opener=opener, verifiers=verifiers, detectors=detectors)

    def start(self, request: Request, *, workers: int = 1) -> str:
        """Begin a campaign, or go on with the same one that was cut off, and return its id.

        Raises:
            WrongMode: another one runs.
            InvalidInput: a number of workers that cannot be.
            StoreError: the database refuses.
        """
        setup = replace(self._setup, saved=request.campaign.saved)
        make_runner = runner_maker(setup, workers=workers, is_here=False)

        def prepare() -> Job[DeskStatus]:
            stored = open_campaign(self._store, request.campaign)

            def work() -> None:
                run_and_keep(
                    self._store,
                    stored,
                    request.campaign,
                    make_runner,
                    study=request.study,
                    progress=self._note,
                    is_cancelled=self._cancel.is_set,
                )

            return Job(DeskStatus(is_running=True, campaign_id=stored.id, name=stored.name), work)

        return self._begin(prepare).campaign_id

    def _note(self, progress: CampaignProgress) -> None:
        self._change(progress=progress)


def is_resumable(campaign: StoredCampaign) -> bool:
    """Tell whether a stored campaign can go on."""
    return campaign.status in ("cancelled", "interrupted") and "cells" in campaign.config
