"""The time that one ``report()`` takes in its worker, with no milestone and no stop near."""

import json
from array import array
from pathlib import Path
from time import perf_counter_ns, sleep

from measured import parser, run_config, tell
from spread_of_calls import percentiles

import poptune as tune

WORK_NS = 500_000
BURST = 500
REST_S = 0.1


def work():
    until = perf_counter_ns() + WORK_NS
    while perf_counter_ns() < until:
        pass


def timed_reports(count, before=None):
    """Report so many times, and return the time of each call in ns."""
    times = array("q", bytes(8 * count))
    for number in range(count):
        if before is not None:
            before()
        began_ns = perf_counter_ns()
        tune.report({"loss": 0.5, "accuracy": 0.25, "examples": number})
        times[number] = perf_counter_ns() - began_ns
    return times


def bursts(count):
    times = array("q")
    while len(times) < count:
        times += timed_reports(BURST)
        sleep(REST_S)
    return times


def train(_config, paced, tight, told):
    timed_reports(BURST)
    sleep(REST_S)
    figures = percentiles("paced", timed_reports(paced, before=work))
    sleep(REST_S)
    figures |= percentiles("burst", bursts(max(paced, BURST)))
    figures |= percentiles("full", timed_reports(tight))
    Path(told).write_text(json.dumps(figures))


def main():
    options = parser()
    options.add_argument("--paced", type=int, default=10_000)
    options.add_argument("--tight", type=int, default=300_000)
    options = options.parse_args()
    told = options.storage.with_name("figures.json").absolute()
    trainable = tune.with_parameters(train, paced=options.paced, tight=options.tight, told=str(told))
    results = tune.Tuner(trainable, run_config=run_config(options.storage, slots=1)).fit()
    assert not results.errors, results.errors
    tell(**json.loads(told.read_text()))


if __name__ == "__main__":
    main()
