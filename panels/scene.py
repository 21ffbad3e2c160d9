"""Scene: which task, which seed, who drives, what it is told."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import gradio as gr
import numpy as np

from panels.errors import bind, plain
from panels.events import QUIET
from panels.live import CALL_TIMEOUT_S, LiveSession
from panels.loading import announce
from panels.model_card import card_updates, place_card
from panels.several_things import ABOUT, SCENE, scene_of, several_things
from panels.several_things import TITLE as SEVERAL_TITLE
from panels.stage import Stage
from panels.state import AppState, UiState
from panels.tell_box import TellBox, typed
from panels.telling import tell
from sessions.recorded import RECORDED
from workbench.core.catalog import Catalog
from workbench.core.types import EpisodeConfig

NAME: Final = "scene"
TITLE: Final = "Scene"

MAX_SEED: Final = 999_999
"""Seeds from a million on belong to published figures."""
POLICY_TITLES: Final = {
    "sketch": "Sketch follower: does what you draw",
    "bench-vla": "Bench VLA: does what you say",
    "trace-follower": "Way point follower: goes along your path, point by point",
    "trace-blend": "Bench VLA and your path, a share of each",
    "random-tree": "Planner by chance: goes to where your path ends, around obstacles",
    "action-tree": "Planner by trial: tries actions in a copy of the scene",
    "informed-tree": "Planner by trial, guided by the bench VLA",
    "mask-follower": "Mask follower: grasps or touches what you masked",
    "expert": "Scripted expert: privileged demonstration, reads the simulator's truth",
    "hold": "Hold: stands still",
    "remote": "Remote: a policy server of your own",
    "pi0": "pi0: from a checkpoint of your own",
}
RATES: Final = (("20 Hz", 20.0), ("10 Hz", 10.0), ("25 Hz (Fetch)", 25.0), ("50 Hz", 50.0))
BENCH: Final = "bench"
"""The simulator that our own tasks run in; another one calls its scenes itself."""
SIMULATOR_TITLES: Final = {BENCH: "Bench: arm at a table", "gym": "Gymnasium on MuJoCo"}


def build(app: AppState, stage: Stage, ui: gr.State) -> None:
    """Place the panel in the present Gradio layout."""
    seen = gr.State("")  # the episode whose settings the fields show
    carded = gr.State("")  # the model card that is shown
    task = gr.Dropdown(task_choices(app, BENCH), label="Task", elem_id="scene-task", interactive=True, allow_custom_value=True)
    about = gr.HTML(html_template=_ABOUT_TEMPLATE, js_on_load=_ABOUT_ON_LOAD, elem_id="scene-about", value={"text": ""})
    with gr.Row(elem_classes="tight"):
        seed = gr.Number(0, label="Seed", precision=0, minimum=0, maximum=MAX_SEED, elem_id="scene-seed", min_width=90, scale=2)
        dice = gr.Button("Roll", elem_id="scene-dice", min_width=56, scale=0)
        rate = gr.Dropdown(list(RATES), value=20.0, label="Control rate", elem_id="scene-rate", min_width=100, scale=2)
        simulator = gr.Dropdown(
            choices(app.simulators, SIMULATOR_TITLES), label="Simulator", elem_id="scene-simulator", min_width=150, scale=4
        )
    policy = gr.Dropdown(choices(app.policies, POLICY_TITLES), label="Who drives", elem_id="scene-policy")
    instruction = TellBox()
    with gr.Row(elem_classes="tight"):
        start = gr.Button("New episode", variant="primary", elem_id="scene-start")
        reset = gr.Button("Reset", elem_id="scene-reset")
    card, card_text = place_card()

    dice.click(on_dice, None, seed, **QUIET)
    task.input(bind(on_task, app), [task], [about, instruction], **QUIET)
    simulator.input(bind(on_simulator, app), [simulator], [task, about], **QUIET)
    policy.input(bind(on_policy, app), [policy, ui], None, **QUIET)
    reset.click(bind(on_reset, app), [ui], None, **QUIET)
    start.click(bind(on_start, app), [task, seed, rate, simulator, policy, instruction, ui], [stage.canvas, ui], **QUIET)
    stage.on_changed(
        bind(on_changed, app),
        [seen, carded, ui],
        [seen, task, about, seed, rate, simulator, policy, carded, card, card_text],
    )


# The description comes as a value and is written as text: nothing of it passes through a template.
_ABOUT_TEMPLATE = '<p class="about"></p>'
_ABOUT_ON_LOAD = """const p = element.querySelector('p');
const show = () => { p.textContent = props.value?.text ?? ''; };
watch('value', show); show();"""


def choices(catalog: Catalog[Any], titles: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the entries of a catalogue as titles and names; no episode can begin in a recording."""
    return [(titles.get(e.name, e.description or e.name), e.name) for e in catalog if e.name != RECORDED]


