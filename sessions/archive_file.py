"""Reading the zip file of an archive without trusting it: names, sizes and check sums."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from workbench.core.errors import InvalidInput, TooLarge

FORMAT: Final = "vla-workbench-archive"
VERSION: Final = 2
MAX_MANIFEST_BYTES: Final = 64 * 2**20
MAX_MEMBER_BYTES: Final = 2**30
_MEMBER: Final = re.compile(
    r"sessions\.json|e\d{6}/(episode\.json|notes\.json|steps\.jsonl|events\.jsonl|states\.bin|thumbnail\.jpg|start\.state|final\.state)"
)
_NEEDED: Final = ("episode.json", "steps.jsonl", "states.bin", "events.jsonl", "notes.json")
_BROKEN: Final = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,  # an unknown way of packing
    RuntimeError,  # encrypted
    ValueError,
    KeyError,
    RecursionError,
    OverflowError,
)


class ArchiveReader:
    """The checked members of an open archive. See :func:`open_archive`."""

    def __init__(self, file: zipfile.ZipFile, members: dict[str, tuple[int, str]]) -> None:
        self._file, self._members = file, members
        self.folders = tuple(sorted({name.split("/")[0] for name in members if "/" in name}))
        """One for each episode, in the order in which they were written."""

    def has(self, name: str) -> bool:
        """Tell whether the archive has a member."""
        return name in self._members

    def bytes(self, name: str) -> bytes:
        """Return a member whose size and check sum are as the manifest says.

        Raises:
            InvalidInput: they are not, or the member cannot be unpacked.
        """
        size, sha256 = self._members[name]
        content = _read(self._file, name, size)
        if hashlib.sha256(content).hexdigest() != sha256:
            raise InvalidInput(f"archive, {name}", expected=f"the check sum {sha256[:12]}…", found="another one: the file was changed")
        return content

    def json(self, name: str) -> Any:
        """Return a JSON member; errors as :meth:`bytes`."""
        return parse_json(self.bytes(name), f"archive, {name}")

    def lines(self, name: str) -> Iterator[Any]:
        """Yield the JSON values of the lines of a member; errors as :meth:`bytes`."""
        for number, line in enumerate(self.bytes(name).splitlines(), 1):
            yield parse_json(line, f"archive, {name}, line {number}")


@contextlib.contextmanager
def open_archive(path: Path, *, max_bytes: int, max_episodes: int) -> Iterator[ArchiveReader]:
    """Open an archive and check its outline.

    Raises:
        InvalidInput: not an archive of ours, damaged, or of a newer version.
        TooLarge: it unpacks to more than ``max_bytes``, or holds more than ``max_episodes``.
    """
    try:
        file = zipfile.ZipFile(path)
    except (*_BROKEN, OSError) as error:
        raise InvalidInput(f"archive {path.name}", expected="a whole zip file", found=f"none ({error})", fix="Copy it again.") from error
    with file:
        members = _read_manifest(file, max_bytes)
        reader = ArchiveReader(file, members)
        if len(reader.folders) > max_episodes:
            raise TooLarge("archive", limit=f"{max_episodes:,} episodes", found=f"{len(reader.folders):,}")
        for folder in reader.folders:
            missing = [name for name in _NEEDED if f"{folder}/{name}" not in members]
            if missing:
                raise InvalidInput(f"archive, {folder}", expected=f"members {', '.join(_NEEDED)}", found=f"no {missing[0]}")
        yield reader


def parse_json(content: bytes, what: str) -> Any:
    """Return strict JSON.

    Raises:
        InvalidInput: it is not.
    """

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    try:
        return json.loads(content.decode("utf-8"), parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(what, expected="JSON", found=f"something else ({error})") from error


def _read_manifest(file: zipfile.ZipFile, max_bytes: int) -> dict[str, tuple[int, str]]:
    """Return size and SHA-256 of each member; what the zip file holds besides makes it invalid."""
    names = [info.filename for info in file.infolist()]
    if "manifest.json" not in names:
        raise InvalidInput("archive", expected="a manifest.json", found="none", fix="Choose a file that a workbench exported.")
    manifest = parse_json(_read(file, "manifest.json", MAX_MANIFEST_BYTES, is_exact=False), "archive, manifest.json")
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise InvalidInput("archive", expected=f"the format {FORMAT!r}", found="another one")
    version = manifest.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise InvalidInput("archive, version", expected="a whole number", found=repr(version)[:40])
    if version > VERSION:
        raise InvalidInput("archive, version", expected=f"at most {VERSION}", found=f"{version}", fix="Update the workbench.")
    members = _parse_members(manifest.get("members"))
    if sorted(names) != sorted([*members, "manifest.json"]):
        unlike = set(names) ^ {*members, "manifest.json"}
        raise InvalidInput("archive", expected="exactly the members of its manifest", found=f"a difference: {sorted(unlike)[:3]}")
    total = sum(size for size, _ in members.values())
    if total > max_bytes:
        raise TooLarge("archive, unpacked", limit=f"{max_bytes / 1e6:,.0f} MB", found=f"{total / 1e6:,.0f} MB")
    return members


def _parse_members(data: object) -> dict[str, tuple[int, str]]:
    if not isinstance(data, dict) or "sessions.json" not in data:
        raise InvalidInput("archive, members", expected="a list with sessions.json", found="none")
    members = {}
    for name, facts in data.items():
        if not _MEMBER.fullmatch(name):
            raise InvalidInput("archive, members", expected="names that a workbench gives", found=repr(name)[:80])
        size, sha256 = (facts.get("bytes"), facts.get("sha256")) if isinstance(facts, dict) else (None, None)
        if not isinstance(size, int) or isinstance(size, bool) or size < 0 or not isinstance(sha256, str):
            raise InvalidInput(f"archive, {name}", expected="its size and SHA-256", found=repr(facts)[:80])
        if size > MAX_MEMBER_BYTES:
            raise TooLarge(f"archive, {name}", limit=f"{MAX_MEMBER_BYTES / 1e6:,.0f} MB", found=f"{size / 1e6:,.0f} MB")
        members[name] = (size, sha256)
    return members


def _read(file: zipfile.ZipFile, name: str, size: int, *, is_exact: bool = True) -> bytes:
    """Unpack at most ``size`` bytes of a member, whatever its header says."""
    try:
        with file.open(name) as member:
            content = member.read(size + 1)
    except (*_BROKEN, OSError) as error:
        raise InvalidInput(f"archive, {name}", expected="a whole member", found=f"a damaged one ({error})", fix="Copy it again.") from error
    if len(content) > size or (is_exact and len(content) < size):
        raise InvalidInput(f"archive, {name}", expected=f"{size} bytes", found="more" if len(content) > size else f"{len(content)}")
    return content
