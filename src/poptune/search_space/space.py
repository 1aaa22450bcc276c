"""Spaces: nested dicts whose entries may be domains. Checked here, and drawn from here.

Every entry has a dotted path (``optimizer.lr``) and draws from a generator of its own, so that
adding an entry never changes what another one draws.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from poptune._base.copies import copied
from poptune.errors import ConfigurationError
from poptune.search_space.domains import Choice, Domain, GridSearch, SampleFrom
from poptune.search_space.reach import Drawn, check_reach, is_row, like, named

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """One config drawn from a space.

    ``sampled`` holds, by dotted path and in the order of the space, the values that the space does
    not fix: all but its constants.
    """

    config: dict[str, Any]
    sampled: dict[str, Any]


def validate(space: Mapping[str, Any], *, what: str = "param_space") -> None:
    """Check that a space is well formed, at every level.

    Args:
        space: The space.
        what: What the caller calls it, for the error message.

    Raises:
        ConfigurationError: If it is no dict, a key is no string or empty, two entries have the same
            dotted path, a `grid_search` stands within a category of another entry, a domain stands
            where it is not drawn, or a value holds itself.

    Example:
        >>> from poptune.search_space import uniform
        >>> validate({"optimizer": {"lr": uniform(0, 1)}})
    """
    if not isinstance(space, Mapping):
        raise ConfigurationError(
            f"{what} must be a dict of hyperparameters, got {space!r}: write {{name: value}}."
        )
    check_reach(space, what)
    seen: set[str] = set()
    for path, entry in _walk(space, "", what):
        if path in seen:
            raise ConfigurationError(
                f"Each entry of {what} needs a dotted path of its own, got `{path}` twice: rename one."
            )
        seen.add(path)
        _check_branches(entry, path, what)


def entries(space: Mapping[str, Any]) -> dict[str, Any]:
    """Give every entry of a space that is not a dict, by dotted path.

    Args:
        space: The space, or a config.

    Example:
        >>> entries({"optimizer": {"lr": 0.1, "momentum": 0.9}})
        {'optimizer.lr': 0.1, 'optimizer.momentum': 0.9}
    """
    return dict(_walk(space, "", "the space"))


def place(space: Mapping[str, Any], fixed: Mapping[str, Any], *, what: str = "fixed") -> dict[str, Any]:
    """Find the entries of a space that a partial config speaks of, by dotted path.

    Args:
        space: The space.
        fixed: Values for some of its entries, nested as the space is, or under dotted paths. An
            entry that is drawn as a whole, such as a `choice` of dicts, is given as a whole.
        what: What the caller calls it, for the error message.

    Raises:
        ConfigurationError: If it is no dict, or a key is not in the space.

    Example:
        >>> place({"optimizer": {"lr": 0.1, "momentum": 0.9}}, {"optimizer": {"lr": 1.0}})
        {'optimizer.lr': 1.0}
    """
    if not isinstance(fixed, Mapping):
        raise ConfigurationError(f"{what} must be a dict, got {fixed!r}: write {{name: value}}.")
    placed: dict[str, Any] = {}
    for key, value in fixed.items():
        path, entry = _find(space, key, what)
        if not isinstance(entry, Mapping):
            placed[path] = value
        elif isinstance(value, Mapping):
            inner = place(entry, value, what=f"{what}: {path}")
            placed |= {f"{path}.{rest}": value for rest, value in inner.items()}
        else:
            raise ConfigurationError(f"{what}: `{path}` is a dict in the space, got {value!r}: give a dict.")
    return placed


def resolve(
    space: Mapping[str, Any],
    *,
    generator: Callable[[str], np.random.Generator],
    grid: Mapping[str, Any] = {},
    fixed: Mapping[str, Any] = {},
) -> Resolved:
    """Draw one config from a space.

    Args:
        space: A valid space.
        generator: Gives the generator for a dotted path: a fresh one, that depends on nothing else
            than the path.
        grid: The value for each `grid_search`, by dotted path.
        fixed: A partial config whose values replace entries, as `place` reads it. They are taken as
            they are, even outside a domain's bounds.

    Returns:
        The config, which shares no dict or list with the space, and what was drawn for it.

    Raises:
        ConfigurationError: If ``fixed`` names an unknown key, a function of `sample_from` raises,
            or such functions wait for each other.

    Example:
        >>> from poptune.search_space import sample_from
        >>> space = {"width": 64, "heads": sample_from(lambda spec: spec.config.width // 16)}
        >>> resolve(space, generator=lambda path: np.random.default_rng(0))
        Resolved(config={'width': 64, 'heads': 4}, sampled={'heads': 4})
    """
    drawing = _Drawing(space, generator=generator, grid=grid, fixed=place(space, fixed))
    sampled: dict[str, Any] = {}
    config = {key: drawing.build(key, entry, sampled) for key, entry in space.items()}
    return Resolved(config=config, sampled=sampled)


class _Drawing:
    """The values of one config while it is drawn, each on demand and once."""

    def __init__(
        self,
        space: Mapping[str, Any],
        *,
        generator: Callable[[str], np.random.Generator],
        grid: Mapping[str, Any],
        fixed: Mapping[str, Any],
    ) -> None:
        self._spec = _Spec(space, "", self)
        self._generator = generator
        self._grid = grid
        self._fixed = fixed
        self._opened: dict[str, Any] = {}
        self._opening: list[str] = []

    def build(self, path: str, entry: Any, sampled: dict[str, Any], *, in_branch: bool = False) -> Any:
        """Give the finished value of an entry, and add what was drawn for it to ``sampled``."""
        value = self.open(path, entry)
        in_branch = in_branch or isinstance(entry, Drawn)
        if isinstance(value, Mapping):
            return {
                key: self.build(f"{path}.{key}", inner, sampled, in_branch=in_branch)
                for key, inner in value.items()
            }
        if is_row(value) and _holds_drawn(value):
            return like(
                value,
                [
                    self.build(f"{path}.{name}", inner, sampled, in_branch=in_branch)
                    for name, inner in named(value)
                ],
            )
        if in_branch:
            sampled[path] = _copy(value)
        return _copy(value)

    def open(self, path: str, entry: Any) -> Any:
        """Give what stands at a path; a dict or list still holds its own entries unopened."""
        if path not in self._opened:
            if path in self._opening:
                circle = " -> ".join([*self._opening[self._opening.index(path) :], path])
                raise ConfigurationError(
                    f"Functions of sample_from must not wait for each other, got {circle}: "
                    "let one of them not read the next."
                )
            self._opening.append(path)
            try:
                self._opened[path] = self._draw(path, self._fixed.get(path, entry))
            finally:
                self._opening.pop()
        return self._opened[path]

    def _draw(self, path: str, entry: Any) -> Any:
        rng: np.random.Generator | None = None
        while True:  # what is drawn may be a domain itself
            match entry:
                case Domain():
                    rng = rng or self._generator(path)
                    entry = entry.draw(rng)
                case SampleFrom():
                    entry = self._compute(path, entry)
                case GridSearch():
                    entry = self._grid_value(path)
                case _:
                    return entry

    def _compute(self, path: str, entry: SampleFrom) -> Any:
        try:
            return copied(entry.compute(self._spec))
        except ConfigurationError as error:
            error.add_note(f"This happened while `{path}` was computed.")
            raise
        except Exception as error:
            raise ConfigurationError(
                f"The function of sample_from at `{path}` must return a value, but it raised "
                f"{type(error).__name__}: {error}. Mend the function."
            ) from error

    def _grid_value(self, path: str) -> Any:
        if path not in self._grid:
            raise ConfigurationError(
                f"A grid_search needs a place that is known before anything is drawn, got one at "
                f"`{path}`: use choice there."
            )
        return self._grid[path]


class _ConfigView(Mapping[str, Any]):
    """A config that is still being drawn: reading a value draws it."""

    __slots__ = ("_drawing", "_node", "_path")

    def __init__(self, node: Mapping[str, Any], path: str, drawing: _Drawing) -> None:
        self._node = node
        self._path = path
        self._drawing = drawing

    def __getitem__(self, key: str) -> Any:
        entry = self._node[key]
        path = f"{self._path}.{key}" if self._path else key
        value = self._drawing.open(path, entry)
        if isinstance(value, Mapping):
            return _ConfigView(value, path, self._drawing)
        return copied(self._drawing.build(path, entry, {}))

    def __getattr__(self, key: str) -> Any:
        if key.startswith("_") or key not in self._node:
            raise AttributeError(f"the config has no {key!r}", name=key, obj=self)
        return self[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._node)

    def __len__(self) -> int:
        return len(self._node)

    def __deepcopy__(self, memo: object) -> dict[str, Any]:
        return {key: copied(value) for key, value in self.items()}

    def __repr__(self) -> str:
        return f"<config with {', '.join(self._node)}>"


class _Spec(_ConfigView):
    """What a function of `sample_from` receives: the config, which is at ``spec.config``, too."""

    __slots__ = ()

    @property
    def config(self) -> _ConfigView:
        """The config."""
        return _ConfigView(self._node, self._path, self._drawing)

    def __getitem__(self, key: str) -> Any:
        return self.config if key == "config" and key not in self._node else super().__getitem__(key)


def _walk(space: Mapping[Any, Any], prefix: str, what: str) -> Iterator[tuple[str, Any]]:
    for key, entry in space.items():
        if not isinstance(key, str) or not key:
            where = f" at `{prefix}`" if prefix else ""
            raise ConfigurationError(
                f"Keys of {what} must be non-empty strings, got {key!r}{where}: name it."
            )
        path = f"{prefix}.{key}" if prefix else key
        if isinstance(entry, Mapping):
            yield from _walk(entry, path, what)
        else:
            yield path, entry


def _check_branches(entry: Any, path: str, what: str, *, nested: bool = False) -> None:
    match entry:
        case GridSearch() if nested:
            raise ConfigurationError(
                f"A grid_search within another entry of {what} cannot be unrolled, got one at "
                f"`{path}`: use choice there, or give it a key of its own."
            )
        case Choice(categories=options) | GridSearch(values=options):
            for option in options:
                _check_branches(option, path, what, nested=True)
        case _ if is_row(entry):
            for name, inner in named(entry):
                _check_branches(inner, f"{path}.{name}", what, nested=True)
        case Mapping():
            for inner_path, inner in _walk(entry, path, what):
                _check_branches(inner, inner_path, what, nested=True)


def _find(space: Mapping[str, Any], key: str, what: str) -> tuple[str, Any]:
    """The dotted path and entry that ``key`` means: a key of the space, or a dotted path."""
    if key in space:
        return key, space[key]
    parts = key.split(".")
    for end in range(1, len(parts)):
        head, rest = ".".join(parts[:end]), ".".join(parts[end:])
        if isinstance(space.get(head), Mapping):
            path, entry = _find(space[head], rest, f"{what}: {head}")
            return f"{head}.{path}", entry
        if head in space:
            raise ConfigurationError(
                f"{what}: `{head}` is one entry of the space, got a value for `{key}` only: "
                f"give the whole of `{head}`."
            )
    known = list(dict.fromkeys([*space, *entries(space)]))
    near = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"use one of {', '.join(known)}."
    raise ConfigurationError(f"{what} must only name keys of the space, got `{key}`: {hint}")


def _holds_drawn(value: Any) -> bool:
    if isinstance(value, Drawn):
        return True
    if isinstance(value, Mapping):
        return any(map(_holds_drawn, value.values()))
    return is_row(value) and any(map(_holds_drawn, value))


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copy(inner) for key, inner in value.items()}
    return like(value, map(_copy, value)) if is_row(value) else value
