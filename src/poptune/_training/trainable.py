"""What can be trained: a function of the config, or a subclass of ``Trainable``."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from poptune._base.types import Config
from poptune.errors import ConfigurationError

Resources = Mapping[str, float] | Sequence[Mapping[str, float]]
"""What one trial may use: on one machine, or in several bundles that each are on one."""


class Trainable:
    """The class form of training code: one object, trained step by step.

    Override :meth:`setup` and :meth:`step`; and, so that the trial can be copied and continued,
    :meth:`save_checkpoint` and :meth:`load_checkpoint`. With :meth:`reset_config` an exploit happens in
    place, without building the object anew.

    Example:
        >>> import poptune as tune
        >>> class Quadratic(tune.Trainable):
        ...     def setup(self, config):
        ...         self.x = 1.0
        ...
        ...     def step(self):
        ...         self.x -= self.config["lr"] * 2 * self.x
        ...         return {"loss": self.x**2}
        ...
        ...     def save_checkpoint(self, checkpoint_dir):
        ...         return {"x": self.x}
        ...
        ...     def load_checkpoint(self, checkpoint):
        ...         self.x = checkpoint["x"]
        >>> trainable = Quadratic({"lr": 0.25})
        >>> trainable.step()
        {'loss': 0.25}
    """

    def __init__(self, config: Config | None = None) -> None:
        self.config: Config = dict(config or {})
        self.setup(self.config)

    def setup(self, config: Config) -> None:
        """Build what is trained. Called once for each object."""

    def step(self) -> Mapping[str, Any]:
        """Train one iteration and return its metrics.

        With ``done: True`` among them it is the last; with ``should_checkpoint: True`` the state is saved.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must define step(), which trains one iteration and returns a dict of "
            "metrics"
        )

    def save_checkpoint(self, checkpoint_dir: str) -> Mapping[str, Any] | str | None:
        """Return the state as a dict, or write it into the folder ``checkpoint_dir``."""
        raise NotImplementedError(
            f"{type(self).__name__} must define save_checkpoint(checkpoint_dir), which returns the state as "
            "a dict or writes it into that folder"
        )

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Take over a state: the dict that was returned, or the folder that was written."""
        raise NotImplementedError(
            f"{type(self).__name__} must define load_checkpoint(checkpoint), which takes over what "
            "save_checkpoint gave"
        )

    def reset_config(self, new_config: Config) -> bool:
        """Take over a new config in place and return True; False has the object built anew."""
        del new_config
        return False

    def as_reported(self, metrics: Any) -> Any:
        """Return what :meth:`step` returned as what is reported; a mirror of another library adapts it."""
        return metrics

    def as_given(self, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return parameters as :meth:`setup` is given them; a mirror of another library adapts it."""
        return parameters

    def cleanup(self) -> None:
        """Release what the object holds. Called once, when it is no longer needed."""


class Adapted:
    """A mark of callables that stand for a training function, as another library calls it.

    They may end without a report, which is no error.
    """

    called: str | None = None
    """What the trials are called after, if not after the function."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A trainable together with what :func:`with_parameters` and :func:`with_resources` add to it."""

    trainable: Callable[..., Any]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    resources: Resources | None = None

    @property
    def code(self) -> Callable[..., Any]:
        """The user's own function or class, without what a ``partial`` adds to it."""
        inner = self.trainable
        while isinstance(inner, functools.partial):
            inner = inner.func
        return inner

    @property
    def name(self) -> str:
        """What the trials are called after."""
        given: object = self.trainable
        if isinstance(given, Adapted) and given.called is not None:
            return given.called
        return getattr(self.code, "__name__", type(self.code).__name__)

    @property
    def must_report(self) -> bool:
        """Whether an end without any report is an error."""
        return not isinstance(self.trainable, Adapted)

    @property
    def is_class(self) -> bool:
        """Whether this is the class form."""
        return isinstance(self.trainable, type) and issubclass(self.trainable, Trainable)

    def check_runs_when_called(self) -> None:
        """Raise ``ConfigurationError`` for a function of which a mere call runs nothing."""
        if not self.must_report:
            return  # whoever has adapted it knows how to call it
        if _is_any(self.trainable, inspect.isgeneratorfunction, inspect.isasyncgenfunction):
            raise ConfigurationError(
                f"The trainable must be a function that runs when it is called, but {self.name} yields, so "
                "that a call runs none of it: write tune.report({...}) in the place of each yield"
            )
        if _is_any(self.trainable, inspect.iscoroutinefunction):
            raise ConfigurationError(
                f"The trainable must be a function that runs when it is called, but {self.name} is async, so "
                f"that a call runs none of it: define it without async, or pass a function that awaits it, "
                f"def train(config): asyncio.run({self.name}(config))"
            )

    def check_signature(self) -> None:
        """Raise ``ConfigurationError`` unless the code can be called with a config and the parameters."""
        code: Any = self.trainable
        if self.is_class:
            code = functools.partial(code.setup, None)
        try:
            inspect.signature(code).bind({}, **self.parameters)
        except TypeError as error:
            wanted = ", ".join(["config", *self.parameters])
            raise ConfigurationError(
                f"{self.name} must take the config{' and its parameters' if self.parameters else ''}, but "
                f"calling it so fails ({error}): define it as {self.name}({wanted})"
            ) from error
        except ValueError:  # something compiled that does not tell its arguments
            return

    def call(self, config: Config) -> Any:
        """Run the function form."""
        return self.trainable(config, **self.parameters)

    def build(self, config: Config) -> Trainable:
        """Make an object of the class form, its ``setup`` given the parameters."""
        cls: Any = self.trainable
        if not self.parameters:
            built: Trainable = cls(config)
            return built
        trainable: Trainable = cls.__new__(cls)
        trainable.config = dict(config)
        setup: Any = trainable.setup
        setup(trainable.config, **trainable.as_given(self.parameters))
        return trainable


