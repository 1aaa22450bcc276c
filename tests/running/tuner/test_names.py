"""Names that are no good for files are refused or made safe, whoever made them."""

import pytest

import poptune as tune

BAD = {
    "..": "name one folder",
    ".": "name one folder",
    "/etc": "name one folder",
    "../other": "name one folder",
    "a\\b": "name one folder",
    "a\0b": "name one folder",
    "a\nb": "no control characters",
    "a\x7f": "no control characters",
    "a\x9bb": "no control characters",
    "\ud800": "no control characters",
    "x" * 300: "at most 240 bytes",
    "é" * 130: "at most 240 bytes",
    "trailing ": "neither begin nor end",
}
OWN = [
    "experiment.db",
    "experiment.db-wal",
    "experiment.lock",
    "objects.pkl",
    "pbt_global.txt",
    "pbt_policy_1.txt",
    ".x",
]


def fit(path, *, trainable=None, value="a", name="run", **config):
    def train(config):
        tune.report({"loss": 1.0}, checkpoint=tune.Checkpoint.from_dict({"step": 1}))

    return tune.Tuner(
        trainable or train,
        param_space={"value": tune.choice([value])},
        tune_config=tune.TuneConfig(metric="loss", mode="min", **config),
        run_config=tune.RunConfig(name=name, storage_path=path / "storage", executor="inline", verbose=0),
    ).fit()


def is_inside(path, result):
    """Whether the run wrote into its storage alone, and can be read again."""
    assert [entry.name for entry in path.iterdir()] == ["storage"]
    assert result.path.startswith(str(path / "storage"))
    assert (path / "storage").resolve() in type(path)(result.path).resolve().parents
    return result.checkpoint.to_dict() == {"step": 1}


@pytest.mark.parametrize(("name", "problem"), BAD.items(), ids=map(ascii, BAD))
def test_a_bad_name_of_an_experiment_is_refused_at_once(name, problem):
    with pytest.raises(tune.ConfigurationError, match=f"experiment's name must .* {problem}"):
        tune.RunConfig(name=name)


@pytest.mark.parametrize("name", ["", 3])
def test_a_name_that_is_none_is_refused(name):
    with pytest.raises(tune.ConfigurationError, match="experiment's name must be a folder's name"):
        tune.RunConfig(name=name)


@pytest.mark.parametrize(
    ("name", "problem"), [*BAD.items(), *((name, "one of our own files") for name in OWN)]
)
def test_a_bad_name_of_a_trial_s_folder_is_refused_before_anything_is_written(tmp_path, name, problem):
    with pytest.raises(tune.ConfigurationError, match=f"trial_dirname_creator must .* {problem}"):
        fit(tmp_path, trial_dirname_creator=lambda spec: name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["ü☃", "-rf", "~", "$HOME", "con", "a b", "x" * 200, "checkpoint_000001"])
def test_an_odd_but_possible_name_is_taken_as_it_is(tmp_path, name):
    result = fit(tmp_path, name=name, trial_dirname_creator=lambda spec: name)[0]
    assert result.path == f"{tmp_path}/storage/{name}/{name}"
    assert is_inside(tmp_path, result)


@pytest.mark.parametrize("name", [*BAD, *OWN], ids=ascii)
def test_an_odd_name_of_a_trial_is_only_a_name(tmp_path, name):
    assert is_inside(tmp_path, fit(tmp_path, trial_name_creator=lambda spec: name)[0])


@pytest.mark.parametrize("name", [*BAD, *OWN, "\udcff"], ids=ascii)
def test_an_odd_name_of_the_training_function_is_made_safe(tmp_path, name):
    def train(config):
        tune.report({"loss": 1.0}, checkpoint=tune.Checkpoint.from_dict({"step": 1}))

    train.__name__ = name
    assert is_inside(tmp_path, fit(tmp_path, trainable=train, name=None)[0])


@pytest.mark.parametrize("value", [*BAD, *OWN, "\udcff"], ids=ascii)
def test_an_odd_value_of_a_hyperparameter_is_made_safe(tmp_path, value):
    result = fit(tmp_path, value=value)[0]
    assert is_inside(tmp_path, result)
    assert result.config == {"value": value}
