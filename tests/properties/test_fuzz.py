"""What comes from outside may be anything: it is read, or it is an error of ours that says so."""

import json
import random
import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from climbers import fit
from hypothesis import HealthCheck, example, given, settings

import poptune as tune
from poptune._base.layout import Layout
from poptune._core.policy_log import read_policy
from poptune._core.schedule import Schedule
from poptune._keeping.checkpoints import Checkpoint, DirectoryStore
from poptune._keeping.journal import UnopenedObjects, consistent
from poptune._keeping.journal.records import Record, decode
from poptune.errors import PoptuneError

BRIEF = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["../../etc", "/etc", "t_00000", "$float", 2**63, 10**400]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["$float", "$tuple", "$dict", "$object", "$utf16", "trial", "text", "plan", "a"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)

# Policies and schedules

GOOD_LINE = '["1_lr=0.5", "0_lr=0.1", 5, 5, {"lr": 0.1}, {"lr": 0.2}]'


@pytest.mark.slow
@BRIEF
@given(text=st.text(max_size=200) | st.lists(JSON.map(json.dumps), max_size=4).map("\n".join))
@example("[" * 100_000)
@example('{"a":' * 100_000)
@example(GOOD_LINE.replace("5, 5", "5, 1e999"))
@example(GOOD_LINE.replace("5, 5", "5, " + "9" * 5000))
@example(GOOD_LINE.replace("5, 5", "true, true"))
@example(GOOD_LINE.replace('"0_lr=0.1"', '"\\ud800"'))
@example("\x00")
def test_any_text_is_a_policy_or_an_error(text):
    with suppress(PoptuneError):
        assert isinstance(read_policy(text), Schedule)
    with suppress(PoptuneError):
        assert isinstance(Schedule.from_json(text), Schedule)


@BRIEF
@given(
    place=st.integers(0, 5),
    value=JSON,
)
def test_a_line_of_a_policy_with_any_part_is_read_or_an_error(place, value):
    parts = json.loads(GOOD_LINE)
    parts[place] = value
    with suppress(PoptuneError):
        schedule = read_policy(f"{GOOD_LINE}\n{json.dumps(parts)}")
        schedule(1)
        schedule.to_json()


