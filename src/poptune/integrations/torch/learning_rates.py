"""Learning rates that were scheduled for one base rate, moved to where they would be with another.

All of torch's schedulers but those named below make the rate a multiple of the base rate, so that one factor
moves everything: the optimizer's lr, initial_lr, max_lr and min_lr, the schedulers' base_lrs, max_lrs and
_last_lr. Moving lr alone would be undone at the next step. With an ``eta_min``, the rate is ``a * base + b``,
and `b` must stay:

    CosineAnnealingLR            a = c, b = eta_min * (1 - c), c = (1 + cos(pi * last_epoch / T_max)) / 2
    CosineAnnealingWarmRestarts  the same with T_cur / T_i
    SequentialLR                 what its present member has
    ChainedScheduler             no closed form: refused, if a member has an eta_min

ReduceLROnPlateau scales down to a ``min_lr``, below which the moved rate does not go either.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor
from torch.optim import lr_scheduler

from poptune.errors import ConfigurationError, TrainableError
from poptune.integrations.torch.scheduler_internals import Stage, members, present_member, staged, tell_rates

GROUP_KEYS = ("lr", "initial_lr", "max_lr", "min_lr")
_SCHEDULER_KEYS = ("base_lrs", "max_lrs")
_WITH_ETA_MIN = (lr_scheduler.CosineAnnealingLR, lr_scheduler.CosineAnnealingWarmRestarts)
_IN_CLOSED_FORM = (
    lr_scheduler.ConstantLR,
    lr_scheduler.CyclicLR,
    lr_scheduler.ExponentialLR,
    lr_scheduler.LambdaLR,
    lr_scheduler.LinearLR,
    lr_scheduler.MultiStepLR,
    lr_scheduler.OneCycleLR,
    lr_scheduler.PolynomialLR,
    lr_scheduler.StepLR,
    *_WITH_ETA_MIN,
)
"""Those that begin from the base rate when it is their turn in a SequentialLR."""
_REHEARSED_STEPS = 3
"""One alone may be where a schedule touches its floor."""


class LearningRates:
    """The learning rates of one optimizer, with the schedulers that set them.

    Args:
        groups: The optimizer's param groups.
        schedulers: In the order in which they are stepped.

    Raises:
        ConfigurationError: The schedulers cannot be moved to another base rate.
    """

    def __init__(self, groups: list[dict[str, Any]], schedulers: Sequence[Any]) -> None:
        self.groups = groups
        self._schedulers = schedulers
        self._check_closed_form()

    def _check_closed_form(self) -> None:
        if not any(isinstance(each, _WITH_ETA_MIN) and each.eta_min for each in self._all()):
            return
        if len(self._schedulers) == 1:
            [only] = self._schedulers
            parts = members(only) if isinstance(only, lr_scheduler.SequentialLR) else [only]
            if all(type(part) in _IN_CLOSED_FORM for part in parts):
                return
        raise ConfigurationError(
            "The rate of a cosine schedule with an eta_min can be moved to another base rate if the "
            "schedule stands alone or in a SequentialLR of torch's own schedulers, but here others scale it "
            "too: set eta_min=0, or use a SequentialLR"
        )

    def _all(self) -> Iterator[Any]:
        """All schedulers, also those within others."""
        waiting = list(self._schedulers)
        while waiting:
            scheduler = waiting.pop()
            yield scheduler
            waiting += members(scheduler)

    @property
    def bases(self) -> list[float]:
        """The rate of each group that everything is a multiple of, as the groups tell it."""
        return [float(group.get("initial_lr", group["lr"])) for group in self.groups]

    def are_for(self, bases: Sequence[float]) -> bool:
        """Whether the schedules, where they say so, are multiples of these base rates."""
        told = zip(self.groups, bases, strict=True)
        return all(is_same(float(group.get("initial_lr", base)), base) for group, base in told)

    @property
    def present(self) -> list[float]:
        """The rate of each group now."""
        return [float(group["lr"]) for group in self.groups]

    def stand_at(self, rates: Sequence[float]) -> bool:
        """Whether the groups have these rates now."""
        return all(map(is_same, self.present, rates))

    @property
    def named(self) -> list[float]:
        """All rates that code may have given by name: what is looked through for the config's value."""
        peaks = [rate for each in self._all() for rate in getattr(each, "max_lrs", ())]
        return [
            float(rate) for rate in [*(g[key] for g in self.groups for key in GROUP_KEYS if key in g), *peaks]
        ]

    @property
    def has_schedulers(self) -> bool:
        """Whether anything but the base rates sets them."""
        return bool(self._schedulers)

    @property
    def cycles_momentum(self) -> bool:
        """Whether a scheduler sets the momentum, too."""
        return any(getattr(each, "cycle_momentum", False) for each in self._all())

    def move(self, old: Sequence[float], new: Sequence[float]) -> None:
        """Bring all rates to where they would be with other base rates.

        Args:
            old: The base rate of each group until now.
            new: The base rate of each group from now on.
        """
        floors = [self._floor(scheduler) for scheduler in self._schedulers]
        fixed = floors[0] if len(floors) == 1 else 0.0
        for place, group in enumerate(self.groups):
            for key in GROUP_KEYS:
                if key in group:
                    kept = fixed if key == "lr" else 0.0
                    _put(group, key, _moved(group[key], old[place], new[place], kept=kept))
            self._respect_least(place, group)
        for scheduler in self._all():
            for key in _SCHEDULER_KEYS:
                if (rates := getattr(scheduler, key, None)) is not None:
                    setattr(scheduler, key, list(map(_moved, rates, old, new)))
            tell_rates(scheduler, self.groups)

    def _floor(self, scheduler: Any) -> float:
        """The part of the present rate that is no multiple of the base rate."""
        if isinstance(scheduler, lr_scheduler.SequentialLR):
            return self._floor(present_member(scheduler))
        if not isinstance(scheduler, _WITH_ETA_MIN):
            return 0.0
        if isinstance(scheduler, lr_scheduler.CosineAnnealingLR):
            progress = scheduler.last_epoch / scheduler.T_max
        else:
            progress = scheduler.T_cur / scheduler.T_i
        return float(scheduler.eta_min * (1 - (1 + math.cos(math.pi * progress)) / 2))

    def _respect_least(self, place: int, group: dict[str, Any]) -> None:
        for scheduler in self._schedulers:
            if isinstance(scheduler, lr_scheduler.ReduceLROnPlateau):
                _put(group, "lr", max(float(group["lr"]), float(scheduler.min_lrs[place])))

    def check_followed(self, old: Sequence[float], new: Sequence[float]) -> None:
        """Raise unless schedulers that are not torch's own will follow a move, which is still to be made.

        Raises:
            TrainableError: A scheduler computes its rates from something that is not moved.
        """
        foreign = [
            type(each).__name__ for each in self._all() if type(each).__module__ != lr_scheduler.__name__
        ]
        if not foreign:
            return
        far = [1000 * rate for rate in new]  # beyond what a floor of the scheduler's own may hide
        before, after = self._rehearsed(old, old), self._rehearsed(old, far)
        if any(before) and all(map(is_same, before, after)):
            raise TrainableError(
                "The schedulers must compute their rates from the optimizer's lr or initial_lr, or from "
                f"their own base_lrs, so that a new 'lr' takes effect, but with {', '.join(foreign)} the "
                f"next ones are {before} with any: have its get_lr() use one of these"
            )

    def _rehearsed(self, old: Sequence[float], new: Sequence[float]) -> list[float]:
        """Return the rates of the next steps after a move, as copies of the schedulers make them."""
        stage = Stage(self.groups)
        copies = [staged(each, stage) for each in self._schedulers]
        LearningRates(stage.param_groups, copies).move(old, new)
        rates: list[float] = []
        with contextlib.suppress(Exception):  # beyond its last step, or it needs arguments: so be it
            for _ in range(_REHEARSED_STEPS):
                for scheduler in copies:
                    scheduler.step()
                rates += [float(group["lr"]) for group in stage.param_groups]
        return rates


def _moved(rate: Any, old: float, new: float, kept: float = 0.0) -> Any:
    """One rate with another base rate; exactly that, if it is the base rate itself."""
    if old == new or float(rate) == kept:
        return rate
    if float(rate) == old and not kept:
        return new if not isinstance(rate, Tensor) else rate.new_full((), new)
    return kept + (rate - kept) * (new / old)


def _put(group: dict[str, Any], key: str, value: Any) -> None:
    """Set a value of a param group; in a tensor in place, as compiled and captured steps refer to it."""
    if isinstance(group[key], Tensor):
        group[key].fill_(value)
    else:
        group[key] = value


def is_same(first: float, second: float) -> bool:
    """Whether two rates are equal but for rounding, that of a tensor of float32 included."""
    return math.isclose(first, second, rel_tol=1e-6)
