from __future__ import annotations

import json
import math
import pickle
import struct
import threading
from collections import Counter, OrderedDict, defaultdict, namedtuple
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from poptune._keeping.checkpoints.codec import OBJECTS_NAME, STATE_NAME, map_file, read_dict, write_dict
from poptune._keeping.checkpoints.manifest import MANIFEST_NAME, Manifest, read_manifest
from poptune._keeping.checkpoints.safetensors_format import Header, read_header
from poptune.errors import CheckpointError, CorruptCheckpointError, UntrustedCheckpointError

Point = namedtuple("Point", ["x", "y"])  # noqa: PYI024


def round_trip(data, folder: Path, *, trusted: bool = False):
    for path in folder.iterdir():
        path.unlink()
    manifest = write_dict(data, folder)
    assert read_manifest(folder) == manifest
    return read_dict(folder, manifest, trusted=trusted)


def facts(value):
    """What must be equal for values to be equal in all their types, NaN included."""
    if isinstance(value, np.ndarray | np.generic):
        content = (value.dtype, value.shape, value.tobytes())
    elif isinstance(value, dict):
        attributes = facts(dict(getattr(value, "__dict__", {}))) if type(value) is not dict else ()
        content = ([(facts(k), facts(v)) for k, v in value.items()], attributes)
    elif isinstance(value, list | tuple):
        content = list(map(facts, value))
    elif isinstance(value, set | frozenset):
        content = sorted(repr(facts(item)) for item in value)
    else:
        content = repr(value)
    return type(value), content


def same(a, b) -> bool:
    return facts(a) == facts(b)


numpy_dtypes = st.sampled_from(
    [
        "?",
        "i1",
        "u1",
        "i2",
        "u2",
        "i4",
        "u4",
        "i8",
        "u8",
        "f2",
        "f4",
        "f8",
        "c8",
        "c16",
        "g",
        "m8[s]",
        "M8[ns]",
    ]
).map(np.dtype)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.complex_numbers()
    | st.text()
    | st.binary()
    | st.sampled_from(["$tuple", "$", "", "__metadata__", np.float32(0.1), np.int64(-3), np.bool_(1)])
    | st.sampled_from([np.complex64(1 + 2j), np.float64("nan"), np.uint8(255), np.float16("-inf")])
)
keys = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.just("$dict"),
    lambda children: st.tuples(children, children),
    max_leaves=3,
)
arrays = numpy_dtypes.flatmap(lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, min_side=0)))
values = st.recursive(
    scalars | arrays,
    lambda children: (
        st.lists(children, max_size=4)
        | st.lists(children, max_size=4).map(tuple)
        | st.dictionaries(keys, children, max_size=4)
        | st.dictionaries(st.text(max_size=3), children, max_size=4)
        | st.dictionaries(keys, children, max_size=4).map(OrderedDict)
        | st.frozensets(keys, max_size=4)
        | st.sets(keys, max_size=4)
    ),
    max_leaves=20,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("checkpoint")


@pytest.mark.slow
@given(st.dictionaries(keys, values, max_size=5))
def test_nested_values_come_back_as_they_were(folder: Path, data: dict) -> None:
    assert same(round_trip(data, folder), data)
    json.loads(skeleton_of(folder), parse_constant=pytest.fail)
    assert not (folder / OBJECTS_NAME).exists()


def test_an_ordered_dict_keeps_its_attributes(tmp_path: Path) -> None:
    state = OrderedDict(weight=1)
    state._metadata = OrderedDict({"": {"version": 2}, "conv": {"version": 2}})
    back = round_trip({"model": state}, tmp_path)["model"]
    assert same(back, state)
    assert back._metadata == state._metadata


def test_counters_and_named_tuples_keep_their_types(tmp_path: Path) -> None:
    data = {"milestones": Counter({30: 1, 60: 2}), "point": Point(np.ones(2), {"y": 1})}
    back = round_trip(data, tmp_path, trusted=True)
    assert same(back["milestones"], data["milestones"])
    assert type(back["point"]) is Point
    assert same(back["point"].x, np.ones(2))
    assert "point.x" in safetensors.numpy.load_file(tmp_path / STATE_NAME)


def test_one_and_true_are_different_keys(tmp_path: Path) -> None:
    back = round_trip({"a": {1: "int"}, "b": {True: "bool"}, "c": {np.int64(1): "numpy"}}, tmp_path)
    assert [type(next(iter(d))) for d in back.values()] == [int, bool, np.int64]


@pytest.mark.parametrize("wrap", [lambda v: [v], lambda v: (v,), lambda v: {"k": v}, lambda v: {1: v}])
def test_deep_nesting_is_no_problem(tmp_path: Path, wrap) -> None:
    value = np.ones(3)
    for _ in range(800):
        value = wrap(value)
    back = round_trip({"deep": value}, tmp_path)["deep"]
    for _ in range(800):
        back = next(iter(back.values())) if isinstance(back, dict) else back[0]
    assert same(back, np.ones(3))


def test_a_dict_that_contains_itself_is_refused(tmp_path: Path) -> None:
    data: dict = {"a": {}}
    data["a"]["again"] = [data["a"]]
    with pytest.raises(CheckpointError, match=r"a\.again\.0"):
        write_dict(data, tmp_path)


def test_a_dict_of_another_type_is_pickled_as_a_whole(tmp_path: Path) -> None:
    data = defaultdict(list, a=[1])
    with pytest.raises(UntrustedCheckpointError, match="the dict itself"):
        round_trip(data, tmp_path)
    assert same(round_trip(data, tmp_path, trusted=True), data)


def test_a_container_may_occur_twice(tmp_path: Path) -> None:
    shared = [1, 2]
    assert round_trip({"a": shared, "b": shared}, tmp_path) == {"a": [1, 2], "b": [1, 2]}


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (0, 2, 1)])
def test_dense_arrays_keep_their_strides(tmp_path: Path, axes: tuple[int, ...]) -> None:
    array = np.arange(24, dtype="f4").reshape(2, 3, 4).transpose(axes)
    back = round_trip({"a": array}, tmp_path)["a"]
    assert same(back, array)
    assert back.strides == array.strides


