"""Describes a broken environment: a package that is missing or does not load, and the command that repairs it.

`ppcls.__main__` asks about every exception that ends a command, `load_paddle` and `import_optional` about the imports
that they make. Nothing but the standard library is imported here.
"""

from __future__ import annotations

import re
import sys

from ppcls.utils import packages
from ppcls.utils.failed_import import NOT_LOADED, failed_package, reason_of
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
