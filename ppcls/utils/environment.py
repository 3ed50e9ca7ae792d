"""Describes a broken environment: a package that is missing or does not load, with the command that mends it.

`ppcls.__main__` asks about every exception that ends a command, `load_paddle` and `import_optional` about the imports
that they make. Nothing but the standard library is imported here.
"""

from __future__ import annotations

import importlib.machinery
import importlib.metadata
import importlib.util
import re
import shlex
import sys
import sysconfig
from pathlib import Path
from types import FrameType

# What ppcls requires: the module, and the distributions that hold it; the first is installed where none is.
REQUIRED = {
    "numpy": ("numpy",),
    "cv2": (
        "opencv-python-headless", "opencv-python", "opencv-contrib-python-headless", "opencv-contrib-python",
    ),
    "PIL": ("pillow",),
    "yaml": ("pyyaml",),
    "tqdm": ("tqdm",),
    "visualdl": ("visualdl",),
    "safetensors": ("safetensors",),
    "simplejpeg": ("simplejpeg",),
    "paddle": ("paddlepaddle", "paddlepaddle-gpu"),
}  # fmt: skip
NEWEST_FOR_PADDLE = (3, 13)  # the newest Python that Paddle has a build for
_PACKAGE = Path(__file__).resolve().parents[1]
_OURS = (
    _PACKAGE,
    *(_PACKAGE.parent / name for name in ("tools", "deploy", "benchmarks")),
)
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
# How the loader of Linux, macOS and Windows says that a library cannot be loaded.
_NOT_LOADED = re.compile(
    r"cannot open shared object file|undefined symbol|invalid ELF header|wrong ELF class|file too short|"
    r"version `\S+' not found|cannot enable executable stack|failed to map segment|"
    r"Library not loaded|Symbol not found|image not found|incompatible architecture|DLL load failed"
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
    """Say which package is missing or does not load, and what to do.

    Args:
        error: The exception that ended a command, or an import.

    Returns:
        One sentence; None if the environment is not at fault. An import that fails because of this package, such as
        that of a name that another package does not have, is not the environment's fault.
    """
    hollow = _hollow_package(error)
    if hollow is not None:
        return _missing_package(hollow)
    if isinstance(error, ModuleNotFoundError) and error.name is not None:
        root = error.name.split(".")[0]
        if root in REQUIRED and not _is_found(root):
            return _missing_package(root)
    late = (
        _LOADED_LATE.search(str(error))
        if isinstance(error, (RuntimeError, OSError))
        else None
    )
    if late is not None:
        return _missing_library("paddle", late["library"])
    package = _importing(error)
    if package is None:
        return None
    if isinstance(error, ModuleNotFoundError) and error.name is not None:
        return _missing_dependency(package, error.name)
    reason = _reason(error)
    if _NOT_LOADED.search(reason):
        return _broken_library(package, reason)
    distribution = _distribution(package)
    if _OTHER_NUMPY.search(reason):
        remedy = f"run `{_pip()} install --upgrade numpy {distribution}`"
        return f"{distribution} was built for another version of numpy ({reason}); {remedy}"
    remedy = (
        "let this user read its files"
        if isinstance(error, PermissionError)
        else _reinstall(distribution)
    )
    return f"{distribution} cannot be imported ({reason}); {remedy}"


def _missing_package(first: str) -> str:
    """The sentence about all the required packages that are not there."""
    modules = [
        module for module in REQUIRED if module == first or not _is_found(module)
    ]
    # pip takes a package for installed as long as its metadata are there.
    stale = [
        name
        for module in modules
        for name in REQUIRED[module]
        if _version(name) is not None
    ]
    if stale:
        return f"{_listed(stale)} cannot be imported: files are missing; {_reinstall(*stale)}"
    names = [REQUIRED[module][0] for module in modules]
    said = f"{_listed(names)} {'is' if len(names) == 1 else 'are'} not installed for {sys.executable}"
    if "paddle" in modules and sys.version_info[:2] > NEWEST_FOR_PADDLE:
        newest = ".".join(map(str, NEWEST_FOR_PADDLE))
        return f"{said}, and Paddle has no build for this Python; use Python 3.10 to {newest}"
    hint = f" ({_GPU_HINT})" if "paddle" in modules else ""
    return f"{said}; {_install(*names)}{hint}"


def _missing_dependency(package: str, module: str) -> str:
    distribution = _distribution(package)
    if module.split(".")[0] in sys.stdlib_module_names:
        return (
            f"{distribution} needs the standard module {module}, which {sys.executable} was built without; use another "
            "Python, or build this one again once the system library is installed that the module needs"
        )
    if module.split(".")[0] == "pkg_resources":
        remedy = _install("setuptools<81")
        return f"{distribution} needs pkg_resources, which newer versions of setuptools lack; {remedy}"
    wanted = [
        distribution,
        *(["setuptools"] if module.split(".")[0] == "setuptools" else []),
    ]
    return f"{distribution} needs the module {module}, which is not installed; {_install(*wanted)}"


def _broken_library(package: str, reason: str) -> str:
    """The sentence about a shared library that does not load."""
    found = _MISSING_LIBRARY.search(reason)
    if found is not None:
        return _missing_library(package, found["library"])
    distribution = _distribution(package)
    return (
        f"{distribution} does not load on this system ({reason}); {_reinstall(distribution)}, or install a version "
        "that is built for this system"
    )


def _missing_library(package: str, library: str) -> str:
    distribution = _distribution(package)
    said = f"{distribution} needs the library {library}, which is missing"
    if library.startswith(_DRIVER):
        return f"{said}; install NVIDIA's driver, or on a machine without an NVIDIA GPU {_cpu_build()}"
    if _CUDA.match(library):
        gpu = _PACKAGE.parent / "requirements-gpu.txt"
        listed = gpu if gpu.is_file() else gpu.name  # a wheel comes without it
        return (
            f"{said}; on a machine with an NVIDIA GPU run `{_pip()} install --force-reinstall -r {listed}`, which "
            f"brings CUDA's libraries; on one without {_cpu_build()}"
        )
    apt = (
        f"`apt-get install {_SYSTEM_PACKAGES[library]}` on Debian or Ubuntu"
        if library in _SYSTEM_PACKAGES
        else ""
    )
    if package == "cv2" and "headless" not in distribution:
        headless = f"`{_pip()} uninstall -y {distribution}` and then `{_pip()} install --force-reinstall --no-deps "
        return f"{said}; run {headless}{REQUIRED['cv2'][0]}`" + (
            f", or run {apt}" if apt else ""
        )
    if apt:
        return f"{said}; run {apt}"
    return f"{said}; install it, or if it is a part of {distribution}, {_reinstall(distribution)}"


def _cpu_build() -> str:
    return (
        f"run `{_pip()} uninstall -y paddlepaddle-gpu` and then `{_pip()} install --force-reinstall --no-deps "
        "paddlepaddle`"
    )


def _install(*requirements: str) -> str:
    """What installs packages, as the rest of a sentence."""
    wanted = " ".join(map(shlex.quote, requirements))
    own = _PACKAGE.parent / ".venv" / "bin" / "python"
    if own.is_file() and not own.parent.samefile(Path(sys.executable).parent):
        return f"run this with {own}, or install by `{_pip()} install {wanted}`"
    if _is_managed_by_the_system():
        # The new environment does not see what the system's Python has.
        listed = _PACKAGE.parent / "requirements.txt"
        everything = (
            f"-r {listed}"
            if listed.is_file()
            else " ".join(names[0] for names in REQUIRED.values())
        )
        return (
            f"make a virtual environment, because the system manages this Python: `{_python()} -m venv .venv`, then "
            f"`.venv/bin/python -m pip install {everything}`, and run this with .venv/bin/python"
        )
    return f"run `{_pip()} install {wanted}`"


def _reinstall(*distributions: str) -> str:
    return f"reinstall by `{_pip()} install --force-reinstall --no-deps {' '.join(distributions)}`"


def _is_managed_by_the_system() -> bool:
    """Whether pip refuses to install into this Python (PEP 668)."""
    outside = sys.prefix == sys.base_prefix
    return (
        outside and Path(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED").is_file()
    )


def _python() -> str:
    return shlex.quote(sys.executable)


def _pip() -> str:
    return f"{_python()} -m pip"


def _hollow_package(error: BaseException) -> str | None:
    """The required package of which only a folder is left, which Python takes for an empty package."""
    if not isinstance(error, (AttributeError, ImportError)):
        return None
    for module in REQUIRED:
        loaded = sys.modules.get(module)
        if loaded is not None and not _is_found(module) and f"'{module}'" in str(error):
            return module
    return None


def _is_found(module: str) -> bool:
    """Whether a module can be imported, a folder without any file of Python's in it not being one."""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.origin is not None


def _importing(error: BaseException) -> str | None:
    """The package of somebody else's whose import failed, by its module's name; None if no such import did.

    Read from the traceback: below our last frame is the code of the package as it is imported, or no frame at all
    where the package is one compiled file.
    """
    if (
        isinstance(error, SyntaxError)
        and error.filename is not None
        and not _is_ours(Path(error.filename))
    ):
        return _module_of(Path(error.filename))
    frames: list[FrameType] = []
    following = error.__traceback__
    while following is not None:
        frames.append(following.tb_frame)
        following = following.tb_next
    if (
        isinstance(error, OSError)
        and error.filename
        and frames
        and _is_importlib(frames[-1])
    ):
        return _module_of(Path(error.filename))
    theirs: list[FrameType] = []
    for frame in reversed(frames):
        if (
            _is_ours(Path(frame.f_code.co_filename))
            or frame.f_globals.get("__name__") == "__main__"
        ):
            break
        if not _is_importlib(frame):
            theirs.insert(0, frame)
    if not theirs:
        path = getattr(error, "path", None)
        compiled = path is not None and path.endswith(
            tuple(importlib.machinery.EXTENSION_SUFFIXES)
        )
        return (
            error.name.split(".")[0]
            if compiled and isinstance(error, ImportError) and error.name
            else None
        )
    is_import = theirs[0].f_code.co_name == "<module>"
    is_load = (
        isinstance(error, OSError)
        and error.errno is None
        and _NOT_LOADED.search(str(error)) is not None
    )
    if is_import or is_load or isinstance(error, ImportError):
        return str(theirs[0].f_globals.get("__name__", "")).split(".")[0] or None
    return None


def _is_ours(path: Path) -> bool:
    return any(map(path.is_relative_to, _OURS))


def _module_of(path: Path) -> str | None:
    """The top-level module that a file belongs to."""
    for folder in sys.path:
        if folder and path.is_relative_to(folder):
            return path.relative_to(folder).with_suffix("").parts[0]
    return None


def _is_importlib(frame: FrameType) -> bool:
    return frame.f_globals.get("__name__", "").split(".")[0] == "importlib"


def _reason(error: BaseException) -> str:
    """What went wrong first, in one line: some packages put pages of advice around it."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return (
        lines[0]
        if isinstance(error, ImportError)
        else f"{type(error).__name__}: {lines[0]}"
    )


def _distribution(module: str) -> str:
    """The installed distribution of a module, or the one to install."""
    names = REQUIRED.get(module)
    if names is None:
        names = (*importlib.metadata.packages_distributions().get(module, ()), module)
    return next((name for name in names if _version(name) is not None), names[0])


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _listed(names: list[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
