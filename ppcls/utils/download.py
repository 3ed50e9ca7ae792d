"""Files from the network, kept in a cache: whole and verified, or absent.

Environment: `PPCLS_HOME` is the folder of the cache, else it is `ppcls` in `XDG_CACHE_HOME` or in `~/.cache`;
`PPCLS_OFFLINE=1` forbids the network, and `http_proxy`, `https_proxy` and `no_proxy` name proxies. A file put into
its place by hand is as good as a downloaded one.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from pathlib import Path, PurePosixPath

from ppcls.utils.errors import UserError
from ppcls.utils.files import beside, sha256_of, sync_file
from ppcls.utils.lock import locked
from ppcls.utils.logging import get_logger
from ppcls.utils.transfer import Failed, Interrupted, Transfer
from ppcls.utils.verify import Expected, note_digest

RETRY_WAITS_SECONDS = (1.0, 3.0, 9.0)
wait = time.sleep  # tests put something faster here

_ADDRESS = re.compile(
    r"(?=[!-~]+$)https?://([\w.-]+)(?::\d+)?(/[^?#]*)?(?:[?#].*)?", re.ASCII
)


def cached_path(url: str) -> Path:
    """Where the file of an address lies once it is there; touches neither disk nor network.

    The name is made of host and path, and of a digest of the address, so that no two addresses share a name.

    Raises:
        UserError: it is no http or https address, or no home folder is known.
    """
    parts = _ADDRESS.fullmatch(url)
    if parts is None:
        raise UserError(
            f"{url}: only addresses of http:// and https:// are downloaded from; give one, or the path of a file"
        )
    path = PurePosixPath(parts[2] or "/")
    suffix = path.suffix if path.suffix[1:].isalnum() else ""
    readable = re.sub(
        r"[^A-Za-z0-9.-]+", "_", parts[1] + str(path)[: -len(suffix) or None]
    )
    return (
        cache_home()
        / "weights"
        / f"{readable[:160]}-{hashlib.sha256(url.encode()).hexdigest()[:8]}{suffix}"
    )


def fetch(
    url: str,
    *,
    sha256_prefix: str | None = None,
    size: int | None = None,
    what: str = "weights",
) -> Path:
    """The file of an address, downloaded unless it is in the cache; of a partial file only the rest.

    Several processes may ask at once: one downloads, the others wait for it.

    Args:
        url: http or https.
        sha256_prefix: Beginning of the file's SHA-256 in hexadecimal, checked where it is given.
        size: The file's bytes, checked where they are given.
        what: What it is, for messages: `cannot download the {what}`.

    Raises:
        UserError: it cannot be had, is not what was expected, or cannot be kept; where another way can help, the
            sentence says where to put the file by hand.
    """
    offline = _is_offline()
    place = cached_path(url)
    expected = Expected((sha256_prefix or "").lower(), size)
    transfer = Transfer(
        url, beside(place, "part"), beside(place, "version"), expected.size_fault, what
    )
    if offline and not place.is_file():
        raise UserError(
            f"{url}: PPCLS_OFFLINE=1 forbids downloading the {what}; put the file at {place} by hand, or unset "
            "PPCLS_OFFLINE"
        )
    try:
        if not place.is_file():
            place.parent.mkdir(parents=True, exist_ok=True)
            with locked(beside(place, "lock"), f"downloading {url}"):
                # Else the process that had the lock has brought it
                if not place.is_file():
                    _download(transfer, place, expected)
        fault = expected.noted_fault(place)
    except (Interrupted, Failed) as error:
        again = "try again, or " if isinstance(error, Interrupted) else ""
        remedy = f"{again}put the file at {place} by hand"
        raise UserError(
            f"{url}: cannot download the {what}: {error}; {remedy}"
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


def _download(transfer: Transfer, place: Path, expected: Expected) -> None:
    get_logger().info(
        "downloading the %s: %s to %s", transfer.label, transfer.url, place
    )
    for seconds in (*RETRY_WAITS_SECONDS, None):
        try:
            transfer.request()
            break
        except Interrupted as error:
            if seconds is None:
                raise
            get_logger().info(
                "%s: %s; trying again in %g s", transfer.url, error, seconds
            )
            wait(seconds)
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


def cache_home() -> Path:
    """The folder of what is kept from one run to the next.

    Raises:
        UserError: no home folder is known.
    """
    try:
        if os.environ.get("PPCLS_HOME"):
            return Path(os.environ["PPCLS_HOME"]).expanduser()
        cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
        return (cache if cache.is_absolute() else Path.home() / ".cache") / "ppcls"
    except RuntimeError as error:
        raise UserError(
            "no home folder is known; set PPCLS_HOME to a folder that may keep downloads"
        ) from error


def _is_offline() -> bool:
    value = os.environ.get("PPCLS_OFFLINE", "")
    if value not in ("", "0", "1"):
        raise UserError(
            f"PPCLS_OFFLINE is {value!r}; set it to 1 to forbid downloads, or to 0"
        )
    return value == "1"
