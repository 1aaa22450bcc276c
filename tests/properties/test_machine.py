"""The core under any order of reports, failures, restarts and late messages."""

import math
from collections import defaultdict
from dataclasses import dataclass

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace
from skeletons import SKELETONS, Backtracking, Replays

from poptune._base.types import TrialStatus
from poptune._core.events import (
    Failed,
    Forgotten,
    Planned,
    PopulationStopped,
    Reported,
    ResidentsLimited,
    Restarted,
    Resumed,
    SlotsChanged,
)
from poptune._core.experiment import Experiment
from poptune._core.retention import Retention
from poptune._core.retries import Retries
from poptune._core.revival import to_revive
from poptune._core.scheduler import Fresh, Keep, Load, Plan, Rest, Run
from poptune._core.settings import Settings
from poptune._keeping.journal import MemoryJournal, valid_results
from poptune._running.controller.damage import damaged_checkpoints
from poptune._watching.verification import Deciders, replay
from poptune.errors import CorruptCheckpointError
from poptune.schedulers import PopulationBasedTraining
from poptune.search_space import uniform
from poptune.testing.simulation import SimulatedWorkers, created

SCORES = st.one_of(
    st.floats(-10, 10),
    st.integers(0, 5),
    st.sampled_from([math.nan, math.inf, -math.inf]),
    st.none(),
)
FOLDED = (
    "config",
    "run",
    "iteration",
    "age",
    "checkpoint",
    "saved",
    "reports",
    "reports_at_load",
    "superseded",
    "strayed",
    "decisions",
    "resting",
    "generation",
    "course",
)


class Restless(PopulationBasedTraining):
    """Has whoever goes on with its own state go on with another learning rate."""

    def decide(self, state, population, ready, random):
        plan = super().decide(state, population, ready, random)
        if ready.cause == "start":
            return plan
        decisions = (self._stirred(decision, population, random) for decision in plan.decisions)
        return Plan(decisions=tuple(decisions), warnings=plan.warnings)

    def _stirred(self, decision, population, random):
        if not (isinstance(decision.source, Keep) and isinstance(decision.next, Run)):
            return decision
        lr = random("stir", decision.trial).integers(0, 3) / 2
        return replace(decision, config={**population[decision.trial].config, "lr": float(lr)})


class Historian(PopulationBasedTraining):
    """Pins some of the checkpoints that there are, lets go of some, and has trials go back to others."""

    def decide(self, state, population, ready, random):
        plan = super().decide(state, population, ready, random)
        kept = [ref for trial in population.trials for ref in trial.saved]
        if not kept or ready.cause != "milestone":
            return plan
        draw = random("history", ready.trials[0])
        pinned = sorted(population.pinned)
        return replace(
            plan,
            decisions=tuple(self._back(decision, kept, draw) for decision in plan.decisions),
            pin=(kept[draw.integers(len(kept))].id,),
            unpin=tuple(name for name in pinned if draw.random() < 0.3),
        )

    def _back(self, decision, kept, draw):
        ref = kept[draw.integers(len(kept))]
        if draw.random() < 0.6 or not isinstance(decision.next, Run):
            return decision
        return replace(decision, source=Load(ref), next=self._run(ref.age), donor=None, donor_config=None)


@dataclass
class Stored:
    """A store of which only the damage is known; it is its own checkpoint, too."""

    damaged: set[str]
    path: str = ""

    def open(self, path):
        return Stored(self.damaged, path)

    def verify(self):
        if self.path in self.damaged:
            raise CorruptCheckpointError(self.path)


