"""Files from the network, kept in a cache: whole and verified, or absent.

Environment: `PPCLS_HOME` is the folder of the cache; without it the cache is `ppcls` in `XDG_CACHE_HOME` or in
`~/.cache`. `PPCLS_OFFLINE=1` forbids the network, and `http_proxy`, `https_proxy` and `no_proxy` name proxies. A file
put into its place by hand is as good as a downloaded one.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from pathlib import Path, PurePosixPath

from ppcls.utils.errors import UserError, expect, translated
from ppcls.utils.files import beside, make_folders, sha256_of, sync_file
from ppcls.utils.lock import locked
from ppcls.utils.logging import get_logger
from ppcls.utils.private_files import private_folder
from ppcls.utils.transfer import Failed, Interrupted, Transfer
from ppcls.utils.verify import Expected, note_digest

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
