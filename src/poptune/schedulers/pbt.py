"""Population Based Training.

Source: Jaderberg et al. 2017, "Population Based Training of Neural Networks", arXiv:1711.09846, Algorithm 1.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Any

from msgspec.structs import replace

from poptune.arguments import check_mode, reject_unknown_keywords
from poptune.copies import copied
from poptune.core.events import Left, Planned, Reported, Restarted
from poptune.core.population import TrialView
from poptune.core.scheduler import (
    Decision,
    End,
    Load,
    Needs,
    Plan,
    PopulationView,
    Random,
    Ready,
    Run,
)
from poptune.core.trial_spec import TrialSpec
from poptune.errors import ConfigurationError
from poptune.schedulers.exploit import Exploit, Truncation
from poptune.schedulers.explore import Explore, Perturb, fill_missing
from poptune.schedulers.metric import changed, required, with_metric
from poptune.schedulers.mutations import check_mutations, owned
from poptune.schedulers.placing import placed
from poptune.schedulers.ranking import Ranking
from poptune.search_space.values import without_numpy_scalars
from poptune.types import Config, Mode, TrialId

_BARRIER = "perturbation"

NO_CHECKPOINT = (
    "A trial should have copied a better one, but that one has saved no checkpoint, so it goes on as it is. "
    "Population Based Training needs checkpoints: pass one to each `report(metrics, checkpoint=...)`, at "
    "least once every perturbation_interval."
)
NOBODY_TO_COPY = (
    "No trial can be copied, because every trial's last {metric!r} is NaN or infinite, so nobody is "
    "perturbed until one reports a finite score. Train with other hyperparameters, such as a lower "
    "learning rate, or mend how the metric is computed."
)
STALE_CHECKPOINT = (
    "A trial copies a checkpoint that is older than the last milestone of the trial that saved it. Save one "
    "at every perturbation_interval (or make the interval a multiple of yours), so that the newest state is "
    "copied."
)


@reject_unknown_keywords
@dataclass(frozen=True)
class PopulationBasedTraining:
    """Weak trials copy strong ones and change their hyperparameters, all along the training.

    At each of its milestones a trial is ranked among the population by its last score. One in the lowest
    part takes over the checkpoint and the config of a random one in the highest part (exploit), and its
    hyperparameters are then changed a little (explore).

    Args:
        time_attr: The metric that measures progress; must not fall while a trial trains.
        metric: The metric to optimise. May come from the ``TuneConfig`` instead.
        mode: ``"max"`` or ``"min"``. May come from the ``TuneConfig`` instead.
        perturbation_interval: Units of ``time_attr`` between two milestones of a trial. The default of 60 is
            a minute of ``time_total_s``; choose it so that a trial's score settles in between.
        burn_in_period: No trial is perturbed before this value of ``time_attr``.
        hyperparam_mutations: For each mutated key a list of ordered values, a domain such as
            ``tune.uniform(...)``, a function without arguments that returns a sample, or a dict of these.
            A function that returns a domain means a sample of that. A dotted path such as
            ``optimizer.lr`` means the key in the dict there. A mutated key that the ``param_space`` lacks
            gets its first value from here.
        quantile_fraction: Size of the lowest and of the highest part, from 0 to 0.5.
        resample_probability: Probability that a mutated key is drawn afresh instead of moved.
        perturbation_factors: A number is multiplied by one of these, chosen at random.
        custom_explore_fn: ``config -> config``, applied after the mutations.
        log_config: Whether ``pbt_global.txt`` and ``pbt_policy_*.txt`` are written.
        require_attrs: Whether a result without the metric or ``time_attr`` is an error of its trial.
        synch: Whether all live trials meet before any is perturbed. Reproducible, but trials wait.
        exploit: Who copies whom; the default is ``Truncation(quantile_fraction=quantile_fraction)``.
        explore: How a config is changed; the default is :class:`Perturb` with the arguments above.
        respect_bounds: Whether moved values are put back into their domain.

    Raises:
        ConfigurationError: An argument is out of its range, or a mutation is of no usable kind (a
            ``ValueError``; the message names the path).

    Example:
        >>> import poptune as tune
        >>> from poptune.schedulers import PopulationBasedTraining
        >>> scheduler = PopulationBasedTraining(
        ...     time_attr="training_iteration",
        ...     perturbation_interval=5,
        ...     hyperparam_mutations={"lr": tune.loguniform(1e-4, 1), "momentum": [0.8, 0.9, 0.99]},
        ... )

    Source: Jaderberg et al. 2017, arXiv:1711.09846, Algorithm 1 and section 4.1.
    Differs from the paper: the defaults are those of Ray Tune; a copy is ranked by its own last score until
    it reports anew, not by its donor's: with the donor's, one lucky score would be inherited by every copy,
    and the whole population would be sent back to it again and again.
    Differs from Ray Tune: a score that is not finite never donates; values stay in their domain; a
    recipient's next milestone is one interval after the checkpoint that it took over.
    """

    time_attr: str = "time_total_s"
    metric: str | None = None
    mode: Mode | None = None
    perturbation_interval: float = 60.0
    burn_in_period: float = 0.0
    hyperparam_mutations: Mapping[str, Any] | None = None
    quantile_fraction: float = 0.25
    resample_probability: float = 0.25
    perturbation_factors: Sequence[float] = (1.2, 0.8)
    custom_explore_fn: Callable[[Config], Config] | None = None
    log_config: bool = True
    require_attrs: bool = True
    synch: bool = False
    _: KW_ONLY
    exploit: Exploit | None = None
    explore: Explore | None = None
    respect_bounds: bool = True

    def __post_init__(self) -> None:
        check_mode(self.mode)
        _check_ranges(self)
        if not (self.hyperparam_mutations or self.custom_explore_fn or self.explore):
            raise ConfigurationError(
                "PopulationBasedTraining needs something to explore, got neither hyperparam_mutations nor "
                "custom_explore_fn: write, for example, "
                'hyperparam_mutations={"lr": tune.loguniform(1e-4, 1)}'
            )
        check_mutations(self.hyperparam_mutations or {})
        if self.hyperparam_mutations is not None:
            object.__setattr__(self, "hyperparam_mutations", owned(self.hyperparam_mutations))
        self._exploit  # noqa: B018 - checks its fraction

    @cached_property
    def _exploit(self) -> Exploit:
        return self.exploit or Truncation(quantile_fraction=self.quantile_fraction)

    @cached_property
    def _explore(self) -> Explore:
        return self.explore or Perturb(
            mutations=self.hyperparam_mutations or {},
            resample_probability=self.resample_probability,
            factors=self.perturbation_factors,
            respect_bounds=self.respect_bounds,
            custom=self.custom_explore_fn,
        )

    @property
    def needs(self) -> Needs:
        return Needs(
            time_attr=self.time_attr,
            metric=self.metric,
            mode=self.mode,
            require_attrs=self.require_attrs,
            checkpoints=True,
            rebirths=True,
        )

    def for_metric(self, metric: str | None, mode: Mode | None) -> PopulationBasedTraining:
        return required(with_metric(self, metric, mode))

    def for_space(self, param_space: Mapping[str, Any]) -> PopulationBasedTraining:
        """Return this scheduler with each mutation where the space has its hyperparameter.

        Raises:
            ConfigurationError: A mutated key is likely to be misspelled, or is there twice.
        """
        changes: dict[str, Any] = {}
        if self.hyperparam_mutations:
            changes["hyperparam_mutations"] = placed(self.hyperparam_mutations, param_space)
        if isinstance(self.explore, Perturb):
            perturb = placed(self.explore.mutations, param_space)
            changes["explore"] = dataclasses.replace(self.explore, mutations=perturb)
        return changed(self, **changes)

    def init(self, trials: Sequence[TrialSpec]) -> Ranking:
        return Ranking()

    def fold(
        self,
        state: Ranking,
        event: Reported | Planned | Restarted | Left,
        population: PopulationView,
    ) -> Ranking:
        if not isinstance(event, Planned):  # a plan changes nobody's last score
            state.update(population[event.trial])
        return state

    def decide(self, state: Ranking, population: PopulationView, ready: Ready, random: Random) -> Plan:
        if ready.cause == "start":
            decisions = tuple(self._begin(population[trial], random) for trial in ready.trials)
            return Plan(decisions=decisions)
        if ready.cause == "exhausted":
            return Plan(
                decisions=tuple(self._revive(population[t], state, population, random) for t in ready.trials)
            )
        answers = [self._judge(trial, state, population, random) for trial in ready.trials]
        warnings = dict.fromkeys(warning for _, warning in answers if warning)
        if self._has_no_donor(state, population):
            warnings[NOBODY_TO_COPY.format(metric=self.metric)] = None
        return Plan(decisions=tuple(decision for decision, _ in answers), warnings=tuple(warnings))

    def _has_no_donor(self, ranking: Ranking, population: PopulationView) -> bool:
        """Whether all who still train have a score, several of them, and none is finite."""
        if len(ranking) < 2 or ranking.first_finite < len(ranking):
            return False
        return all(trial.last_score is not None for trial in population.trials if trial.status.is_live)

    def describe(self, state: Ranking, population: PopulationView) -> str:
        exploits = sum(trial.exploits for trial in population.trials)
        way = "synchronous" if self.synch else "asynchronous"
        return (
            f"PBT, {way}: {exploits} exploits, one milestone every {self.perturbation_interval:g} "
            f"{self.time_attr}"
        )

    def _run(self, age: float) -> Run:
        until = max(self.burn_in_period, age + self.perturbation_interval)
        return Run(until=until, barrier=_BARRIER if self.synch else None)

    def _begin(self, trial: TrialView, random: Random) -> Decision:
        config = fill_missing(
            trial.config,
            self.hyperparam_mutations or {},
            lambda path: random(f"start:{path}", trial.id),
        )
        return Decision(
            trial=trial.id, next=self._run(0.0), config=without_numpy_scalars(config), reason="start"
        )

    def _judge(
        self, trial_id: TrialId, ranking: Ranking, population: PopulationView, random: Random
    ) -> tuple[Decision, str]:
        """Return what a trial at its milestone does, and a warning for the user, if any."""
        trial = population[trial_id]
        donor_id = self._exploit.donor(trial_id, ranking, lambda: random("donor", trial_id))
        if donor_id is None:
            return self._go_on(trial, "not among the lowest"), ""
        donor = population[donor_id]
        if donor.checkpoint is None:
            late = self._missed_a_save(donor, saved_at=0.0)
            reason = f"donor {donor.id} has no checkpoint"
            return self._go_on(trial, reason), NO_CHECKPOINT if late else ""
        stale = self._missed_a_save(donor, saved_at=donor.checkpoint.age)
        return self._copy(trial, donor, random), STALE_CHECKPOINT if stale else ""

    def _revive(
        self, trial: TrialView, ranking: Ranking, population: PopulationView, random: Random
    ) -> Decision:
        """A trial that has failed too often begins anew as a copy of one of the highest, or ends."""
        donor = self._draw_ancestor(trial, ranking, population, random)
        if donor is None:
            return Decision(trial=trial.id, next=End(), reason="failed, and there is nobody to copy")
        reason = f"failed too often; reborn as a copy of {donor.id}"
        return replace(self._copy(trial, donor, random), reason=reason, forgives=True)

    def _draw_ancestor(
        self, trial: TrialView, ranking: Ranking, population: PopulationView, random: Random
    ) -> TrialView | None:
        """Draw one of the highest; if it cannot be copied, take the highest that can."""
        highest = max(1, Truncation(quantile_fraction=self.quantile_fraction).size(len(ranking)))
        lowest = max(len(ranking) - highest, ranking.first_finite)
        if lowest >= len(ranking):
            return None
        drawn = lowest + int(random("donor", trial.id).integers(len(ranking) - lowest))
        for place in (drawn, *range(len(ranking) - 1, ranking.first_finite - 1, -1)):
            donor = population[ranking.at(place)]
            if donor.id != trial.id and donor.checkpoint is not None:
                return donor
        return None

    def _missed_a_save(self, trial: TrialView, *, saved_at: float) -> bool:
        """Whether a trial has checked in since it saved last, and so should have saved again."""
        until = trial.run.until or 0.0
        if trial.age >= until:
            return saved_at < until
        # Reckoned as at the decision, so that rounding cannot tell two equal milestones apart.
        return (self._run(saved_at).until or 0.0) < until

    def _go_on(self, trial: TrialView, reason: str) -> Decision:
        return Decision(
            trial=trial.id, next=self._run(trial.age), reason=reason, seen={"own": trial.last_score}
        )

    def _copy(self, trial: TrialView, donor: TrialView, random: Random) -> Decision:
        assert donor.checkpoint is not None
        theirs = donor.config if isinstance(self._explore, Perturb) else copied(donor.config)
        config = self._explore.explore(theirs, lambda path: random(f"explore:{path}", trial.id))
        own = donor.id == trial.id
        return Decision(
            trial=trial.id,
            next=self._run(donor.checkpoint.age),
            source=Load(donor.checkpoint),
            config=without_numpy_scalars(config),
            reason="explores" if own else f"among the lowest; copies {donor.id}",
            seen={
                "own": trial.last_score,
                "donor": donor.last_score,
                "checkpoint": donor.checkpoint.score,
            },
            iteration=trial.iteration,
            donor=None if own else donor.id,
            donor_config=donor.config,
        )


def _check_ranges(scheduler: PopulationBasedTraining) -> None:
    """Raise for the first argument that is out of its range."""
    factors = scheduler.perturbation_factors
    ok_factors = isinstance(factors, list | tuple) and factors
    checks = [
        (
            "perturbation_interval",
            "greater than 0",
            _is_number(scheduler.perturbation_interval) and scheduler.perturbation_interval > 0,
        ),
        (
            "burn_in_period",
            "at least 0",
            _is_number(scheduler.burn_in_period) and scheduler.burn_in_period >= 0,
        ),
        (
            "resample_probability",
            "from 0 to 1",
            _is_number(scheduler.resample_probability) and 0 <= scheduler.resample_probability <= 1,
        ),
        (
            "perturbation_factors",
            "a tuple of positive numbers, such as (1.2, 0.8)",
            ok_factors and all(_is_number(factor) and factor > 0 for factor in factors),
        ),
    ]
    for name, requirement, ok in checks:
        if not ok:
            raise ConfigurationError(f"{name} must be {requirement}, got {getattr(scheduler, name)!r}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)
