"""Where a configuration is: at a path, or among those that come with the library."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import ppcls
from ppcls.untrusted.regular_files import is_file
from ppcls.utils.errors import UserError, shortened, suggest
from ppcls.utils.user_paths import expanded

_PACKAGE = Path(ppcls.__file__).resolve().parent
# First where a wheel has them, then where a checkout has them.
_TRAINING = (_PACKAGE / "configs", _PACKAGE.parent / "configs")
_DEPLOYMENT = (_PACKAGE / "deploy_configs", _PACKAGE.parent / "deploy" / "configs")
# What may stand before `DLA/DLA60.yaml` in the paths of a checkout, of PaddleClas, and of its deploy folder.
_PREFIXES = (("ppcls", "configs"), ("deploy", "configs"), ("configs",), ("ImageNet",))


def find_config(name: object) -> Path:
    """The file of a training configuration.

    Args:
        name: a path; or a shipped configuration by its name (`DLA60`), its path (`DLA/DLA60.yaml`,
            `configs/DLA/DLA60.yaml`), or the path it has in PaddleClas (`ppcls/configs/ImageNet/DLA/DLA60.yaml`).

    Raises:
        UserError: there is no such file; the near names are given.
    """
    return _find(expanded(str(name)), _TRAINING)


def find_deploy_config(name: object) -> Path:
    """The file of a deployment configuration, by the same rules: `inference_cls`, `deploy/configs/inference_cls.yaml`.

    Raises:
        UserError: there is no such file.
    """
    return _find(expanded(str(name)), _DEPLOYMENT)


def find_base(name: str, folder: Path) -> Path:
    """The file that `base: name` means in a file of `folder`: relative to it, or a shipped configuration or recipe."""
    path = Path(os.path.normpath(folder / expanded(name)))
    if is_file(path):
        return path
    return _match(name, dict(_shipped(_TRAINING, recipes=True))) or path


def shipped_configs() -> dict[str, Path]:
    """The training configurations that come with the library, by name."""
    return dict(_shipped(_TRAINING))


def _shipped(
    folders: tuple[Path, ...], recipes: bool = False
) -> Iterator[tuple[str, Path]]:
    for folder in folders:
        # A stranger's folder of that name may stand beside an installed package.
        if folder.is_dir() and (
            folder.parent == _PACKAGE or (_PACKAGE.parent / "pyproject.toml").is_file()
        ):
            files = sorted(folder.rglob("*.yaml"))
            return (
                (file.stem, _from_here(file))
                for file in files
                if recipes or "_base_" not in file.parts
            )
    return iter(())


def _from_here(file: Path) -> Path:
    """The path relative to the working directory where it lies in there, for shorter messages."""
    here = Path.cwd()
    return file.relative_to(here) if here in file.parents else file


def _find(name: str, folders: tuple[Path, ...]) -> Path:
    path = Path(name)
    if is_file(path):
        return path
    if os.path.isdir(path):  # noqa: PTH112 (pathlib raises an error for names that are too long)
        raise UserError(f"{name} is a folder; give one YAML file in it")
    name = shortened(name, 300)
    known = dict(_shipped(folders))
    file = _match(name, known)
    if file is not None:
        return file
    hint = suggest(path.stem, known) or (
        f"; shipped are {', '.join(known)}" if known else ""
    )
    raise UserError(
        f"there is no configuration {name}{hint}; give a path or the name of a shipped one"
    )


def _match(name: str, known: dict[str, Path]) -> Path | None:
    """The shipped file that a name or path means, if any."""
    path = Path(name)
    parts = (
        path.with_suffix("").parts if path.suffix in (".yaml", ".yml") else path.parts
    )
    for prefix in _PREFIXES:
        if parts[: len(prefix)] == prefix:
            parts = parts[len(prefix) :]
    file = known.get(parts[-1]) if parts else None
    return file if file and file.with_suffix("").parts[-len(parts) :] == parts else None
