"""How a trial's code is entered, entered anew, and left."""

import pytest

import poptune as tune
from poptune.runtime import session
from poptune.schedulers import PopulationBasedTraining


def climbing(config):
    step = tune.get_checkpoint().to_dict()["step"] if tune.get_checkpoint() else 0
    while True:
        step += 1
        tune.report({"acc": config["lr"] * step}, checkpoint=tune.Checkpoint.from_dict({"step": step}))


@pytest.mark.parametrize("slots", [1, 2])
def test_a_trial_that_cannot_take_over_fails_alone_and_the_run_goes_on(tmp_path, monkeypatch, slots):
    def cannot(*_):
        raise RuntimeError("not to be opened")

    monkeypatch.setattr(session, "StaleWatch", cannot)
    space = {"lr": tune.uniform(0, 1)}
    results = tune.Tuner(
        climbing,
        param_space=space,
        tune_config=tune.TuneConfig(
            metric="acc",
            mode="max",
            num_samples=4,
            seed=1,
            scheduler=PopulationBasedTraining(
                time_attr="training_iteration",
                perturbation_interval=2,
                synch=True,
                hyperparam_mutations=space,
            ),
        ),
        run_config=tune.RunConfig(
            name="run",
            storage_path=tmp_path,
            executor=tune.InlineExecutor(slots=slots),
            verbose=0,
            stop={"training_iteration": 6},
        ),
    ).fit()
    failed = [result for result in results if result.error is not None]
    assert 0 < len(failed) < 4
    assert all("not to be opened" in str(result.error) for result in failed)
    assert [r.metrics["training_iteration"] for r in results if r.error is None] == [6] * (4 - len(failed))
    assert tune.verify(tmp_path / "run").ok
