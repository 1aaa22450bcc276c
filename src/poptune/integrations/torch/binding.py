"""Binds hyperparameters to an optimizer, so that each restore writes them and none is lost to a scheduler."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

from torch import Tensor
from torch.optim import Optimizer

from poptune._base.types import Config
from poptune._training.states import BoundState
from poptune.errors import ConfigurationError, TrainableError
from poptune.integrations.torch.learning_rates import LearningRates
from poptune.integrations.torch.settings import Setting


def bind(optimizer: Optimizer, /, *names: str, scheduler: Any = None, **paths: str) -> BoundOptimizer:
    """Bind hyperparameters of the config to an optimizer, for :func:`poptune.steps`.

    A checkpoint's optimizer state brings the donor's hyperparameters with it. Bound ones are written into the
    param groups at the start and after each restore, and read back.

    With several param groups, one that was built with another learning rate or weight decay than the config's
    keeps its ratio to it (a tenth stays a tenth, and 0 stays 0); of all other settings, it keeps its own
    value. A value in a tensor, as compiled optimizers have it, is changed in place.

    With ``scheduler``, the rate at the n-th step is after an exploit what it is at the n-th step of a run
    that began with the new learning rate: base rates, peaks and the present rate move by one factor, while
    the ``eta_min`` of a cosine schedule stays. With ``OneCycleLR`` and ``CyclicLR`` it may be the peak,
    ``max_lr=config["lr"]``, that comes from the config. Tested with LambdaLR, MultiplicativeLR, StepLR,
    MultiStepLR, ConstantLR, LinearLR, ExponentialLR, PolynomialLR, CosineAnnealingLR,
    CosineAnnealingWarmRestarts, CyclicLR, OneCycleLR, SequentialLR, ChainedScheduler and ReduceLROnPlateau
    (which forgets how often it would have reduced further at its ``min_lr``); others must compute their rates
    from the optimizer's or their own base rates. The optimizers and schedulers of Hugging Face, and those
    that Accelerate has wrapped, are bound as they are.

    Args:
        optimizer: The optimizer, built with the config's values.
        *names: Settings of the param groups that the config calls the same, for example ``"lr"``.
        scheduler: The learning-rate scheduler, or a list of them, which is then saved and restored, too.
        **paths: Settings and what the config calls them, with dots into nested dicts:
            ``weight_decay="optimizer.wd"``. ``betas`` takes a pair; ``beta1`` and ``beta2`` take one each.

    Returns:
        A state for ``steps``. In a checkpoint, it is the optimizer's ``state_dict()`` with two more keys,
        ``bound`` and ``schedulers``, which ``optimizer.load_state_dict()`` ignores.

    Raises:
        ConfigurationError: The optimizer has no such setting, or finds its rates by itself; the scheduler is
            another optimizer's, or is missing, or cannot be moved to another rate, or sets the bound momentum
            itself.
        TrainableError: (in the loop) A value is missing in the config, or did not take.

    Example:
        >>> import torch
        >>> import poptune as tune
        >>> from poptune.integrations.torch import bind
        >>> def train(config):
        ...     model = torch.nn.Linear(2, 1)
        ...     optimizer = torch.optim.SGD(model.parameters(), lr=config["lr"], momentum=config["momentum"])
        ...     bound = bind(optimizer, "lr", "momentum")
        ...     for step in tune.steps(config, model=model, optimizer=bound):
        ...         loss = model(torch.ones(2)).square().sum()
        ...         optimizer.zero_grad()
        ...         loss.backward()
        ...         optimizer.step()
        ...         tune.report({"loss": loss.item()})
    """
    given = list(scheduler) if isinstance(scheduler, list | tuple) else [scheduler] if scheduler else []
    schedulers = list(map(_unwrapped, given))
    bound = {**{name: name for name in names}, **paths}
    settings = [Setting(name, path) for name, path in bound.items()]
    for setting in settings:
        setting.check(optimizer)
    _check_schedulers(optimizer, schedulers, bound)
    rates = LearningRates(optimizer.param_groups, schedulers) if "lr" in bound else None
    if rates and rates.cycles_momentum and (clash := bound.keys() & {"momentum", "betas", "beta1"}):
        raise ConfigurationError(
            f"A bound setting must not be set by the scheduler too, but that cycles {min(clash)!r}: build "
            f"it with cycle_momentum=False, or do not bind {min(clash)!r}"
        )
    return BoundOptimizer(optimizer, schedulers, settings)


def _check_schedulers(optimizer: Optimizer, schedulers: Sequence[Any], bound: Mapping[str, str]) -> None:
    for each in schedulers:
        if _innermost(getattr(each, "optimizer", None)) is not _innermost(optimizer):
            raise ConfigurationError(
                f"The scheduler must be one of the same optimizer, got {each!r}: pass the scheduler that was "
                "built with it"
            )
    if "lr" in bound and not schedulers and any("initial_lr" in group for group in optimizer.param_groups):
        raise ConfigurationError(
            "To bind 'lr', the learning-rate scheduler must be known, as it would undo what is written, but "
            'this optimizer has one that is not: bind(optimizer, "lr", scheduler=scheduler)'
        )


def _innermost(optimizer: Any) -> Any:
    """Return the optimizer that others wrap, as those of Accelerate do."""
    while (inner := getattr(optimizer, "optimizer", None)) is not None and hasattr(inner, "param_groups"):
        optimizer = inner
    return optimizer


def _unwrapped(scheduler: Any) -> Any:
    """Return the scheduler that another one wraps, which has the rates."""
    inner = getattr(scheduler, "scheduler", None)
    return inner if hasattr(inner, "base_lrs") and not hasattr(scheduler, "base_lrs") else scheduler


@final
class BoundOptimizer(BoundState):
    """An optimizer with its schedulers, as a state for `steps`; made by :func:`bind`."""

    def __init__(self, optimizer: Optimizer, schedulers: list[Any], settings: list[Setting]) -> None:
        self._optimizer = optimizer
        self._schedulers = schedulers
        self._settings = settings
        self._bases: list[float] = []
        """The learning rate of each group that its schedule is for, if "lr" is bound."""

    @property
    def config_paths(self) -> list[str]:
        """The dotted paths of the values in the config that are written."""
        return [setting.path for setting in self._settings]

    def begin(self, config: Config) -> None:
        """Write the config into an optimizer that was just built."""
        for setting in self._settings:
            wanted = setting.wanted(config)
            if setting.name == "lr":
                rates = self._rates()
                self._bases = rates.bases
                setting.share_rates(rates, wanted, default=self._optimizer.defaults.get("lr"))
            else:
                setting.share(self._groups, wanted)
        self.write(config)

    def write(self, config: Config) -> None:
        """Write the config into the optimizer as it is now, and read it back."""
        for setting in self._settings:
            if setting.name == "lr":
                if self._schedulers:
                    setting.check_schedulable(setting.wanted(config))
                self._move_rates(setting.for_each_group(setting.wanted(config)))
            else:
                setting.write(self._groups, setting.wanted(config))
        self.check(config, lambda _: True)

    def check(self, config: Config, is_read: Callable[[str], bool]) -> None:
        """Read back what was written; a rate that the loop sets from the config is its own affair."""
        for setting in self._settings:
            if setting.name != "lr":
                setting.check_taken(self._groups, setting.wanted(config))
                continue
            rates = self._rates()
            if not rates.are_for(self._bases):
                raise TrainableError(
                    f"The optimizer must keep a new 'lr', but its schedule is for {rates.bases} "
                    f"after {self._bases} was written: leave its initial_lr alone"
                )
            if not rates.has_schedulers and not is_read(setting.path) and not rates.stand_at(self._bases):
                raise TrainableError(
                    f"The optimizer must keep a new 'lr', but it has {rates.present} after {self._bases} "
                    f"was written: something sets it by itself, without reading {setting.path!r} there. "
                    f'Have it read config["{setting.path}"] in the loop, or leave the rate to a '
                    'learning-rate scheduler that is bound: bind(optimizer, "lr", scheduler=scheduler)'
                )

    def _move_rates(self, targets: list[float]) -> None:
        if targets == self._bases:
            return
        rates = self._rates()
        rates.check_followed(self._bases, targets)
        rates.move(self._bases, targets)
        self._bases = targets
        written = [float(group["lr"]) for group in rates.groups]
        if (taken := [float(group["lr"]) for group in self._groups]) != written:
            raise TrainableError(
                f"The optimizer must take a new 'lr', but it has {taken} after {written} was written: its "
                "param_groups must be the ones that it steps with"
            )

    def state_dict(self) -> dict[str, Any]:
        """Return the optimizer's state, with what was bound and the states of the schedulers."""
        state = dict(self._optimizer.state_dict())
        if any(setting.name == "lr" for setting in self._settings):
            state["bound"] = {"lr": self._bases}
        if self._schedulers:
            state["schedulers"] = [each.state_dict() for each in self._schedulers]
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over the state of optimizer and schedulers; what the config says must be written next."""
        tensors = [
            {key: value for key, value in group.items() if isinstance(value, Tensor)}
            for group in self._groups
        ]
        self._optimizer.load_state_dict({key: state[key] for key in state.keys() - {"bound", "schedulers"}})
        for live, group in zip(tensors, self._groups, strict=True):
            for key, tensor in live.items():
                group[key] = (
                    tensor.copy_(group[key]) if isinstance(group[key], Tensor) else tensor.fill_(group[key])
                )
        for scheduler, its_state in zip(self._schedulers, state.get("schedulers", []), strict=True):
            scheduler.load_state_dict(dict(its_state))
        if "bound" in state:
            self._bases = list(state["bound"]["lr"])

    @property
    def _groups(self) -> list[dict[str, Any]]:
        groups: list[dict[str, Any]] = self._optimizer.param_groups
        return groups

    def _rates(self) -> LearningRates:
        return LearningRates(self._groups, self._schedulers)
