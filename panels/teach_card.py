"""The card ``hitl``: does the bench VLA get better by scripted corrections on a shifted scene, and by which weighting most?

Goes the whole way that a person's corrections go: the script takes over by the hand that a person would use, what happens is recorded in a
database, lessons are read from there, versions are taught from them, and all are run on the same seeds. Every stage is kept in a folder, so a
run that is cut off goes on where it was.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from models.bench_vla.versions import FIRST, VERSIONS_ENV, WEIGHTS_NAME, weights_of
from panels.teach_work import TeachJob, teach
from sessions.campaign_runs import run_and_store
from sessions.campaigns import insert_tape
from sessions.corrections import CorrectedEpisode, corrected_episodes
from sessions.store import Store
from workbench.core.types import EpisodeConfig
from workbench.evaluation.campaign import FIRST_SEED, Cell, CellResult, draw_seeds
from workbench.evaluation.driver import Campaign
from workbench.evaluation.launching import runner_maker
from workbench.evaluation.pages import study_page
from workbench.evaluation.perturbing import options_of
from workbench.evaluation.requests import Request
from workbench.evaluation.scripted_corrections import supervise
from workbench.evaluation.studies import Finding, Study, StudyOptions, compared, success_of
from workbench.evaluation.worker import EpisodeTape, WorkerSetup
from workbench.learning.plan import TeachSettings
from workbench.learning.weighting import Weighting
from workbench.simulation.simulator import BenchSimulator

Progress = Callable[[str], None]

TASK: Final = "pick"
SHIFT: Final = "camera=1.0"
"""On what the policy is corrected: the camera moved and turned, which it has hardly seen."""
UNSHIFTED: Final = ("pick", "place_on_plate")
"""Where nothing may be lost."""
CORRECTIONS: Final = (20, 50)
FIRST_LESSON: Final = 700_000
"""First seed of the episodes that are corrected; no demonstration was drawn from these."""
MOST_EPISODES: Final = 200
GAIN: Final = 0.15
"""What 50 corrections are to bring."""
LOSS: Final = -0.03
"""What may be lost on scenes that were not shifted."""


@dataclass(frozen=True)
class Size:
    """How much of it is run."""

    corrections: tuple[int, ...] = CORRECTIONS
    weightings: tuple[Weighting, ...] = tuple(Weighting)
    seeds: int = 3
    """Times that each version is taught."""
    settings: TeachSettings = field(default_factory=TeachSettings)


def size_from_environment() -> Size:
    """Return the size, cut down by the variable ``VLAW_HITL``: JSON by the names of :class:`Size`, ``settings`` by those of its settings."""
    told: Mapping[str, Any] = json.loads(os.environ.get("VLAW_HITL") or "{}")
    size = Size()
    return Size(
        tuple(told.get("corrections", size.corrections)),
        tuple(Weighting(name) for name in told.get("weightings", size.weightings)),
        int(told.get("seeds", size.seeds)),
        replace(size.settings, **told.get("settings", {})),
    )


def run(*, episodes: int = 100, seed: int = FIRST_SEED, workers: int = 2, progress: Progress) -> dict[str, Any]:
    """Correct, teach, and compare; return the campaign's document with what it says.

    Args:
        episodes: of the evaluation, for each version and task.
        seed: the first one.
        workers: processes of the evaluation.
        progress: told of every stage.
    """
    size, folder = size_from_environment(), Path(os.environ[VERSIONS_ENV]).parent / "cards" / "hitl"
    folder.mkdir(parents=True, exist_ok=True)
    os.environ[VERSIONS_ENV] = str(folder / "versions")
    with Store.open(folder / "hitl.db") as store:
        rate = collect(store, max(size.corrections), progress)
        corrected = tuple(reversed(corrected_episodes(store)))
        names = {FIRST: "none", **teach_all(store.path, corrected, size, folder, progress)}
        study = make_study(names, rate)
        request = Request(study.plan(StudyOptions(episodes, seed)), study)
        setup = WorkerSetup("models.catalog:POLICIES")
        document = run_and_store(store, request, runner_maker(setup, workers=workers), tell=progress)
    page = folder / "hitl.md"
    page.write_text(study_page(study, document, when=time.time()), encoding="utf-8")
    progress(f"The page is {page}")
    return {**document, "size": {"corrections": list(size.corrections), "seeds": size.seeds, "settings": size.settings.to_dict()}}


def collect(store: Store, num_corrections: int, progress: Progress) -> tuple[int, int]:
    """Let the policy drive on shifted scenes until it was corrected so often; return in how many of how many episodes that was."""
    from models.catalog import POLICIES

    done = store.facets().tasks.get(TASK, 0)
    num = len(corrected_episodes(store))
    simulator = BenchSimulator()
    try:
        simulator.reset(EpisodeConfig(TASK, FIRST_LESSON))
        policy = POLICIES.load(FIRST)(simulator) if num < num_corrections else None
        while policy is not None and num < num_corrections and done < MOST_EPISODES:
            tape = EpisodeTape()
            seed = FIRST_LESSON + done
            found = supervise(simulator, policy, TASK, seed, options=options_of(SHIFT, seed), observers=(tape,), session_id="lessons")
            with store.transaction() as connection:
                insert_tape(connection, tape)
            done, num = done + 1, num + found.was_corrected
            who = f"corrected, {found.num_human_steps} steps by hand" if found.was_corrected else "alone"
            progress(f"lesson {done}: {who}, {'solved' if found.is_success else 'not solved'}; {num} of {num_corrections} corrections")
    finally:
        simulator.close()
    return num, done


def teach_all(database: Path, corrected: Sequence[CorrectedEpisode], size: Size, folder: Path, progress: Progress) -> dict[str, str]:
    """Teach every version that is not there yet; return their names, and what each was taught."""
    names = {}
    for num in size.corrections:
        for weighting in size.weightings:
            for repeat in range(size.seeds):
                name = f"{FIRST}-{num}{list(Weighting).index(weighting)}{repeat}"
                names[name] = f"{num} corrections, {weighting.value}"
                if weights_of(name).is_file():
                    continue
                work = folder / "teaching" / name
                episodes = tuple(e.id for e in corrected[:num])
                settings = replace(size.settings, weighting=weighting, seed=repeat)
                job = TeachJob(database, FIRST, weights_of(FIRST), episodes, settings, work, folder / "rehearsal")
                outcome = teach(job, partial(_tell, progress, names[name]))
                place = weights_of(name)
                place.parent.mkdir(parents=True, exist_ok=True)
                (place.parent / "lineage.json").write_text(json.dumps(outcome.lineage, indent=2))
                outcome.weights.rename(place.with_name(WEIGHTS_NAME))
    return names


def _tell(progress: Progress, what: str, share: float, text: str) -> None:
    progress(f"{what}: {100 * share:.0f} %, {text}")


def make_study(names: Mapping[str, str], rate: tuple[int, int]) -> Study:
    """Return the study: all versions on the shifted task, and on tasks where nothing is shifted."""

    def plan(options: StudyOptions) -> Campaign:
        seeds = draw_seeds(options.episodes, options.seed)
        shifted = [Cell(name, TASK, "words", seeds, perturbation=SHIFT) for name in names]
        return Campaign("hitl", (*shifted, *(Cell(name, task, "words", seeds) for name in names for task in UNSHIFTED)))

    def conclude(results: Sequence[CellResult]) -> list[Finding]:
        return findings_of(results, names)

    question = (
        f"The policy was corrected in {rate[0]} of {rate[1]} episodes on shifted scenes ({TASK}, {SHIFT}). "
        "How much better does it get by these corrections, with which weighting, and what does it forget?"
    )
    source = (
        "IWR (Mandlekar et al. 2020, arXiv:2012.06733) and Sirius (Liu et al. 2023, arXiv:2211.08416); there people corrected, here a script does, "
        "and what is learnt is a small model of this bench."
    )
    return Study("hitl", "Teaching by corrections", question, source, plan, conclude)


def findings_of(results: Sequence[CellResult], names: Mapping[str, str]) -> list[Finding]:
    """Return what each way of teaching brings on the shifted task, and what it costs elsewhere."""
    shifted = [r for r in results if r.cell.perturbation]
    plain = [r for r in results if not r.cell.perturbation]
    before = [r for r in shifted if r.cell.policy == FIRST]
    found = [success_of("shifted, before", before)]
    for told in dict.fromkeys(v for n, v in names.items() if n != FIRST):
        versions = [n for n, v in names.items() if v == told]
        mine = [r for r in shifted if r.cell.policy in versions]
        is_last = told.startswith(f"{CORRECTIONS[-1]} ")
        found.append(success_of(f"shifted, {told}", mine))
        gains = [
            compared(f"gain, {told}, teaching {i + 1}", before, [r for r in mine if r.cell.policy == n]) for i, n in enumerate(versions)
        ]
        found += [replace(g, target=GAIN if is_last else None) for g in gains]
        for i, name in enumerate(versions):
            old, new = ([r for r in plain if r.cell.policy == policy] for policy in (FIRST, name))
            found.append(replace(compared(f"elsewhere, {told}, teaching {i + 1}", old, new), target=LOSS))
    return found
