"""Writing a file so that it is there whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from workbench.core.errors import StoreError


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Give a path to write to; it takes the place of ``path`` only when all went well.

    Raises:
        StoreError: the file cannot be written; what was at ``path`` before stays.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield part
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise StoreError(f"File {path}", reason=reason, fix="Check that the folder is writable and has space.") from error