def task_choices(app: AppState, simulator: str) -> list[tuple[str, str]]:
    """Return the tasks of a simulator as titles and names."""
    if simulator == BENCH:
        return [*choices(app.tasks, {}), (SEVERAL_TITLE, SCENE)]
    return [(name, name) for name in app.simulators.load(simulator).spec.tasks]


def describe(app: AppState, task: str) -> str:
    """Return one line about a task."""
    if task == SCENE:
        return ABOUT
    if task not in app.tasks:
        return ""
    found = app.tasks.load(task)
    example = found.initialize(np.random.default_rng(0)).instruction
    words = f'For example: "{example}".'
    hint = " Words alone do not tell which one: draw it." if found.is_ambiguous else ""
    return f"{words}{hint} Up to {found.time_limit_s:.0f} s."


def on_dice() -> int:
    """Choose a seed for development."""
    return random.randint(0, MAX_SEED)


def on_task(app: AppState, task: str) -> tuple[dict[str, str], dict[str, str]]:
    """Describe the chosen task; its words replace those of the task before."""
    return {"text": describe(app, task)}, {"text": ""}


def on_simulator(app: AppState, simulator: str) -> tuple[Any, dict[str, str]]:
    """Offer the tasks of another simulator."""
    offered = task_choices(app, simulator)
    first = offered[0][1]
    return gr.Dropdown(choices=offered, value=first), {"text": describe(app, first)}


def on_policy(app: AppState, policy: str, ui: UiState) -> None:
    """Let another policy drive, from the next step on."""
    app.live.get(ui.tab_id).command("set_policy", {"name": policy})


def on_reset(app: AppState, ui: UiState) -> None:
    """Start the same scene anew."""
    app.live.get(ui.tab_id).command("reset")


def on_start(app: AppState, task: str, seed: float, rate: float, simulator: str, policy: str, told: Any, ui: UiState) -> tuple[Any, Any]:
    """Start a new episode, paused; another simulator has other cameras, so the stage gets a new live session for it."""
    robot = app.settings.robot if simulator == EpisodeConfig.simulator else ""
    config = EpisodeConfig(
        task=task, seed=int(seed or 0), instruction=typed(told), simulator=simulator, control_hz=float(rate), robot=robot
    )
    if task == SCENE:
        config = several_things(config)
    old = app.live.get(ui.tab_id)
    if old.config is None or old.config.simulator == simulator:
        begin(old, config, policy)
        return gr.skip(), gr.skip()
    new = start_elsewhere(app, config, policy)
    app.live.close(old.tab_id)
    return {"tab_id": new.tab_id, "token": new.token}, replace(ui, tab_id=new.tab_id)


def start_elsewhere(app: AppState, config: EpisodeConfig, policy: str) -> LiveSession:
    """Open a new live session and start an episode in it; when that fails nothing is left behind."""
    session = app.live.create()
    try:
        begin(session, config, policy)
    except BaseException:
        app.live.close(session.tab_id)
        raise
    return session


def begin(session: LiveSession, config: EpisodeConfig, policy: str) -> None:
    """Start an episode, paused; a policy that knows only some words is told the task's own, and then what was understood of the person's."""
    status = session.controller.status()
    announce(session, policy)
    is_choosy = status.policy == policy and bool(status.spec and status.spec.known_words)
    if not (config.instruction and is_choosy):
        session.controller.start(config, policy=policy).result(CALL_TIMEOUT_S)
        spec = session.controller.status().spec
        if not (config.instruction and spec and spec.known_words):
            return
    session.controller.start(replace(config, instruction=""), policy=policy).result(CALL_TIMEOUT_S)
    answer = tell(session, config.instruction)
    if not answer["is_told"]:
        gr.Warning(plain(f"{answer['reason']} It was told the task's own words. You could say: {'; '.join(answer['suggestions'])}."))
    elif answer["is_changed"]:
        gr.Info(plain(f"Understood as: {answer['instruction']}"))


def on_changed(app: AppState, seen: str, carded: str, ui: UiState) -> tuple[Any, ...]:
    """Show what a new live episode runs, whoever started it, and who drives; between episodes, what a person has chosen stays."""
    session = app.live.get(ui.tab_id)
    status, config = session.controller.status(), session.config
    driver = gr.Dropdown(choices=choices(app.policies, POLICY_TITLES), value=status.policy)  # versions come while the page is open
    if config is None or status.episode_id == seen:
        return (*(gr.skip(),) * 6, driver, *card_updates(status.spec, carded))
    scene = scene_of(config)
    task = gr.Dropdown(choices=task_choices(app, config.simulator), value=scene)
    about = {"text": describe(app, scene)}
    return (
        status.episode_id,
        task,
        about,
        config.seed,
        config.control_hz,
        config.simulator,
        driver,
        *card_updates(status.spec, carded),
    )
