"""Explore: the config of a copy, changed at random."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Self

from poptune._base.copies import copied
from poptune._base.equality import index_of
from poptune._base.types import Config
from poptune._core.scheduler import PopulationView
from poptune.errors import ConfigurationError
from poptune.schedulers.explorer import Copy, Draw, Explored, Explorer
from poptune.schedulers.mutations import hold_user_code
from poptune.schedulers.placing import placed
from poptune.search_space import Domain, Float, Integer, Normal, Numeric, Ordinal, resolve
from poptune.search_space.values import without_numpy_scalars

if TYPE_CHECKING:
    import numpy as np


def sample(mutation: Any, rng: np.random.Generator, *, where: str) -> Any:
    """Draw a fresh value from a mutation that is not a dict.

    Args:
        mutation: The mutation. What a function returns is the value, or a domain to draw it from, or a list
            or dict with domains in it.
        rng: What to draw with.
        where: The hyperparameter's dotted path, for an error.

    Raises:
        ConfigurationError: A function raises.
    """
    if isinstance(mutation, list | tuple):
        return _resolved(mutation[int(rng.integers(len(mutation)))], rng)
    return _resolved(mutation if isinstance(mutation, Domain) else copied(_called(mutation, where)), rng)


def _resolved(value: Any, rng: np.random.Generator) -> Any:
    """Return what a param_space with this value would become: plain dicts, with all domains drawn from."""
    return resolve({"value": value}, generator=lambda _: rng).config["value"]


def _called(mutation: Callable[[], Any], where: str) -> Any:
    try:
        return mutation()
    except Exception as error:
        raise ConfigurationError(
            f"The function that is the mutation of {where!r} must return a value, but it raised "
            f"{type(error).__name__}: {error}. Mend the function"
        ) from error


def fill_missing(config: Config, mutations: Mapping[str, Any], draw: Draw, path: str = "") -> Config:
    """Return the config with every mutated key that it lacks drawn from the key's mutation."""
    filled = dict(config)
    for key, mutation in mutations.items():
        where = f"{path}{key}"
        if isinstance(mutation, Mapping):
            filled[key] = fill_missing(_nested(filled, key, where), mutation, draw, f"{where}.")
        elif key not in filled:
            filled[key] = sample(mutation, draw(where), where=where)
    return filled


