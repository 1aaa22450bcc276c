"""``ray.tune.tune_config``: how the population is made and steered."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import poptune
from poptune._base.arguments import reject_unknown_keywords
from poptune._base.types import Mode
from poptune._core.scheduler import Scheduler
from poptune.compat.ray.tune.experiment import NameCreator, Trial
from poptune.compat.ray.tune.schedulers import FIFOScheduler
from poptune.compat.ray.tune.search import BasicVariantGenerator
from poptune.errors import ConfigurationError


@reject_unknown_keywords
@dataclass
class TuneConfig:
    """What becomes a :class:`poptune.TuneConfig`.

    Raises:
        ConfigurationError: An argument is out of its range, or cannot be honoured.
    """

    mode: Mode | None = None
    metric: str | None = None
    search_alg: BasicVariantGenerator | None = None
    scheduler: Scheduler[Any] | None = None
    num_samples: int = 1
    max_concurrent_trials: int | None = None
    time_budget_s: float | timedelta | None = None
    reuse_actors: bool | None = None
    trial_name_creator: Callable[[Trial], str] | None = None
    trial_dirname_creator: Callable[[Trial], str] | None = None
    chdir_to_trial_dir: bool = True

    def __post_init__(self) -> None:
        self.to_native()

    def to_native(self) -> poptune.TuneConfig:
        """Return the same in poptune's terms."""
        if not self.chdir_to_trial_dir:
            raise ConfigurationError(
                "chdir_to_trial_dir=False cannot be honoured here, since each trial works in its own folder: "
                "use absolute paths in the training code"
            )
        if self.num_samples == -1:
            raise ConfigurationError(
                "num_samples=-1 cannot be honoured here, where all trials are planned before the first one "
                "starts: say how many trials there are at most; time_budget_s ends them all the same"
            )
        search = _plain_search(self.search_alg)
        budget = self.time_budget_s
        return poptune.TuneConfig(
            metric=self.metric,
            mode=self.mode,
            scheduler=_default_scheduler() if self.scheduler is None else self.scheduler,
            num_samples=self.num_samples,
            max_concurrent_trials=self.max_concurrent_trials or search.max_concurrent or None,
            time_budget_s=budget.total_seconds() if isinstance(budget, timedelta) else budget,
            seed=search.random_state,
            reuse_workers=self.reuse_actors is not False,
            points_to_evaluate=search.points_to_evaluate or (),
            trial_name_creator=self.trial_name_creator and NameCreator(self.trial_name_creator),
            trial_dirname_creator=self.trial_dirname_creator and NameCreator(self.trial_dirname_creator),
        )


def _default_scheduler() -> FIFOScheduler:
    """Every trial to its end, with the check of the metric that Ray knows to turn off by a variable."""
    return FIFOScheduler(require_attrs=os.environ.get("TUNE_DISABLE_STRICT_METRIC_CHECKING", "0") != "1")


def _plain_search(search: object) -> BasicVariantGenerator:
    if search is None:
        return BasicVariantGenerator()
    if not isinstance(search, BasicVariantGenerator):
        raise ConfigurationError(
            f"search_alg={search!r} cannot be honoured here: the configs are drawn from the param_space, and "
            "the scheduler adapts them; leave it out"
        )
    return search