@pytest.mark.parametrize(
    "array",
    [
        np.arange(10)[::2],
        np.arange(10)[::-1],
        np.broadcast_to(np.arange(3), (4, 3)),
        np.arange(24).reshape(4, 6)[1:3, 2:4],
        np.arange(24).reshape(4, 6)[:, :1],
        np.arange(2)[1::2],
    ],
    ids=["strided", "reversed", "broadcast", "block", "column", "single"],
)
def test_arrays_with_gaps_become_contiguous(tmp_path: Path, array: np.ndarray) -> None:
    back = round_trip({"a": array}, tmp_path)["a"]
    assert same(back, array)
    assert back.flags.c_contiguous


def test_an_array_that_stands_twice_comes_back_shared(tmp_path: Path) -> None:
    array = np.zeros((2, 3))
    frozen = array[:]
    frozen.flags.writeable = False
    back = round_trip({"a": array, "b": [array, frozen, array.copy()]}, tmp_path)
    shared = [np.shares_memory(back["a"], other) for other in back["b"]]
    assert shared == [True, True, False]


@pytest.mark.parametrize(
    "array",
    [np.arange(3, dtype=">f8"), np.zeros(2, dtype=[("a", "i4")]), np.array([1, "x"], dtype=object)],
    ids=["big-endian", "structured", "object"],
)
def test_unusual_arrays_are_pickled(tmp_path: Path, array: np.ndarray) -> None:
    with pytest.raises(UntrustedCheckpointError, match=r"deep\.array"):
        round_trip({"deep": {"array": array}}, tmp_path)
    back = round_trip({"a": array}, tmp_path, trusted=True)["a"]
    assert back.dtype == array.dtype
    assert back.tolist() == array.tolist()


