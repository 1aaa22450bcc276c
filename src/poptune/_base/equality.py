"""Whether two values of a config are the same, whatever they are: numbers, tensors, functions, objects.

A value of a user's may compare element by element, compare as never equal, or not compare at all; and what
was pickled and opened again is another object than before. So one careful :func:`same` serves everybody.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from numbers import Number
from operator import ne
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

_Pairs = dict[tuple[int, int], tuple[object, object]]
"""What is being compared further out, so that values that hold themselves come to an end; held, so that no
other value gets its address."""
_Comparison = Callable[[Any, Any, _Pairs], bool]
_FUNCTION = ("__code__", "__module__", "__qualname__", "__defaults__", "__kwdefaults__", "__closure__")
_CODE = ("co_name", "co_code", "co_consts", "co_names", "co_varnames", "co_freevars", "co_argcount")
"""Two lambdas of one line share their name: what tells them apart is what they do."""
_COPYING = 4
"""The protocol of pickle by which objects are taken apart."""


def same(one: object, other: object) -> bool:
    """Return whether two values mean the same; NaN is the same as NaN, and True is not 1.

    - Arrays, tensors and frames: the same shape, type of numbers and content.
    - Functions and methods: the same name, code, defaults and captured values, also after pickling.
    - Classes and modules: the same name.
    - Dicts, lists, tuples, sets: member by member.
    - All else: as it compares itself; where it does not, by what it would be copied from. So it is for
      arrays and frames that cannot be compared, such as sparse tensors and those without data.

    Nothing that a value raises on being compared reaches the caller.

    Example:
        >>> same([1, float("nan")], [1, float("nan")])
        True
        >>> same(True, 1)
        False
    """
    return _same(one, other, {})


def index_of(value: object, values: Iterable[object]) -> int | None:
    """Return the place of the first of some values that is the same as this one, or None.

    Example:
        >>> index_of("tanh", ["relu", "tanh"])
        1
    """
    return next((place for place, each in enumerate(values) if same(each, value)), None)


def _same(one: Any, other: Any, pairs: _Pairs) -> bool:
    if one is other:
        return True
    if isinstance(one, bool) is not isinstance(other, bool):
        return False
    pair = (id(one), id(other))
    if pair in pairs:
        return True
    pairs[pair] = one, other
    with contextlib.suppress(Exception):  # comparing may be the value's own code
        if isinstance(one, Number) and isinstance(other, Number):
            return bool(one == other) or bool(_is_nan(one) and _is_nan(other))
        return _same_class(type(one), type(other)) and _same_of_a_class(one, other, pairs)
    return False


def _is_nan(value: Any) -> Any:
    """Whether a number, also a complex one, is NaN; of an array, which of its elements are."""
    return ne(value, value)  # nothing but NaN differs from itself


def _same_class(one: type, other: type) -> bool:
    return one is other or (one.__module__, one.__qualname__) == (other.__module__, other.__qualname__)


def _same_of_a_class(one: Any, other: Any, pairs: _Pairs) -> bool:
    with contextlib.suppress(Exception):  # not every tensor compares, or tells its shape
        return _compare(one)(one, other, pairs)
    return _same_taken_apart(one, other, pairs)


def _compare(value: Any) -> _Comparison:
    """Return how values of this kind are compared with others of the same class."""
    known = (compare for kind, compare in _KINDS.items() if isinstance(value, kind))
    return next(known, None) or _compare_as_offered(value)


def _compare_as_offered(value: Any) -> _Comparison:
    """Return how values are compared that are known by what they offer only, so that nothing is imported."""
    if getattr(value, "is_nested", False) is True:  # a tensor whose copy has another size, by name
        return _same_taken_apart
    if callable(getattr(value, "equals", None)):  # frames, series and indices
        return _same_frame
    return _same_array if hasattr(value, "shape") and hasattr(value, "dtype") else _same_object


def _same_mapping(one: Mapping[Any, Any], other: Mapping[Any, Any], pairs: _Pairs) -> bool:
    return len(one) == len(other) and all(
        key in other and _same(value, other[key], pairs) for key, value in one.items()
    )


def _same_members(one: Any, other: Any, pairs: _Pairs) -> bool:
    return len(one) == len(other) and all(
        _same(mine, its, pairs) for mine, its in zip(one, other, strict=True)
    )


def _same_deque(one: deque[Any], other: deque[Any], pairs: _Pairs) -> bool:
    return one.maxlen == other.maxlen and _same_members(one, other, pairs)


def _same_set(one: AbstractSet[Any], other: AbstractSet[Any], _: _Pairs) -> bool:
    return len(one) == len(other) and (
        one == other or all(index_of(member, other) is not None for member in one)
    )


def _same_parts_named(*names: str) -> _Comparison:
    return lambda one, other, pairs: all(
        _same(getattr(one, name), getattr(other, name), pairs) for name in names
    )


def _same_frame(one: Any, other: Any, pairs: _Pairs) -> bool:
    return bool(one.equals(other)) and _same(getattr(one, "name", None), getattr(other, "name", None), pairs)


def _same_array(one: Any, other: Any, pairs: _Pairs) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if getattr(one, "requires_grad", False) is not getattr(other, "requires_grad", False):
        return False
    if one.dtype == object:
        return _same(one.tolist(), other.tolist(), pairs)
    return bool(((one == other) | (_is_nan(one) & _is_nan(other))).all())


def _same_object(one: Any, other: Any, pairs: _Pairs) -> bool:
    """Objects that compare are asked; those that do not, or not as one truth, are taken apart."""
    if any("__eq__" in vars(base) for base in type(one).__mro__[:-1]):
        with contextlib.suppress(Exception):  # such as a dataclass that holds an array
            if one == other:
                return True
    return _same_taken_apart(one, other, pairs)


def _same_taken_apart(one: Any, other: Any, pairs: _Pairs) -> bool:
    return _same(one.__reduce_ex__(_COPYING), other.__reduce_ex__(_COPYING), pairs)


_KINDS: Mapping[type, _Comparison] = {
    Mapping: _same_mapping,
    list: _same_members,
    tuple: _same_members,
    deque: _same_deque,
    AbstractSet: _same_set,
    FunctionType: _same_parts_named(*_FUNCTION),
    MethodType: _same_parts_named("__func__", "__self__"),
    BuiltinFunctionType: _same_parts_named("__qualname__", "__self__"),
    CodeType: _same_parts_named(*_CODE),
    CellType: _same_parts_named("cell_contents"),
    ModuleType: _same_parts_named("__name__"),
    type: lambda one, other, _: _same_class(one, other),
}
"""How values are compared that are of these kinds."""
