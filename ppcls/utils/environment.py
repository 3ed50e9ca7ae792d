"""Describes a broken environment: a package that is missing or does not load, and the command that repairs it.

`ppcls.__main__` asks about every exception that ends a command, `load_paddle` and `import_optional` about the imports
that they make. Nothing but the standard library is imported here.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import re
import sys
import traceback
from pathlib import Path
from types import FrameType
from typing import Any

from ppcls.utils import packages
from ppcls.utils.errors import Unavailable
from ppcls.utils.packages import REQUIRED, install, pip, reinstall

NEWEST_FOR_PADDLE = (3, 13)  # the newest Python that Paddle has a build for
_GPU_HINT = (
    "paddlepaddle is for a CPU; requirements-gpu.txt has the build for an NVIDIA GPU"
)

# Debian's packages of the libraries that a bare container or server lacks.
_SYSTEM_PACKAGES = {
    "libGL.so.1": "libgl1",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libSM.so.6": "libsm6",
    "libICE.so.6": "libice6",
    "libXext.so.6": "libxext6",
    "libXrender.so.1": "libxrender1",
    "libX11.so.6": "libx11-6",
    "libxcb.so.1": "libxcb1",
    "libgomp.so.1": "libgomp1",
    "libstdc++.so.6": "libstdc++6",
    "libgcc_s.so.1": "libgcc-s1",
}
_DRIVER = ("libcuda.so", "libnvidia-ml.so")
_CUDA = re.compile(
    r"lib(cuda|cudart|cublas|cublasLt|cudnn\w*|cufft|cufile|cupti|curand|cusolver|cusparse|cusparseLt|nccl|nvrtc|nvJitLink|"
    r"nvToolsExt|nvidia-ml|nvinfer\w*|nvonnxparser)(-builtins)?\.so"
)
# Paddle loads some of CUDA's libraries when they are first used, and says this where it cannot.
_LOADED_LATE = re.compile(
    r"third-party dynamic library \((?P<library>\S+)\) that Paddle depends on is not configured"
)
_MISSING_LIBRARY = re.compile(
    r"(?P<library>[^\s:/]+\.so[.\d]*): cannot open shared object file"
)
_OTHER_NUMPY = re.compile(
    r"binary incompatibility|multiarray failed to import|_ARRAY_API|against (API|ABI) version"
)


def fault(error: BaseException) -> str | None:
    """Return which package is missing or does not load, and what to do.

    Args:
        error: The exception that ended a command, or an import.

    Returns:
        One sentence; None if the environment is not at fault. An import that fails because of this package, such as
        that of a name that another package does not have, is not the environment's fault.
    """
    missing = _hollow_package(error) or _absent_package(error)
    if missing is not None:
        return _missing_package(missing)
    late = _late_library(error)
    if late is not None:
        return _missing_library("paddle", late)
    package = failed_package(error)
    if package is None:
        return None
    module = packages.absent_module(error)
    if module:
        return _missing_dependency(package, module)
    return _broken_package(package, error)


def _hollow_package(error: BaseException) -> str | None:
    """Return the required package of which only a folder is left, which Python takes for an empty package."""
    if not isinstance(error, (AttributeError, ImportError)):
        return None
    for module in REQUIRED:
        is_named = f"'{module}'" in str(error)
        if is_named and module in sys.modules and not packages.is_found(module):
            return module
    return None


def _absent_package(error: BaseException) -> str | None:
    """Return the required package that is not there."""
    root = packages.absent_module(error).split(".")[0]
    if root in REQUIRED and not packages.is_found(root):
        return root
    return None


def _late_library(error: BaseException) -> str | None:
    """Return the library that Paddle needed after its import and did not find."""
    if not isinstance(error, (RuntimeError, OSError)):
        return None
    found = _LOADED_LATE.search(str(error))
    return None if found is None else found["library"]


def _missing_package(first: str) -> str:
    """Return the sentence about all required packages that are not there."""
    modules = []
    stale: list[str] = []
    for module, distributions in REQUIRED.items():
        if module == first or not packages.is_found(module):
            modules.append(module)
            # pip takes a package for installed as long as its metadata are there
            stale += packages.installed(distributions)
    if stale:
        return f"{_listed(stale)} cannot be imported: files are missing; {reinstall(*stale)}"
    names = [REQUIRED[module][0] for module in modules]
    verb = "is" if len(names) == 1 else "are"
    sentence = f"{_listed(names)} {verb} not installed for {sys.executable}"
    if "paddle" not in modules:
        return f"{sentence}; {install(*names)}"
    if sys.version_info[:2] > NEWEST_FOR_PADDLE:
        newest = ".".join(map(str, NEWEST_FOR_PADDLE))
        return f"{sentence}, and Paddle has no build for this Python; use Python 3.10 to {newest}"
    return f"{sentence}; {install(*names)} ({_GPU_HINT})"


def _missing_dependency(package: str, module: str) -> str:
    """Return the sentence about a module that another package needs."""
    distribution = packages.distribution_of(package)
    root = module.split(".")[0]
    if root in sys.stdlib_module_names:
        return (
            f"{distribution} needs the standard module {module}, which {sys.executable} was built without; use another "
            "Python, or build this one again once the system library is installed that the module needs"
        )
    if root == "pkg_resources":
        remedy = install("setuptools<81")
        return f"{distribution} needs pkg_resources, which newer versions of setuptools lack; {remedy}"
    remedy = install(distribution)
    if root == "setuptools":
        remedy = install(distribution, "setuptools")
    return f"{distribution} needs the module {module}, which is not installed; {remedy}"


def _broken_package(package: str, error: BaseException) -> str:
    """Return the sentence about a package that is there and does not load."""
    reason = reason_of(error)
    distribution = packages.distribution_of(package)
    if NOT_LOADED.search(reason):
        return _broken_library(package, reason)
    if _OTHER_NUMPY.search(reason):
        return (
            f"{distribution} was built for another version of numpy ({reason}); run `{pip()} install --upgrade numpy "
            f"{distribution}`"
        )
    remedy = reinstall(distribution)
    if isinstance(error, PermissionError):
        remedy = "let this user read its files"
    return f"{distribution} cannot be imported ({reason}); {remedy}"


def _broken_library(package: str, reason: str) -> str:
    """Return the sentence about a shared library that does not load."""
    found = _MISSING_LIBRARY.search(reason)
    if found is not None:
        return _missing_library(package, found["library"])
    distribution = packages.distribution_of(package)
    return (
        f"{distribution} does not load on this system ({reason}); {reinstall(distribution)}, or install a version "
        "that is built for this system"
    )


def _missing_library(package: str, library: str) -> str:
    """Return the sentence about a shared library that is not there."""
    distribution = packages.distribution_of(package)
    sentence = f"{distribution} needs the library {library}, which is missing"
    if library.startswith(_DRIVER):
        return f"{sentence}; install NVIDIA's driver, or on a machine without an NVIDIA GPU {_cpu_build()}"
    if _CUDA.match(library):
        listed = packages.requirements_file("requirements-gpu.txt")
        return (
            f"{sentence}; on a machine with an NVIDIA GPU run `{pip()} install --force-reinstall -r {listed}`, which "
            f"brings CUDA's libraries; on one without {_cpu_build()}"
        )
    remedies = []
    if package == "cv2" and "headless" not in distribution:
        headless = REQUIRED["cv2"][0]
        remedies.append(
            f"run `{pip()} uninstall -y {distribution}` and then `{pip()} install --force-reinstall --no-deps "
            f"{headless}`"
        )
    if library in _SYSTEM_PACKAGES:
        debian = _SYSTEM_PACKAGES[library]
        remedies.append(f"run `apt-get install {debian}` on Debian or Ubuntu")
    if not remedies:
        remedies.append(
            f"install it, or if it is a part of {distribution}, {reinstall(distribution)}"
        )
    return f"{sentence}; {', or '.join(remedies)}"


def _cpu_build() -> str:
    return (
        f"run `{pip()} uninstall -y paddlepaddle-gpu` and then `{pip()} install --force-reinstall --no-deps "
        "paddlepaddle`"
    )


def _listed(names: list[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


_PACKAGE = Path(__file__).resolve().parents[1]
_OURS = (
    _PACKAGE,
    _PACKAGE.parent / "tools",
    _PACKAGE.parent / "deploy",
    _PACKAGE.parent / "benchmarks",
)
# How the loader of Linux, macOS and Windows says that a library cannot be loaded.
NOT_LOADED = re.compile(
    r"cannot open shared object file|undefined symbol|invalid ELF header|wrong ELF class|file too short|"
    r"version `\S+' not found|cannot enable executable stack|failed to map segment|"
    r"Library not loaded|Symbol not found|image not found|incompatible architecture|DLL load failed"
)


def failed_package(error: BaseException) -> str | None:
    """Return the top-level module of the package that did not load; None if no package is to blame.

    In the traceback, below the last frame of this library, stands the code of the package that was imported, or no
    frame at all if the package is one compiled file.
    """
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    file = _unusable_file(error, frames)
    if file is not None:
        return _module_of(file)
    frames = _frames_of_others(frames)
    if not frames:
        return _compiled_package(error)
    module = str(frames[0].f_globals.get("__name__", "")).partition(".")[0]
    if module and _is_about_import(error, frames[0]):
        return module
    return None


def reason_of(error: BaseException) -> str:
    """Return what went wrong first, in one line; some packages print pages of advice around it."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines() or [type(error).__name__]
    if isinstance(error, ImportError):
        return lines[0]
    return f"{type(error).__name__}: {lines[0]}"