def test_loaded_arrays_are_aligned(tmp_path: Path) -> None:
    dtypes = ["?", "i1", "f8", "f2", "c16", "f4", "i1", "c8", "g"]
    data = {str(length): np.zeros(length, dtype) for length, dtype in enumerate(dtypes)}
    assert all(array.flags.aligned for array in round_trip(data, tmp_path).values())


def test_safetensors_reads_the_array_file(tmp_path: Path) -> None:
    data = {
        "model": {"conv": {"weight": np.arange(6, dtype="f4").reshape(2, 3)}, "n": np.int64(3)},
        "half": np.ones(3, "f2"),
        "flag": np.array(True),
        "empty": np.zeros((0, 4)),
        "fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "complex": np.array([1 + 2j]),
        "long": b"x" * 5000,
    }
    write_dict(data, tmp_path)
    read = safetensors.numpy.load_file(tmp_path / STATE_NAME)
    assert set(read) == {"model.conv.weight", "half", "flag", "empty", "fortran", "complex", "long"}
    assert same(read["model.conv.weight"], data["model"]["conv"]["weight"])
    assert same(read["fortran"].T, np.arange(6).reshape(2, 3))
    assert same(read["complex"], np.array([[1.0, 2.0]]))
    assert same(read["flag"], data["flag"])


def test_names_that_coincide_are_told_apart(tmp_path: Path) -> None:
    data = {"a": {"b": np.zeros(1)}, "a.b": np.ones(1), "__metadata__": np.ones(2)}
    assert same(round_trip(data, tmp_path), data)


def test_long_bytes_go_to_the_array_file(tmp_path: Path) -> None:
    data = {"short": b"\0\xff", "long": bytes(range(256)) * 100}
    assert same(round_trip(data, tmp_path), data)
    assert len(skeleton_of(tmp_path)) < 300


def test_jax_arrays_come_back_as_numpy_arrays(tmp_path: Path, monkeypatch) -> None:
    class Array:
        def __array__(self, dtype=None, copy=None):
            return np.arange(3.0)

    jax = type("jax", (), {"Array": Array})
    monkeypatch.setitem(__import__("sys").modules, "jax", jax)
    assert same(round_trip({"w": Array()}, tmp_path), {"w": np.arange(3.0)})


def test_writing_into_loaded_arrays_leaves_the_file_as_it_is(tmp_path: Path) -> None:
    manifest = write_dict({"a": np.zeros(10000)}, tmp_path)
    before = (tmp_path / STATE_NAME).read_bytes()
    first = read_dict(tmp_path, manifest, trusted=False)["a"]
    first += 1
    assert (tmp_path / STATE_NAME).read_bytes() == before
    assert not read_dict(tmp_path, manifest, trusted=False)["a"].any()
    assert first.all()


class Malicious:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return Path.touch, (self.target,)


def test_an_untrusted_pickle_is_not_run(tmp_path: Path) -> None:
    evil, folder = tmp_path / "evil", tmp_path / "folder"
    folder.mkdir()
    manifest = write_dict({"step": 1, "model": {"hook": Malicious(evil)}}, folder)
    with pytest.raises(UntrustedCheckpointError, match=r"model\.hook.*trusted=True"):
        read_dict(folder, manifest, trusted=False)
    assert not evil.exists()
    read_dict(folder, manifest, trusted=True)
    assert evil.exists()


def test_a_skeleton_cannot_name_an_object_dtype(tmp_path: Path) -> None:
    write_dict({"a": np.zeros(1)}, tmp_path)
    for dtype in ("O", "object", "V8", "f4,f4"):
        assert_corrupt_skeleton(tmp_path, '"float64"', json.dumps(dtype))


@pytest.mark.parametrize(
    "replacement",
    [
        '"$object": 0',
        '"$object": -1',
        '"$part": 0',
        '"$part": 7',
        '"$set": [[]]',
        '"$oops": 1',
        '"$numpy": ["O", 1]',
        '"$named_tuple": [[], []]',
        '"$array": {}',
        '"$dict": [], "attributes": {}',
    ],
)
def test_a_malformed_skeleton_is_corrupt(tmp_path: Path, replacement: str) -> None:
    write_dict({"a": (1, 2)}, tmp_path)
    assert_corrupt_skeleton(tmp_path, '"$tuple": [1, 2]', replacement)


