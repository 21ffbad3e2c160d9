"""What teaches a version: runs in a process of its own, reads the store, writes nothing but its own folder, and tells how far it is."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from sessions.corrections import corrected_episodes, read_lesson
from sessions.store import Store
from workbench.core.errors import InvalidInput, WorkbenchError
from workbench.learning.plan import TeachSettings

NICENESS: Final = 10
REHEARSAL_SEED: Final = 9
"""Of the demonstrations to rehearse; no training of the shipped weights used it."""

Tell = Callable[[float, str], None]
"""Takes the share that is done, 0..1, and what is being done."""


@dataclass(frozen=True)
class TeachJob:
    """What is taught from what, and where; plain data that is sent to the process."""

    database: Path
    parent: str
    """Name of the version that it begins with."""
    weights: Path
    """Its file."""
    episodes: tuple[str, ...]
    """Ids of the corrected episodes."""
    settings: TeachSettings
    folder: Path
    """Of this job: what is left of a cut-off one is gone on with."""
    rehearsal: Path
    """Folder of the demonstrations to rehearse, kept from job to job."""


@dataclass(frozen=True)
class Outcome:
    """What a job came to: the new file, and what is known of how it was made, as JSON values."""

    weights: Path
    digest: str
    lineage: Mapping[str, Any]


def teach(job: TeachJob, tell: Tell) -> Outcome:
    """Read the lessons, draw their pictures, make or find the demonstrations, and teach.

    Raises:
        InvalidInput: nothing of the episodes can be learnt.
        StoreError: the database cannot be read.
        NotStored: the parent's weights are gone.
    """
    from models.native import keep_triton_out

    keep_triton_out()
    from models.bench_vla.demonstrations import generate
    from models.bench_vla.finetune import digest_of, finetune
    from models.bench_vla.lessons import stride_of, write_lessons
    from workbench.learning.lessons import Mode

    tell(0.0, "reading the corrections")
    with Store.open(job.database, read_only=True) as store:
        found = [e for e in corrected_episodes(store) if e.id in set(job.episodes)]
        lessons = [read_lesson(store, episode) for episode in found]
    shards = job.folder / "shards"
    stride = stride_of(lessons)
    written = write_lessons(
        shards, lessons, stride=stride, progress=lambda done: tell(0.15 * done / len(lessons), f"drawing {done} of {len(lessons)} episodes")
    )
    if not written.num_frames:
        reasons = " ".join(written.left_out) or "none is left"
        raise InvalidInput("corrections", expected="at least one that can be learnt", found=reasons, fix="Correct the bench VLA first.")
    settings = job.settings
    tell(0.15, "making demonstrations to rehearse")
    generate(
        job.rehearsal,
        episodes=settings.rehearsal_episodes,
        scenes=settings.rehearsal_scenes,
        seed=REHEARSAL_SEED,
        workers=1,
        progress=lambda text: tell(0.2, "making demonstrations to rehearse"),
    )
    link_shards(job.rehearsal, shards)
    lineage = {
        "parent": job.parent,
        "parent_digest": digest_of(job.weights),
        "episodes": [e.id for e in found],
        "tasks": list(dict.fromkeys(e.task for e in found)),
        "num_corrections": sum(e.num_corrections for e in found),
        "num_human_steps": int(sum((lesson.modes() == Mode.HUMAN).sum() for lesson in lessons)),
        "num_frames": written.num_frames,
        "left_out": list(written.left_out),
        "settings": settings.to_dict(),
    }

    def learning(step: int, losses: Mapping[str, float]) -> None:
        tell(0.3 + 0.7 * step / settings.num_steps, f"learning, step {step} of {settings.num_steps}, actions {losses['action']:.2f} nat")

    taught = finetune(job.weights, shards, job.folder, settings, about=lineage, progress=learning)
    told = {"shares": taught.shares._asdict(), "losses": {n: round(v, 4) for n, v in taught.losses.items()}}
    return Outcome(taught.weights, taught.digest, {**lineage, **told, "seconds": round(taught.seconds, 1)})


def link_shards(source: Path, target: Path) -> None:
    """Show all shards of one folder in another one as well."""
    for shard in sorted(source.glob("shard-*")):
        link = target / shard.name
        if not link.exists():
            link.symlink_to(shard.resolve(), target_is_directory=True)


def serve(job: TeachJob, pipe: Connection) -> None:
    """Teach, and tell it through a pipe; the main function of the process."""
    os.environ.setdefault("MUJOCO_GL", "egl")
    if hasattr(os, "nice"):
        os.nice(NICENESS)

    def tell(share: float, text: str) -> None:
        pipe.send({"share": share, "text": text})

    with suppress(BrokenPipeError):
        try:
            pipe.send({"outcome": asdict(teach(job, tell))})
        except WorkbenchError as error:
            pipe.send({"error": str(error)})
        except BrokenPipeError:
            raise
        except Exception:
            pipe.send({"bug": traceback.format_exc()})
    pipe.close()
