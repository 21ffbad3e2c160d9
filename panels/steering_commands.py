"""Commands of the Steering tab: their arguments, and what they do on the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from pydantic import Field, ValidationError

from panels.command import Command
from panels.command_handlers import NoArgs, Result
from panels.reading import drawn
from panels.steering_desk import InstrumentWish
from panels.steering_insight import attention_of
from panels.steering_jobs import JobStatus, Report, job_message
from panels.steering_lab import row_to_dict
from panels.steering_work import JOBS, Bench
from sessions.activations import delete_recordings
from sessions.concepts import (
    Preset,
    delete_asset,
    delete_concept,
    delete_preset,
    export_concept,
    find_concept,
    import_concept,
    list_assets,
    list_concepts,
    list_presets,
    save_concept,
    save_preset,
)
from workbench.core.errors import InvalidInput, UnknownName
from workbench.rollout.branching import standing_at
from workbench.steering.concepts import Concept, check_concept, neuron_concept, parse_concept
from workbench.steering.edits import edit_to_dict

if TYPE_CHECKING:
    from panels.live import LiveSession
    from workbench.steering.policy import SteeredPolicy

MAX_ROWS: Final = 200


class Desk(NoArgs):
    """A whole desk, as steering events hold it; checked by :func:`workbench.steering.mix.parse_mix`."""

    mix: dict[str, Any]


class Search(NoArgs):
    """Which neurons are looked for."""

    stack: str = Field("", max_length=60)
    word: str = Field("", max_length=60)
    layers: list[int] = Field(default_factory=list, max_length=1000)
    dimension: str = Field("", max_length=40)
    sign: int = Field(1, ge=-1, le=1)
    is_by_meaning: bool = False
    """Those nearest in meaning to one word of the policy, nearest first, in place of those among whose first tokens it is."""
    limit: int = Field(60, ge=1, le=MAX_ROWS)


class Which(NoArgs):
    """A concept, preset or asset."""

    name: str = Field(min_length=1, max_length=100)
    policy: str = Field("", max_length=64)


class NewConcept(NoArgs):
    """A concept: the neurons of one, or the whole document of another kind."""

    name: str = Field(min_length=1, max_length=100)
    stack: str = Field("", max_length=60)
    neurons: list[int] = Field(default_factory=list, max_length=10_000)
    strength: float | None = Field(None, ge=-1000, le=1000)
    document: dict[str, Any] = Field(default_factory=dict)
    method: str = Field("by hand", max_length=200)
    note: str = Field("", max_length=2000)


class Imported(NoArgs):
    """An exported concept."""

    document: dict[str, Any]


class JobArgs(NoArgs):
    """A job and its arguments, which are checked by the job."""

    kind: str = Field(max_length=40)
    args: dict[str, Any] = Field(default_factory=dict)


class Shown(NoArgs):
    """Which instruments are on show."""

    stack: str = Field("", max_length=60)
    has_strip: bool = False
    has_lens: bool = False
    attention_to: str = Field("", max_length=100)
    attention_layers: list[int] = Field(default_factory=list, max_length=1000)
    contributions_to: str = Field("", max_length=40)


class Recorded(NoArgs):
    """What is recorded; off ends it."""

    is_on: bool = True
    stack: str = Field("", max_length=60)
    parts: list[Literal["neurons", "ffn", "attention", "residual"]] = Field(default_factory=lambda: ["residual"], max_length=4)  # type: ignore[arg-type]
    layers: list[int] = Field(default_factory=list, max_length=1000)
    tokens: str = Field("action", max_length=60)


class Looked(NoArgs):
    """A camera whose picture is covered, part by part."""

    camera: str = Field(max_length=100)
    cells: int = Field(8, ge=2, le=16)


def set_steering(session: LiveSession, args: Desk) -> Result:
    """Put a whole desk in force."""
    return session.steering.set(args.mix)


def reset_steering(session: LiveSession, _: NoArgs) -> None:
    """Take every edit off the desk."""
    session.steering.reset()


def steering_library(session: LiveSession, _: NoArgs) -> Result:
    """Return concepts, presets and what was made for the policy that drives."""
    desk = session.steering
    store, mine = desk.lab.store, desk.live.fingerprint
    return {
        "concepts": [_concept_to_dict(c, mine) for c in list_concepts(store)],
        "presets": [{"name": p.name, "mix": p.mix.to_dict()} for p in list_presets(store, mine)],
        "assets": [{"id": id, **meta} for id, meta in list_assets(store, mine).items()] if mine else [],
        "recording": desk.recording(),
        "job": job_message(desk.lab.jobs.status, None),
    }


def find_neurons(session: LiveSession, args: Search) -> Result:
    """Return neurons by what they say and which way they push."""
    desk = session.steering
    opened, mine = desk.opened(), desk.live.fingerprint
    stack = args.stack or opened.policy.sites.stacks[0].name
    table = desk.lab.table(opened, mine, stack)
    word = args.word.strip()
    if args.is_by_meaning and word:
        found = nearest_in_meaning(opened, stack, word, args)
    else:
        found = table.search(word=word, layers=args.layers or None, dimension=args.dimension, sign=args.sign or 1, limit=args.limit)
    measured = desk.lab.measured(mine, stack)
    return {
        "rows": [row_to_dict(table, flat, measured) for flat in found],
        "shares": [round(float(s), 4) for s in table.action_shares()],
        "num_neurons": len(table.norms),
        "num_calls": measured.num_calls if measured else 0,
        "norms": [] if measured is None else [round(float(n), 3) for n in measured.norms],
    }


def nearest_in_meaning(opened: SteeredPolicy, stack: str, word: str, args: Search) -> tuple[int, ...]:
    """Return the flat ids of the neurons whose first tokens mean most nearly what a word means, in the wanted layers."""
    from workbench.steering.selection import nearest_neurons
    from workbench.steering.sites import as_module

    found = opened.policy.sites.stack(stack)
    everywhere = len(found.blocks) * found.inner
    nearest = nearest_neurons(as_module(opened.policy.module), opened.policy.sites, stack, [word], neighbours=everywhere)[word]
    return tuple(flat for flat in nearest if not args.layers or flat // found.inner in args.layers)[: args.limit]


def save_as_concept(session: LiveSession, args: NewConcept) -> Result:
    """Keep neurons, or a direction, feature or conceptor, under a name."""
    desk = session.steering
    opened, mine = desk.opened(), desk.live.fingerprint
    anatomy = opened.policy.sites
    if args.neurons:
        stack = anatomy.stack(args.stack or anatomy.stacks[0].name)
        concept = neuron_concept(args.name.strip(), mine, stack, tuple(dict.fromkeys(args.neurons)), method=args.method, note=args.note)
        concept = concept if args.strength is None else concept.changed(strength=args.strength)
    else:
        concept = parse_concept({"format_version": 1, "name": args.name.strip(), "policy": mine, **args.document})
    check_concept(concept, anatomy, mine)
    return _concept_to_dict(save_concept(desk.lab.store, concept), mine)


def remove_concept(session: LiveSession, args: Which) -> None:
    """Take a concept off the list."""
    delete_concept(session.steering.lab.store, args.name, args.policy)


def export_one(session: LiveSession, args: Which) -> Result:
    """Return a concept as the document that another workbench imports."""
    store = session.steering.lab.store
    return {"document": export_concept(store, find_concept(store, args.name, args.policy))}


def import_one(session: LiveSession, args: Imported) -> Result:
    """Keep a concept that was exported."""
    return _concept_to_dict(import_concept(session.steering.lab.store, args.document), session.steering.live.fingerprint)


def keep_preset(session: LiveSession, args: Which) -> None:
    """Keep the present desk under a name."""
    live = session.steering.live
    if not live.mix.slots:
        raise InvalidInput("preset", expected="at least one edit on the desk", found="none", fix="Put something on the desk first.")
    save_preset(session.steering.lab.store, Preset(args.name, live.fingerprint, live.mix))


def remove_preset(session: LiveSession, args: Which) -> None:
    """Remove a preset of this policy."""
    delete_preset(session.steering.lab.store, args.name, session.steering.live.fingerprint)


def remove_asset(session: LiveSession, args: Which) -> None:
    """Take a direction, probe, autoencoder or conceptor off the list."""
    delete_asset(session.steering.lab.store, args.name)


def start_job(session: LiveSession, args: JobArgs) -> Result:
    """Begin a longer job on a copy of the policy that drives."""
    if args.kind not in JOBS:
        raise UnknownName("job", args.kind, JOBS)
    title, model, work = JOBS[args.kind]
    try:
        checked = model.model_validate(args.args)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "arguments"
        raise InvalidInput(f"{title}, {where}", expected=first["msg"], found=repr(first.get("input"))[:80]) from error
    desk, name = session.steering, session.controller.status().policy
    desk.opened()
    lab, mine = desk.lab, desk.live.fingerprint
    return _started(session, title, lambda report: {**work(Bench(lab, name, mine, report), checked), "kind": args.kind})


def explain(session: LiveSession, args: Looked) -> Result:
    """Cover one part of a picture after another and measure how far the action moves, at the present moment."""
    desk, status = session.steering, session.controller.status()
    opened = desk.opened()
    cameras = opened.spec.cameras
    if args.camera not in (c.name for c in cameras):
        raise UnknownName("camera of the policy", args.camera, (c.name for c in cameras))
    seen = session.in_simulator(lambda simulator: drawn(simulator.observe(cameras)))
    history = session.controller.history()
    at = history.num_steps if session.shown_step is None else session.shown_step
    prompt = standing_at(history.events(), at, instruction=history.start.instruction, policy=history.start.policy).prompt
    setting, lab, mine = opened.setting, desk.lab, desk.live.fingerprint

    def work(report: Report) -> dict[str, Any]:
        from workbench.steering.occlusion import occlusion_map
        from workbench.steering.policy import SteeredPolicy

        copy = SteeredPolicy(Bench(lab, status.policy, mine, report).policy, setting)

        def act(observation: Any) -> Any:
            copy.reset(np.random.default_rng(0))
            return copy.act(observation, prompt, np.random.default_rng(0))

        scores = occlusion_map(
            act, seen, args.camera, cells=(args.cells, args.cells), progress=lambda s: report(s, "covering part after part")
        )
        return {"kind": "occlusion", "map": attention_of(scores, args.camera, "occlusion")}

    return _started(session, "What the action depends on", work)


def _started(session: LiveSession, title: str, work: Any) -> Result:
    def tell(status: JobStatus, result: dict[str, Any] | None) -> None:
        session.push(job_message(status, result))

    return {"id": session.steering.lab.jobs.start(title, work, tell)}


def cancel_job(session: LiveSession, _: NoArgs) -> None:
    """End the running job."""
    session.steering.lab.jobs.cancel()


def show_instruments(session: LiveSession, args: Shown) -> None:
    """Show some instruments and put the others away."""
    layers = tuple(args.attention_layers)
    session.steering.show(InstrumentWish(args.stack, args.has_strip, args.has_lens, args.attention_to, layers, args.contributions_to))


def record_activations(session: LiveSession, args: Recorded) -> Result:
    """Begin or end recording what happens inside the policy."""
    desk = session.steering
    if not args.is_on:
        return desk.stop_recording()
    anatomy = desk.opened().policy.sites
    stack = anatomy.stack(args.stack or anatomy.stacks[0].name)
    layers = args.layers or range(len(stack.blocks))
    return desk.record(stack.name, tuple(dict.fromkeys(args.parts)), tuple(dict.fromkeys(layers)), args.tokens)


def remove_recordings(session: LiveSession, _: NoArgs) -> Result:
    """Remove everything that was recorded."""
    session.steering.stop_recording()
    return {"freed_bytes": delete_recordings(session.steering.lab.store), "recording": session.steering.recording()}


def _concept_to_dict(concept: Concept, mine: str) -> dict[str, Any]:
    """Return a concept for the page: with the edit that turns it on, and whether it belongs to the policy that drives."""
    return {**concept.to_dict(), "edit": edit_to_dict(concept.edit()), "is_mine": concept.policy == mine}


STEERING_COMMANDS: Final = (
    Command("set_steering", "Set steering", "Steer", (), "Put a whole desk of edits in force", handler=set_steering, args=Desk),
    Command("reset_steering", "Steering off", "Steer", (), "Take every edit off the desk", handler=reset_steering),
    Command("steering_library", "Steering library", "Steer", (), "List concepts, presets and directions", handler=steering_library),
    Command("find_neurons", "Find neurons", "Steer", (), "By word, layer, and what they push", handler=find_neurons, args=Search),
    Command("save_concept", "Save a concept", "Steer", (), "Keep it under a name", handler=save_as_concept, args=NewConcept),
    Command("delete_concept", "Delete a concept", "Steer", (), "Take it off the list", handler=remove_concept, args=Which),
    Command("export_concept", "Export a concept", "Steer", (), "Return it as JSON", handler=export_one, args=Which),
    Command("import_concept", "Import a concept", "Steer", (), "Keep an exported one", handler=import_one, args=Imported),
    Command("save_preset", "Save a preset", "Steer", (), "Keep the whole desk under a name", handler=keep_preset, args=Which),
    Command("delete_preset", "Delete a preset", "Steer", (), "Remove a saved desk", handler=remove_preset, args=Which),
    Command("delete_asset", "Delete a direction or probe", "Steer", (), "Take it off the list", handler=remove_asset, args=Which),
    Command("start_steering_job", "Start a longer job", "Steer", (), "Measure, fit or train", handler=start_job, args=JobArgs),
    Command(
        "explain_action", "What the action depends on", "Steer", (), "Cover part after part of a picture", handler=explain, args=Looked
    ),
    Command("cancel_steering_job", "Cancel the job", "Steer", (), "End it", handler=cancel_job, is_quick=True),
    Command("show_instruments", "Show instruments", "Steer", (), "Look inside while it runs", handler=show_instruments, args=Shown),
    Command("record_activations", "Record activations", "Steer", (), "Begin or end it", handler=record_activations, args=Recorded),
    Command("delete_recordings", "Delete recordings", "Steer", (), "Remove recorded activations", handler=remove_recordings),
)