def test_a_skeleton_of_no_dict_is_corrupt(tmp_path: Path) -> None:
    write_dict({"a": 1}, tmp_path)
    assert_corrupt_skeleton(tmp_path, '{"a": 1}', "[]")


def test_a_skeleton_too_deep_to_parse_is_corrupt(tmp_path: Path) -> None:
    write_dict({"a": 7777}, tmp_path)
    assert_corrupt_skeleton(tmp_path, "7777", "[" * 100_000 + "]" * 100_000)


def assert_corrupt_skeleton(folder: Path, old: str, new: str) -> None:
    """A crafted skeleton, of the right size and checksum, is refused."""
    path = folder / STATE_NAME
    content, skeleton = path.read_bytes(), skeleton_of(folder)
    assert old in skeleton
    manifest = read_manifest(folder)
    assert manifest
    header = header_of(folder)
    changed = replace(header, metadata={"poptune.skeleton": skeleton.replace(old, new)})
    crafted = craft(folder, manifest, changed.encode() + content[header.data_start :])
    with pytest.raises(CorruptCheckpointError, match=folder.name):
        read_dict(folder, crafted, trusted=False, verify=False)
    path.write_bytes(content)


def header_of(folder: Path) -> Header:
    return read_header(map_file(folder / STATE_NAME))


def skeleton_of(folder: Path) -> str:
    return header_of(folder).metadata["poptune.skeleton"]


def craft(folder: Path, manifest: Manifest, content: bytes) -> Manifest:
    """Put another state into the folder, and return the manifest that names its size."""
    (folder / STATE_NAME).write_bytes(content)
    record = type(manifest.files[STATE_NAME])(0, len(content))
    return Manifest("dict", {**manifest.files, STATE_NAME: record})


HEADERS = {
    "beyond the file": {"a": {"dtype": "F64", "shape": [9], "data_offsets": [0, 72]}},
    "unknown dtype": {"a": {"dtype": "F65", "shape": [2], "data_offsets": [0, 16]}},
    "negative length": {"a": {"dtype": "F64", "shape": [-1, -2], "data_offsets": [0, 16]}},
    "size unlike shape": {"a": {"dtype": "F64", "shape": [1], "data_offsets": [0, 16]}},
    "negative offset": {"a": {"dtype": "F64", "shape": [2], "data_offsets": [-16, 0]}},
    "no offsets": {"a": {"dtype": "F64", "shape": [2]}},
    "hole": {"a": {"dtype": "F64", "shape": [1], "data_offsets": [8, 16]}},
    "not to the end": {"a": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}},
    "overlap": {
        "a": {"dtype": "F64", "shape": [2], "data_offsets": [0, 16]},
        "b": {"dtype": "F64", "shape": [1], "data_offsets": [8, 16]},
    },
    "a list": [],
    "other name": {"b": {"dtype": "F64", "shape": [2], "data_offsets": [0, 16]}},
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_a_malformed_array_header_is_corrupt(tmp_path: Path, header) -> None:
    if isinstance(header, dict):
        (tmp_path / "whole").mkdir()
        write_dict({"a": np.zeros(2)}, tmp_path / "whole")
        header = {"__metadata__": header_of(tmp_path / "whole").metadata, **header}
    text = json.dumps(header).encode()
    assert_corrupt_arrays(tmp_path, struct.pack("<Q", len(text)) + text + bytes(16))


@pytest.mark.parametrize("content", [b"", b"abc", b"\xff" * 64, struct.pack("<Q", 4) + b"nope"])
def test_a_file_that_is_no_array_file_is_corrupt(tmp_path: Path, content: bytes) -> None:
    assert_corrupt_arrays(tmp_path, content)


