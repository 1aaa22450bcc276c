"""What ``steps`` can be given as state beside models and optimizers: plain values, and random numbers."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar, final

from poptune._base.types import Config
from poptune._training import current
from poptune._training.seeding import generator_states, restore_generators, seed_libraries

T = TypeVar("T")


class BoundState(ABC):
    """State that hyperparameters are written into, after each restore; made by ``bind`` of an integration."""

    @property
    @abstractmethod
    def config_paths(self) -> Iterable[str]:
        """The dotted paths of the values in the config that it writes."""

    @abstractmethod
    def begin(self, config: Config) -> None:
        """Bring the freshly built state to a config, before anything is restored."""

    @abstractmethod
    def write(self, config: Config) -> None:
        """Bring the present state to a config."""

    @abstractmethod
    def check(self, config: Config, is_read: Callable[[str], bool]) -> None:
        """Raise if what was written is there no more, an iteration later.

        Args:
            config: What was written.
            is_read: Whether the loop reads the value at a dotted path, and so may have set it by itself.
        """

    @abstractmethod
    def state_dict(self) -> Any:
        """Return the state, with what was written into it."""

    @abstractmethod
    def load_state_dict(self, state: Any) -> None:
        """Take over a state that was written by another config."""


@final
class StateRef(Generic[T]):
    """A value as a state for `steps`: arrays, JAX pytrees, numbers, whatever has no ``state_dict``.

    The loop reads and assigns ``value``. A restore replaces it: numpy arrays come back as writable arrays of
    this process's own (views of a mapped file, which is never written to), so keep none of the old ones under
    another name. JAX arrays come back as JAX arrays, on the devices of those that they replace. In a saved
    checkpoint the value stands as it is under the state's name.

    Args:
        value: What is saved and restored: arrays, plain values, and dicts, lists and tuples of them; else
            whatever can be pickled.

    Example:
        >>> import poptune as tune
        >>> def train(config):
        ...     weight = tune.StateRef(10.0)
        ...     for step in tune.steps(config, weight=weight):
        ...         weight.value -= config["lr"] * 2 * weight.value
        ...         tune.report({"loss": weight.value**2})
    """

    def __init__(self, value: T) -> None:
        self.value = value

    def __repr__(self) -> str:
        """Show the value."""
        return f"StateRef({self.value!r})"

    def state_dict(self) -> T:
        """Return the value."""
        return self.value

    def load_state_dict(self, state: T) -> None:
        """Replace the value."""
        self.value = _in_the_library_of(self.value, state)


def _in_the_library_of(live: Any, loaded: Any) -> Any:
    """Make JAX arrays of what was loaded where JAX arrays are now."""
    jax = sys.modules.get("jax")
    if jax is None:
        return loaded

    def moved(before: Any, after: Any) -> Any:
        if not isinstance(before, jax.Array):
            return after
        if before.committed:
            return jax.device_put(after, before.sharding)
        return jax.numpy.asarray(after)  # to commit it to a device would have functions compiled anew

    try:
        return jax.tree_util.tree_map(moved, live, loaded)
    except ValueError:  # of another structure, such as a list that has grown since
        return loaded


@final
class RandomState:
    """The global random numbers of Python, numpy and torch as a state for `steps`.

    A trial that goes on from its own state, after a failure or an interruption, draws the very numbers that
    it would have drawn. One that has copied another draws numbers of its own, or else both would train on the
    same batches: everything is seeded anew with ``get_context().seed``. Of torch, the generators of the CPU
    and, once they are in use, of the CUDA devices are saved; a library that is not imported is left alone.

    Example:
        >>> import random
        >>> import poptune as tune
        >>> def train(config):
        ...     height = tune.StateRef(0.0)
        ...     for step in tune.steps(config, height=height, random=tune.RandomState()):
        ...         height.value += config["lr"] * random.random()
        ...         tune.report({"height": height.value})
    """

    def state_dict(self) -> dict[str, Any]:
        """Return the states of all generators, and whose they are."""
        running = current.running()
        return {"trial": running and running.assignment.trial, **generator_states()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore all generators, or seed them, if the state is another trial's than the running one's."""
        running = current.running()
        if running is not None and state["trial"] != running.assignment.trial:
            seed_libraries(running.assignment.seed)
            return
        restore_generators(state)
