"""The storeys of docs/architecture.md, read from the imports."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOMAINS = {
    "sketch", "segmentation", "trajectory", "steering", "simulation", "planning",
    "intervention", "failure", "verification", "feedback", "learning",
}  # fmt: skip
FORBIDDEN_LIBRARIES = {
    "panels": {"torch", "mujoco", "sqlite3", "sqlite_utils", "transformers", "sam2"},
    "workbench": {"gradio", "fastapi", "starlette", "sqlite3", "sqlite_utils", "plotly"},
    "sessions": {"gradio", "torch", "fastapi", "plotly"},
    "models": {"gradio", "sqlite3", "sqlite_utils", "fastapi", "plotly"},
}
CORE_LIBRARIES = {"numpy"}
TOP = {"app", "panels", "models", "sessions", "workbench"}
TOP_LEVEL_FOLDERS = {"workbench", "panels", "models", "sessions", "tests", "docs", ".ci"}


def source_files() -> list[Path]:
    return sorted(p for top in ("workbench", "panels", "models", "sessions") for p in (ROOT / top).rglob("*.py"))


def imports(path: Path) -> list[tuple[int, str]]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.relative_to(ROOT)}:{node.lineno} relative import; write the whole name"
            found.append((node.lineno, node.module or ""))
            found += [(node.lineno, f"{node.module}.{alias.name}") for alias in node.names]
    return found


def may_import(importer: tuple[str, ...], imported: tuple[str, ...]) -> bool:
    """Tell whether a module of ours may import another one, both as name parts."""
    storey, other = importer[0], imported[0]
    if other == "app":
        return False
    if storey == "panels":
        return True
    if storey in ("models", "sessions"):
        return other in (storey, "workbench")
    if other != "workbench":
        return False
    room, target = importer[1], imported[1] if len(imported) > 1 else ""
    if target in ("core", room):
        return True
    if room == "evaluation":
        return True
    return room == "rollout" and target in DOMAINS


@pytest.mark.parametrize("path", source_files(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_down_only(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    wrong = []
    for line, name in imports(path):
        target = tuple(name.split("."))
        if target[0] in TOP and len(target) > 1 - (target[0] == "app") and not may_import(parts, target):
            wrong.append(f"{path.relative_to(ROOT)}:{line} may not import {name}")
        if target[0] in FORBIDDEN_LIBRARIES[parts[0]]:
            wrong.append(f"{path.relative_to(ROOT)}:{line} {parts[0]} never imports {target[0]}")
    assert not wrong, "\n".join(wrong)


def test_core_needs_the_standard_library_and_numpy_only():
    import sys

    for path in (ROOT / "workbench" / "core").glob("*.py"):
        for line, name in imports(path):
            top = name.split(".")[0]
            assert top in sys.stdlib_module_names | CORE_LIBRARIES | {"workbench"}, f"{path.name}:{line} core imports {name}"


def test_top_level_holds_the_agreed_folders_only():
    import subprocess

    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    folders = {p.split("/")[0] for p in tracked if "/" in p}
    assert folders <= TOP_LEVEL_FOLDERS, folders - TOP_LEVEL_FOLDERS


def test_a_sibling_domain_may_not_be_imported():
    assert not may_import(("workbench", "sketch", "plan"), ("workbench", "trajectory", "lift"))
    assert may_import(("workbench", "rollout", "loop"), ("workbench", "trajectory", "lift"))
    assert not may_import(("models", "catalog"), ("sessions", "store"))
    assert not may_import(("workbench", "rollout", "loop"), ("workbench", "evaluation", "campaign"))
