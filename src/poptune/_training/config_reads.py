"""Which values of a config training code can read, told from its bytecode.

The config is a plain dict, which says nothing of who reads it; but the code that holds it does. Where a
config is handed on as a whole, anything in it may be read; what can be told for certain is that nobody reads
a value.
"""

from __future__ import annotations

import dis
import functools
import gc
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import CodeType, FrameType, FunctionType, GeneratorType
from typing import Any

Span = tuple[int, int, int, int]
"""First line, last line, first column, last column."""
_EVERYWHERE = -1
_ATTRIBUTES = {"LOAD_ATTR", "LOAD_METHOD"}
_OPERATIONS = ("BINARY_OP", "CALL", "COMPARE_OP", "UNARY_")
_OURS = ("poptune._training.", "poptune.compat.ray.air.")
"""Where functions that training code calls are defined or passed on."""


@dataclass(frozen=True, slots=True)
class Read:
    """One place at which code reads a config."""

    path: str
    """What is read, with all below it; empty for a config that is handed on as a whole."""
    offset: int
    """Where in the bytecode; -1 in a function within the function, which may run at any time."""
    span: Span | None
    operation: Span | None = None
    """The innermost operation or call that it is a part of."""

    def covers(self, path: str) -> bool:
        """Whether the value at a dotted path may be read here."""
        return self.path in {"", path} or path.startswith(f"{self.path}.")

    def is_mere_argument(self, call: Span | None) -> bool:
        """Whether what is read is handed to this call as it is, perhaps within a dict, and not used else."""
        computed = self.operation != call and _within(self.operation, call)
        return _within(self.span, call) and not computed


class LoopReads:
    """What is read of a config before a loop, and in it.

    Args:
        frame: Of the code that has just called what it is to loop over.
        config: The very dict that it holds.
        is_alone: Whether no other code of the user's has been given the config before.
    """

    __slots__ = ("_before", "_code", "_config", "_is_unknown", "_loop", "_variables")

    def __init__(self, frame: FrameType, config: dict[str, Any], *, is_alone: bool = True) -> None:
        self._config = config
        self._code = frame.f_code
        self._variables = frame.f_locals  # which holds the config, too, once it was asked for
        names = _names(self._variables, config)
        began, call = frame.f_lasti, span_of_call(frame)
        reads = [
            read
            for name, prefix in names.items()
            for read in _reads(frame.f_code, name, prefix)
            if not _within(read.span, call)
        ]
        self._is_unknown = "" not in names.values() or not is_alone
        self._before = [read for read in reads if read.offset < began]
        self._loop = [read for read in reads if read.offset > began or read.offset == _EVERYWHERE]

    def span_of_call(self, frame: FrameType) -> Span | None:
        """Return where a call stands that the loop's code is in the middle of; None for a call by others."""
        return span_of_call(frame) if frame.f_code is self._code else None

    def before(self, path: str) -> bool:
        """Whether a value may have been read before the loop."""
        return self._is_unknown or any(read.covers(path) for read in self._before)

    def within(self, path: str, *, report: Span | None = None) -> bool:
        """Whether the code of the loop itself reads a value, other than to report it."""
        return any(read.covers(path) and not read.is_mere_argument(report) for read in self._loop)

    def anywhere(self, path: str, *, report: Span | None = None) -> bool:
        """Whether the loop reads a value, or whoever was handed the config before may do so in it."""
        return self._is_unknown or self.within(path, report=report) or self._is_kept(path)

    def _is_kept(self, path: str) -> bool:
        """Whether an object that was given the config, or a dict within it, has kept it."""
        given: Any = self._config
        above = ""
        while isinstance(given, dict):
            if any(read.path == above for read in self._before) and self._has_holder(given):
                return True
            key, _, path = path.partition(".")
            above = f"{above}.{key}" if above else key
            given = given.get(key)
        return False

    def _has_holder(self, value: dict[str, Any]) -> bool:
        return any(
            holder is not self._config and holder is not self._variables and _is_kept_by(holder)
            for holder in gc.get_referrers(value)
        )


def _is_kept_by(holder: object) -> bool:
    """Whether who refers to a value is neither a call under way, nor we ourselves."""
    if isinstance(holder, tuple):  # perhaps the arguments of a call, to which nothing refers
        return any(
            not isinstance(each, list | FrameType | GeneratorType) for each in gc.get_referrers(holder)
        )
    return not isinstance(holder, FrameType) and not type(holder).__module__.startswith("poptune._training.")


def is_entered_by_us(frame: FrameType) -> bool:
    """Whether it is the training function itself, and not a helper whose callers have the config, too."""
    caller = frame.f_back
    return caller is None or caller.f_globals.get("__name__", "").startswith(_OURS)


