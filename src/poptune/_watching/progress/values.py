"""Values as short texts: four significant digits, and nothing that could upset a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

_MISSING = object()
_LONGEST = 16


def shown(value: Any) -> str:
    """Return a config's value or a metric as a short text.

    Example:
        >>> shown(0.070123), shown(32), shown(dict), shown("a very long activation function")
        ('0.07012', '32', 'dict', 'a very long act…')
    """
    if isinstance(value, Real) and not isinstance(value, Integral):
        return f"{float(value):.4g}"
    name = getattr(value, "__name__", None)
    return cut(name if isinstance(name, str) else str(value))


def cut(text: str, longest: int = _LONGEST) -> str:
    """Return a text as one line of at most so many characters."""
    line = " ".join("".join(mark if mark.isprintable() else " " for mark in text).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def duration(seconds: float) -> str:
    """Return a time as a clock shows it: ``1:23``, ``2:03:04``."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def rough_duration(seconds: float) -> str:
    """Return an estimated time, no more exactly than it can be known.

    Example:
        >>> rough_duration(23), rough_duration(700), rough_duration(9000)
        ('25 s', '12 min', '2.5 h')
    """
    if seconds < 90:
        return f"{max(5, 5 * round(seconds / 5))} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"


def entry(config: Any, path: str) -> str:
    """Return the text of a config's value at a dotted path; empty if it has none there."""
    value = config
    for part in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(part, _MISSING)
        elif isinstance(value, list | tuple) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return ""
    return "" if value is _MISSING else shown(value)


def flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Give the dotted path and the text of each of a config's values."""
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", shown(value)


def labels(paths: Sequence[str]) -> dict[str, str]:
    """Give each dotted path its last part as a label, or all of it where others end in that too.

    Example:
        >>> labels(["optimizer.lr", "encoder.width", "decoder.width"])
        {'optimizer.lr': 'lr', 'encoder.width': 'encoder.width', 'decoder.width': 'decoder.width'}
    """
    last = {path: path.rpartition(".")[2] for path in paths}
    uses = Counter(last.values())
    return {path: path if uses[end] > 1 or end.isdecimal() else end for path, end in last.items()}
