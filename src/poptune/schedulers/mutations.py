"""What ``hyperparam_mutations`` may hold, checked before anything starts."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from poptune.copies import copied
from poptune.errors import ConfigurationError
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