def frame_of_user() -> FrameType:
    """Return the frame of the code that has called one of our functions."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").startswith(_OURS):
        frame = frame.f_back
    assert frame is not None
    return frame


def span_of_call(frame: FrameType) -> Span | None:
    """Return where in its source the call stands that a frame is in the middle of."""
    return _spans(frame.f_code)[frame.f_lasti // 2]


def is_never_read(function: Callable[..., Any], path: str) -> bool:
    """Whether a training function certainly ignores a value of its config: it names it nowhere.

    A value may also be named to something that is given the config, or bound by its name; so only a function
    that neither hands its config on nor speaks of the name at all is known to ignore it.
    """
    function = _without_keywords(function)
    if not isinstance(function, FunctionType) or not function.__code__.co_argcount:
        return False
    code = function.__code__
    named = {part for text in _texts(code) for part in (text, text.rpartition(".")[2])}
    reads = list(_reads(code, code.co_varnames[0], ""))
    return path.rpartition(".")[2] not in named and not any(read.covers(path) for read in reads)


def _without_keywords(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function that a ``partial`` calls; one that gives it further arguments first is left."""
    while isinstance(function, functools.partial) and not function.args:
        function = function.func
    return function


def _texts(code: CodeType) -> Iterator[str]:
    """All texts that stand in the code, and the names of keywords."""
    waiting: list[Any] = list(code.co_consts)
    while waiting:
        constant = waiting.pop()
        if isinstance(constant, str):
            yield constant
        elif isinstance(constant, tuple | frozenset):
            waiting += constant
        elif isinstance(constant, CodeType):
            waiting += constant.co_consts


def _names(variables: Mapping[str, Any], config: dict[str, Any]) -> dict[str, str]:
    """Which variables are the config or a dict within it, and the path of that."""
    parts = dict(_dicts(config, ""))
    return {name: parts[id(value)] for name, value in variables.items() if id(value) in parts}


def _dicts(config: dict[str, Any], path: str) -> Iterator[tuple[int, str]]:
    yield id(config), path
    for key, value in config.items():
        if isinstance(value, dict):
            yield from _dicts(value, f"{path}.{key}" if path else key)


def _reads(code: CodeType, name: str, prefix: str) -> Iterator[Read]:
    """Return where code reads the dict in a variable; functions within it, at no place that can be told."""
    instructions = list(dis.get_instructions(code))
    spans = _spans(code)
    operations = [
        (each.opname, span)
        for each in instructions
        if each.opname.startswith(_OPERATIONS) and (span := spans[each.offset // 2])
    ]
    for place, instruction in enumerate(instructions):
        if not _loads(instruction, name):
            continue
        keys = list(_keys(instructions, place + 1))
        if None not in keys:
            path = ".".join([*([prefix] if prefix else []), *filter(None, keys)])
            span = spans[instruction.offset // 2]
            by_get = bool(keys) and instructions[place + 1].opname in _ATTRIBUTES
            yield Read(path, instruction.offset, span, _innermost(operations, span, by_get=by_get))
    for constant in code.co_consts:
        if isinstance(constant, CodeType) and name in constant.co_freevars:
            for read in _reads(constant, name, prefix):
                yield Read(read.path, _EVERYWHERE, None)


def _loads(instruction: dis.Instruction, name: str) -> bool:
    if not instruction.opname.startswith("LOAD_") or instruction.opname == "LOAD_CLOSURE":
        return False
    loaded = instruction.argval
    return loaded == name or (isinstance(loaded, tuple) and name in loaded)


def _keys(instructions: Sequence[dis.Instruction], place: int) -> Iterator[str | None]:
    """Yield the keys that are looked up one after another; None where one is set or asked for instead."""
    if instructions[place].opname == "CONTAINS_OP":
        yield None
        return
    while place + 1 < len(instructions):
        method = instructions[place].opname in _ATTRIBUTES
        if method and instructions[place].argval == "get":
            key = _constant(instructions[place + 1])
            if key is not None:
                yield key
            return
        key, following = _constant(instructions[place]), instructions[place + 1]
        if key is None:
            return
        if following.opname in {"STORE_SUBSCR", "DELETE_SUBSCR"}:
            yield None
            return
        if following.opname == "COPY":  # it is changed in place, as by *=
            yield key
            return
        if following.opname != "BINARY_SUBSCR" and following.argrepr != "[]":
            return
        yield key
        place += 2


def _constant(instruction: dis.Instruction) -> str | None:
    is_text = instruction.opname == "LOAD_CONST" and isinstance(instruction.argval, str)
    return instruction.argval if is_text else None


def _spans(code: CodeType) -> list[Span | None]:
    """Where in the source each unit of the bytecode stands."""
    positions: Iterable[Any] = code.co_positions()
    return [None if None in span else span for span in positions]


def _innermost(operations: Sequence[tuple[str, Span]], inner: Span | None, *, by_get: bool) -> Span | None:
    """Return the smallest of the operations that a read lies in, the call of ``config.get`` itself aside."""
    around = [(name, span) for name, span in operations if _within(inner, span)]
    around.sort(key=lambda each: (-each[1][0], -each[1][2], each[1][1], each[1][3]))
    if by_get:
        own = next((place for place, (name, _) in enumerate(around) if name.startswith("CALL")), None)
        around = [each for place, each in enumerate(around) if place != own]
    return around[0][1] if around else None


def _within(inner: Span | None, outer: Span | None) -> bool:
    if inner is None or outer is None:
        return False
    begins, ends = (inner[0], inner[2]), (inner[1], inner[3])
    return (outer[0], outer[2]) <= begins and ends <= (outer[1], outer[3])