@BRIEF
@given(
    course=st.dictionaries(
        st.sampled_from(["lr", "x", "lr.y"]),
        st.fixed_dictionaries(
            {"points": st.lists(st.tuples(JSON | st.floats(), JSON | st.floats()), max_size=3)},
            optional={"scale": st.sampled_from(["log", "discount", "linear", 3]), "q": JSON, "whole": JSON},
        ),
        max_size=2,
    )
    | JSON,
    time_attr=st.sampled_from(["training_iteration", "time_total_s", 3]),
)
def test_a_line_of_a_policy_with_any_course_is_read_or_an_error(course, time_attr):
    moving = {"course": course, "donor_course": course, "time_attr": time_attr}
    with suppress(PoptuneError):
        schedule = read_policy(json.dumps([*json.loads(GOOD_LINE), moving]))
        schedule(1)
        schedule.to_json()


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[" * 200_000, b"\x00" * 10], ids=["bytes", "deep", "nul"])
def test_a_policy_file_of_anything_is_refused(tmp_path, content):
    path = tmp_path / "pbt_policy_1.txt"
    path.write_bytes(content)
    with pytest.raises(tune.ConfigurationError):
        tune.Tuner(
            lambda config: None,
            tune_config=tune.TuneConfig(scheduler=tune.schedulers.PopulationBasedTrainingReplay(str(path))),
        )


# Records and journals

KINDS = [
    "created",
    "reported",
    "results",
    "spawned",
    "planned",
    "left",
    "forgotten",
    "failed",
    "resumed",
    "",
    "x",
]


@pytest.mark.slow
@settings(BRIEF, max_examples=300)
@given(
    kind=st.sampled_from(KINDS),
    version=st.sampled_from([1, 2, 3, 0, -1, 2, None, "1", b"1", 1.5]),
    payload=st.binary(max_size=30)
    | JSON.map(json.dumps).map(str.encode)
    | st.sampled_from([None, 7, "text"]),
)
@example("planned", 1, b"[" * 100_000)
@example("planned", 1, b'{"plan":' * 100_000)
@example("results", 1, b'{"$tuple":[' * 900 + b"]}" * 900)
def test_any_record_is_events_or_an_error(kind, version, payload):
    with suppress(PoptuneError):
        list(consistent(decode(Record(kind, version, None, payload), UnopenedObjects())))


@pytest.fixture(scope="module")
def journaled(tmp_path_factory):
    """An experiment's folder, and the records in its journal."""
    results = fit(tmp_path_factory.mktemp("fuzz"), stop=6, trials=3)
    assert results.lineage.exploits
    folder = Path(results.experiment_path)
    with closing(sqlite3.connect(Layout(folder).journal)) as journal:
        journal.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return folder, journal.execute("SELECT number, payload FROM records").fetchall()


def replaced(value, rng, put):
    """A JSON value in which one place, at any depth, is another value, or gone."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        if rng.random() < 0.1:
            return {other: value[other] for other in value if other != key}
        return {**value, key: replaced(value[key], rng, put)}
    if isinstance(value, list) and value and rng.random() < 0.9:
        place = rng.randrange(len(value))
        return [*value[:place], replaced(value[place], rng, put), *value[place + 1 :]]
    return put


@pytest.mark.slow
@BRIEF
@given(rng=st.randoms(use_true_random=False), put=JSON)
def test_a_journal_with_a_changed_record_is_read_or_an_error(journaled, tmp_path, rng, put):
    folder, records = journaled
    shutil.copy(Layout(folder).journal, Layout(tmp_path).journal)
    for name in ("experiment.db-wal", "experiment.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    with closing(sqlite3.connect(Layout(tmp_path).journal)) as journal, journal:
        for number, payload in rng.sample(records, k=rng.randint(1, 2)):
            changed = json.dumps(replaced(json.loads(payload), rng, put)).encode()
            journal.execute("UPDATE records SET payload = ? WHERE number = ?", (changed, number))
    with suppress(PoptuneError):
        results = tune.ResultGrid.from_path(tmp_path)
        repr(results)
        repr(results.lineage)
        for result in results:
            repr([result.config, result.metrics, result.status, result.error, result.path, result.schedule])
            len(result.metrics_dataframe)


# Checkpoints


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The folder of a checkpoint with something of everything."""
    root = tmp_path_factory.mktemp("saved")
    state = {
        "weights": {0: np.arange(6.0).reshape(2, 3).T, "b": np.ones(2, dtype=np.complex64)},
        "plain": [1, 2.5, None, True, "text", b"bytes", (1, 2), 2**70, float("nan"), 1j, np.float32(1)],
        "empty": {},
    }
    stored = DirectoryStore(root).save(Checkpoint.from_dict(state), folder="t", number=1)
    return root / stored.relative_path


@pytest.mark.slow
@settings(BRIEF, max_examples=200)
@given(
    name=st.sampled_from(["state.safetensors", ".poptune_manifest.json"]),
    rng=st.randoms(use_true_random=False),
    put=JSON,
    way=st.sampled_from(["bytes", "json", "cut", "skeleton"]),
    verify=st.booleans(),
)
def test_a_changed_checkpoint_is_read_or_an_error(saved, tmp_path, name, rng, put, way, verify):
    folder = tmp_path / "checkpoint"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(saved, folder)
    content = bytearray((folder / name).read_bytes())
    (folder / name).write_bytes(changed(content, rng, put, way))
    if not verify and name != ".poptune_manifest.json":
        fit_manifest(folder, name)
    with suppress(PoptuneError):
        checkpoint = Checkpoint.from_store(folder)
        assert isinstance(checkpoint.to_dict(verify=verify), dict)


def changed(content, rng, put, way):
    if way in {"json", "skeleton"} and content[:1] == b"{":
        return json.dumps(replaced(json.loads(content), rng, put)).encode()
    if way in {"json", "skeleton"}:
        size = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + size])
        if way == "skeleton":
            skeleton = json.loads(header["__metadata__"]["poptune.skeleton"])
            header["__metadata__"]["poptune.skeleton"] = json.dumps(replaced(skeleton, rng, put))
        else:
            header = replaced(header, rng, put)
        text = json.dumps(header).encode()
        return len(text).to_bytes(8, "little") + text + content[8 + size :]
    if way == "cut":
        return content[: rng.randrange(len(content))]
    for _ in range(rng.randint(1, 5)):
        content[rng.randrange(len(content))] = rng.randrange(256)
    return content


def fit_manifest(folder, name):
    """Have the manifest say the size that the changed file has, so that what is in it is looked at."""
    manifest = json.loads((folder / ".poptune_manifest.json").read_text())
    manifest["files"][name]["size_bytes"] = (folder / name).stat().st_size
    (folder / ".poptune_manifest.json").write_text(json.dumps(manifest))


def test_the_fuzz_of_these_tests_reaches_what_is_in_a_checkpoint(saved, tmp_path):
    rng = random.Random(0)
    content = bytearray((saved / "state.safetensors").read_bytes())
    assert changed(content, rng, "x", "json") != content
    assert b"wrong" in changed(content, rng, "wrong", "skeleton")
