"""How many results a second one controller takes in from two workers that do nothing but report."""

import time

from journaled import results_and_end
from measured import SLOTS, can_choose_loggers, parser, run_config, tell, tell_unavailable

import poptune as tune


def train(_config, reports):
    began_s = time.time()
    for number in range(reports):
        tune.report({"loss": 0.5, "examples": number, "began_s": began_s})


def main():
    options = parser(executors=True)
    options.add_argument("--reports", type=int, default=200_000)
    options.add_argument("--loggers", nargs="*", default=())
    options = options.parse_args()
    if not can_choose_loggers():
        tell_unavailable("this poptune's RunConfig has no loggers")
        return
    results = tune.Tuner(
        tune.with_parameters(train, reports=options.reports),
        tune_config=tune.TuneConfig(num_samples=SLOTS),
        run_config=run_config(options.storage, executor=options.executor, loggers=tuple(options.loggers)),
    ).fit()
    assert not results.errors, results.errors
    journaled, completed_s = results_and_end(results.experiment_path)
    assert len(journaled) == SLOTS
    for reported in journaled.values():
        assert [one.iteration for one in reported] == list(range(1, options.reports + 1)), "results are lost"
        assert [one.metrics["examples"] for one in reported] == list(range(options.reports))
    began_s = min(reported[0].metrics["began_s"] for reported in journaled.values())
    tell(per_s=SLOTS * options.reports / (completed_s - began_s))


if __name__ == "__main__":
    main()
