"""Where weights of the bench VLA are: those that come with the project, and versions that were taught here, a folder each.

Loads no torch: the process of the page, which draws pictures, asks for paths alone.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from workbench.core.protocols import Policy, PolicyFactory

WEIGHTS: Final = Path(__file__).parent / "weights" / "bench-vla.safetensors"
"""The weights that come with the project."""
WEIGHTS_ENV: Final = "VLA_WORKBENCH_BENCH_VLA"
"""Environment variable that names another file of weights instead, also for worker processes."""
VERSIONS_ENV: Final = "VLA_WORKBENCH_VERSIONS"
"""Environment variable that names the folder of all versions, also for worker processes."""
WEIGHTS_NAME: Final = "bench-vla.safetensors"
FOLDER: Final = "versions"
FIRST: Final = "bench-vla"
_NAME: Final = re.compile(r"bench-vla-(\d{1,6})")


def name_versions(root_dir: Path) -> None:
    """Tell this process, and those that it starts, where the versions of a root folder are."""
    os.environ[VERSIONS_ENV] = str((root_dir / FOLDER).resolve())


def forget_versions(root_dir: Path) -> None:
    """Take back what :func:`name_versions` told, unless another root folder was named since."""
    if os.environ.get(VERSIONS_ENV) == str((root_dir / FOLDER).resolve()):
        del os.environ[VERSIONS_ENV]


def version_names() -> list[str]:
    """Return the names of all versions beside the one that comes with the project, oldest first."""
    folder = os.environ.get(VERSIONS_ENV)
    if not folder or not Path(folder).is_dir():
        return []
    found = {int(match[1]): path.name for path in Path(folder).iterdir() if (match := _NAME.fullmatch(path.name))}
    return [name for _, name in sorted(found.items()) if weights_of(name).is_file()]


def find_weights() -> Path:
    """Return the file of weights that is used as ``bench-vla``: what :data:`WEIGHTS_ENV` names, or what comes with the project."""
    return Path(os.environ.get(WEIGHTS_ENV) or WEIGHTS)


def weights_of(name: str) -> Path:
    """Return where the weights of a version are; ``FIRST`` is the one that is used as ``bench-vla``."""
    if name == FIRST:
        return find_weights()
    return Path(os.environ.get(VERSIONS_ENV, "")) / name / WEIGHTS_NAME


def load_version(name: str) -> PolicyFactory:
    """Return what makes the policy of a version."""
    from models.native import keep_triton_out

    keep_triton_out()
    from models.bench_vla.policy import open_policy

    def make(simulator: object) -> Policy:
        return open_policy(weights_of(name), name)

    return make
