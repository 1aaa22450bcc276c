"""What the script defines today in the place of what it defined when its experiment was stored.

A function of an importable module is stored by its name, so a mended module is a mended function. The
script's own functions and classes are stored by value, since no other program can import them; but where the
very same script restores the experiment, what it calls by the same name today is what its user means.
"""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from dataclasses import replace
from pathlib import Path
from types import FunctionType
from typing import Any

from poptune.equality import same
from poptune.tuner.definition import Definition


def of_this_script(definition: Definition) -> Definition:
    """Return the definition with the functions and classes that the running script has by the same names."""
    prepared, tune, run = definition.prepared, definition.tune, definition.run
    return replace(
        definition,
        prepared=prepared and replace(prepared, trainable=today(prepared.trainable)),
        tune=replace(tune, scheduler=today(tune.scheduler)),
        run=replace(run, stop=today(run.stop), callbacks=tuple(map(today, run.callbacks))),
    )


def today(value: Any) -> Any:
    """Return what the running script has in the place of a value, or the value with its parts so replaced."""
    found = value
    if isinstance(value, FunctionType | type):
        found = _namesake(value)
    elif isinstance(value, dict):
        found = {key: today(each) for key, each in value.items()}
    elif type(value) in {list, tuple}:
        found = type(value)(map(today, value))
    elif type(value).__module__ == "__main__":
        with contextlib.suppress(TypeError):  # an object of another layout stays what it is
            found.__class__ = _namesake(type(value))
    elif type(value).__module__.startswith("poptune.") and dataclasses.is_dataclass(value):
        found = _with_parts_of_today(value)
    return found


def _with_parts_of_today(value: Any) -> Any:
    parts = {each.name: getattr(value, each.name) for each in dataclasses.fields(value) if each.init}
    changed = {name: new for name, part in parts.items() if (new := today(part)) is not part}
    has_changed = any(not same(changed[name], parts[name]) for name in changed)
    return replace(value, **changed) if has_changed else value


def _namesake(thing: FunctionType | type) -> Any:
    """What the script calls so today, if it is the script that the thing is from; else the thing."""
    script = sys.modules["__main__"]
    file = getattr(script, "__file__", None)
    if thing.__module__ != "__main__" or file is None or "<locals>" in thing.__qualname__:
        return thing
    if _file_of(thing) not in {str(file), str(Path(file).resolve())}:
        return thing
    found: Any = script
    for name in thing.__qualname__.split("."):
        found = getattr(found, name, None)
    return found if isinstance(found, type) is isinstance(thing, type) and callable(found) else thing


def _file_of(thing: FunctionType | type) -> str:
    """The file that a function or, to judge by its methods, a class is from."""
    functions = [thing] if isinstance(thing, FunctionType) else vars(thing).values()
    return next((each.__code__.co_filename for each in functions if isinstance(each, FunctionType)), "")
