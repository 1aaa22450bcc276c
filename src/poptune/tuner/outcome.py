"""Whether a run came to anything."""

from __future__ import annotations

from collections.abc import Sequence

from poptune.core.mistakes import alike, told
from poptune.core.population import Trial
from poptune.errors import AllTrialsFailedError
from poptune.results import ResultGrid
from poptune.types import TrialStatus


def raise_if_all_failed(trials: Sequence[Trial], results: ResultGrid) -> None:
    """Raise if every trial was given up, or would have been, had the run not been ended.

    Raises:
        AllTrialsFailedError: So it is; it has the results.
    """
    failed = [trial for trial in trials if trial.status is TrialStatus.ERROR]
    if len(failed) == len(trials):
        begins = "The only trial has failed" if len(trials) == 1 else f"All {len(trials)} trials have failed"
    elif any(trial.ending == "ended by a mistake" for trial in trials):
        begins = (
            f"{len(failed)} of {len(trials)} trials have failed by a mistake in the training code that every "
            "trial would meet, so the run was ended"
        )
    else:
        return
    raise AllTrialsFailedError(
        f"{begins}:\n"
        + "".join(f"  {told(group)}\n" for group in alike(failed))
        + "The whole errors are in error.txt in each trial's folder, and in this error's results. Mend the "
        "code and train on with "
        f"Tuner.restore({results.experiment_path!r}, trainable=..., resume_errored=True); "
        'with FailureConfig(on_all_failed="return") the results are returned instead',
        results,
    )
