"""A toy experiment, journaled as a real one would be: trials of rising scores that copy one another."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from poptune._base.layout import Layout
from poptune._base.types import TrialId, TrialStatus
from poptune._core.events import Created, Left, Planned, Reported
from poptune._core.population import Population
from poptune._core.scheduler import Decision, Load, Plan, Run
from poptune._core.trial_spec import TrialSpec
from poptune._keeping.journal import ObjectTable, SqliteJournal
from poptune.results import ResultGrid


def run_toy(
    root: Path,
    *,
    trials: int = 6,
    iterations: int = 40,
    interval: int = 5,
    metric: str | None = "mean_accuracy",
) -> ResultGrid:
    """Write an experiment in which the best learning rate falls as training goes on."""
    rng = random.Random(trials)
    specs = []
    for index in range(trials):
        config: dict[str, Any] = {
            "lr": 10 ** rng.uniform(-4, 0),
            "momentum": rng.choice([0.8, 0.9, 0.99]),
            "optimizer": {"name": rng.choice(["adam", "sgd"])},
            "batch_size": 64,
        }
        specs.append(
            TrialSpec(
                id=TrialId(f"69158_{index:05d}"),
                index=index,
                name=f"train_69158_{index:05d}",
                tag=f"{index}_lr={config['lr']:.4f},momentum={config['momentum']:.4f}",
                folder=f"train_{index}",
                config=config,
            )
        )
    population = Population()
    created = Created(
        time_s=0,
        name="toy",
        trainable="train",
        seed=0,
        metric=metric,
        mode="max" if metric else None,
        time_attr="training_iteration",
        trials=tuple(specs),
    )
    population.apply(created)
    journal = SqliteJournal.create(Layout(root).journal, [created], ObjectTable())
    events: list[Any] = []

    def tell(event: Any) -> None:
        events.append(event)
        population.apply(event)

    states = [0.0] * trials
    saved: dict[str, float] = {}
    for tick in range(iterations):
        for trial in population.trials:
            if rng.random() < 0.1:  # some are slower, so that trials stand at different iterations
                continue
            right_lr = 10 ** (-1 - 2 * trial.iteration / iterations)
            quality = math.exp(-abs(math.log10(trial.config["lr"] / right_lr)))
            states[trial.index] += 0.12 * quality * trial.config["momentum"] * (1 - states[trial.index])
            score = states[trial.index] + rng.gauss(0, 0.006)
            if trial.index == 1 and 8 < tick < 12:
                score = math.nan
            iteration = trial.iteration + 1
            save = trial.saves + 1 if iteration % interval == 0 else None
            tell(
                Reported(
                    time_s=tick,
                    trial=trial.id,
                    incarnation=trial.incarnation,
                    iteration=iteration,
                    metrics={"mean_accuracy": score, "training_iteration": iteration},
                    checkpoint=save,
                )
            )
            if save is None:
                continue
            assert trial.checkpoint is not None
            saved[trial.checkpoint.id] = states[trial.index]
            ranked = sorted(population.trials, key=lambda one: states[one.index])
            few = math.ceil(trials / 4)
            donor = rng.choice(ranked[-few:])
            if trial in ranked[:few] and donor.checkpoint is not None and trial is not donor:
                config = {**donor.config, "lr": donor.config["lr"] * rng.choice([0.5, 0.8, 1.2])}
                states[trial.index] = saved[donor.checkpoint.id]
                decision = Decision(
                    trial=trial.id,
                    next=Run(),
                    source=Load(donor.checkpoint),
                    config=config,
                    donor=donor.id,
                )
                tell(Planned(plan=Plan(decisions=(decision,))))
    for spec in specs:
        tell(Left(trial=spec.id, status=TrialStatus.TERMINATED, reason="enough"))
    journal.append(events)
    journal.close()
    return ResultGrid.from_path(root)


@pytest.fixture
def toy(tmp_path: Path) -> Callable[..., ResultGrid]:
    return lambda **options: run_toy(tmp_path, **options)
