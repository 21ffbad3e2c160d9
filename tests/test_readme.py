"""What the README says about folders, documents and commands is so."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
MAPPED = set(re.findall(r"^\| `([^`]+)` \|", README, re.MULTILINE))
INSIDE_THE_MAPPED = {"docs/images", "panels/assets/stage", "panels/render"}


def tracked_folders() -> set[str]:
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    folders = {str(Path(f).parent) for f in files if "/" in f}
    return {f for f in folders if not f.startswith("tests/")} - INSIDE_THE_MAPPED


def test_the_map_names_every_folder_and_nothing_else():
    assert (MAPPED - {"app.py"}) | {"workbench"} == tracked_folders() | {"workbench"}


def test_links_lead_to_files():
    links = [link for link in re.findall(r"\]\(([^)#]+)", README) if "://" not in link]
    assert len(links) >= 4
    missing = [link for link in links if not (ROOT / link).exists()]
    assert not missing


def test_named_commands_exist():
    from app import BENCHES, CAMPAIGNS, build_parser
    from workbench.evaluation.cards import STUDIES

    commands = re.findall(r"app\.py (\w+)", README)
    parser = build_parser()
    known = next(a.choices for a in parser._actions if hasattr(a, "choices") and a.choices)
    assert commands and set(commands) <= set(known)
    assert set(re.findall(r"app\.py campaign ([\w-]+)", README)) <= {*CAMPAIGNS, *(study.name for study in STUDIES)}
    assert set(re.findall(r"app\.py bench ([\w-]+)", README)) <= set(BENCHES)
