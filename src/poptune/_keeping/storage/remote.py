"""A remote folder, through fsspec. Nothing else imports it, and this only when a remote path is used."""

from __future__ import annotations

import contextlib
import importlib
import secrets
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar, final

from poptune._keeping.storage.locations import is_safe, join, split
from poptune._keeping.storage.remote_errors import MissingObjectError, RemoteError, explained
from poptune._keeping.storage.retry import persistently
from poptune.errors import ConfigurationError

_Made = TypeVar("_Made")
_WITHOUT_FOLDERS = {"abfs", "abfss", "adl", "az", "gcs", "gs", "memory", "oss", "s3", "s3a"}
"""Where a name with slashes needs no folders to be made first. To make one on S3 could make a bucket."""
_OPTIONS: dict[str, dict[str, Any]] = {
    "s3": {"use_listings_cache": False, "max_concurrency": 2},
    "s3a": {"use_listings_cache": False, "max_concurrency": 2},
    "gs": {"use_listings_cache": False},
    "gcs": {"use_listings_cache": False},
}
"""Others write to the same folder, so that listings are asked for anew; and memory is bounded."""
_PACKAGES = {
    "s3": "'poptune[remote]'",
    "s3a": "'poptune[remote]'",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "sftp": "paramiko",
    "ssh": "paramiko",
}
_PROBE_PATIENCE_S = 15.0
_READ_PATIENCE_S = 60.0


class Remote(Protocol):
    """A remote folder: whole objects, by names with slashes. Each operation is one attempt.

    All raise `RemoteError`; those that read, `MissingObjectError` for what is not there.
    """

    @property
    def url(self) -> str:
        """Where it is."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Have an object hold this."""
        ...

    def upload(self, path: Path, name: str) -> None:
        """Have an object hold what a file holds."""
        ...

    def read(self, name: str) -> bytes:
        """Return what an object holds."""
        ...

    def download(self, name: str, path: Path) -> None:
        """Write what an object holds into a file."""
        ...

    def sizes(self, folder: str = "") -> dict[str, int]:
        """Return the names and sizes in bytes of all objects in a folder of it, or of all.

        Names that would lead out of a folder are left out.
        """
        ...

    def delete(self, name: str) -> None:
        """Delete an object; one that is not there is no error."""
        ...

    def copy(self, name: str, to: Remote) -> None:
        """Copy an object to the same name in another folder of the same storage, there if that can be."""
        ...


def open_remote(url: str) -> Remote:
    """Return the remote folder with this URL, which need not exist. Nothing is asked of the storage yet.

    Raises:
        ConfigurationError: fsspec, or the driver of the protocol, is not installed, or there is no such one.
    """
    return FsspecFolder(url)


def check_installed(url: str) -> None:
    """Check that this kind of remote storage can be used here.

    Raises:
        ConfigurationError: fsspec, or the driver of the protocol, is not installed, or there is no such one.
    """
    _file_system_class(url)


def check_writable(remote: Remote) -> None:
    """Write, read and delete something small.

    Raises:
        ConfigurationError: One of them cannot be done.
    """
    name, content = f".poptune-probe-{secrets.token_hex(4)}", b"poptune was here"
    try:
        persistently(lambda: remote.write(name, content), patience_s=_PROBE_PATIENCE_S)
        persistently(lambda: remote.read(name), patience_s=_PROBE_PATIENCE_S)
        persistently(lambda: remote.delete(name), patience_s=_PROBE_PATIENCE_S)
    except RemoteError as error:
        raise ConfigurationError(f"storage_path cannot be used. {error}") from error


