"""What one more worker takes in memory, torch imported, while it waits inside ``report()``.

A callback that the trials wait for looks at them from the controlling process, once all have reported.
"""

import torch
from measured import parser, run_config, tell, tell_unavailable
from process_memory import is_known, parent_of, proportional_and_private_mb

import poptune as tune

WORKERS = 4
REPORTS = 5


def train(_config, makes_optimizer):
    weights = torch.zeros(100, requires_grad=True)
    if makes_optimizer:
        torch.optim.SGD([weights], lr=0.1)
    for step in range(REPORTS):
        tune.report({"total": (weights + step).sum().item()})


class Look(tune.Callback):
    """Measures each worker at its last report, when the others are there too."""

    def __init__(self):
        self.workers_mb, self.server_mb = [], 0.0

    def on_trial_result(self, iteration, trials, trial, result, **info):
        if result["training_iteration"] == REPORTS - 1:
            pid = result["pid"]
            self.workers_mb.append(proportional_and_private_mb(pid))
            self.server_mb = proportional_and_private_mb(parent_of(pid))[0]


def main():
    options = parser()
    options.add_argument("--makes-optimizer", action="store_true")
    options = options.parse_args()
    if not is_known():
        tell_unavailable("memory is read from /proc/PID/smaps_rollup, which this system lacks")
        return
    look = Look()
    results = tune.Tuner(
        tune.with_parameters(train, makes_optimizer=options.makes_optimizer),
        tune_config=tune.TuneConfig(num_samples=WORKERS),
        run_config=run_config(options.storage, slots=WORKERS, callbacks=[look]),
    ).fit()
    assert not results.errors, results.errors
    assert len(look.workers_mb) == WORKERS, look.workers_mb
    proportional, private = zip(*look.workers_mb, strict=True)
    tell(pss_mb=max(proportional), private_mb=max(private), server_pss_mb=look.server_mb)


if __name__ == "__main__":
    main()
