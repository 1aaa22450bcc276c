"""The toy job on Syne Tune: its local backend, its PBT, and a loop that hardly sleeps."""

import logging
import time
from pathlib import Path

from measured import SLOTS, parser, tell
from syne_tune import StoppingCriterion, Tuner
from syne_tune.backend import LocalBackend
from syne_tune.config_space import uniform
from syne_tune.optimizer.schedulers.pbt import PopulationBasedTraining

INTERVAL = 5
SLEEP_S = 0.01
"""By default it sleeps five seconds between two looks at its trials."""


def main():
    logging.getLogger().setLevel(logging.ERROR)
    options = parser()
    options.add_argument("--trials", type=int, default=4)
    options.add_argument("--iterations", type=int, default=50)
    options = options.parse_args()
    scheduler = PopulationBasedTraining(
        config_space={"lr": uniform(0.0, 1.0), "iterations": options.iterations},
        metric="score",
        time_attr="iteration",
        max_t=options.iterations + 1,  # its trials end by themselves
        do_minimize=False,
        population_size=options.trials,
        perturbation_interval=INTERVAL,
        random_seed=0,
    )
    tuner = Tuner(
        trial_backend=LocalBackend(entry_point=str(Path(__file__).with_name("toy_syne_trial.py"))),
        scheduler=scheduler,
        stop_criterion=StoppingCriterion(max_num_trials_completed=options.trials - 1),  # stops above this
        n_workers=SLOTS,
        sleep_time=SLEEP_S,
    )
    began_s = time.perf_counter()
    tuner.run()
    fit_s = time.perf_counter() - began_s
    status = tuner.tuning_status
    assert status.num_trials_completed >= options.trials, status
    tell(fit_s=fit_s, started=status.num_trials_started, exploits=scheduler.num_perturbations)


if __name__ == "__main__":
    main()
