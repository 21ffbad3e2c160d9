"""Where state lives: :class:`AppState` for the process, :class:`UiState` for one browser tab; everything else is in the store."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sessions.recorder import Recorder
from sessions.store import Store
from workbench.core.catalog import Catalog
from workbench.core.protocols import PolicyFactory, Simulator
from workbench.segmentation.pool import SegmenterPool
from workbench.simulation.task import Task

if TYPE_CHECKING:
    from panels.campaign_desk import CampaignDesk
    from panels.compare_desk import CompareDesk
    from panels.dataset_desk import DatasetDesk
    from panels.live import LiveRegistry
    from panels.steering_lab import SteeringLab
    from panels.teach_desk import TeachDesk

APP_NAME = "VLA Workbench"


@dataclass(frozen=True)
class Settings:
    """What the command line decided."""

    root_dir: Path
    """Folder for everything that is written."""
    max_upload_mb: int = 64
    """Largest request body that the server takes."""
    robot: str = ""
    """Path of an MJCF arm for new episodes, or empty for the built-in one."""
    exports_dir: Path = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "exports_dir", self.root_dir / "exports")


@dataclass(frozen=True, eq=False)
class AppState:
    """Everything that the page needs of the process; built once, in app.py."""

    simulators: Catalog[Simulator]
    policies: Catalog[PolicyFactory]
    tasks: Catalog[Task]
    store: Store
    recorder: Recorder
    live: LiveRegistry
    campaigns: CampaignDesk
    comparisons: CompareDesk
    datasets: DatasetDesk
    steering: SteeringLab
    teaching: TeachDesk
    settings: Settings
    segmenters: SegmenterPool | None = None
    """Those that are loaded, shared by all tabs; None where masks are not offered."""


@dataclass(frozen=True)
class UiState:
    """One browser tab, in a ``gr.State``: names and ids only."""

    tab_id: str = ""
    """Names the live session in ``AppState.live``."""
