"""How a trial's code is entered, entered anew, and left."""

import pytest
from climbers import fit

import poptune as tune
from poptune.runtime import session


@pytest.mark.parametrize("slots", [1, 2])
def test_a_trial_that_cannot_take_over_fails_alone_and_the_run_goes_on(tmp_path, monkeypatch, slots):
    def cannot(*_):
        raise RuntimeError("not to be opened")

    monkeypatch.setattr(session, "StaleWatch", cannot)
    results = fit(tmp_path, stop=6, executor=tune.InlineExecutor(slots=slots))
    failed = [result for result in results if result.error is not None]
    assert 0 < len(failed) < 4
    assert all("not to be opened" in str(result.error) for result in failed)
    assert [r.metrics["training_iteration"] for r in results if r.error is None] == [6] * (4 - len(failed))
    assert tune.verify(tmp_path / "run").ok
