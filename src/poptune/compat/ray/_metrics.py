"""Metrics of any kind: Ray takes all objects, a journal keeps plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from poptune._training.metrics import plain_metrics
from poptune.compat.ray._arguments import logger
from poptune.errors import TrainableError

_PLAIN = frozenset({float, int, str, bool, type(None)})
_told: set[str] = set()


def as_plain(metrics: Any) -> Any:
    """Return metrics with the texts of those objects that cannot be kept; what is no dict is not touched."""
    if not isinstance(metrics, Mapping) or all(type(value) in _PLAIN for value in metrics.values()):
        return metrics
    return {key: _kept(value, str(key)) for key, value in metrics.items()}


def _kept(value: Any, path: str) -> Any:
    if type(value) in _PLAIN:
        return value
    if isinstance(value, Mapping):
        return {key: _kept(item, f"{path}/{key}") for key, item in value.items()}
    if type(value) in {list, tuple}:
        return [_kept(item, f"{path}/{place}") for place, item in enumerate(value)]
    try:
        return plain_metrics({"value": value})["value"]
    except TrainableError:
        if path not in _told:
            _told.add(path)
            logger.warning(
                "The metric %r is a %s, of which only the text is kept: what is no number belongs into a "
                "checkpoint",
                path,
                type(value).__name__,
            )
        return str(value)