def _unusable_file(error: BaseException, frames: list[FrameType]) -> Path | None:
    """Return the file of another package that `import` could not compile or read."""
    name = getattr(error, "filename", None)
    if not name:
        return None
    path = Path(name)
    if isinstance(error, SyntaxError):
        is_unusable = not _is_ours(path)
    else:
        # An OSError, and it is `import` that was reading
        is_unusable = bool(frames) and _is_importlib(frames[-1])
    return path if is_unusable else None


def _frames_of_others(frames: list[FrameType]) -> list[FrameType]:
    """Return the frames below the last one of this library or of the program, without those of `import` itself."""
    below: list[FrameType] = []
    for frame in reversed(frames):
        is_program = frame.f_globals.get("__name__") == "__main__"
        if is_program or _is_ours(Path(frame.f_code.co_filename)):
            break
        if not _is_importlib(frame):
            below.insert(0, frame)
    return below


def _compiled_package(error: BaseException) -> str | None:
    """Return the package that is one compiled file, which has no frames."""
    if not isinstance(error, ImportError) or not error.name or error.path is None:
        return None
    if not error.path.endswith(tuple(importlib.machinery.EXTENSION_SUFFIXES)):
        return None
    return error.name.split(".")[0]


def _is_about_import(error: BaseException, first: FrameType) -> bool:
    """Whether an error ended an import; `first` is the outermost frame of the other package."""
    if isinstance(error, ImportError) or first.f_code.co_name == "<module>":
        return True
    if not isinstance(error, OSError) or error.errno is not None:
        return False
    # ctypes reports a library that does not load without a number
    return NOT_LOADED.search(str(error)) is not None


def _is_ours(path: Path) -> bool:
    return any(map(path.is_relative_to, _OURS))


def _module_of(path: Path) -> str | None:
    """Return the top-level module that a file belongs to."""
    for folder in sys.path:
        if folder and path.is_relative_to(folder):
            return path.relative_to(folder).with_suffix("").parts[0]
    return None


def _is_importlib(frame: FrameType) -> bool:
    return frame.f_globals.get("__name__", "").split(".")[0] == "importlib"


def import_optional(module: str, name: str, extra: str) -> Any:
    """Import a package that an extra installs.

    Args:
        module: The module to import.
        name: The name of the package, for messages.
        extra: The extra, as in `pip install 'ppcls[extra]'`.

    Raises:
        Unavailable: The package is not installed or does not load; the sentence names the remedy.
    """
    try:
        return importlib.import_module(module)
    except Exception as error:
        if packages.absent_module(error) in (module, module.split(".")[0]):
            raise Unavailable(
                f"{name} is not installed; run `pip install 'ppcls[{extra}]'`"
            ) from error
        sentence = fault(error)
        if sentence is None:
            raise
        raise Unavailable(sentence) from error
