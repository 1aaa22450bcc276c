"""Population Based Training.

Source: Jaderberg et al. 2017, "Population Based Training of Neural Networks", arXiv:1711.09846, Algorithm 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Any, Self

from poptune._base.arguments import check_mode, reject_unknown_keywords
from poptune._base.ours import is_ours
from poptune._base.types import Config, Mode
from poptune._core.events import Left, Planned, Reported, Restarted
from poptune._core.population import TrialView
from poptune._core.scheduler import (
    Decision,
    Needs,
    Plan,
    PopulationView,
    Random,
    Ready,
    Run,
    Scheduler,
)
from poptune._core.trial_spec import TrialSpec
from poptune._core.unopened import refuse_unopened
from poptune.errors import ConfigurationError
from poptune.schedulers.copying import Copying
from poptune.schedulers.exploit import Truncation
from poptune.schedulers.explore import Perturb, fill_missing
from poptune.schedulers.explorer import Explorer
from poptune.schedulers.journaled import Journaled
from poptune.schedulers.metric import changed, required, with_metric
from poptune.schedulers.milestones import Milestones
from poptune.schedulers.mutations import check_mutations, doubtful_pairs, hold_user_code, owned, paths
from poptune.schedulers.placing import placed
from poptune.schedulers.selector import Selector
from poptune.search_space.values import without_numpy_scalars

_BARRIER = "perturbation"

_PARTS_OF_BEFORE = {"exploit": "selector", "explore": "explorer"}

NOBODY_TO_COPY = (
    "No trial can be copied, because every trial's last {metric!r} is NaN or infinite, so nobody is "
    "perturbed until one reports a finite score. Train with other hyperparameters, such as a lower "
    "learning rate, or mend how the metric is computed."
)


@dataclass(slots=True)
class Parts:
    """The states of the two parts."""

    selector: Any
    explorer: Any


@reject_unknown_keywords
@dataclass(frozen=True)
class PopulationBasedTraining(Scheduler[Parts]):
    """Weak trials copy strong ones and change their hyperparameters, all along the training.

    At each of its milestones a trial is ranked among the population by its last score. One in the lowest
    part takes over the checkpoint and the config of a random one in the highest part (exploit), and its
    hyperparameters are then changed a little (explore).

    This class only keeps the milestones. Who copies whom is for a :class:`Selector` to say, and how a config
    changes for an :class:`Explorer`; the arguments make the two that the paper describes.

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
        selector: Who copies whom; the default is ``Truncation(quantile_fraction=quantile_fraction)``.
        explorer: How a config is changed; the default is :class:`Perturb` with the arguments above.
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
    selector: Selector[Any] | None = None
    explorer: Explorer[Any] | None = None
    respect_bounds: bool = True

    def __post_init__(self) -> None:
        check_mode(self.mode)
        _check_ranges(self)
        if not (self.hyperparam_mutations or self.custom_explore_fn or self.explorer):
            raise ConfigurationError(
                "PopulationBasedTraining needs something to explore, got neither hyperparam_mutations nor "
                "custom_explore_fn: write, for example, "
                'hyperparam_mutations={"lr": tune.loguniform(1e-4, 1)}'
            )
        _check_parts(self)
        check_mutations(self.hyperparam_mutations or {})
        if self.hyperparam_mutations is not None:
            object.__setattr__(self, "hyperparam_mutations", owned(self.hyperparam_mutations))
        self._selector  # noqa: B018 - checks its fraction

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take over what was pickled, in experiments of before by the names that the parts had then."""
        self.__dict__.update({_PARTS_OF_BEFORE.get(name, name): value for name, value in state.items()})

    @cached_property
    def _selector(self) -> Selector[Any]:
        return self.selector or Truncation(quantile_fraction=self.quantile_fraction)

    @cached_property
    def _explorer(self) -> Explorer[Any]:
        return self.explorer or Perturb(
            mutations=self.hyperparam_mutations or {},
            resample_probability=self.resample_probability,
            factors=self.perturbation_factors,
            respect_bounds=self.respect_bounds,
            custom=self.custom_explore_fn,
        )

    @cached_property
    def _milestones(self) -> Milestones:
        return Milestones(
            time_attr=self.time_attr, interval=self.perturbation_interval, burn_in=self.burn_in_period
        )

    @property
    def needs(self) -> Needs:
        mutated = (*paths(self.hyperparam_mutations or {}), *paths(self._explorer.hyperparameters))
        return Needs(
            time_attr=self.time_attr,
            metric=self.metric,
            mode=self.mode,
            require_attrs=self.require_attrs,
            checkpoints=True,
            rebirths=True,
            copies=True,
            hyperparameters=tuple(dict.fromkeys(mutated)),
            policy_logs=self.log_config,
        )

    def for_metric(self, metric: str | None, mode: Mode | None) -> Self:
        return required(with_metric(self, metric, mode))

    def for_space(self, param_space: Mapping[str, Any]) -> Self:
        """Return this scheduler with each mutation where the space has its hyperparameter.

        Raises:
            ConfigurationError: A mutated key is likely to be misspelled, or is there twice; or a mutation
                only stands for the value that it should be.
        """
        refuse_unopened("hyperparam_mutations", self.hyperparam_mutations)
        changes: dict[str, Any] = {}
        if self.hyperparam_mutations:
            changes["hyperparam_mutations"] = placed(self.hyperparam_mutations, param_space)
        if self.explorer is not None:
            changes["explorer"] = self.explorer.for_space(param_space)
        return changed(self, **changes)

    def doubts(self, ends: Mapping[str, float], *, time_budget_s: float | None = None) -> Sequence[str]:
        mutations = (self.hyperparam_mutations or {}, self._explorer.hyperparameters)
        pairs = dict.fromkeys(doubt for mutated in mutations for doubt in doubtful_pairs(mutated))
        return [*pairs, *self._milestones.doubts(ends, time_budget_s)]

    def too_short(self, longest: float) -> str:
        return self._milestones.too_short(longest)

    def without_user_code(self, plan: Plan, ready: Ready) -> Self | None:
        if not (is_ours(self) and is_ours(self._selector)):
            return None
        if ready.cause == "start":
            return None if hold_user_code(self.hyperparam_mutations or {}) else self
        if is_ours(self._explorer) and not self._explorer.runs_user_code:
            return self
        return changed(self, explorer=Journaled.of(plan), custom_explore_fn=None)

    def init(self, trials: Sequence[TrialSpec]) -> Parts:
        return Parts(self._selector.init(trials), self._explorer.init(trials))

    def fold(
        self, state: Parts, event: Reported | Planned | Restarted | Left, population: PopulationView
    ) -> Parts:
        state.selector = self._selector.fold(state.selector, event, population)
        state.explorer = self._explorer.fold(state.explorer, event, population)
        return state

    def decide(self, state: Parts, population: PopulationView, ready: Ready, random: Random) -> Plan:
        if ready.cause == "start":
            decisions = tuple(self._begin(population[trial], random) for trial in ready.trials)
            return Plan(decisions=decisions)
        selection = self._selector.select(state.selector, population, ready, random)
        copying = Copying(
            milestones=self._milestones,
            run=self._run,
            explorer=self._explorer,
            state=state.explorer,
            population=population,
            random=random,
        )
        decisions = tuple(copying.decisions(selection.choices, are_exhausted=ready.cause == "exhausted"))
        if selection.nobody:
            copying.warnings.append(NOBODY_TO_COPY.format(metric=self.metric))
        warnings = tuple(dict.fromkeys(copying.warnings))
        return Plan(decisions=decisions, warnings=warnings, pin=selection.pin, unpin=selection.unpin)

    def describe(self, state: Parts, population: PopulationView) -> str:
        exploits = sum(trial.exploits for trial in population.trials)
        way = "synchronous" if self.synch else "asynchronous"
        return (
            f"PBT, {way}: {exploits} exploits, one milestone every {self.perturbation_interval:g} "
            f"{self.time_attr}"
        )

    def _run(self, age: float) -> Run:
        return Run(until=self._milestones.after(age), barrier=_BARRIER if self.synch else None)

    def _begin(self, trial: TrialView, random: Random) -> Decision:
        config = fill_missing(
            trial.config,
            self.hyperparam_mutations or {},
            lambda path: random(f"start:{path}", trial.id),
        )
        return Decision(
            trial=trial.id, next=self._run(0.0), config=without_numpy_scalars(config), reason="start"
        )


def _check_parts(scheduler: PopulationBasedTraining) -> None:
    """Raise for a part that is none."""
    for name, kind in (("selector", Selector), ("explorer", Explorer)):
        part = getattr(scheduler, name)
        if isinstance(part, type) or not (part is None or isinstance(part, kind)):
            raise ConfigurationError(
                f"{name} must be an object of a subclass of poptune.schedulers.{kind.__name__}, got {part!r}"
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