@final
class FsspecFolder:
    """See `Remote`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._scheme = url.partition("://")[0]
        made = _file_system_class(url)
        with self._explained("opened"):
            # Not by fsspec's url_to_fs(), for which a name with "::" in it would be one file within another.
            options = made._get_kwargs_from_urls(url)  # noqa: SLF001 - how url_to_fs() does it
            self._files = made(**{**_OPTIONS.get(self._scheme, {}), **options})
            self._root = made._strip_protocol(url).rstrip("/")  # noqa: SLF001 - how url_to_fs() does it

    @property
    def url(self) -> str:
        return self._url

    def write(self, name: str, content: bytes) -> None:
        self.put(name, lambda path: self._files.pipe_file(path, content))

    def upload(self, path: Path, name: str) -> None:
        path.stat()
        self.put(name, lambda place: self._files.put_file(str(path), place))

    def read(self, name: str) -> bytes:
        with self._explained("read", name):
            content: bytes = self._files.cat_file(self._path(name))
            return content

    def download(self, name: str, path: Path) -> None:
        with self._explained("read", name):
            self._files.get_file(self._path(name), str(path))

    def sizes(self, folder: str = "") -> dict[str, int]:
        root = self._path(folder) if folder else self._root
        with self._explained("listed", folder):
            self._files.invalidate_cache()
            try:
                found: dict[str, Any] = self._files.find(root, detail=True)
            except FileNotFoundError:
                found = {}
        begin = f"{self._root}/".lstrip("/")
        names = {path.lstrip("/"): int(info.get("size") or 0) for path, info in found.items()}
        return {
            name.removeprefix(begin): size
            for name, size in names.items()
            if name.startswith(begin) and is_safe(name.removeprefix(begin))
        }

    def delete(self, name: str) -> None:
        with self._explained("deleted", name), contextlib.suppress(FileNotFoundError):
            self._files.rm_file(self._path(name))

    def copy(self, name: str, to: Remote) -> None:
        assert isinstance(to, FsspecFolder)
        try:
            to.put(name, lambda place: self._files.cp_file(self._path(name), place))
        except RemoteError as error:
            if not isinstance(error.__cause__, NotImplementedError):
                raise
            with tempfile.TemporaryDirectory(prefix="poptune-copy-") as folder:
                self.download(name, Path(folder, "object"))
                to.upload(Path(folder, "object"), name)

    def put(self, name: str, put: Callable[[str], object]) -> None:
        """Have an object be written by a function of its path; try again with its folders if they lack."""
        path = self._path(name)
        with self._explained("written", name):
            try:
                put(path)
            except FileNotFoundError:
                if self._scheme in _WITHOUT_FOLDERS:
                    raise
                self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
                put(path)

    def _path(self, name: str) -> str:
        if not is_safe(name):
            raise RemoteError(
                f"What lies in {self._url} must have a name that stays in it, got {name!r}", lasts=True
            )
        return f"{self._root}/{name}"

    @contextlib.contextmanager
    def _explained(self, doing: str, name: str = "") -> Iterator[None]:
        try:
            yield
        except RemoteError:
            raise
        except Exception as error:  # each driver has errors of its own, from several libraries
            url = join(self._url, name) if name else self._url
            raise explained(error, url=url, doing=doing) from error


def read_url(url: str) -> bytes:
    """Return what the object with a URL holds; try again for a while if the storage fails.

    Raises:
        RemoteError: It cannot be read.
    """
    folder, name = split(url)
    remote = open_remote(folder)
    return patiently(lambda: remote.read(name))


def read_or_none(remote: Remote, name: str) -> bytes | None:
    """Return what an object holds, or None if it is not there. One attempt."""
    try:
        return remote.read(name)
    except MissingObjectError:
        return None


def patiently(act: Callable[[], _Made]) -> _Made:
    """Do something for a user who waits for it: try again for a while if the storage fails."""
    return persistently(act, patience_s=_READ_PATIENCE_S)


def _file_system_class(url: str) -> Any:
    scheme = url.partition("://")[0]
    try:
        fsspec = importlib.import_module("fsspec")
    except ImportError as error:
        raise ConfigurationError(
            f"The remote path {url!r} needs fsspec, which is not installed: pip install 'poptune[remote]'"
        ) from error
    try:
        return fsspec.get_filesystem_class(scheme)
    except ValueError as error:
        raise ConfigurationError(
            f"A remote path must be of a kind that fsspec knows, such as s3://, gs:// or sftp://, got {url!r}"
        ) from error
    except ImportError as error:
        package = _PACKAGES.get(scheme)
        fix = f"pip install {package}" if package else str(error)
        raise ConfigurationError(
            f"The remote path {url!r} needs fsspec's driver for {scheme}://, which is not installed: {fix}"
        ) from error
