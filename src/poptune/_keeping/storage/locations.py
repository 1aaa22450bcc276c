"""Whether a path is of this machine or a remote URL, and which local folder stands for a remote one."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from poptune._base.layout import is_one_name, problem_of_new_folder
from poptune.errors import ConfigurationError

ORIGIN_NAME = ".poptune_remote.json"
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+)://(?P<rest>.*)", re.DOTALL)
_FLATTENED = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/[^/]")
"""What ``pathlib`` makes of a URL."""
_LOCAL = {"file", "local"}
_DIGEST_LETTERS = 12


def remote_url(path: str | PathLike[str]) -> str:
    """Return a remote path in the one form that we know it by; empty if the path is of this machine.

    Raises:
        ConfigurationError: It is a URL that names no place.

    Example:
        >>> remote_url("s3://bucket/experiments/"), remote_url("~/results"), remote_url("file:///results")
        ('s3://bucket/experiments', '', '')
    """
    text = os.fspath(path)
    if not isinstance(path, str) and _FLATTENED.match(text):
        raise ConfigurationError(
            f"A remote path must be a text, got {path!r}, in which a slash is lost: write it in quotes, "
            "without Path(...)"
        )
    if "::" in text.partition("://")[0]:
        raise ConfigurationError(
            f"A remote path must be one URL, such as s3://bucket/experiments, got the chain {text!r}"
        )
    url = _URL.fullmatch(text)
    if url is None or url["scheme"].lower() in _LOCAL:
        return ""
    parts = [part for part in url["rest"].split("/") if part]
    if not parts or any(part in {".", ".."} for part in parts):
        raise ConfigurationError(
            f"A remote path must name a place, such as s3://bucket/experiments, got {text!r}"
        )
    return f"{url['scheme'].lower()}://{'/'.join(parts)}"


def local_path(path: str | PathLike[str]) -> Path:
    """Return a path of this machine, which may be given as ``file://...``, as an absolute path.

    Raises:
        ConfigurationError: It is a ``file://`` URL that does not say from the root where it is.
    """
    text = os.fspath(path)
    url = _URL.fullmatch(text)
    if url is not None and url["scheme"].lower() in _LOCAL:
        if not url["rest"].startswith("/"):
            raise ConfigurationError(
                f"A file:// path must begin with a third slash, such as file:///home/me/results, got {text!r}"
            )
        return Path(url["rest"])
    return Path(text).expanduser().absolute()


def join(url: str, name: str) -> str:
    """Return the URL of what has this name in a remote folder."""
    return f"{url}/{name}"


def split(url: str) -> tuple[str, str]:
    """Return the URL of the folder that something is in, and its name there.

    Raises:
        ConfigurationError: It is in no folder.
    """
    folder, _, name = url.rpartition("/")
    if folder.endswith("/") or not folder or problem_of_new_folder(name):
        raise ConfigurationError(
            "An experiment is needed, which lies in a folder of the storage, such as "
            f"s3://bucket/experiments/pbt_mnist, got {url!r}"
        )
    return folder, name


def storage_mirror(url: str) -> Path:
    """Return the local folder in which the experiments of a remote storage path are run."""
    return _cache() / "mirrors" / _slug(url)


def experiment_mirror(url: str) -> Path:
    """Return the local folder in which a remote experiment is run: its journal, checkpoints and logs."""
    storage, name = split(url)
    return storage_mirror(storage) / name


def reading_copy(url: str) -> Path:
    """Return the local folder that holds what was read of a remote experiment.

    It is another one than the experiment is run in: who only looks at it never touches that.
    """
    storage, name = split(url)
    return _cache() / "copies" / _slug(storage) / name


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser().absolute() / "poptune"


def _slug(url: str) -> str:
    readable = re.sub(r"[^A-Za-z0-9]+", "-", url)[:60].strip("-")
    return f"{readable}-{hashlib.sha256(url.encode()).hexdigest()[:_DIGEST_LETTERS]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Which remote experiment a local folder stands for."""

    url: str
    token: str
    """Drawn for this folder: who names it has worked in the same folder."""
    is_copy: bool
    """Whether the folder is only for reading."""


def origin(folder: Path) -> Origin | None:
    """Return which remote experiment a folder stands for; none if it is on its own, as most are."""
    try:
        content: Any = json.loads((folder / ORIGIN_NAME).read_bytes())
        return Origin(
            url=remote_url(content["url"]), token=str(content["token"]), is_copy=bool(content["is_copy"])
        )
    except (OSError, ValueError, LookupError, TypeError):
        return None


def mark(folder: Path, url: str, *, is_copy: bool = False) -> Origin:
    """Note in a folder, which is made if need be, that it stands for a remote experiment."""
    found = origin(folder)
    if found is not None and found.url == url and found.is_copy == is_copy:
        return found
    made = Origin(url=url, token=secrets.token_hex(8), is_copy=is_copy)
    folder.mkdir(parents=True, exist_ok=True)
    aside = folder / f"{ORIGIN_NAME}.new"
    aside.write_text(json.dumps({"url": made.url, "token": made.token, "is_copy": made.is_copy}))
    aside.replace(folder / ORIGIN_NAME)
    return made


def is_safe(name: str) -> bool:
    """Whether a name from a remote listing leads to a place below the folder that it is to lie in."""
    return "\\" not in name and all(is_one_name(part) for part in name.split("/"))
