"""A folder that somebody else made: looking at it runs nothing of theirs and touches nothing outside it."""

import os
import pickle
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

import poptune as tune
from poptune import plots
from poptune._base.layout import Layout
from poptune._keeping.checkpoints import DirectoryStore
from poptune.cli import main
from poptune.schedulers import PopulationBasedTraining, PopulationBasedTrainingReplay


class Bomb:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@pytest.fixture
def mark(tmp_path):
    return tmp_path / "it ran"


@pytest.fixture
def folder(tmp_path, mark):
    """An experiment in which everything that can be pickled explodes."""

    def train(config):
        height, step = 0.0, 0
        if checkpoint := tune.get_checkpoint():
            state = checkpoint.to_dict(trusted=True)
            height, step = state["height"], state["step"]
        while True:
            height, step = height + config["lr"], step + 1
            state = {"height": height, "step": step, "odd": Path("x")}
            tune.report({"height": height}, checkpoint=tune.Checkpoint.from_dict(state))

    results = tune.Tuner(
        train,
        param_space={"lr": tune.uniform(0, 1), "net": tune.choice([Path("a"), Path("b")])},
        tune_config=tune.TuneConfig(
            metric="height",
            mode="max",
            num_samples=4,
            seed=0,
            scheduler=PopulationBasedTraining(
                time_attr="training_iteration",
                perturbation_interval=2,
                hyperparam_mutations={"lr": tune.uniform(0, 1)},
                synch=True,
            ),
        ),
        run_config=tune.RunConfig(
            storage_path=tmp_path / "storage",
            name="run",
            executor="inline",
            verbose=0,
            stop={"training_iteration": 8},
        ),
    ).fit()
    folder = Path(results.experiment_path)
    for path in [Layout(folder).objects, *folder.glob("checkpoints/*/checkpoint_*/objects.pkl")]:
        path.write_bytes(pickle.dumps(Bomb(mark)))
    return folder


def look(folder):
    """Look at all that there is to see."""
    results = tune.ResultGrid.from_path(folder)
    assert len(results) == 4
    repr(results)
    results.get_best_result()
    results.get_dataframe()
    repr(results.lineage)
    for result in results:
        repr(result)
        repr([result.config, result.metrics, result.status, result.error, result.path, result.lineage])
        repr(result.metrics_dataframe)
        repr(result.schedule)
        repr([(checkpoint.path, metrics) for checkpoint, metrics in result.best_checkpoints])
        tune.Result.from_path(result.path)
    for plot in plots.__all__:
        getattr(plots, plot)(results)
    for policy in folder.glob("pbt_policy_*.txt"):
        PopulationBasedTrainingReplay(policy)
    shown = CliRunner().invoke(main, ["show", str(folder)])
    assert shown.exit_code == 0


@pytest.mark.slow
def test_looking_at_an_experiment_runs_none_of_its_code(folder, mark):
    look(folder)
    with pytest.raises(tune.CheckpointError):
        tune.ResultGrid.from_path(folder)[0].checkpoint.to_dict()
    assert not mark.exists()


def test_the_bomb_of_these_tests_would_go_off(folder, mark):
    with pytest.raises(tune.PoptuneError):
        tune.Tuner.restore(folder)
    assert mark.exists()


def everything(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def change(folder, old, new):
    """Put another text into the records of a journal."""
    with closing(sqlite3.connect(Layout(folder).journal)) as journal, journal:
        changed = journal.execute(
            "UPDATE records SET payload = CAST(replace(CAST(payload AS TEXT), ?, ?) AS BLOB)", (old, new)
        )
        assert changed.rowcount


ELSEWHERE = ["../../etc", "/etc", "..", ".", "", "a/b", "a/../../b", "x\\u0000y"]


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_a_journal_whose_trial_lies_elsewhere_leads_nobody_there(folder, elsewhere, tmp_path):
    name = Path(tune.ResultGrid.from_path(folder)[0].path).name
    change(folder, f'"folder":"{name}"', f'"folder":"{elsewhere}"')
    outside = everything(tmp_path)
    with pytest.raises(tune.JournalError, match="has its folder at .*, outside the experiment's"):
        tune.ResultGrid.from_path(folder)
    shown = CliRunner().invoke(main, ["show", str(folder)])
    assert shown.exit_code == 1
    assert shown.stderr.startswith("Error: ")
    assert set(everything(tmp_path)) - set(outside) <= {
        Layout(folder).journal.with_name(f"experiment.db-{kind}") for kind in ("wal", "shm")
    }


@pytest.mark.parametrize("elsewhere", ["../../etc", "/etc", "other/checkpoint_000002"])
def test_a_journal_whose_checkpoint_lies_elsewhere_leads_nobody_there(folder, elsewhere):
    results = tune.ResultGrid.from_path(folder)
    copied = next(exploit.checkpoint for exploit in results.lineage.exploits)
    trial, _, name = copied.partition("/")
    place = next(result.path for result in results if result.trial_id == trial).rsplit("/", 1)[1]
    change(folder, f'"path":"checkpoints/{place}/{name}"', f'"path":"{elsewhere}"')
    with pytest.raises(tune.JournalError, match="to load checkpoint .* which is not among"):
        tune.ResultGrid.from_path(folder)


@pytest.mark.parametrize("elsewhere", ["../../etc", "/etc", "..", ".", "", "a/b", "x\0y"])
def test_neither_the_layout_nor_the_store_builds_a_path_that_leads_elsewhere(tmp_path, elsewhere):
    layout, store = Layout(tmp_path), DirectoryStore(tmp_path)
    for build in (layout.trial, layout.params, layout.results, layout.progress):
        with pytest.raises(tune.ExperimentError, match="lies in its folder, but"):
            build(elsewhere)
    with pytest.raises(tune.ExperimentError):
        layout.output(elsewhere, "stdout")
    with pytest.raises(tune.ExperimentError):
        layout.events(elsewhere, 0.0)
    for path in (elsewhere, f"{elsewhere}/checkpoint_000001"):
        with pytest.raises(tune.PoptuneError, match="relative to the experiment's folder"):
            store.open(path)
        with pytest.raises(tune.PoptuneError, match="relative to the experiment's folder"):
            store.delete(path)
        with pytest.raises(tune.PoptuneError, match="relative to the experiment's folder"):
            store.sync(path)
    with pytest.raises(tune.PoptuneError, match="relative to the experiment's folder"):
        store.save(tune.Checkpoint.from_dict({}), folder=elsewhere, number=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("trial", ["../x", "a/b"])
def test_a_trial_s_id_leads_nowhere_else(tmp_path, trial):
    with pytest.raises(tune.ExperimentError, match="lies in its folder, but"):
        Layout(tmp_path).policy(trial)
