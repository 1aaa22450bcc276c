"""Which loggers a run has: ours and those of installed packages by name, any other as an object."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint, entry_points

from poptune._base.arguments import nearest
from poptune.errors import ConfigurationError
from poptune.loggers import tensorboard
from poptune.loggers.csv import CsvLogger
from poptune.loggers.json import JsonLogger
from poptune.loggers.logger import Logger

GROUP = "poptune.loggers"
"""The group of entry points in which a package names its loggers: classes that are made without arguments."""
_OURS: dict[str, Callable[[], Logger]] = {
    "csv": CsvLogger,
    "json": JsonLogger,
    "tensorboard": tensorboard.TensorBoardLogger,
}


def loggers_of(chosen: Sequence[str | Logger]) -> list[Logger]:
    """Return the loggers that were chosen; those of TensorBoard only where it is installed.

    Raises:
        ConfigurationError: What a package's entry point names is no logger.
    """
    wanted = [one for one in chosen if one != "tensorboard" or tensorboard.is_installed()]
    return [_made(one) if isinstance(one, str) else one for one in wanted]


def check_loggers(chosen: Sequence[str | Logger]) -> None:
    """Raise ``ConfigurationError`` unless these are names of loggers, or loggers."""
    if isinstance(chosen, str) or not isinstance(chosen, Sequence):
        raise ConfigurationError(f"loggers must be a list of {_known()}, got {chosen!r}")
    for one in chosen:
        if not (_is_known(one) if isinstance(one, str) else _is_logger(one)):
            raise ConfigurationError(
                f"loggers must be a list of {_known()}, got {list(chosen)!r}{_advice(one)}"
            )


def _is_known(name: str) -> bool:
    return name in _OURS or bool(_entry_points(name))


def _is_logger(thing: object) -> bool:
    return isinstance(thing, Logger) and not isinstance(thing, type)


def _made(name: str) -> Logger:
    if name in _OURS:
        return _OURS[name]()
    logger: object = _entry_points(name)[0].load()()
    if not isinstance(logger, Logger):
        raise ConfigurationError(
            f"What a package names in the entry points {GROUP!r} must be a class derived from "
            f"poptune.loggers.Logger, but {name!r} makes a {type(logger).__name__}: leave the name out, or "
            "tell those who made the package"
        )
    return logger


def _entry_points(name: str) -> Sequence[EntryPoint]:
    return tuple(entry_points(group=GROUP, name=name))


def _known() -> str:
    installed = sorted({point.name for point in entry_points(group=GROUP)} - set(_OURS))
    return f"some of {', '.join([*_OURS, *installed])}, and of objects derived from poptune.loggers.Logger"


def _advice(wrong: object) -> str:
    if isinstance(wrong, type):
        return f": make an object of the class, {wrong.__name__}(...)"
    if not isinstance(wrong, str):
        return ": hooks derived from tune.Callback are given as RunConfig(callbacks=[...])"
    return nearest(wrong, tuple(_OURS))
