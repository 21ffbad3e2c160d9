"""Opening and closing what the page lives on: the store, its recorder, and a live session for each new tab."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from models.bench_vla.versions import FIRST, forget_versions, name_versions
from panels.campaign_desk import CampaignDesk
from panels.compare_desk import CompareDesk
from panels.dataset_desk import DatasetDesk
from panels.frames import encode_jpeg
from panels.live import CALL_TIMEOUT_S, LiveRegistry, LiveSession
from panels.reading import BuiltInReader
from panels.state import AppState, Settings
from panels.steering_lab import SteeringLab, open_policy
from panels.teach_desk import TeachDesk
from panels.watch_alarms_desk import DETECTORS, open_kit
from sessions.recorder import Recorder, RecorderStatus
from sessions.store import Store
from sessions.versions import version_in_use
from workbench.core.candidates import VerifierFactory
from workbench.core.catalog import Catalog
from workbench.core.events import new_id
from workbench.core.protocols import PolicyFactory, RolloutObserver, Segmenter, Simulator
from workbench.core.types import EpisodeConfig
from workbench.rollout.controller import SKETCH_POLICY, RolloutController
from workbench.rollout.view import LiveView
from workbench.segmentation.pool import SegmenterPool
from workbench.simulation.task import Task

DATABASE_NAME: Final = "workbench.db"
FIRST_EPISODE: Final = EpisodeConfig(task="place_on_plate", seed=7)
"""What a newcomer sees: one cube, one plate, nothing in the way."""


@dataclass(frozen=True, eq=False)
class TabOpener:
    """Makes the live session of a new tab, with its first episode ready and paused."""

    simulators: Catalog[Simulator]
    policies: Catalog[PolicyFactory]
    recorder: RolloutObserver
    lab: SteeringLab
    segmenters: SegmenterPool | None = None
    verifiers: Catalog[VerifierFactory] | None = None
    first: EpisodeConfig = FIRST_EPISODE
    find_driver: Callable[[], str] = lambda: SKETCH_POLICY
    """Returns who drives first."""

    def __call__(self, tab_id: str) -> LiveSession:
        """Open the tab, and wait until its first scene stands: the page asks for the cameras at once."""
        controller = RolloutController(
            simulators=self.simulators,
            policies=self.policies,
            observers=(self.recorder,),
            session_id=new_id(),
            open_policy=open_policy,
        )
        session = LiveSession(tab_id, controller=controller, view=LiveView(controller, encode_jpeg), reader=BuiltInReader())
        session.masks.pool = self.segmenters
        session.steering.lab = self.lab
        controller.selection.verifiers = self.verifiers
        controller.steering.watch.open_kit = open_kit
        try:
            controller.start(self.first, policy=self.find_driver()).result(CALL_TIMEOUT_S)
        except BaseException:
            session.close()
            raise
        return session


def open_app(
    settings: Settings,
    *,
    simulators: Catalog[Simulator],
    policies: Catalog[PolicyFactory],
    tasks: Catalog[Task],
    segmenters: Catalog[Segmenter] | None = None,
    verifiers: Catalog[VerifierFactory] | None = None,
    policy_catalogue: str = "models.catalog:POLICIES",
    policy_opener: str = "models.steering:as_steerable",
    verifier_catalogue: str = "models.catalog:VERIFIERS",
) -> AppState:
    """Open the database of a root folder and everything that the page needs; undo it with :func:`close_app`.

    Other processes find the policies, what opens them for steering, and verifiers, by the import strings ``policy_catalogue``,
    ``policy_opener`` and ``verifier_catalogue``.

    Raises:
        StoreError: the database cannot be used; its kinds say why and what to do.
    """
    settings.root_dir.mkdir(parents=True, exist_ok=True)
    name_versions(settings.root_dir)
    store = Store.open(settings.root_dir / DATABASE_NAME)
    first = replace(FIRST_EPISODE, robot=settings.robot)

    def tell_everybody(status: RecorderStatus) -> None:
        if status.message:
            live.push({"type": "error", "error": status.message, "kind": "StoreError"})

    def find_driver() -> str:
        used = version_in_use(store)
        return used if used != FIRST and used in policies else SKETCH_POLICY

    recorder = Recorder(store, on_alarm=tell_everybody)
    pool = SegmenterPool(segmenters) if segmenters is not None else None
    lab = SteeringLab(store, policies, simulators)
    live = LiveRegistry(TabOpener(simulators, policies, recorder, lab, pool, verifiers, first, find_driver))
    return AppState(
        simulators=simulators,
        policies=policies,
        tasks=tasks,
        store=store,
        recorder=recorder,
        live=live,
        campaigns=CampaignDesk(store, policy_catalogue, policy_opener, verifier_catalogue, DETECTORS),
        comparisons=CompareDesk(store, policy_catalogue, policy_opener),
        datasets=DatasetDesk(store, recorder, simulators.load, on_import=lambda: live.push({"type": "changed", "what": "episode"})),
        steering=lab,
        teaching=TeachDesk(store, settings.root_dir, on_version=lambda: live.push({"type": "changed", "what": "versions"})),
        settings=settings,
        segmenters=pool,
    )


def close_app(app: AppState) -> None:
    """Close every tab, write what is left, let go of the database; again is harmless."""
    app.campaigns.close()
    app.datasets.close()
    app.teaching.close()
    app.comparisons.close()
    app.steering.close()
    app.live.close_all()
    app.recorder.close()
    app.store.close()
    forget_versions(app.settings.root_dir)
