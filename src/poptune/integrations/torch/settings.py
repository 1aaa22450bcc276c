"""One setting of an optimizer's param groups, and which share of the config's value each group has."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from poptune._base.types import Config
from poptune._training.configs import value_at
from poptune.errors import ConfigurationError, TrainableError
from poptune.integrations.torch.learning_rates import GROUP_KEYS, LearningRates, is_same

_BETAS = {"beta1": 0, "beta2": 1}
_IN_PROPORTION = {"lr", "weight_decay"}
"""Settings of which a group that was built with another value keeps its ratio to the config's."""


@dataclass(slots=True)
class Setting:
    """One setting of the param groups, and where the config has it."""

    name: str
    path: str
    _shares: list[float | None] = field(default_factory=list)
    """For each group what the config's value is multiplied by; None if the group keeps its own."""
    _beta: int | None = None
    """Its place in the group's pair of betas, if it is one of them."""

    @property
    def _key(self) -> str:
        return self.name if self._beta is None else "betas"

    def check(self, optimizer: Optimizer) -> None:
        """Raise unless the optimizer has this setting."""
        known = set.intersection(*(set(group) for group in optimizer.param_groups)) - {"params"}
        if self.name not in known and "betas" in known:
            self._beta = _BETAS.get(self.name)
        if self.name in GROUP_KEYS[1:]:
            raise ConfigurationError(
                f"A scheduler's {self.name!r} follows from the learning rate, which is bound as 'lr', got "
                f'{self.name!r}: bind(optimizer, lr="{self.path}", scheduler=scheduler)'
            )
        if self._key not in known:
            choices = sorted({*known, *(_BETAS if "betas" in known else ())} - set(GROUP_KEYS[1:]))
            close = difflib.get_close_matches(self.name, choices, n=1)
            elsewhere = f'bind it to the object that has it, tune.bind(object, "{self.name}")'
            raise ConfigurationError(
                f"A bound setting must be one of the optimizer's param groups, which are {choices}, got "
                f"{self.name!r}: {f'did you mean {close[0]!r}? If not, ' if close else ''}{elsewhere}"
            )
        if self.name == "lr" and any(group["lr"] is None for group in optimizer.param_groups):
            raise ConfigurationError(
                f"A bound 'lr' must be what the optimizer steps with, but {type(optimizer).__name__} has "
                f'lr=None and finds its rates by itself: build it with lr=config["{self.path}"] (Adafactor '
                "with relative_step=False, too), or do not bind 'lr'"
            )

    def wanted(self, config: Config) -> Any:
        """Return the config's value.

        Raises:
            TrainableError: It has none, or that is no number where one is needed.
        """
        try:
            value = value_at(config, self.path)
        except KeyError:
            raise TrainableError(
                f"What is bound must be in the config, but {self.path!r} for the optimizer's {self.name!r} "
                f"is not; it has {sorted(map(str, config))}: add it to param_space, or name it otherwise, "
                "as in "
                f'bind(optimizer, {self.name}="key")'
            ) from None
        if self.name in _IN_PROPORTION and (isinstance(value, bool) or not hasattr(value, "__float__")):
            raise TrainableError(
                f"The optimizer's {self.name!r} must be a number, got {self.path} = {value!r}: mend its range"
            )
        return value

    def check_schedulable(self, wanted: float) -> None:
        """Raise unless a schedule can be a multiple of this rate."""
        if wanted <= 0:
            raise TrainableError(
                f"A learning rate with a scheduler must be above 0, got {self.path} = {wanted!r}: raise the "
                "lower bound of its range"
            )

    def share_rates(self, rates: LearningRates, wanted: float, default: float | None) -> None:
        """Find out which share of the config's learning rate each group has."""
        if rates.has_schedulers:
            self.check_schedulable(wanted)
        bases = rates.bases
        named = [*rates.named, *([] if default is None else [float(default)])]
        if wanted > 0 and any(is_same(wanted, rate) for rate in named):
            self._shares = [_share(base, wanted) for base in bases]
        elif len(set(bases)) == 1 and not rates.has_schedulers:
            self._shares = [1.0] * len(bases)
        else:
            raise TrainableError(
                "A bound learning rate must be the one that optimizer and scheduler were built with, but "
                f"they have {sorted(set(named))} and the config {self.path} = {wanted!r}: build them with "
                "it, for example "
                f'lr=config["{self.path}"]'
            )

    def share(self, groups: Sequence[Mapping[str, Any]], wanted: Any) -> None:
        """Find out which groups have the config's value, or a share of it."""
        values = [self._read(group) for group in groups]
        follows = [_equal(value, wanted) for value in values]
        if all(_equal(value, values[0]) for value in values):
            self._shares = [1.0] * len(values)
        elif not any(follows):
            raise TrainableError(
                f"With param groups of different {self.name!r}, one must have the config's, but they have "
                f"{values} and the config {self.path} = {wanted!r}: build the optimizer with it"
            )
        elif self.name in _IN_PROPORTION and wanted:
            self._shares = [_share(float(value), wanted) for value in values]
        else:
            self._shares = [1.0 if follow else None for follow in follows]

    def for_each_group(self, wanted: float) -> list[float]:
        """Return the learning rate of each group."""
        return [float(wanted) if share == 1 else float(wanted) * (share or 0.0) for share in self._shares]

    def write(self, groups: Sequence[dict[str, Any]], wanted: Any) -> None:
        """Write the config's value, in tensors in place."""
        for share, group in zip(self._shares, groups, strict=True):
            if share is None:
                continue
            present, value = group[self._key], wanted if share == 1 else wanted * share
            if isinstance(present, Tensor):
                present.fill_(value)
            elif isinstance(present, tuple | list):
                group[self._key] = self._pair(present, value)
            else:
                group[self._key] = value

    def _pair(self, present: Sequence[Any], value: Any) -> tuple[Any, ...]:
        new = [None] * len(present) if self._beta is None else list(present)
        places = range(len(present)) if self._beta is None else [self._beta]
        values = value if self._beta is None else [value]
        if not isinstance(values, list | tuple) or len(values) != len(places):
            raise TrainableError(
                f"The optimizer's {self.name!r} must be {len(present)} numbers, got {self.path} = "
                f"{value!r}: give a list of so many, or bind 'beta1' and 'beta2'"
            )
        for place, one in zip(places, values, strict=True):
            new[place] = present[place].fill_(one) if isinstance(present[place], Tensor) else one
        return tuple(new)

    def check_taken(self, groups: Sequence[Mapping[str, Any]], wanted: Any) -> None:
        """Raise unless the groups have what was written."""
        for share, group in zip(self._shares, groups, strict=True):
            expected = None if share is None else wanted if share == 1 else wanted * share
            if expected is not None and not _equal(self._read(group), expected):
                raise TrainableError(
                    f"The optimizer must take a new {self.name!r}, but it has {self._read(group)!r} after "
                    f"{expected!r} was written: its param_groups must be the ones that it steps with"
                )

    def _read(self, group: Mapping[str, Any]) -> Any:
        value = group[self._key]
        return value if self._beta is None else value[self._beta]


def _share(value: float, wanted: float) -> float:
    return 1.0 if is_same(value, wanted) else value / wanted


def _equal(first: Any, second: Any) -> bool:
    if isinstance(first, tuple | list) and isinstance(second, tuple | list):
        return len(first) == len(second) and all(map(_equal, first, second))
    if hasattr(first, "__float__") and hasattr(second, "__float__"):
        return is_same(float(first), float(second))
    return bool(first == second)