def assert_corrupt_arrays(folder: Path, content: bytes) -> None:
    manifest = write_dict({"a": np.zeros(2)}, folder)
    crafted = craft(folder, manifest, content)
    with pytest.raises(CorruptCheckpointError, match=folder.name):
        read_dict(folder, crafted, trusted=False, verify=False)


@pytest.mark.parametrize("name", [STATE_NAME, OBJECTS_NAME])
@pytest.mark.parametrize("where", [0.0, 0.3, 0.99])
@pytest.mark.parametrize("harm", ["flip", "truncate"])
def test_a_harmed_file_is_corrupt_and_named(tmp_path: Path, name: str, where: float, harm: str) -> None:
    manifest = write_dict({"a": np.arange(1000), "o": Path("x")}, tmp_path)
    content = bytearray((tmp_path / name).read_bytes())
    position = math.floor(where * len(content))
    if harm == "flip":
        content[position] ^= 0b100
    else:
        del content[position:]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CorruptCheckpointError, match=rf"{name} of checkpoint .*{tmp_path.name}"):
        read_dict(tmp_path, manifest, trusted=True)


@pytest.mark.parametrize("name", [STATE_NAME, OBJECTS_NAME])
def test_a_missing_file_is_corrupt_and_named(tmp_path: Path, name: str) -> None:
    manifest = write_dict({"a": np.arange(3), "o": Path("x")}, tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(CorruptCheckpointError, match=name):
        read_dict(tmp_path, manifest, trusted=True)


def test_without_verification_the_arrays_are_not_read(tmp_path: Path) -> None:
    manifest = write_dict({"a": np.zeros(4)}, tmp_path)
    content = bytearray((tmp_path / STATE_NAME).read_bytes())
    content[-1] ^= 1
    (tmp_path / STATE_NAME).write_bytes(content)
    assert read_dict(tmp_path, manifest, trusted=False, verify=False)["a"].any()


def test_a_value_that_cannot_be_pickled_is_named_with_its_type(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"model\.lock of type _thread\.lock"):
        write_dict({"fine": Path("x"), "model": {"lock": threading.Lock()}}, tmp_path)


def test_pickled_objects_keep_what_they_share(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    back = round_trip({"a": generator, "b": [generator]}, tmp_path, trusted=True)
    assert back["a"] is back["b"][0]
    assert back["a"].random() == np.random.default_rng(0).random()


def test_a_pickle_that_does_not_open_says_so(tmp_path: Path) -> None:
    class Gone:
        def __reduce__(self):
            return pickle.loads, (b"cnowhere\nGone\n.",)

    manifest = write_dict({"o": Gone()}, tmp_path)
    with pytest.raises(CheckpointError, match="importable"):
        read_dict(tmp_path, manifest, trusted=True)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"format": "other"}', "\xff"]
    + [json.dumps({"format": "poptune-checkpoint", "version": 2, "kind": "odd", "files": {}})]
    + [json.dumps({"format": "poptune-checkpoint", "version": 2, "kind": "dict", "files": None})]
    + [
        json.dumps({"format": "poptune-checkpoint", "version": 2, "kind": "dict", "files": {"a": record}})
        for record in ({"crc32": math.inf, "size_bytes": 1}, None)
    ]
    + [
        json.dumps(
            {
                "format": "poptune-checkpoint",
                "version": 2,
                "kind": "dict",
                "files": {name: {"crc32": 0, "size_bytes": 0}},
            }
        )
        for name in ("../up", "/etc/passwd", "a/../../b", "")
    ],
)
def test_a_malformed_manifest_is_corrupt(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST_NAME).write_text(text, encoding="latin-1")
    with pytest.raises(CorruptCheckpointError, match=MANIFEST_NAME):
        read_manifest(tmp_path)


def test_a_manifest_of_a_later_version_says_so(tmp_path: Path) -> None:
    (tmp_path / MANIFEST_NAME).write_text('{"format": "poptune-checkpoint", "version": 3}')
    with pytest.raises(CheckpointError, match="version"):
        read_manifest(tmp_path)
