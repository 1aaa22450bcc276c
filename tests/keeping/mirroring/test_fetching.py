import json
import pickle
import shutil
import zlib
from pathlib import Path

import pytest
from climbers import climb, fit
from replayed import outcome, records_of

import poptune as tune
from poptune._keeping.mirroring.fetching import continued, fetch_for_reading
from poptune._keeping.storage import experiment_mirror, open_remote, reading_copy
from poptune._running.tuner import verifying
from poptune._watching.verification.verdict import BrokenCheckpoint
from poptune.errors import ExperimentError
from poptune.schedulers import PopulationBasedTrainingReplay


@pytest.fixture
def done(url):
    """The URL of a finished experiment."""
    fit(url)
    return f"{url}/run"


def test_what_is_read_is_not_what_is_run(done, cache):
    before = {path: path.stat().st_mtime_ns for path in experiment_mirror(done).rglob("*")}
    results = tune.ResultGrid.from_path(done)
    assert all(Path(result.path).is_relative_to(reading_copy(done)) for result in results)
    assert len(outcome(results)) == 4
    assert {path: path.stat().st_mtime_ns for path in experiment_mirror(done).rglob("*")} == before


def test_looking_at_a_remote_experiment_fetches_none_of_its_code(done):
    root = fetch_for_reading(done)
    assert {path.name for path in root.iterdir()} == {"experiment.db", ".poptune_remote.json"}


def test_a_remote_experiment_whose_objects_are_poisoned_is_looked_at_without_harm(done, tmp_path):
    class Poison:
        def __reduce__(self):
            return Path.touch, (tmp_path / "harm",)

    remote = open_remote(done)
    for name in remote.sizes():
        if "/objects/" in name or name.endswith(".pkl"):
            remote.write(name, pickle.dumps(Poison()))
    assert len(tune.ResultGrid.from_path(done)) == 4
    assert not (tmp_path / "harm").exists()


def test_reading_again_shows_what_has_happened_since(url):
    fit(url, stop=3)
    assert {result.metrics["training_iteration"] for result in tune.ResultGrid.from_path(f"{url}/run")} == {3}
    fit(url, stop=4)
    results = tune.ResultGrid.from_path(f"{url}/run")
    assert {result.metrics["training_iteration"] for result in results} == {4}
    assert all(state["step"] == 4 for *_, state in outcome(results))


def test_a_folder_that_is_there_and_whole_is_gone_on_with_as_it_is(done):
    root = experiment_mirror(done)
    before = records_of(root)
    for name in list((remote := open_remote(done)).sizes()):
        if "/journal/" in name and not name.split("/")[-1].startswith("000000000001-"):
            remote.delete(name)
    continued(remote, root)
    assert records_of(root) == before


def test_a_folder_that_was_overtaken_is_moved_aside_and_not_lost(url):
    fit(url, stop=3)
    root, remote = experiment_mirror(f"{url}/run"), open_remote(f"{url}/run")
    before = records_of(root)
    fit(f"{url}-other", stop=4)
    other = open_remote(f"{url}-other/run")
    for name in list(remote.sizes()):
        remote.delete(name)
    for name in other.sizes():
        other.copy(name, remote)
    continued(remote, root)
    assert records_of(root) == records_of(experiment_mirror(f"{url}-other/run"))
    assert records_of(root.with_name("run.overtaken.1")) == before


def test_logs_come_back_with_the_journal(url, tmp_path):
    fit(url, loggers=("json",))
    (trial,) = (name for name in open_remote(f"{url}/run").sizes() if "_00000_" in name and "result" in name)
    continued(open_remote(f"{url}/run"), tmp_path / "other")
    assert len((tmp_path / "other" / trial).read_text().splitlines()) == 8


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"[[1]]", b'[[2,"created",1,null,{}]]', b"\xff"])
def test_a_journal_that_makes_no_sense_is_an_error_that_says_so(remote, tmp_path, content):

    remote.write(f".poptune/journal/000000000001-000000000001-0001-{zlib.crc32(content):08x}.json", content)
    with pytest.raises(ExperimentError, match="damaged"):
        continued(remote, tmp_path / "x")


def test_a_place_without_an_experiment_is_an_error_that_names_it(url):
    for open_it in (tune.ResultGrid.from_path, tune.Tuner.restore, tune.verify):
        with pytest.raises(ExperimentError, match=f"{url}/none holds none"):
            open_it(f"{url}/none")


