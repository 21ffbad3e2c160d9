"""The composition root: reads the command line, makes the parts, hands them to each other. No logic of its own.

``python app.py [--root-dir DIR] serve | policy-server | campaign | train | export | import | bench | screenshots``; ``--help`` on each tells its options.
Results go to stdout (one JSON document with ``--json``), progress and logs to stderr; the exit status is 0 only when the work was done.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from workbench.core.errors import InvalidInput, UnknownName, WorkbenchError

if TYPE_CHECKING:
    from panels.state import AppState

BENCHES: Final[Mapping[str, str]] = {
    "simulation": "workbench.simulation.bench:bench_simulation",
    "rollout": "workbench.rollout.bench:bench_rollout",
    "halt": "workbench.rollout.bench:bench_halt",
    "policy": "models.bench_vla.bench:bench_policy",
    "store": "sessions.bench:bench_store",
    "stream": "panels.bench_stream:bench_stream",
    "steering": "models.steering_bench:bench_steering",
    "segmentation": "models.sam2_bench.bench:bench_segmentation",
    "projection": "models.steering_bench:bench_projection",
    "watching": "models.failure.bench:bench_watching",
    "instruments": "models.steering_bench:bench_instruments",
    "human": "panels.bench_human:bench_human",
    "teaching": "panels.teach_bench:bench_teaching",
    "candidates": "models.verifier.bench:bench_candidates",
    "campaign": "workbench.evaluation.bench:bench_campaign",
    "trajectory": "workbench.rollout.trajectory_bench:bench_trajectory",
}
"""What ``bench NAME`` measures: a function without arguments that returns the bench contract of docs/architecture.md."""

CAMPAIGNS: Final[Mapping[str, str]] = {
    "sketch-parsing": "workbench.evaluation.sketch_parsing:run",
    "card:hitl": "panels.teach_card:run",
}
"""What ``campaign NAME`` runs: ``run(*, episodes, seed, workers, progress) -> dict`` with ``name`` and ``cells``."""


POLICY_CATALOGUE: Final = "models.catalog:POLICIES"
"""Where other processes find the policies."""

SEGMENTER_CATALOGUE: Final = "models.catalog:SEGMENTERS"
"""Where other processes find the segmenters."""

DETECTORS: Final = "models.failure.checkpoint:load_kit"
"""Where other processes find what watches policies."""

VERIFIER_CATALOGUE: Final = "models.catalog:VERIFIERS"
"""Where other processes find the verifiers of candidates."""

POLICY_OPENER: Final = "models.steering:as_steerable"
"""Where other processes find what opens a policy for steering."""


TRAININGS: Final[Mapping[str, str]] = {
    "bench-vla": "models.bench_vla.training:run_training",
    "sam2-bench": "models.sam2_bench.training:run_training",
    "detector": "models.failure.training:run_training",
    "value": "models.verifier.training:run_training",
}
"""What ``train NAME`` runs: ``run(order: TrainingOrder) -> dict``."""


def default_root() -> Path:
    """Return the folder that holds everything that is written, when ``--root-dir`` does not name one."""
    data = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(data) / "vla-workbench"


def load(table: Mapping[str, str], kind: str, name: str) -> Callable[..., Any]:
    """Import the function that a table names, and only then."""
    if name not in table:
        raise UnknownName(kind, name, table)
    module, function = table[name].split(":")
    found: Callable[..., Any] = getattr(import_module(module), function)
    return found


def make_app_state(root_dir: Path, *, max_upload_mb: int = 64, robot: str = "") -> AppState:
    """Open the store of a root folder and everything that the page needs; ``panels.opening.close_app`` undoes it.

    Raises:
        StoreError: the database cannot be used; the message says why and what to do.
        InvalidInput: the robot file has no arm that can be used.
    """
    from models.catalog import POLICIES, SEGMENTERS, VERIFIERS
    from panels.opening import open_app
    from panels.state import Settings
    from sessions.recorded import with_recordings
    from workbench.simulation.build import build_model
    from workbench.simulation.scene import Scene
    from workbench.simulation.simulators import SIMULATORS
    from workbench.simulation.tasks import TASKS

    if robot:
        build_model(Scene(()), robot)  # refused now rather than in every tab
    simulators = with_recordings(SIMULATORS, root_dir)
    settings = Settings(root_dir, max_upload_mb, robot)
    return open_app(settings, simulators=simulators, policies=POLICIES, tasks=TASKS, segmenters=SEGMENTERS, verifiers=VERIFIERS)


def run_serve(args: argparse.Namespace) -> None:
    """Serve the page until interrupted."""
    from panels.auth import read_auth_file
    from panels.guard import LOOPBACK_HOSTS
    from panels.opening import close_app
    from panels.server import make_server, run

    users = read_auth_file(args.auth_file) if args.auth_file else None
    state = make_app_state(args.root_dir, max_upload_mb=args.max_upload_mb, robot=str(args.robot.resolve()) if args.robot else "")
    try:
        hosts = (*LOOPBACK_HOSTS, args.host, *args.allow_host)
        server = make_server(state, auth=users, allowed_hosts=hosts, port=args.port)
        print(f"VLA Workbench: open http://{args.host}:{args.port}/ in a browser (everything is kept in {args.root_dir})", file=sys.stderr)
        run(server, host=args.host, port=args.port)
    finally:
        close_app(state)


def name_remote(text: str) -> None:
    """Tell the policy ``remote``, here and in worker processes, which server it talks to; refuse what cannot be read."""
    from models.remote_settings import SETTINGS_ENV, read_settings

    read_settings(text)
    os.environ[SETTINGS_ENV] = text


def run_policy_server(args: argparse.Namespace) -> None:
    """Serve one policy to other programs until interrupted."""
    from models.bench_vla.versions import name_versions
    from models.catalog import POLICIES
    from models.serve import Listening, serve_until_interrupted
    from models.serve_policy import make_service
    from workbench.simulation.simulators import SIMULATORS

    name_versions(args.root_dir)
    service = make_service(args.name, POLICIES.load(args.name), SIMULATORS.load)
    serve_until_interrupted(service, Listening(args.host, args.port, args.api_key_env))


def run_export(args: argparse.Namespace) -> dict[str, Any]:
    """Write a stored session to files."""
    from sessions.exports import export_files
    from sessions.recorded import with_recordings
    from sessions.store import Store
    from workbench.simulation.simulators import SIMULATORS

    simulators = with_recordings(SIMULATORS, args.root_dir)
    with Store.open(database_of(args.root_dir), read_only=True) as store:
        return export_files(store, args.session, form=args.format, out=args.out, make_simulator=simulators.load)


def run_import(args: argparse.Namespace) -> dict[str, Any]:
    """Take a session archive or a LeRobot dataset into the store."""
    from sessions.exports import import_file
    from sessions.store import Store

    args.root_dir.mkdir(parents=True, exist_ok=True)
    with Store.open(database_of(args.root_dir)) as store:
        return import_file(store, args.path)


def run_screenshots(args: argparse.Namespace) -> dict[str, Any]:
    """Draw the pictures of the documentation from the running page."""
    from panels.screenshots import take_screenshots

    result: dict[str, Any] = take_screenshots(make_app_state, args.out)
    return result


def database_of(root_dir: Path) -> Path:
    """Return the path of the database of a root folder."""
    from panels.opening import DATABASE_NAME

    return root_dir / DATABASE_NAME


def run_bench(args: argparse.Namespace) -> dict[str, Any]:
    """Measure one number."""
    result: dict[str, Any] = load(BENCHES, "bench", args.name)()
    return result


def run_campaign(args: argparse.Namespace) -> dict[str, Any]:
    """Run a campaign into the store, or go on with one that was cut off; progress goes to stderr."""
    from models.bench_vla.versions import name_versions
    from models.catalog import POLICIES
    from sessions.campaign_runs import read_file, run_and_store, run_whole
    from sessions.concepts import export_latest
    from sessions.store import Store
    from workbench.evaluation.launching import runner_maker
    from workbench.evaluation.requests import find_request, study_options
    from workbench.evaluation.worker import WorkerSetup

    def tell(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def find_saved(name: str) -> Mapping[str, Any]:
        with Store.open(database_of(args.root_dir), read_only=True) as store:
            return export_latest(store, name)

    name_versions(args.root_dir)
    request, policies = None, [p.name for p in POLICIES]
    if args.name not in CAMPAIGNS:
        options = study_options(args.episodes, args.seed, args.policy)
        request = find_request(args.name, options, policies=policies, others=CAMPAIGNS, read=read_file, find_saved=find_saved)
    saved = request.campaign.saved if request else {}
    setup = WorkerSetup(
        POLICY_CATALOGUE,
        has_tape=not args.no_episodes,
        opener=POLICY_OPENER,
        saved=saved,
        segmenters=SEGMENTER_CATALOGUE,
        verifiers=VERIFIER_CATALOGUE,
        detectors=DETECTORS,
    )
    make_runner = runner_maker(setup, workers=args.workers, ray=args.ray)
    args.root_dir.mkdir(parents=True, exist_ok=True)
    with Store.open(database_of(args.root_dir)) as store:
        if request is not None:
            document = run_and_store(store, request, make_runner, is_fresh=args.fresh, tell=tell)
        else:
            run = load(CAMPAIGNS, "campaign", args.name)
            asked = {name: value for name, value in (("episodes", args.episodes), ("seed", args.seed)) if value is not None}
            document = run_whole(store, lambda: run(**asked, workers=args.workers, progress=tell), config=asked)
        if args.out is not None:
            from panels.campaign_files import write_campaign

            write_campaign(store, document["id"], args.out)
    return document


def run_train(args: argparse.Namespace) -> dict[str, Any]:
    """Train one of our own models; it goes on where it was interrupted; progress goes to stderr."""
    from models.training_order import TrainingOrder

    run = load(TRAININGS, "training", args.name)
    folder = args.root_dir / "training" / f"{args.name}{'-smoke' if args.smoke else ''}"
    order = TrainingOrder(
        out=args.out or folder,
        data=args.data or folder / "data",
        progress=lambda text: print(text, file=sys.stderr, flush=True),
        smoke=args.smoke,
        minutes=args.minutes,
        seed=args.seed,
        workers=args.workers,
        episodes=args.episodes,
    )
    result: dict[str, Any] = run(order)
    return result


def build_parser() -> argparse.ArgumentParser:
    """Return the command-line parser."""
    parser = argparse.ArgumentParser(prog="app.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--root-dir", type=Path, default=None, metavar="DIR", help=f"folder for the database and files (default {default_root()})"
    )
    parser.add_argument("--verbose", action="store_true", help="log more")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="open the workbench in a browser")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1: this computer only)")
    serve.add_argument("--port", type=int, default=7860, help="port (default 7860)")
    serve.add_argument(
        "--allow-host", action="append", default=[], metavar="NAME", help="host name under which a proxy reaches this server"
    )
    serve.add_argument("--auth-file", type=Path, default=None, help="file with one USER:HASH a line; made by `python -m panels.auth USER`")
    serve.add_argument("--max-upload-mb", type=int, default=64, help="largest upload (default 64)")
    serve.add_argument("--robot", type=Path, default=None, metavar="PATH", help="MJCF file of another arm, for example of MuJoCo Menagerie")
    serve.add_argument("--remote", default="", metavar="SERVER", help="server of the policy `remote`: URL[,PRESET][,sync|async], or a file")
    serve.set_defaults(run=run_serve, json=False)

    policy_server = commands.add_parser("policy-server", help="serve one policy to other programs, by openpi's protocol")
    policy_server.add_argument("name", help="name of the policy, for example bench-vla")
    policy_server.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1: this computer only)")
    policy_server.add_argument("--port", type=int, default=8000, help="port (default 8000; 0 takes any)")
    policy_server.add_argument("--api-key-env", default="", metavar="NAME", help="variable that holds the key which clients must send")
    policy_server.set_defaults(run=run_policy_server, json=False)

    bench = commands.add_parser("bench", help="measure one number, as a ratio to a baseline in the same run")
    bench.add_argument("name", help=", ".join(BENCHES))
    bench.set_defaults(run=run_bench)

    campaign = commands.add_parser("campaign", help="run seeded trials and report success with intervals")
    campaign.add_argument("name", help=f"{', '.join(CAMPAIGNS)}, bench-vla, card:NAME, or a YAML file (docs/campaigns.md)")
    campaign.add_argument("--episodes", type=int, default=None, help="episodes a cell (default 20)")
    campaign.add_argument("--seed", type=int, default=None, help="first seed (default 1,000,000: published figures)")
    campaign.add_argument("--policy", default="", help="run a study with another policy than its own")
    campaign.add_argument("--workers", type=int, default=2, help="processes (default 2; 1 runs in this one)")
    campaign.add_argument("--ray", default="", metavar="auto|local|ADDRESS", help="let Ray run the trials")
    campaign.add_argument("--fresh", action="store_true", help="begin anew instead of going on with the same one that was cut off")
    campaign.add_argument("--no-episodes", action="store_true", help="keep results only, not every trial's episode")
    campaign.add_argument("--out", type=Path, default=None, metavar="PATH", help="also write a file: .html, .csv, .parquet, .json, .md")
    campaign.set_defaults(run=run_campaign)

    train = commands.add_parser("train", help="make data, train one of our own models, evaluate it; resumable")
    train.add_argument("name", help=", ".join(TRAININGS))
    train.add_argument("--smoke", action="store_true", help="the whole way with the smallest sizes, in minutes")
    train.add_argument("--out", type=Path, default=None, metavar="DIR", help="weights, model card and what is needed to go on")
    train.add_argument("--data", type=Path, default=None, metavar="DIR", help="demonstrations; what is there already is used")
    train.add_argument("--minutes", type=float, default=None, help="length of the training itself (default 75)")
    train.add_argument("--seed", type=int, default=1, help="of data and training")
    train.add_argument("--workers", type=int, default=None, help="processes that make data and evaluate (default 2)")
    train.add_argument("--episodes", type=int, default=None, help="episodes a cell of the evaluation (default 100; 0: none)")
    train.set_defaults(run=run_train)

    export = commands.add_parser("export", help="write a stored session to files")
    export.add_argument("session", help="id of the session, as the history shows it")
    export.add_argument(
        "--format", default="archive", help="archive (one file), lerobot (a dataset: folder or .zip), mp4 or json (one file an episode)"
    )
    export.add_argument("--out", type=Path, required=True, metavar="PATH")
    export.set_defaults(run=run_export)

    imported = commands.add_parser("import", help="take in a session archive or a LeRobot dataset")
    imported.add_argument("path", type=Path, metavar="PATH")
    imported.set_defaults(run=run_import)

    screenshots = commands.add_parser("screenshots", help="draw the pictures of the documentation")
    screenshots.add_argument("--out", type=Path, default=Path("docs/images"), metavar="DIR")
    screenshots.set_defaults(run=run_screenshots)

    for command in (bench, campaign, train, export, imported, screenshots):
        command.add_argument("--json", action="store_true", help="print one JSON document on stdout")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    args = build_parser().parse_args(argv)
    args.root_dir = args.root_dir or default_root()
    logging.basicConfig(
        level=logging.DEBUG if args.verbose else logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    os.environ.setdefault("MUJOCO_GL", "egl")
    try:
        if getattr(args, "remote", ""):
            name_remote(args.remote)
        result = args.run(args)
    except WorkbenchError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2 if isinstance(error, InvalidInput | UnknownName) else 1
    if result is not None:
        print(json.dumps(result, indent=None if args.json else 2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
