"""The config as the training code sees it: a dict that knows what was read, and may become another."""

from __future__ import annotations

import math
from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from types import FunctionType
from typing import Any, final

from poptune.types import Config


class Reads:
    """Which of a config's values were read, by dotted path."""

    def __init__(self) -> None:
        self._paths: set[str] = set()

    def note(self, path: str) -> None:
        """A value was read, or with a path that ends in a dot (or is empty) all that lies below."""
        self._paths.add(path)

    def move_to(self, other: Reads) -> None:
        """Forget what was read so far, but add it to others."""
        other._paths |= self._paths
        self._paths.clear()

    @property
    def any(self) -> bool:
        """Whether anything was read."""
        return bool(self._paths)

    def has(self, path: str) -> bool:
        """Whether the value of a path was read, by itself or with all that is beside or below it."""
        above = [path[: place + 1] for place, letter in enumerate(path) if letter == "."]
        return any(each in self._paths for each in ("", path, *above))


@final
class WatchedConfig(dict[str, Any]):
    """A config that notes which of its values are read. Copied, pickled or merged it is a plain dict.

    What reads several values at once (``items()``, ``**config``, ``dict(config)``) counts as reading all of
    them. Python copies a dict past the methods of its class unless that has an ``__iter__`` of its own.
    """

    __slots__ = ("_path", "reads")

    def __init__(self, config: Mapping[str, Any], *, reads: Reads | None = None, path: str = "") -> None:
        super().__init__()
        self.reads = Reads() if reads is None else reads
        self._path = path
        for key, value in config.items():
            super().__setitem__(key, self._watched(key, value))

    def _watched(self, key: str, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return WatchedConfig(value, reads=self.reads, path=f"{self._path}{key}.")

    def become(self, old: Config, new: Config) -> None:
        """Take over the values of `new`; the keys that only `old` has go, those of the user's own stay."""
        for key in old.keys() - new.keys():
            super().pop(key, None)
        for key, value in new.items():
            mine, before = super().get(key), old.get(key)
            if isinstance(mine, WatchedConfig) and isinstance(value, dict) and isinstance(before, dict):
                mine.become(before, value)
            else:
                super().__setitem__(key, self._watched(key, value))

    def _note(self, key: str) -> None:
        if not isinstance(super().get(key), WatchedConfig):  # a nested one notes for itself
            self.reads.note(f"{self._path}{key}")

    def _note_all(self) -> None:
        self.reads.note(self._path)

    def plain(self) -> Config:
        """Return it as plain dicts, all of which counts as read."""
        self._note_all()
        return {
            key: value.plain() if isinstance(value, WatchedConfig) else value
            for key, value in super().items()
        }

    def __getitem__(self, key: str) -> Any:
        self._note(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self._note(key)
        return super().get(key, default)

    def pop(self, key: str, *default: Any) -> Any:
        self._note(key)
        return super().pop(key, *default)

    def popitem(self) -> tuple[str, Any]:
        self._note_all()
        return super().popitem()

    def setdefault(self, key: str, default: Any = None) -> Any:
        self._note(key)
        return super().setdefault(key, default)

    def __iter__(self) -> Iterator[str]:
        self._note_all()
        return super().__iter__()

    def keys(self) -> KeysView[str]:  # type: ignore[override]
        self._note_all()
        return super().keys()

    def values(self) -> ValuesView[Any]:  # type: ignore[override]
        self._note_all()
        return super().values()

    def items(self) -> ItemsView[str, Any]:  # type: ignore[override]
        self._note_all()
        return super().items()

    def copy(self) -> Config:
        return self.plain()

    def __or__(self, other: Any) -> Any:
        return self.plain() | other

    def __ror__(self, other: Any) -> Any:
        return other | self.plain()

    def __copy__(self) -> Config:
        return self.plain()

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return dict, (self.plain(),)


def changed_paths(old: Mapping[str, Any], new: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Yield the dotted paths of the values in `new` that `old` lacks, or has otherwise."""
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, dict):
            yield from changed_paths(before if isinstance(before, dict) else {}, value, f"{path}{key}.")
        elif key not in old or not _same(before, value):
            yield f"{path}{key}"


def _same(old: Any, new: Any) -> bool:
    """Whether two values are equal, or of a kind that cannot say: each message brings new copies."""
    if isinstance(new, type | FunctionType) and type(old) is type(new):
        return (old.__module__, old.__qualname__) == (new.__module__, new.__qualname__)
    if isinstance(old, list | tuple) and type(old) is type(new):
        return len(old) == len(new) and all(map(_same, old, new))
    if type(old) is type(new) and not any("__eq__" in vars(base) for base in type(new).__mro__[:-1]):
        return True
    if isinstance(old, float) and isinstance(new, float) and math.isnan(old):
        return math.isnan(new)
    equal = old == new
    try:
        return bool(equal)
    except ValueError:  # arrays and tensors compare by element
        return bool(equal.all())


def plain_part(config: Mapping[str, Any]) -> Config:
    """Return the values that are numbers, strings and the like, or lists and dicts of them."""
    parts = {
        key: plain_part(value) if isinstance(value, Mapping) else value
        for key, value in config.items()
        if isinstance(value, Mapping) or _is_plain(value)
    }
    return {key: value for key, value in parts.items() if value != {}}


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or type(value) in {bool, int, float, str}


def value_at(config: Mapping[str, Any], path: str) -> Any:
    """Return the value at a dotted path.

    Raises:
        KeyError: There is none.
    """
    value: Any = config
    for key in path.split("."):
        if not isinstance(value, Mapping):
            raise KeyError(path)
        value = value[key]
    return value
