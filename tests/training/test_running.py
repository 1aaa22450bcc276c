"""How a trial's code is entered, entered anew, and left."""

import multiprocessing

import pytest
from climbers import fit

import poptune as tune
from poptune._training.session import Session


def test_a_trial_that_cannot_take_over_fails_alone_and_the_run_goes_on(tmp_path, monkeypatch):
    adopt = Session.adopt

    def adopts_its_first_only(self, assignment):
        is_another = hasattr(self, "assignment")
        self.assignment = assignment
        if is_another:
            raise RuntimeError("not to be opened")
        adopt(self, assignment)

    monkeypatch.setattr(Session, "adopt", adopts_its_first_only)
    results = fit(tmp_path, stop=6)
    failed = [result for result in results if result.error is not None]
    assert 0 < len(failed) < 4
    assert all("not to be opened" in str(result.error) for result in failed)
    assert [r.metrics["training_iteration"] for r in results if r.error is None] == [6] * (4 - len(failed))
    assert tune.verify(tmp_path / "run").ok


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_the_reason_of_a_failure_is_told_whatever_letters_it_holds(tmp_path, executor):
    def fail(config):
        tune.report({"height": 0.0})
        raise ValueError("no file \udcff\ud800 of \N{SNOWMAN}")

    failures = tune.FailureConfig(on_all_failed="return")
    run_config = tune.RunConfig(storage_path=tmp_path, executor=executor, verbose=0, failure_config=failures)
    results = tune.Tuner(fail, run_config=run_config).fit()
    assert str(results[0].error).endswith("ValueError: no file \\udcff\\ud800 of \N{SNOWMAN}")


def alone(path, train, executor="processes"):
    failures = tune.FailureConfig(on_all_failed="return")
    run_config = tune.RunConfig(storage_path=path, executor=executor, verbose=0, failure_config=failures)
    return tune.Tuner(train, run_config=run_config).fit()


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_a_result_that_a_function_returns_after_others_is_told_to_be_nobodys(tmp_path, executor):
    def train(config):
        tune.report({"acc": 1.0})
        return {"acc": 3.0}

    with pytest.warns(tune.PoptuneWarning, match=r"train returned {'acc': 3.0}, which nobody reads") as told:
        results = alone(tmp_path, train, executor)
    assert len(told) == 1
    assert results[0].metrics["acc"] == 1.0


@pytest.mark.parametrize("returned", [None, "done", True, [1, 2], object()])
def test_what_a_function_returns_that_is_no_result_is_nobodys_business(tmp_path, returned):
    def train(config):
        tune.report({"acc": 1.0})
        return returned

    alone(tmp_path, train, "inline")  # a warning would be an error


def test_a_report_from_a_child_of_the_trials_process_is_an_error_there(tmp_path):
    def train(config):
        def child(end):
            try:
                tune.report({"acc": 99.0})
            except tune.TrainableError as error:
                end.send(str(error))

        mine, its = multiprocessing.Pipe()
        process = multiprocessing.get_context("fork").Process(target=child, args=(its,))
        process.start()
        said = mine.recv()
        process.join()
        tune.report({"acc": 1.0, "said": said})

    (result,) = alone(tmp_path, train)
    assert "works in the process that trains the trial" in result.metrics["said"]
    assert "multiprocessing.Queue" in result.metrics["said"]
    assert result.metrics_dataframe["acc"].tolist() == [1.0]
