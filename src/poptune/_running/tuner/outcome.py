"""Whether a run came to anything."""

from __future__ import annotations

from collections.abc import Sequence

from poptune._base.notices import warn
from poptune._base.types import TrialStatus
from poptune._core.mistakes import alike, told
from poptune._core.population import Trial
from poptune.errors import AllTrialsFailedError
from poptune.results import ResultGrid


def raise_if_all_failed(trials: Sequence[Trial], results: ResultGrid) -> None:
    """Raise if every trial was given up, or was ended without a result because it would have been.

    Where trials have results that were ended because of a mistake in the training code, that is a warning.

    Raises:
        AllTrialsFailedError: So it is; it has the results.
    """
    failed = [trial for trial in trials if trial.status is TrialStatus.ERROR]
    ended = [trial for trial in trials if trial.ending == "ended by a mistake"]
    if len(failed) == len(trials):
        begins = "The only trial has failed" if len(trials) == 1 else f"All {len(trials)} trials have failed"
    elif ended:
        begins = (
            f"{len(failed)} of {len(trials)} trials have failed by a mistake in the training code that every "
            "trial would meet, so the run was ended"
        )
    else:
        return
    has_results = any(trial.metrics for trial in ended)
    place = "the results" if has_results else "this error's results"
    story = (
        f"{begins}:\n"
        + "".join(f"  {told(group)}\n" for group in alike(failed))
        + f"The whole errors are in error.txt in each trial's folder, and in {place}. Mend the code and "
        f"train on with Tuner.restore({results.experiment_path!r}, trainable=..., resume_errored=True)"
    )
    if has_results:
        warn(story)
        return
    raise AllTrialsFailedError(
        f'{story}; with FailureConfig(on_all_failed="return") the results are returned instead', results
    )
