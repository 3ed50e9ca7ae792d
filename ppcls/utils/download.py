"""Files from the network, kept in a cache: whole and verified, or absent.

Environment: `PPCLS_HOME` is the folder of the cache; without it the cache is `ppcls` in `XDG_CACHE_HOME` or in
`~/.cache`. `PPCLS_OFFLINE=1` forbids the network, and `http_proxy`, `https_proxy` and `no_proxy` name proxies. A file
put into its place by hand is as good as a downloaded one. The digest of a file is noted, so that it is read only once.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ppcls.utils.errors import UserError, expect, translated
from ppcls.utils.files import (
    beside,
    make_folders,
    sha256_of,
    sync_file,
    write_atomically,
)
from ppcls.utils.lock import locked
from ppcls.utils.logging import get_logger
from ppcls.utils.private_files import private_folder, read_note
from ppcls.utils.transfer import Failed, Interrupted, Transfer

RETRY_WAITS_SECONDS = (1.0, 3.0, 9.0)
wait = time.sleep  # replaced in tests

_ADDRESS = re.compile(
    r"(?=[!-~]+$)https?://([\w.-]+)(?::\d+)?(/[^?#]*)?(?:[?#].*)?", re.ASCII
)
_LONGEST_NAME = 160  # characters of the address in a file's name


def cached_path(url: str) -> Path:
    """Return where the file of an address is kept. Neither disk nor network are touched.

    The name is made of host, path and a digest of the address, so no two addresses share a name.

    Raises:
        UserError: It is not an http or https address, or the home folder is unknown.
    """
    parts = _ADDRESS.fullmatch(url)
    if parts is None:
        raise UserError(
            f"{url}: only addresses of http:// and https:// are downloaded from; give one, or the path of a file"
        )
    path = PurePosixPath(parts[2] or "/")
    suffix = path.suffix if path.suffix[1:].isalnum() else ""
    stem = f"{parts[1]}{path}".removesuffix(suffix)
    readable = re.sub(r"[^A-Za-z0-9.-]+", "_", stem)[:_LONGEST_NAME]
    digest = hashlib.sha256(url.encode()).hexdigest()[:8]
    return cache_home() / "weights" / f"{readable}-{digest}{suffix}"


def fetch(
    url: str,
    *,
    sha256_prefix: str | None = None,
    size: int | None = None,
    what: str = "weights",
) -> Path:
    """Return the file of an address, downloaded unless it is in the cache.

    An interrupted download continues. If several processes ask at once, one downloads and the others wait for it.

    Args:
        url: An http or https address.
        sha256_prefix: The beginning of the file's SHA-256 in hexadecimal, checked if it is given.
        size: The file's number of bytes, checked if it is given. Without it a file can have up to 4 GiB.
        what: What the file is, for messages: `cannot download the {what}`.

    Raises:
        UserError: The file cannot be downloaded or kept, or is not the expected one; where it helps, the sentence
            says where to put the file by hand.
    """
    offline = is_offline()
    place = cached_path(url)
    expected = Expected((sha256_prefix or "").lower(), size)
    if offline and not place.is_file():
        raise UserError(
            f"{url}: PPCLS_OFFLINE=1 forbids downloading the {what}; put the file{expected.description} at {place} "
            "by hand, or unset PPCLS_OFFLINE"
        )
    try:
        if not place.is_file():
            _bring(url, place, expected, what)
        fault = expected.noted_fault(place)
    except Interrupted as error:
        raise UserError(
            f"{url}: cannot download the {what}: {error}; try again, or put the file at {place} by hand"
        ) from error
    except Failed as error:
        raise UserError(
            f"{url}: cannot download the {what}: {error}; put the file at {place} by hand"
        ) from error
    except OSError as error:
        raise UserError(
            f"{place.parent}: the {what} cannot be kept there ({error.strerror or error}); make room, see to the "
            "permissions, or set PPCLS_HOME to another folder"
        ) from error
    if fault:
        raise UserError(
            f"{place}: {fault}; remove it, or put the {what} of {url} there"
        )
    return place


def _bring(url: str, place: Path, expected: Expected, what: str) -> None:
    """Download a file to its place, unless another process does so meanwhile."""
    make_folders(place.parent)
    part = private_folder(place.parent) / f"{place.name}.part"
    transfer = Transfer(url, part, expected.most_bytes, expected.size_fault, what)
    with locked(beside(place, "lock"), f"downloading {url}"):
        if not place.is_file():
            _download(transfer, place, expected)


def _download(transfer: Transfer, place: Path, expected: Expected) -> None:
    get_logger().info(
        "downloading the %s: %s to %s", transfer.label, transfer.url, place
    )
    _request(transfer)
    digest = sha256_of(transfer.part)
    fault = expected.fault(transfer.part, digest)
    if fault:
        transfer.discard()
        raise Interrupted(fault)
    transfer.part.replace(place)
    note_digest(place, digest)
    transfer.discard()
    if os.name == "posix":  # elsewhere a folder cannot be synced
        sync_file(place.parent)


def _request(transfer: Transfer) -> None:
    """Request a file, again after a pause where that may help."""
    for seconds in RETRY_WAITS_SECONDS:
        try:
            transfer.request()
            return
        except Interrupted as error:
            get_logger().info(
                "%s: %s; trying again in %g s", transfer.url, error, seconds
            )
        wait(seconds)
    transfer.request()


def cache_home() -> Path:
    """Return the folder of files that are kept from one run to the next.

    Raises:
        UserError: The home folder is unknown.
    """
    with translated(
        RuntimeError,
        lambda error: UserError(
            "no home folder is known; set PPCLS_HOME to a folder that may keep downloads"
        ),
    ):
        if os.environ.get("PPCLS_HOME"):
            return Path(os.environ["PPCLS_HOME"]).expanduser()
        cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
        if not cache.is_absolute():
            cache = Path.home() / ".cache"
        return cache / "ppcls"


def is_offline() -> bool:
    """Whether `PPCLS_OFFLINE` forbids the network.

    Raises:
        UserError: It has a value that says neither.
    """
    value = os.environ.get("PPCLS_OFFLINE", "")
    expect(
        value in ("", "0", "1"),
        f"PPCLS_OFFLINE is {value!r}; set it to 1 to forbid downloads, or to 0",
    )
    return value == "1"


# No weights of a classifier come near it; a server that sends without end is stopped there.
MOST_BYTES = 4 << 30


@dataclass(frozen=True)
class Expected:
    """What is known of a file. Faults are parts of a sentence, and empty if there are none.

    Attributes:
        sha256_prefix: The beginning of its SHA-256 in lower-case hexadecimal; empty if it is not known.
        size: Its number of bytes; None if it is not known.
    """

    sha256_prefix: str
    size: int | None

    @property
    def most_bytes(self) -> int:
        """The largest number of bytes that it can have."""
        return MOST_BYTES if self.size is None else self.size

    @property
    def description(self) -> str:
        """What is known of it, in parentheses behind a blank; empty if nothing is."""
        facts = []
        if self.size is not None:
            facts.append(f"{self.size:,} bytes")
        if self.sha256_prefix:
            facts.append(f"SHA-256 begins with {self.sha256_prefix}")
        return f" ({', '.join(facts)})" if facts else ""

    def size_fault(self, size: int) -> str:
        """Return what is wrong with a number of bytes."""
        if self.size is not None and size != self.size:
            return f"the file has {size:,} bytes, but {self.size:,} are expected"
        if size == 0:
            return "the file is empty"
        if size > self.most_bytes:
            return f"the file has {size:,} bytes, more than the limit of {self.most_bytes:,}"
        return ""

    def fault(self, path: Path, digest: str) -> str:
        """Return what is wrong with a file that has this digest."""
        fault = self.size_fault(path.stat().st_size)
        if fault:
            return fault
        wanted = self.sha256_prefix
        if not digest.startswith(wanted):
            return f"the file's SHA-256 begins with {digest[: len(wanted)]}, but {wanted} is expected"
        return ""

    def noted_fault(self, path: Path) -> str:
        """Return what is wrong with a file, which is read only if it has changed since its digest was noted."""
        if not os.access(path.parent, os.W_OK):
            return self.fault(path, sha256_of(path))
        note = read_note(private_folder(path.parent) / _note_name(path))
        noted, _, state = note.partition(" ")
        if state == _state(path) and not self.fault(path, noted):
            return ""
        digest = sha256_of(path)
        fault = self.fault(path, digest)
        if fault:
            return fault
        if noted not in ("", digest):
            get_logger().warning(
                "%s has other content than when it was checked before", path
            )
        note_digest(path, digest)
        return ""


def note_digest(path: Path, digest: str) -> None:
    """Write down a file's digest, and what changes when the file does."""
    note = private_folder(path.parent) / _note_name(path)
    write_atomically(note, f"{digest} {_state(path)}".encode())


def _note_name(path: Path) -> str:
    return f"{path.name}.sha256"


def _state(path: Path) -> str:
    """Return what changes with a file: anybody can set `st_mtime_ns` back, but not `st_ctime_ns`."""
    state = path.stat()
    numbers = (state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino)
    return " ".join(map(str, numbers))