def test_the_folder_that_a_remote_experiment_is_run_in_stands_for_it(done):
    tuner = tune.Tuner.restore(experiment_mirror(done))
    assert tuner.get_results().experiment_path == done
    assert tune.verify(experiment_mirror(done)).ok


def test_what_a_user_keeps_beside_experiments_is_not_touched(url):
    open_remote(f"{url}/run").write("notes.txt", b"mine")
    with pytest.raises(ExperimentError, match="is no experiment"):
        fit(url)
    assert open_remote(f"{url}/run").read("notes.txt") == b"mine"


def test_parts_that_are_made_one_while_they_are_read_are_listed_anew(done, tmp_path, monkeypatch):
    remote = open_remote(done)
    names = [name for name in remote.sizes() if "/journal/" in name]
    assert len(names) > 1
    rows = [row for name in sorted(names) for row in json.loads(remote.read(name))]
    merged = json.dumps(rows).encode()
    listing, listings = type(remote).sizes, []

    def merge_after_the_second_listing(self, folder=""):
        found = listing(self, folder)
        listings.append(found)
        if len(listings) == 2:
            remote.write(
                f".poptune/journal/{1:012}-{len(rows):012}-0001-{zlib.crc32(merged):08x}.json", merged
            )
            for name in names:
                remote.delete(name)
        return found

    monkeypatch.setattr(type(remote), "sizes", merge_after_the_second_listing)
    root = fetch_for_reading(done, root=tmp_path / "copy")
    assert len(records_of(root)) == len(rows)


def test_a_checkpoint_that_goes_while_a_run_is_verified_is_not_missing(url, monkeypatch):
    fit(url)
    done, whole = f"{url}/run", verifying.check_states

    def check_while_it_goes_on(root, checkpoints, *, remote):
        found = whole(root, checkpoints, remote=remote)
        return [*found, *(BrokenCheckpoint("gone/checkpoint_000001", "deleted") for _ in range(1))]

    monkeypatch.setattr(verifying, "check_states", check_while_it_goes_on)
    assert tune.verify(done).ok


def test_a_policy_is_replayed_from_a_remote_experiment(done, tmp_path):
    names = open_remote(done).sizes()
    policy = next(name for name in names if name.startswith("pbt_policy_"))
    replay = PopulationBasedTrainingReplay(f"{done}/{policy}")
    results = tune.Tuner(
        climb,
        tune_config=tune.TuneConfig(scheduler=replay),
        run_config=tune.RunConfig(
            storage_path=tmp_path, executor="inline", verbose=0, stop={"training_iteration": 4}
        ),
    ).fit()
    assert results.num_terminated == 1
    with pytest.raises(tune.ConfigurationError, match="cannot be read"):
        tune.Tuner(
            climb,
            tune_config=tune.TuneConfig(scheduler=PopulationBasedTrainingReplay(f"{done}/pbt_policy_x.txt")),
        )


def test_a_run_that_ends_by_an_error_is_all_there_and_is_gone_on_with_from_there(url, cache):
    with pytest.raises(ZeroDivisionError):
        fit(url, callbacks=[Failing()])
    shutil.rmtree(cache)
    results = tune.Tuner.restore(f"{url}/run").fit()
    assert {result.metrics["training_iteration"] for result in results} == {8}
    assert tune.verify(f"{url}/run").ok


@pytest.mark.parametrize("is_remote_whole", [True, False])
def test_a_checkpoint_that_is_damaged_here_is_mended_from_the_storage_if_it_is_whole_there(
    url, recwarn, is_remote_whole
):
    with pytest.raises(ZeroDivisionError):
        fit(url, callbacks=[Failing()])
    states = sorted(experiment_mirror(f"{url}/run").glob("checkpoints/*/checkpoint_*/state.safetensors"))
    assert len(states) >= 4
    for state in states:
        state.write_bytes(state.read_bytes()[:-1])
        if not is_remote_whole:
            name = state.relative_to(experiment_mirror(f"{url}/run")).as_posix()
            open_remote(f"{url}/run").delete(name)
    results = tune.Tuner.restore(f"{url}/run").fit()
    assert {result.metrics["training_iteration"] for result in results} == {8}
    warned = [str(warning.message) for warning in recwarn if "is damaged" in str(warning.message)]
    assert bool(warned) != is_remote_whole
    assert tune.verify(f"{url}/run").ok


class Failing(tune.Callback):
    """Fails in the middle of a run, once."""

    fail_run = True

    def on_trial_result(self, iteration, trials, trial, result, **info):
        if result["training_iteration"] == 5:
            raise ZeroDivisionError

    def __reduce__(self):
        return tune.Callback, ()