def _is_any(trainable: Any, *kinds: Callable[[Any], bool]) -> bool:
    """Whether this is of one of the kinds of functions, or an object that is called by one."""
    called = trainable.__call__ if callable(trainable) else None
    return any(kind(trainable) or kind(called) for kind in kinds)


def prepare(trainable: object) -> Prepared:
    """Return any accepted trainable as :class:`Prepared`.

    Raises:
        ConfigurationError: It is neither a function nor a subclass of ``Trainable``.
    """
    if isinstance(trainable, Prepared):
        return trainable
    if isinstance(trainable, Trainable) or not callable(trainable):
        raise ConfigurationError(
            "The trainable must be a function of the config or a subclass of tune.Trainable, got "
            f"{trainable!r}: pass the function or the class itself, without calling it"
        )
    if isinstance(trainable, type) and not issubclass(trainable, Trainable):
        raise ConfigurationError(
            f"A class can be trained if it is a subclass of tune.Trainable, got {trainable.__name__}: "
            "derive it from tune.Trainable, or pass a function"
        )
    return Prepared(trainable=trainable)


def with_parameters(trainable: Callable[..., Any], **parameters: Any) -> Prepared:
    """Give a trainable further arguments, which are no hyperparameters.

    Workers share the memory of arrays and tensors, also of those inside other objects; anything else is
    opened once in each worker. Trials that run one after another in a worker get the very same objects: do
    not change them.

    Args:
        trainable: ``function(config, **parameters)``, or a subclass of ``Trainable`` whose
            ``setup(config, **parameters)`` takes them.
        **parameters: What it gets, for example a data set.

    Example:
        >>> import poptune as tune
        >>> def train(config, data):
        ...     tune.report({"loss": config["lr"] * len(data)})
        >>> trainable = tune.with_parameters(train, data=[1, 2, 3])
    """
    prepared = prepare(trainable)
    return replace(prepared, parameters={**prepared.parameters, **parameters})


def with_resources(trainable: Callable[..., Any], resources: Resources) -> Prepared:
    """Say what one trial needs.

    Args:
        trainable: A function or a subclass of ``Trainable``.
        resources: ``{"cpu": cores, "gpu": devices}``; fractions of a GPU are allowed. On a cluster also its
            own resources, and a list of such dicts for code that itself works on several machines: one bundle
            for the trial's own process, and one for each further worker that it starts there.

    Raises:
        ConfigurationError: A resource is no number of at least 0.

    Example:
        >>> import poptune as tune
        >>> def train(config):
        ...     tune.report({"loss": 0.0})
        >>> trainable = tune.with_resources(train, {"cpu": 2, "gpu": 0.5})
    """
    check_resources(resources)
    return replace(prepare(trainable), resources=resources)


def check_resources(resources: Resources) -> None:
    """Raise ``ConfigurationError`` unless these are amounts of resources, or bundles of them."""
    for bundle in bundles_of(resources):
        for name, amount in bundle.items():
            if not isinstance(name, str) or not name or name in {"CPU", "GPU"}:
                raise ConfigurationError(
                    f'resources are named "cpu", "gpu", or as a cluster names its own, got {name!r}'
                )
            if isinstance(amount, bool) or not isinstance(amount, int | float) or amount < 0:
                raise ConfigurationError(f"{name} must be a number of at least 0, got {amount!r}")


def bundles_of(resources: Resources) -> tuple[dict[str, float], ...]:
    """Return resources as bundles, of which there is one unless a list was given.

    Raises:
        ConfigurationError: They are neither a dict nor a list of dicts.
    """
    bundles: Any = [resources] if isinstance(resources, Mapping) else resources
    is_list = isinstance(bundles, Sequence) and not isinstance(bundles, str) and len(bundles) > 0
    if not is_list or not all(isinstance(bundle, Mapping) for bundle in bundles):
        raise ConfigurationError(
            f'resources must be a dict such as {{"cpu": 1, "gpu": 0.5}}, or on a cluster a list of such '
            f"bundles, got {resources!r}"
        )
    return tuple(dict(bundle) for bundle in bundles)
