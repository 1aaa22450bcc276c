"""Whole runs against a real S3 interface on this machine, which is told to fail, to throttle, to be slow."""

import itertools
import logging
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time

import fsspec.config
import pytest
import s3
from climbers import climb, fit
from replayed import outcome

import poptune as tune
from poptune._keeping.mirroring import background
from poptune._keeping.storage import open_remote, remote
from poptune._keeping.storage.remote import check_writable

pytestmark = [pytest.mark.slow]


@pytest.fixture(scope="module")
def server():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with s3.running() as server:
        yield server


@pytest.fixture
def bucket(server, monkeypatch):
    """The URL of an empty bucket, whose storage behaves."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    brief = {"retries": {"max_attempts": 0}}  # it is ours to try again
    conf = {"endpoint_url": server.endpoint, "config_kwargs": brief}
    monkeypatch.setitem(fsspec.config.conf, "s3", conf)
    name = f"bucket-{time.monotonic_ns()}"
    server.make_bucket(name)
    server.asked.clear()
    yield f"s3://{name}"
    server.fault = lambda method, path: None


def objects(server, url):
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    pages = server.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return {one["Key"].removeprefix(f"{prefix}/") for page in pages for one in page.get("Contents", ())}


def test_a_run_with_worker_processes_lies_in_the_bucket_and_is_read_from_there(server, bucket, tmp_path):
    here = outcome(fit(tmp_path / "local"))
    results = fit(f"{bucket}/experiments", executor="processes", loggers=("json",), log_to_file=True)
    url = f"{bucket}/experiments/run"
    assert results.experiment_path == url
    assert outcome(results) == here
    found = objects(server, url)
    assert {"experiment.db", "objects.pkl", "pbt_global.txt"} <= found
    assert sum(name.endswith("/result.json") for name in found) == 4
    assert sum(name.endswith("state.safetensors") for name in found) == 4
    assert not any("lock" in name or "probe" in name for name in found)

    shutil.rmtree(tmp_path / "cache")
    read = tune.ResultGrid.from_path(url)
    assert outcome(read) == here
    assert url in repr(read)
    best = read.get_best_result()
    assert tune.Result.from_path(f"{url}/{best.log_dir.name}").metrics == best.metrics
    assert tune.plots.lineage(read) is not None
    verification = tune.verify(url)
    assert verification.ok
    assert (verification.path, verification.checkpoints) == (url, 4)


def test_the_commands_take_a_url(server, bucket, tmp_path, monkeypatch):
    fit(bucket)
    shutil.rmtree(tmp_path / "cache")
    for command, says in [
        ("show", "4 terminated"),
        ("verify", "0 differences"),
        ("resume", "nothing to train"),
    ]:
        done = subprocess.run(
            [sys.executable, "-m", "poptune", command, f"{bucket}/run"],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert says in done.stdout + done.stderr


def test_a_run_survives_errors_throttling_and_slow_answers(server, bucket):
    turns = itertools.count()
    faults = [500, None, 503, None, None, 0.2, None, None, 503, None, None, None]
    server.fault = lambda method, path: faults[next(turns) % len(faults)]
    results = fit(bucket, executor="processes")
    server.fault = lambda method, path: None
    assert server.asked[500] > 2
    assert server.asked[503] > 2
    assert server.asked["slow"] > 2
    assert outcome(tune.ResultGrid.from_path(f"{bucket}/run")) == outcome(results)
    assert tune.verify(f"{bucket}/run").ok


def test_an_outage_while_it_runs_costs_nothing_but_a_later_upload(server, bucket):
    asked = []

    def outage(method, path):
        asked.append(path)
        return 500 if 20 <= len(asked) < 30 else None  # some time after the run has begun

    server.fault = outage
    fit(bucket, trainable=climb, executor="processes", log_to_file=True)
    assert server.asked[500] == 10
    server.fault = lambda method, path: None
    assert tune.verify(f"{bucket}/run").ok


def test_an_outage_that_does_not_end_is_an_error_that_says_where_everything_is(
    server, bucket, tmp_path, monkeypatch
):
    monkeypatch.setattr(background.Mirroring.close, "__kwdefaults__", {"patience_s": 0.5})
    begun = []

    def outage(method, path):
        begun.extend([path] if method == "PUT" and "/journal/" in path else [])
        return 500 if begun and path != begun[0] else None

    server.fault = outage
    with pytest.raises(
        tune.StorageError, match=f"Everything is in {tmp_path}.*on this machine brings it there"
    ):
        tune.Tuner(
            climb,
            param_space={"lr": 0.5},
            run_config=tune.RunConfig(
                storage_path=bucket,
                name="run",
                stop={"training_iteration": 4},
                executor="inline",
                verbose=0,
                loggers=(),
            ),
        ).fit()
    server.fault = lambda method, path: None
    results = tune.Tuner.restore(f"{bucket}/run").fit()
    shutil.rmtree(tmp_path / "cache")
    assert [result.metrics["height"] for result in tune.ResultGrid.from_path(f"{bucket}/run")] == [2.0]
    assert tune.verify(f"{bucket}/run").ok
    assert results.num_terminated == 1


def test_a_storage_that_fails_at_the_very_beginning_leaves_the_name_free(server, bucket, monkeypatch):
    monkeypatch.setattr(background.Mirroring.start, "__kwdefaults__", {"patience_s": 0.2})
    server.fault = lambda method, path: 500 if "/objects/" in path else None
    with pytest.raises(tune.StorageError, match="must be written"):
        fit(bucket, stop=3)
    server.fault = lambda method, path: None
    assert len(fit(bucket, stop=3)) == 4


def test_a_finished_experiment_makes_way_and_an_interrupted_one_does_not(server, bucket):
    first = outcome(fit(bucket, stop=3))
    second = fit(bucket, stop=4)
    moved = tune.ResultGrid.from_path(f"{bucket}/run.1")
    assert outcome(moved) == first != outcome(second)
    assert outcome(tune.ResultGrid.from_path(f"{bucket}/run")) == outcome(second)
    assert tune.verify(f"{bucket}/run.1").ok

    def stop(trial, result):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        tune.Tuner(
            climb,
            run_config=tune.RunConfig(
                storage_path=bucket, name="broken", stop=stop, executor="inline", verbose=0, loggers=()
            ),
            param_space={"lr": 0.5},
        ).fit()
    with pytest.raises(tune.ExperimentError, match=rf"Tuner.restore\('{bucket}/broken'\)"):
        tune.Tuner(
            climb,
            run_config=tune.RunConfig(storage_path=bucket, name="broken", executor="inline", verbose=0),
            param_space={"lr": 0.5},
        ).fit()


def refused(path, match):
    with pytest.raises(tune.ConfigurationError, match=match):
        fit(path)


def test_a_bucket_that_is_not_there_fails_before_anything_starts(server, bucket, tmp_path):
    refused("s3://no-such-bucket/x", "create the bucket")
    assert not (tmp_path / "cache").exists()


def test_a_bucket_that_may_only_be_read_fails_before_anything_starts(server, bucket, tmp_path):
    server.fault = lambda method, path: 403 if method == "PUT" else None
    refused(bucket, "refuses it.*check the credentials")
    assert not (tmp_path / "cache").exists()


def test_missing_credentials_fail_before_anything_starts(server, bucket, tmp_path, monkeypatch):
    for name in s3.CREDENTIALS:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    refused(f"{bucket}/elsewhere", "no credentials.*AWS_ACCESS_KEY_ID")
    fsspec.get_filesystem_class("s3").clear_instance_cache()


def test_a_storage_that_cannot_be_reached_is_an_error_that_names_the_endpoint(bucket, monkeypatch):
    nowhere = {"endpoint_url": "http://127.0.0.1:1", "config_kwargs": {"retries": {"max_attempts": 0}}}
    monkeypatch.setitem(fsspec.config.conf, "s3", nowhere)
    monkeypatch.setattr(remote, "_PROBE_PATIENCE_S", 0.1)
    with pytest.raises(tune.ConfigurationError, match="FSSPEC_S3_ENDPOINT_URL"):
        check_writable(open_remote(bucket))


SCRIPT = textwrap.dedent(
    """
    import sys, time
    import poptune as tune
    from poptune.schedulers import PopulationBasedTraining
    from poptune._keeping.storage import lock
    lock.BEAT_S, lock.STALE_S = 0.5, float(sys.argv[3])

    def climb(config):
        height, step = 0.0, 0
        if checkpoint := tune.get_checkpoint():
            state = checkpoint.to_dict()
            height, step = state["height"], state["step"]
        while True:
            while step == 8 and sys.argv[2] == "begin":  # of 16: until it is killed
                time.sleep(1)
            height, step = height + config["lr"], step + 1
            state = tune.Checkpoint.from_dict({"height": height, "step": step})
            tune.report({"height": height}, checkpoint=state)

    if __name__ == "__main__":
        if sys.argv[2] == "begin":
            tuner = tune.Tuner(
                climb,
                param_space={"lr": tune.uniform(0, 1)},
                tune_config=tune.TuneConfig(
                    metric="height", mode="max", num_samples=4, seed=0,
                    scheduler=PopulationBasedTraining(
                        time_attr="training_iteration", perturbation_interval=2, synch=True,
                        hyperparam_mutations={"lr": tune.uniform(0, 1)},
                    ),
                ),
                run_config=tune.RunConfig(
                    storage_path=sys.argv[1], name="run", verbose=0, stop={"training_iteration": 16},
                    checkpoint_config=tune.CheckpointConfig(num_to_keep=1), loggers=("json",),
                ),
            )
        else:
            tuner = tune.Tuner.restore(sys.argv[1] + "/run")
        tuner.fit()
    """
)


def start(tmp_path, cache, *arguments):
    (tmp_path / "script.py").write_text(SCRIPT)
    return subprocess.Popen(
        [sys.executable, str(tmp_path / "script.py"), *arguments],
        env=os.environ | {"XDG_CACHE_HOME": str(cache)},
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_run_whose_driver_is_killed_is_restored_from_the_bucket_on_an_empty_disk(server, bucket, tmp_path):
    expected = outcome(fit(tmp_path / "local", stop=16))
    driver = start(tmp_path, tmp_path / "one", f"{bucket}/killed", "begin", "2")
    until(lambda: parts_in(objects(server, f"{bucket}/killed/run")) > 1)
    until(lambda: iterations_in(f"{bucket}/killed/run"))
    driver.send_signal(signal.SIGKILL)
    driver.communicate()
    shutil.rmtree(tmp_path / "one")

    assert 0 < iterations_in(f"{bucket}/killed/run") < 64
    assert tune.verify(f"{bucket}/killed/run").ok
    restored = start(tmp_path, tmp_path / "two", f"{bucket}/killed", "restore", "2")
    _, errors = restored.communicate()
    assert restored.returncode == 0, errors
    assert "waiting 2 s for a sign of life" in errors
    results = tune.ResultGrid.from_path(f"{bucket}/killed/run")
    assert outcome(results) == expected
    assert tune.verify(f"{bucket}/killed/run").ok
    assert all(len(list(result.metrics_dataframe["height"])) == 16 for result in results)


def parts_in(names):
    """How many parts of a journal are among these names."""
    return sum(name.startswith(".poptune/journal/") for name in names)


def iterations_in(path):
    """How many of all its trials are there."""
    return sum(result.metrics.get("training_iteration", 0) for result in tune.ResultGrid.from_path(path))


def until(condition, deadline_s=300):
    end_s = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.05)


def test_a_second_driver_is_refused_while_the_first_one_lives(server, bucket, tmp_path):
    first = start(tmp_path, tmp_path / "one", bucket, "begin", "300")
    try:
        until(lambda: parts_in(objects(server, f"{bucket}/run")))
        second = start(tmp_path, tmp_path / "two", bucket, "restore", "300")
        _, errors = second.communicate()
    finally:
        first.kill()
        first.communicate()
    assert second.returncode == 1
    assert f"is being run by process {first.pid}" in errors
