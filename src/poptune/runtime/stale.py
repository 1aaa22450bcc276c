"""Hyperparameters that a copied optimizer brought along and nobody has set anew, seen where it steps.

A checkpoint's optimizer state holds the donor's learning rate; a training loop that loads it and sets
nothing trains on with that, whatever the config says. Each optimizer of torch can be watched while it steps,
whichever form the training code has; so one is seen that has the donor's value where the config has another.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from numbers import Real
from typing import Any

from poptune.equality import same
from poptune.runtime.configs import changed_paths, value_at
from poptune.types import Config

_TELLING_DIGITS = 8
"""A number that takes so many characters was drawn: nobody has it by chance."""
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
        self._stale: dict[str, float] = {}
        self._applied: set[str] = set()
        self._remove = _watch_steps(self._look) if self._changed else _nothing

    def end(self) -> dict[str, tuple[float, Any]]:
        """Stop looking; return by dotted path which values are in use, and which the config has."""
        self._remove()
        self._remove = _nothing
        return {
            path: (used, self._changed[path][1])
            for path, used in self._stale.items()
            if path not in self._applied
        }

    def _look(self, optimizer: Any, *_: object) -> None:
        for group in optimizer.param_groups:
            settings = dict(_settings(group))
            for path, (before, now) in self._changed.items():
                for name, used in settings.items():
                    if _is_close(used, now):
                        self._applied.add(path)
                    elif _is_close(used, before) and _is_of(path, name, before):
                        self._stale[path] = used


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


def _settings(group: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield the numbers of a param group; with a schedule, of its rates the one that it goes out from."""
    for name, value in group.items():
        if name == "lr" and "initial_lr" in group:
            yield "lr", float(group["initial_lr"])
        elif name == "betas":
            yield from zip(("beta1", "beta2"), map(float, value), strict=True)
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


def _is_of(path: str, name: str, value: float) -> bool:
    """Whether a setting is this hyperparameter: by their names, or by a number that nobody has by chance."""
    leaf = path.rpartition(".")[2]
    leaf = _ALIASES.get(leaf, leaf)
    return leaf == name or leaf.endswith(f"_{name}") or len(repr(float(value))) >= _TELLING_DIGITS
