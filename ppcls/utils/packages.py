"""The packages that this library needs, and the commands that install them."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import shlex
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

# The modules that ppcls needs, and the distributions that have them; the first is the one to install.
REQUIRED = {
    "numpy": ("numpy",),
    "cv2": (
        "opencv-python-headless", "opencv-python", "opencv-contrib-python-headless", "opencv-contrib-python",
    ),
    "PIL": ("pillow",),
    "yaml": ("pyyaml",),
    "tqdm": ("tqdm",),
    "safetensors": ("safetensors",),
    "simplejpeg": ("simplejpeg",),
    "paddle": ("paddlepaddle", "paddlepaddle-gpu"),
}  # fmt: skip
_CHECKOUT = Path(__file__).resolve().parents[2]


def is_found(module: str) -> bool:
    """Whether a module can be imported; a folder without any Python file cannot."""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.origin is not None


def absent_module(error: BaseException) -> str:
    """Return the dotted name of the module that an import did not find; empty for any other error."""
    if isinstance(error, ModuleNotFoundError):
        return error.name or ""
    return ""


def version_of(distribution: str) -> str | None:
    """Return the installed version; None if the distribution is not installed."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(distribution)
    return None


def distribution_of(module: str) -> str:
    """Return the installed distribution of a module, or the one to install."""
    names = REQUIRED.get(module)
    if names is None:
        names = (*importlib.metadata.packages_distributions().get(module, ()), module)
    return [*installed(names), *names][0]


def installed(distributions: Iterable[str]) -> list[str]:
    """Return those of the distributions that are installed."""
    return [name for name in distributions if version_of(name) is not None]


def requirements_file(name: str) -> str:
    """Return the path of a requirements file; in a wheel, which has none, its name."""
    path = _CHECKOUT / name
    return str(path) if path.is_file() else name


def install(*requirements: str) -> str:
    """Return how to install packages, as the end of a sentence."""
    wanted = " ".join(shlex.quote(requirement) for requirement in requirements)
    own = _CHECKOUT / ".venv" / "bin" / "python"
    if own.is_file() and not own.parent.samefile(Path(sys.executable).parent):
        return f"run this with {own}, or install by `{pip()} install {wanted}`"
    if not _is_managed_by_the_system():
        return f"run `{pip()} install {wanted}`"
    python = shlex.quote(sys.executable)
    return (
        f"make a virtual environment, because the system manages this Python: `{python} -m venv .venv`, then "
        f"`.venv/bin/python -m pip install {_all_requirements()}`, and run this with .venv/bin/python"
    )


def _all_requirements() -> str:
    """Return what pip has to install in a new environment, which does not see what the system's Python has."""
    listed = _CHECKOUT / "requirements.txt"
    if listed.is_file():
        return f"-r {listed}"
    return " ".join(names[0] for names in REQUIRED.values())


def reinstall(*distributions: str) -> str:
    """Return how to reinstall packages, as the end of a sentence."""
    return f"reinstall by `{pip()} install --force-reinstall --no-deps {' '.join(distributions)}`"


def pip() -> str:
    """Return the command that runs pip for this Python."""
    return f"{shlex.quote(sys.executable)} -m pip"


def _is_managed_by_the_system() -> bool:
    """Whether pip refuses to install into this Python (PEP 668)."""
    if sys.prefix != sys.base_prefix:
        return False
    return Path(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED").is_file()
