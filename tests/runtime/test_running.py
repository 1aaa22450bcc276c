"""How a trial's code is entered, entered anew, and left."""

import pytest
from climbers import fit

import poptune as tune
from poptune.runtime.session import Session


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