class PopulationUnderFire(RuleBasedStateMachine):
    """Drives one experiment; after every step nothing that must hold is broken."""

    @initialize(
        population=st.sampled_from([1, 2, 2, 3, 4, 6]),
        slots=st.sampled_from([1, 2, 2, 3]),
        residents=st.none() | st.integers(0, 3),
        synch=st.booleans(),
        interval=st.integers(1, 3),
        max_failures=st.integers(-1, 2),
        rebirth=st.booleans(),
        keep=st.sampled_from([None, 1, 1, 2]),
        seed=st.integers(0, 3),
        kind=st.sampled_from([*[PopulationBasedTraining] * 3, Restless, Historian, *SKELETONS]),
        takes_configs=st.booleans(),
    )
    def begin(
        self,
        population,
        slots,
        residents,
        synch,
        interval,
        max_failures,
        rebirth,
        keep,
        seed,
        kind,
        takes_configs,
    ):
        if kind in SKELETONS:
            self.scheduler = kind(interval=interval, synch=synch and kind in {Backtracking, Replays})
        else:
            self.scheduler = kind(
                time_attr="training_iteration",
                metric="score",
                mode="max",
                perturbation_interval=interval,
                hyperparam_mutations={"lr": uniform(0, 1), "batch": [16, 32, 64]},
                synch=synch,
                require_attrs=False,
            )
        self.settings = Settings(
            slots=slots,
            max_residents=None if residents is None else slots + residents,
            retries=Retries(per_trial=max_failures, rebirth=rebirth),
            retention=Retention(num_to_keep=keep),
        )
        self.most_slots = slots
        self.journal = MemoryJournal()
        self.workers = SimulatedWorkers(takes_configs=takes_configs)
        self.experiment = Experiment(self.scheduler, self.settings)
        self.decided, self.resting, self.decisions = set(), set(), 0
        self.late = []
        self.valid = defaultdict(list)
        self.ways_back = defaultdict(list)
        self.gone = set()
        self.handle(created([{} for _ in range(population)], seed=seed))

    def handle(self, event):
        step = self.experiment.handle(event)
        self.journal.append(step.events)
        self.workers.carry_out(step.commands)
        for recorded in step.events:
            self.keep_books(recorded)
        while self.workers.stuck:
            self.handle(self.workers.stumble(min(self.workers.stuck)))
        while self.workers.declining:
            self.handle(self.workers.decline(min(self.workers.declining)))

    def keep_books(self, event):
        """What is valid of a trial's results, reckoned in another way than the machine does."""
        match event:
            case Reported(trial=trial):
                self.valid[trial].append(event)
                if event.checkpoint:
                    folder = self.experiment.population[trial].spec.checkpoints_folder
                    self.note_way_back(trial, f"{folder}/checkpoint_{event.checkpoint:06d}", own=True)
            case Restarted(trial=trial):
                self.go_back(trial)
            case Forgotten() | Failed() | Resumed():
                self.note_what_is_gone(event)
            case Planned(plan=plan):
                for decision in plan.decisions:
                    if isinstance(decision.source, Load):
                        self.note_way_back(decision.trial, decision.source.checkpoint.path, own=False)
                    elif isinstance(decision.source, Fresh):
                        self.note_way_back(decision.trial, "the beginning", own=False)
                self.check_plan(event)

    def note_way_back(self, trial, path, *, own):
        self.ways_back[trial].append((len(self.valid[trial]), path, own))

    def note_what_is_gone(self, event):
        match event:
            case Forgotten(checkpoints=checkpoints):
                for checkpoint in checkpoints:
                    owner, _, name = checkpoint.rpartition("/")
                    self.gone.add(f"{self.experiment.population[owner].spec.checkpoints_folder}/{name}")
            case Failed(damaged=damaged):
                self.gone.add(damaged)
            case Resumed(damaged=damaged, anew=anew, revived=revived):
                self.gone.update(damaged)
                self.decided = {key for key in self.decided if key[0] not in revived}
                for trial in anew:
                    self.ways_back[trial].clear()

    def go_back(self, trial):
        """To where it came from last, or if that is gone to the newest of its own that is left."""
        ways = self.ways_back[trial]
        if ways and ways[-1][1] in self.gone:
            while ways and (ways[-1][1] in self.gone or not ways[-1][2]):
                ways.pop()
        del self.valid[trial][ways[-1][0] if ways else 0 :]

    def check_plan(self, planned):
        for decision in planned.plan.decisions:
            trial = self.experiment.population[decision.trial]
            self.decisions += 1
            was_called = trial.id in self.resting
            (self.resting.add if isinstance(decision.next, Rest) else self.resting.discard)(trial.id)
            if planned.cause == "milestone" and not was_called:
                key = (trial.id, trial.reports)
                assert key not in self.decided, "a milestone was decided twice"
                self.decided.add(key)
            if decision.donor is not None:
                assert decision.donor != trial.id
            if decision.donor is not None and "donor" in decision.seen:
                seen = decision.seen["donor"]
                assert math.isfinite(seen), "a score that is not finite donated"
                own = decision.seen["own"]
                # A trial that failed too often may have been the best: it is reborn as whoever can be copied.
                assert decision.forgives or own is None or not math.isfinite(own) or own <= seen

    @precondition(lambda self: self.workers.training)
    @rule(data=st.data(), score=SCORES, save=st.booleans())
    def a_trial_reports(self, data, score, save):
        trial = data.draw(st.sampled_from(self.workers.training))
        event = self.workers.report(trial, score, save=save)
        self.late.append(event)
        self.handle(event)

    @precondition(lambda self: self.workers.training)
    @rule(data=st.data(), score=SCORES)
    def a_trial_stops(self, data, score):
        trial = data.draw(st.sampled_from(self.workers.training))
        self.handle(self.workers.report(trial, score, save=True, stop="enough"))

    @precondition(lambda self: self.workers.trials)
    @rule(data=st.data())
    def a_worker_dies(self, data):
        trial = data.draw(st.sampled_from(sorted(self.workers.trials)))
        # As the controller does: whoever is lost is lost in its present incarnation.
        incarnation = self.experiment.population[trial].incarnation
        self.handle(replace(self.workers.fail(trial), incarnation=incarnation))

    @precondition(lambda self: self.workers.training)
    @rule(data=st.data())
    def a_function_returns(self, data):
        self.handle(self.workers.end(data.draw(st.sampled_from(self.workers.training))))

    @precondition(lambda self: self.late)
    @rule(data=st.data())
    def a_message_comes_twice_from_a_dead_worker(self, data):
        event = data.draw(st.sampled_from(self.late))
        trial = self.experiment.population[event.trial]
        if event.incarnation < trial.incarnation or not trial.status.is_live:
            step = self.experiment.handle(event)
            assert not step.events
            assert not step.commands

    @precondition(lambda self: any(trial.saved for trial in self.experiment.population.trials))
    @rule(data=st.data())
    def a_checkpoint_is_damaged(self, data):
        paths = sorted(ref.path for trial in self.experiment.population.trials for ref in trial.saved)
        self.workers.damaged.add(data.draw(st.sampled_from(paths)))

    @rule(further=st.booleans(), failed=st.booleans(), anew=st.booleans())
    def the_controller_dies_and_another_resumes(self, further, failed, anew):
        self.workers.vanish()
        self.experiment = Experiment(self.scheduler, self.settings)
        for event in self.journal.read():
            self.experiment.fold(event)
        population = self.experiment.population
        revived = to_revive(population, failed=failed, has_ended=(lambda trial: False) if further else None)
        if revived or not self.experiment.finished:
            damaged = damaged_checkpoints(population, Stored(self.workers.damaged), revived)
            anew = [trial for trial in revived if anew and population[trial].status is TrialStatus.ERROR]
            self.handle(Resumed(time_s=0.0, damaged=damaged, revived=revived, anew=tuple(anew)))

    @precondition(lambda self: self.settings.max_residents is None)
    @rule(limit=st.integers(1, 4))
    def memory_runs_low(self, limit):
        self.handle(ResidentsLimited(time_s=0.0, limit=limit))

    @rule(slots=st.integers(1, 4))
    def machines_come_or_go(self, slots):
        self.most_slots = max(self.most_slots, slots)
        self.handle(SlotsChanged(time_s=0.0, slots=slots))

    @rule(really=st.integers(0, 30))
    def everything_is_stopped(self, really):
        if really == 0:
            self.handle(PopulationStopped(time_s=0.0, reason="time"))

    @invariant()
    def at_most_the_slots_run(self):
        if hasattr(self, "experiment"):
            assert len(self.workers.training) <= self.most_slots
            assert set(self.workers.training) == self.experiment.running

    @invariant()
    def who_trains_does_so_with_the_config_that_the_journal_names(self):
        if hasattr(self, "experiment"):
            for trial in self.workers.training:
                assert self.workers.trials[trial].config == self.experiment.population[trial].config

    @invariant()
    def no_live_trial_is_lost(self):
        """Some trial trains as long as any is live, and each live one is somewhere."""
        if not hasattr(self, "experiment"):
            return
        trials = self.experiment.population.trials
        live = [trial for trial in trials if trial.status.is_live]
        assert bool(live) != self.experiment.finished
        assert not live or self.workers.training
        for trial in live:
            resident = trial.id in self.workers.trials
            assert trial.resting or resident == (trial.status is not TrialStatus.PENDING)
            assert not (trial.resting and trial.id in self.workers.training)

    @invariant()
    def what_a_trial_would_go_back_to_exists(self):
        if hasattr(self, "experiment"):
            for trial in self.experiment.population.trials:
                if trial.checkpoint is not None:
                    assert trial.checkpoint.id in self.workers.saved

    @invariant()
    def what_is_pinned_exists_unless_it_was_damaged(self):
        if hasattr(self, "experiment"):
            population = self.experiment.population
            lost = population.pinned - {ref.id for trial in population.trials for ref in trial.saved}
            assert all(name in self.workers.saved for name in population.pinned - lost)
            assert not lost or self.workers.damaged

    @invariant()
    def retention_is_bounded(self):
        if hasattr(self, "experiment") and self.settings.retention.num_to_keep is not None:
            population = self.experiment.population
            pinned = {t.checkpoint.id for t in population.trials if t.checkpoint} | population.pinned
            for trial in self.experiment.population.trials:
                kept = [ref for ref in trial.saved if ref.id not in pinned]
                assert len(kept) <= self.settings.retention.num_to_keep

    @invariant()
    def exactly_the_results_that_were_not_lost_are_valid(self):
        if hasattr(self, "experiment"):
            for trial in self.experiment.population.trials:
                found = list(valid_results(self.journal, trial))
                assert _same(found, self.valid[trial.id])

    @invariant()
    def a_fold_of_the_journal_is_the_live_state(self):
        if not hasattr(self, "experiment"):
            return
        other = Experiment(self.scheduler, self.settings)
        for event in self.journal.read():
            other.fold(event)
        for mine, theirs in zip(self.experiment.population.trials, other.population.trials, strict=True):
            for name in FOLDED:
                assert _same(getattr(mine, name), getattr(theirs, name)), name
            assert mine.status.is_live == theirs.status.is_live

    def teardown(self):
        """In the end the journal says just what the machine settles from what it was told."""
        if hasattr(self, "experiment"):
            found = replay(self.journal.read, Deciders(self.scheduler, self.settings))
            assert found.differences == []
            assert found.events == len(list(self.journal.read()))
            assert found.decisions == self.decisions


def _same(one, other):
    return repr(one) == repr(other)  # NaN equals itself in a repr


TestPopulationUnderFire = PopulationUnderFire.TestCase
TestPopulationUnderFire.settings = settings(max_examples=200, stateful_step_count=60, deadline=None)
