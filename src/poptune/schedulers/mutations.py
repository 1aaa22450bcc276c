"""What ``hyperparam_mutations`` may hold, checked before anything starts."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from poptune._base.copies import copied
from poptune._base.ours import is_ours
from poptune.errors import ConfigurationError
from poptune.schedulers.placing import leaves
from poptune.search_space import Domain, GridSearch, SampleFrom

_ALLOWED = (
    "a list of ordered values, a domain such as tune.uniform(0, 1), a function without arguments, "
    "or a dict of these"
)


def check_mutations(mutations: Mapping[str, Any], path: str = "") -> None:
    """Raise ``ConfigurationError`` for a mutation that cannot be explored, naming its dotted path."""
    if not isinstance(mutations, Mapping):
        raise ConfigurationError(f"hyperparam_mutations must be a dict of key to mutation, got {mutations!r}")
    for key, mutation in mutations.items():
        if not isinstance(key, str) or not key:
            raise ConfigurationError(
                f"Keys of hyperparam_mutations must be names of hyperparameters, got {key!r}"
                + (f" in {path.removesuffix('.')!r}" if path else "")
            )
        where = f"{path}{key}"
        if isinstance(mutation, Mapping):
            check_mutations(mutation, f"{where}.")
        else:
            _check_one(mutation, where)


def owned(mutations: Mapping[str, Any]) -> dict[str, Any]:
    """Return mutations whose values nobody else can change. Functions stay the user's own."""
    return {
        key: owned(mutation)
        if isinstance(mutation, Mapping)
        else copied(mutation)
        if isinstance(mutation, list | tuple | Domain)
        else mutation
        for key, mutation in mutations.items()
    }


def paths(mutations: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the dotted paths of what is mutated."""
    return tuple(".".join(keys) for keys, _ in leaves(mutations))


def hold_user_code(mutations: Mapping[str, Any]) -> bool:
    """Whether to draw from these mutations may run functions of the user's."""
    return any(
        hold_user_code(mutation)
        if isinstance(mutation, Mapping)
        else not (isinstance(mutation, list | tuple) or (isinstance(mutation, Domain) and is_ours(mutation)))
        for mutation in mutations.values()
    )


def doubtful_pairs(mutations: Mapping[str, Any]) -> Iterator[str]:
    """Return a warning for each mutation that is two numbers, where the range between may be meant."""
    for keys, mutation in leaves(mutations):
        if isinstance(mutation, tuple) and len(mutation) == 2 and all(map(_is_number, mutation)):
            low, high = mutation
            between = f"tune.uniform({low!r}, {high!r})"
            if low > 0 and high > 0:
                between += f" or tune.loguniform({low!r}, {high!r})"
            if all(isinstance(end, int) for end in mutation):
                between = f"tune.randint({low!r}, {high + 1!r})"
            yield (
                f"The mutation of {'.'.join(keys)!r} is the tuple {mutation!r}, which means these two values "
                f"and nothing between: write {between} for what is between, or the list {list(mutation)!r} "
                "for the two values"
            )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_one(mutation: Any, where: str) -> None:
    if isinstance(mutation, SampleFrom | GridSearch):
        raise ConfigurationError(
            f"The mutation of {where!r} must be {_ALLOWED}, got {mutation!r}: that belongs into the "
            "param_space; here write a domain or a function without arguments"
        )
    if isinstance(mutation, Domain):
        return
    if isinstance(mutation, list | tuple):
        if not mutation:
            raise ConfigurationError(f"The mutation of {where!r} must hold at least one value, got []")
        return
    if not callable(mutation) or isinstance(mutation, type) or not _takes_nothing(mutation):
        raise ConfigurationError(f"The mutation of {where!r} must be {_ALLOWED}, got {mutation!r}")


def _takes_nothing(function: Any) -> bool:
    try:
        inspect.signature(function).bind()
    except TypeError:
        return False
    except ValueError:  # a builtin that does not tell
        return True
    return True
