"""Objects that all workers share: stored once, mapped into memory, opened once in each worker."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import functools
import io
import os
import pickle
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import cloudpickle

from poptune._keeping.checkpoints import Checkpoint
from poptune.errors import ConfigurationError, TrainableError

T = TypeVar("T")
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where there is one, files in it are memory
UNPICKLABLE = (pickle.PicklingError, TypeError, AttributeError)
"""What pickling raises for a value that it cannot take."""
_PREFIX, _LOCK = "poptune-objects-", "lock"
_BIRTH_S = 60.0
"""So young a folder may not be locked yet."""
_opened: dict[str, Any] = {}
"""What this process has put or got, by the folder that it lies in."""
_elsewhere: dict[str, Callable[[], Any]] = {}
"""How to get what another machine's process has put, by the folder that it lies in there."""


@dataclass(frozen=True, slots=True)
class Parts:
    """An object, taken apart."""

    body: bytes
    """It, pickled without its arrays and tensors."""
    leaves: dict[str, Any]
    """These, not copied."""


@dataclass(frozen=True, slots=True)
class ObjectRef(Generic[T]):
    """Names an object that was put; small enough for a config. :func:`get` returns the object."""

    path: str
    kind: str
    """The type's name, for errors and displays."""

    def __repr__(self) -> str:
        return f"<reference to a {self.kind}>"


def put(value: T) -> ObjectRef[T]:
    """Store an object where all workers can open it, each once, and return a reference to it.

    Arrays and tensors in it, also those inside a module or a data set, are mapped into the workers' memory
    without a copy. The object lives as long as the process that has put it.

    Args:
        value: Any object that can be pickled.

    Raises:
        ConfigurationError: It cannot be pickled.

    Example:
        >>> import poptune as tune
        >>> reference = tune.put([1, 2, 3])
        >>> tune.get(reference)
        [1, 2, 3]
    """
    kind = type(value).__name__
    try:
        folder = store(split(value))
    except UNPICKLABLE as error:
        raise ConfigurationError(
            f"An object that is put must be picklable, but this {kind} is not ({error}): create what cannot "
            "be pickled inside the trainable"
        ) from error
    _opened[folder] = value
    return ObjectRef(folder, kind)


def get(reference: ObjectRef[T]) -> T:
    """Return the object that a reference names; each process opens it once.

    Trials that run one after another in a worker get the very same object: do not change it. What is written
    into its arrays stays in that worker.

    Raises:
        TrainableError: The object is gone, because the process that put it has ended.
        ConfigurationError: ``reference`` is none.
    """
    if not isinstance(reference, ObjectRef):
        raise ConfigurationError(f"get() takes what put() has returned, got {reference!r}")
    if reference.path not in _opened:
        _opened[reference.path] = _open(reference)
    found: T = _opened[reference.path]
    return found


def is_there(reference: ObjectRef[Any]) -> bool:
    """Whether the object that a reference names can be opened."""
    known = reference.path in _opened or reference.path in _elsewhere
    return known or Path(reference.path).is_dir()


def _open(reference: ObjectRef[Any]) -> Any:
    folder = Path(reference.path)
    if not folder.is_dir() and reference.path in _elsewhere:
        return _elsewhere[reference.path]()
    if not folder.is_dir():
        raise TrainableError(
            f"The {reference.kind} that was put is gone, since an object lives as long as its process does"
            ": put it again, and give the new reference to Tuner.restore: in its param_space if it is a "
            "value of the config, else with the trainable"
        )
    return load(reference.path)


def own_objects() -> dict[str, Any]:
    """Return what this process has put, by the folder that it lies in."""
    return {
        path: value for path, value in _opened.items() if Path(path).is_relative_to(_own_place(os.getpid()))
    }


def provide(path: str, fetch: Callable[[], Any]) -> None:
    """Say how to get what was put on another machine."""
    _elsewhere[path] = fetch


def store(parts: Parts) -> str:
    """Write an object into a new folder, in memory where there is such a place, and return its path."""
    folder = new_folder()
    Checkpoint.from_dict({"body": parts.body, "leaves": parts.leaves}).write(folder)
    return str(folder)


def new_folder() -> Path:
    """Return a new folder in memory where there is such a place; it lives as long as this process."""
    return Path(tempfile.mkdtemp(dir=_own_place(os.getpid())))


def load(folder: str) -> Any:
    """Return what :func:`store` has written, its arrays mapped without a copy."""
    stored = Checkpoint.from_store(Path(folder), trusted=True).to_dict(verify=False)
    return join(Parts(stored["body"], stored["leaves"]))


def join(parts: Parts) -> Any:
    """Return the object that :func:`split` has taken apart."""
    return _Unpickler(io.BytesIO(parts.body), parts.leaves).load()


def renewed(value: T) -> T:
    """Return a copy whose arrays and tensors are those of the value itself, or it if it cannot be pickled."""
    with contextlib.suppress(Exception):  # pickling may be the value's own code
        value = join(split(value))
    return value


def discard(folder: str) -> None:
    """Remove what :func:`store` has written; who has it open keeps it."""
    shutil.rmtree(folder, ignore_errors=True)


def split(value: Any) -> Parts:
    """Take an object apart.

    Raises:
        pickle.PicklingError, TypeError, AttributeError: It cannot be pickled.
    """
    body, leaves = io.BytesIO(), _Leaves()
    _Pickler(body, leaves).dump(value)
    return Parts(body.getvalue(), leaves.values)


@functools.cache
def _own_place(process: int) -> Path:
    """The folder for all that a process, and no fork of it, stores.

    It is removed at the end of the process, or, if that was killed, by another.
    """
    place = _SHARED_MEMORY if _SHARED_MEMORY.is_dir() else Path(tempfile.gettempdir())
    _remove_what_the_dead_have_left(place)
    own = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{process}-", dir=place))
    lock = os.open(own / _LOCK, os.O_CREAT | os.O_RDWR)  # open, and so locked, as long as this process lives
    fcntl.flock(lock, fcntl.LOCK_EX)
    atexit.register(shutil.rmtree, own, ignore_errors=True)
    return own


def _remove_what_the_dead_have_left(place: Path) -> None:
    for folder in place.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # another's, or locked by its living owner
            if time.time() - folder.stat().st_mtime < _BIRTH_S:
                continue
            with (folder / _LOCK).open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)


class _Leaves:
    """The arrays and tensors of an object, each once."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self._names: dict[int, str] = {}

    def name(self, leaf: Any) -> str:
        name = self._names.setdefault(id(leaf), str(len(self._names)))
        self.values[name] = leaf
        return name


class _Pickler(cloudpickle.Pickler):
    def __init__(self, file: io.BytesIO, leaves: _Leaves) -> None:
        super().__init__(file)
        self._leaves = leaves

    def persistent_id(self, value: Any) -> str | None:
        kind = type(value)
        is_leaf = (kind.__module__, kind.__name__) in _LEAF_TYPES
        return self._leaves.name(value) if is_leaf else None


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, leaves: dict[str, Any]) -> None:
        super().__init__(file)
        self._leaves = leaves

    def persistent_load(self, name: Any) -> Any:
        return self._leaves[name]


_LEAF_TYPES = {("numpy", "ndarray"), ("torch", "Tensor"), ("torch.nn.parameter", "Parameter")}
