"""The function form as Ray calls it: what a function returns or yields is a result, too."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from contextlib import closing
from numbers import Number
from types import GeneratorType
from typing import Any

from poptune._training.shared import renewed
from poptune._training.trainable import Adapted
from poptune.compat.ray.air.session import report
from poptune.compat.ray.tune.result import DEFAULT_METRIC
from poptune.errors import TrainableError


class RayFunction(functools.partial[Any], Adapted):
    """A training function whose return value is reported, and which may end without a report.

    Each call is given parameters of its own, as in Ray: what one trial does to them reaches no other.
    """

    def __call__(self, /, *args: Any, **parameters: Any) -> None:
        output = super().__call__(*args, **renewed(parameters))
        if not isinstance(output, GeneratorType):
            _report(output)
            return
        with closing(output):
            for one in output:
                _report(one)


def as_ray_calls_it(function: Callable[..., Any], *, called: str | None = None) -> Callable[..., Any]:
    """Return a training function so that what it returns or yields is reported.

    Args:
        function: The function.
        called: What its trials are to be called after, if not after the function.
    """
    if isinstance(function, RayFunction):
        return function
    made = RayFunction(function)
    made.called = called
    return made


def _report(output: object) -> None:
    if output is None:
        return
    if isinstance(output, Mapping):
        if output:
            report(output)
    elif isinstance(output, Number):
        report({DEFAULT_METRIC: output})
    else:
        raise TrainableError(
            "A training function must return or yield a dict of metrics, a number or nothing, got a "
            f"{type(output).__name__}: report its metrics, and keep what is no metric in a checkpoint"
        )
