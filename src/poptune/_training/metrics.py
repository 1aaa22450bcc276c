"""Metrics as plain values: what a report may say, and what the journal can keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from poptune.errors import TrainableError

_LARGEST = 2**63
_PLAIN = frozenset({float, bool, type(None)})


def plain_metrics(metrics: object) -> dict[str, Any]:
    """Return the metrics with numpy and 0-d tensor values as plain numbers.

    Raises:
        TrainableError: ``metrics`` is no dict with string keys, or a value is of no kind that can be kept.
    """
    if type(metrics) is not dict and not isinstance(metrics, Mapping):
        raise TrainableError(
            f'report() takes a dict of metrics, got {metrics!r}: write, for example, report({{"loss": loss}})'
        )
    row: dict[str, Any] = {}
    for key, value in metrics.items():
        kind = type(value)
        if type(key) is str and (kind in _PLAIN or (kind is int and -_LARGEST <= value < _LARGEST)):
            row[key] = value
        else:
            row[_key(key)] = _plain(value, str(key))
    return row


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TrainableError(f"The keys of metrics must be strings, got {key!r}: write {str(key)!r} instead")
    return key


def _plain(value: Any, path: str) -> Any:
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is int:
        return value if -_LARGEST <= value < _LARGEST else _as_float(value, path)
    if isinstance(value, Mapping):
        return {_key(key): _plain(item, f"{path}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{path}[{place}]") for place, item in enumerate(value)]
    if kind is str:
        return value if value.isascii() else value.encode(errors="backslashreplace").decode()
    for base in (int, float, str):
        if isinstance(value, base):  # a subclass, such as a member of an enum
            return _plain(base(value), path)
    return _from_array(value, path)


def _as_float(value: int, path: str) -> float:
    try:
        return float(value)
    except OverflowError as error:
        raise TrainableError(
            f"The metric {path!r} must be a number that a float can hold, got a whole number of "
            f"{value.bit_length()} bits: report its logarithm, or leave it out"
        ) from error


def _from_array(value: Any, path: str) -> Any:
    """A numpy array, a tensor or a JAX array, told by what it offers, so that no framework is imported."""
    if callable(getattr(value, "tolist", None)):
        return _plain(value.tolist(), path)
    raise TrainableError(
        f"The metric {path!r} must be a number, a string, None, or a list or dict of these, got "
        f"{type(value).__name__}: report float(value), or leave it out"
    )


def is_at_least(value: object, threshold: float) -> bool:
    """Whether a metric is a number that has reached a threshold; NaN never has."""
    return isinstance(value, (int, float)) and value >= threshold