@dataclass(frozen=True, slots=True, kw_only=True)
class Perturb(Explorer[None]):
    """Each mutated hyperparameter, independently of the others, is resampled or moved a little.

    - From an ordered list: with ``resample_probability``, or if the value is not in the list, a uniform
      choice; else one place to the left or right, staying at an edge.
    - From a domain or a callable: with ``resample_probability`` a fresh sample; else the value times one of
      ``factors``, put back into the domain. An int moves by at least 1, a quantised value by at least one
      quantum, where the bounds allow it. Zero is resampled, since no factor moves it. Bools and categories
      change by resampling only.
    - A dict of these: each of its keys. ``custom`` comes last, once, with the whole config.

    Types are kept: an int stays an int, a float a float; but an int in a domain of floats becomes a float.

    Source: Jaderberg et al. 2017, arXiv:1711.09846, section 4.1.2 ("perturb" and "resample").
    Differs from the paper and from Ray Tune: values stay in their domain unless ``respect_bounds`` is off.
    """

    mutations: Mapping[str, Any]
    resample_probability: float = 0.25
    factors: Sequence[float] = (1.2, 0.8)
    respect_bounds: bool = True
    custom: Callable[[Config], Config] | None = None

    @property
    def hyperparameters(self) -> Mapping[str, Any]:
        return self.mutations

    @property
    def runs_user_code(self) -> bool:
        return self.custom is not None or hold_user_code(self.mutations)

    def for_space(self, param_space: Mapping[str, Any]) -> Self:
        return replace(self, mutations=placed(self.mutations, param_space))

    def explore(self, state: None, population: PopulationView, copy: Copy, draw: Draw) -> Explored:
        return Explored(self.perturbed(copy.config, draw))

    def perturbed(self, config: Config, draw: Draw) -> Config:
        """Return a changed copy of a config, which itself stays as it is."""
        explored = self._each(_copy(config), self.mutations, draw, "")
        if self.custom is None:
            return explored
        changed = self.custom(copied(explored))
        if not isinstance(changed, dict):
            raise ConfigurationError(
                f"custom_explore_fn must return the changed config, a dict, got {changed!r}: "
                "end it with `return config`"
            )
        plain: Config = _copy(copied(changed))
        return plain

    def _each(self, config: Config, mutations: Mapping[str, Any], draw: Draw, path: str) -> Config:
        for key, mutation in mutations.items():
            where = f"{path}{key}"
            if isinstance(mutation, Mapping):
                config[key] = self._each(_nested(config, key, where), mutation, draw, f"{where}.")
            elif key not in config:
                config[key] = sample(mutation, draw(where), where=where)
            else:
                config[key] = self._one(config[key], mutation, draw(where), where)
        return config

    def _one(self, value: Any, mutation: Any, rng: np.random.Generator, where: str) -> Any:
        resample = rng.random() < self.resample_probability
        if isinstance(mutation, list | tuple | Ordinal):
            values = mutation.values if isinstance(mutation, Ordinal) else mutation
            place = None if resample else index_of(*without_numpy_scalars((value, values)))
            if place is None:
                return _resolved(values[int(rng.integers(len(values)))], rng)
            place += 1 if rng.random() < 0.5 else -1
            return _resolved(values[min(max(place, 0), len(values) - 1)], rng)
        is_number = not isinstance(value, bool) and isinstance(value, Real) and _is_numeric(mutation)
        if resample or (is_number and value == 0):
            return sample(mutation, rng, where=where)
        if not is_number:
            return value
        if isinstance(mutation, Float | Normal) and isinstance(value, Integral):
            value = float(value)
        return self._scale(value, mutation, float(self.factors[int(rng.integers(len(self.factors)))]))

    def _scale(self, value: Any, mutation: Any, factor: float) -> Any:
        """Multiply; then keep the type, a minimal step, and the domain."""
        domain = mutation if isinstance(mutation, Numeric) and self.respect_bounds else None
        number = int(value) if isinstance(value, Integral) else float(value)
        scaled = _put(number * factor, domain, like=value)
        quantum = _quantum(value, domain)
        if scaled == value and factor != 1 and quantum:
            scaled = _put(number + quantum * (1 if (factor > 1) == (value > 0) else -1), domain, like=value)
        return scaled


def _is_numeric(mutation: Any) -> bool:
    """Whether a value may be multiplied: categories that happen to be numbers may not."""
    return isinstance(mutation, Numeric) or not isinstance(mutation, Domain)


def _put(number: float, domain: Numeric | None, *, like: Any) -> Any:
    """Return a number as a member of the domain, if there is one, and of the type of ``like``."""
    whole = round(number) if isinstance(like, Integral) else number
    return type(like)(whole if domain is None else domain.clip(whole))


def _quantum(value: Any, domain: Numeric | None) -> float:
    """The least distance that a value of this kind can move; 0 if any distance is possible."""
    if isinstance(domain, Float | Integer | Normal) and domain.q:
        return domain.q
    return 1 if isinstance(value, Integral) or isinstance(domain, Integer) else 0


def _nested(config: Config, key: str, where: str) -> Config:
    """Return a copy of the dict at a key whose mutation is a dict; an empty one if there is none."""
    found = config.get(key, {})
    if not isinstance(found, Mapping):
        raise ConfigurationError(
            f"The config must hold a dict at {where!r}, because its mutation is a dict, got {found!r}: nest "
            "the param_space and hyperparam_mutations alike"
        )
    return dict(found)


def _copy(value: Any) -> Any:
    """Copy what a config nests; what it holds, such as a model class or a data set, is shared."""
    if isinstance(value, Mapping):
        return {key: _copy(inner) for key, inner in value.items()}
    return type(value)(map(_copy, value)) if type(value) in {list, tuple} else value
