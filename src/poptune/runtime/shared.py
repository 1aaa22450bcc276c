"""Objects that all workers share: stored once, mapped into memory, opened once in each worker."""

from __future__ import annotations

import atexit
import io
import pickle
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import cloudpickle

from poptune.checkpoints import Checkpoint
from poptune.errors import ConfigurationError, TrainableError

T = TypeVar("T")
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where there is one, files in it are memory
_opened: dict[str, Any] = {}
"""What this process has put or got, by the folder that it lies in."""


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
    place = str(_SHARED_MEMORY) if _SHARED_MEMORY.is_dir() else None
    folder = tempfile.mkdtemp(prefix="poptune-object-", dir=place)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    body, leaves = io.BytesIO(), _Leaves()
    try:
        _Pickler(body, leaves).dump(value)
        Checkpoint.from_dict({"body": body.getvalue(), "leaves": leaves.values}).write(Path(folder))
    except (pickle.PicklingError, TypeError, AttributeError) as error:
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
    return _opened[reference.path]  # type: ignore[no-any-return]


def _open(reference: ObjectRef[Any]) -> Any:
    folder = Path(reference.path)
    if not folder.is_dir():
        raise TrainableError(
            f"The {reference.kind} that was put is gone, since an object lives as long as its process does"
            ": put it again, and give the new reference to Tuner.restore(path, trainable=...)"
        )
    stored = Checkpoint.from_store(folder, trusted=True).to_dict(verify=False)
    return _Unpickler(io.BytesIO(stored["body"]), stored["leaves"]).load()


class _Leaves:
    """The arrays and tensors of an object, each once."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self._names: dict[int, str] = {}

    def name(self, leaf: Any) -> str:
        name = self._names.setdefault(id(leaf), str(len(self._names)))
        self.values[name] = leaf
        return name


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
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
