"""How a trial's code is entered, entered anew, and left."""

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
