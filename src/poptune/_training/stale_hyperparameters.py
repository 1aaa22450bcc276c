"""Hyperparameters that a copied optimizer brought along and nobody has set anew, seen where it steps.

A checkpoint's optimizer state holds the donor's learning rate; a training loop that loads it and sets
nothing trains on with that, whatever the config says. Each optimizer of torch can be watched while it steps,
whichever form the training code has; so one is seen that has the donor's value where the config has another.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from numbers import Real
from typing import Any

from poptune._base.equality import same
from poptune._base.types import Config
from poptune._training.configs import changed_paths, value_at

_TELLING_DIGITS = 8
"""A number that takes so many characters was drawn: nobody has it by chance."""
_Place = tuple[str, int, int, str]
"""The path of a hyperparameter; the optimizer, the number of the group and the name of a setting."""
_ALIASES = {"learning_rate": "lr", "wd": "weight_decay", "beta_1": "beta1", "beta_2": "beta2"}


class StaleWatch:
    """Looks at the optimizers that step from now until it ends.

    Args:
        donor: The config that the copied state was trained with.
        config: The one that it is to be trained with from now on.
    """

    def __init__(self, donor: Config, config: Config) -> None:
        self._changed = {
            path: (_found(donor, path), value_at(config, path)) for path in changed_paths(donor, config)
        }
        self._explained = {
            path
            for path, (before, _) in self._changed.items()
            if _is_number(before) and float(before) in _numbers_beside(config, path)
        }
        self._stale: dict[_Place, float | None] = {}
        """What each setting had at its first step; ``None`` once it is something else than the donor's."""
        self._applied: set[str] = set()
        self._loaded: list[float] | None = None
        """The very numbers that the state held, if they are known: all others were written since."""
        self._remove = _watch_steps(self._look) if self._changed else _nothing

    def note_loaded(self, objects: Iterable[Any]) -> None:
        """Note that these objects have just taken over the copied state, with nothing written since."""
        holders = [part for each in objects for part in (each, *getattr(each, "__dict__", {}).values())]
        groups = [group for each in holders for group in _groups(each)]
        self._loaded = [value for group in groups for _, value in _settings(group)]

    def end(self) -> dict[str, tuple[float, Any]]:
        """Stop looking; return by dotted path which values are in use, and which the config has."""
        self._remove()
        self._remove = _nothing
        return {
            path: (used, self._changed[path][1])
            for (path, *_), used in self._stale.items()
            if used is not None and path not in self._applied
        }

    def _look(self, optimizer: Any, *_: object) -> None:
        for number, group in enumerate(optimizer.param_groups):
            settings = dict(_settings(group))
            for path, (before, now) in self._changed.items():
                for name, used in settings.items():
                    place = (path, id(optimizer), number, name)
                    if _is_close(used, now):
                        self._applied.add(path)
                    elif not self._is_brought(used, before) or not self._is_of(path, name, before):
                        self._stale[place] = None  # by a schedule of the user's own, it may come to any value
                    else:
                        self._stale.setdefault(place, used)

    def _is_brought(self, used: float, before: Any) -> bool:
        """Whether a number is the donor's: the very object where that is known, else one as large."""
        is_loaded = self._loaded is None or any(used is value for value in self._loaded)
        return is_loaded and _is_close(used, before)

    def _is_of(self, path: str, name: str, value: float) -> bool:
        """Whether a setting is this hyperparameter: by its name, or by a value that nobody has by chance."""
        leaf = path.rpartition(".")[2]
        leaf = _ALIASES.get(leaf, leaf)
        if leaf == name:
            return True
        is_alike = leaf.endswith(f"_{name}") or leaf.startswith(f"{name}_")
        return path not in self._explained and (is_alike or len(repr(float(value))) >= _TELLING_DIGITS)


def story_of(stale: Mapping[str, tuple[float, Any]]) -> str:
    """Return what to tell the user of hyperparameters that were not set; empty if there are none."""
    if not stale:
        return ""
    values = ", ".join(
        f"{path!r} is {used:.6g} in the optimizer and {wanted!r} in the config"
        for path, (used, wanted) in stale.items()
    )
    return (
        f"A changed hyperparameter must be in use after a copied state was loaded, but {values}: the "
        "checkpoint's optimizer state brought the donor's value along. Set it in the param_groups from "
        'config after loading (for group in optimizer.param_groups: group["lr"] = config["lr"]), or bind it '
        'in a loop over tune.steps: optimizer=tune.bind(optimizer, "lr")'
    )


def _watch_steps(hook: Callable[..., None]) -> Callable[[], None]:
    """Have a function called after each step of any optimizer of torch; return what ends that."""
    optimizers = sys.modules.get("torch.optim.optimizer")
    if optimizers is None:
        return _nothing
    handle = optimizers.register_optimizer_step_post_hook(hook)
    remove: Callable[[], None] = handle.remove
    return remove


def _nothing() -> None:
    pass


def _found(config: Config, path: str) -> Any:
    try:
        return value_at(config, path)
    except KeyError:
        return None


def _groups(holder: object) -> list[Mapping[str, Any]]:
    """The param groups of an optimizer; none of anything else."""
    groups = getattr(holder, "param_groups", None)
    return [group for group in groups if isinstance(group, Mapping)] if isinstance(groups, list) else []


def _settings(group: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield the numbers of a param group; with a schedule, of its rates the one that it goes out from."""
    for name, value in group.items():
        if name == "lr" and "initial_lr" in group:
            yield "lr", float(group["initial_lr"])
        elif isinstance(value, tuple | list) and name == "betas":
            yield from ((f"beta{n}", float(beta)) for n, beta in enumerate(value, 1) if _is_number(beta))
        elif name not in {"params", "initial_lr"} and _is_number(value):
            yield name, float(value)


def _is_number(value: object) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, Real) or (getattr(value, "shape", None) == () and hasattr(value, "__float__"))


def _is_close(used: float, value: Any) -> bool:
    if not _is_number(value):
        return False
    return same(used, float(value)) or abs(used - float(value)) <= 1e-6 * abs(used)


def _numbers_beside(config: Mapping[str, Any], path: str) -> set[Any]:
    """The numbers that other hyperparameters than this one have."""
    found = set()
    for key, value in config.items():
        if isinstance(value, Mapping):
            inner = path.removeprefix(f"{key}.") if path.startswith(f"{key}.") else ""
            found |= _numbers_beside(value, inner)
        elif key != path and isinstance(value, int | float):
            found.add(value)
    return found
