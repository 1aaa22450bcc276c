"""Train from scratch along the schedule that a population has found: Ray Tune's guide to PBT, continued.

A replay repeats the hyperparameters of the best lineage, not the copying of weights, so it ends elsewhere.
How far off, over a few seeds of the training, is what this measures. The population has chosen its winner
from several that began with other weights; a high learning rate that this one got away with may send a lone
training to chance, 0.1, from which it does not come back. So a replay is trained with several seeds.

    python examples/replay.py                      # trains the population of mnist_convnet_pbt.py first
    python examples/replay.py --experiment PATH    # or takes one that is there
"""

import argparse
import itertools
import statistics
from pathlib import Path

import poptune as tune
from mnist_convnet_pbt import accuracy_on_all, make_tuner, train_convnet
from mnist_convnet_pbt import parse as parse_population
from poptune.datasets.mnist import load_mnist
from poptune.schedulers import PopulationBasedTrainingReplay

CHANCE = 0.2
"""At most what a network has learnt nothing with; ten classes, and luck."""
COLOURS = ("#cc6677", "#332288", "#117733", "#88ccee", "#882255")


def replay(source, *, seed, iterations, storage):
    """Train one network along a schedule, or along the one in a policy file."""
    tuner = tune.Tuner(
        train_convnet,
        tune_config=tune.TuneConfig(
            metric="mean_accuracy", mode="max", seed=seed, scheduler=PopulationBasedTrainingReplay(source)
        ),
        run_config=tune.RunConfig(
            name=f"replay_{seed}", storage_path=storage, stop={"training_iteration": iterations}
        ),
    )
    return tuner.fit()[0]


def draw(original, replays, accuracies):
    figure = tune.plots.curves(original)
    [panel] = figure.axes
    for result, color in zip(replays, itertools.cycle(COLOURS)):
        along = result.lineage.metrics_dataframe
        panel.plot(along["training_iteration"], along["mean_accuracy"], color=color, linewidth=1.2)
    lines = [panel.lines[0], *panel.lines[-len(replays) :]]
    names = ["best lineage", *(f"replay, seed {seed}" for seed in range(len(replays)))]
    labels = [f"{name}: {accuracy:.4f}" for name, accuracy in zip(names, accuracies, strict=True)]
    panel.legend(lines, labels, title="on all test images", loc="lower right", frameon=False)
    panel.set_title("best lineage in black, and its schedule replayed from scratch", loc="left", fontsize=10)
    return figure


def parse(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], epilog="Further options are those of mnist_convnet_pbt.py."
    )
    parser.add_argument("--experiment", type=Path, help="the folder of a population that was trained")
    parser.add_argument("--replays", type=int, default=3, help="how many replays, each with its own seed")
    options, others = parser.parse_known_args(arguments)
    return options, parse_population(others)


def main(arguments=None):
    options, population = parse(arguments)
    load_mnist()  # fetched here once, before any trial needs it
    if options.experiment:
        results = tune.ResultGrid.from_path(options.experiment)
    else:
        results = make_tuner(population).fit()
    best = results.get_best_result()
    if best.checkpoint is None:
        raise SystemExit("The population must train for at least 5 iterations, so that there is a checkpoint")
    experiment, iterations = Path(results.experiment_path), best.lineage.segments[-1].until
    print("Schedule of the best trial:", best.lineage, sep="\n")

    policy = experiment / f"pbt_policy_{best.trial_id}.txt"  # only a trial that was perturbed has one
    replays = [
        replay(
            policy if seed == 0 and policy.exists() else best.schedule,
            seed=seed,
            iterations=iterations,
            storage=population.storage,
        )
        for seed in range(options.replays)
    ]
    if policy.exists():
        print(f"{policy.name} gives the same schedule:", replays[0].schedule == best.schedule)

    at, original = accuracy_on_all(best)
    replayed = [accuracy_on_all(result)[1] for result in replays]
    mean, spread = statistics.mean(replayed), statistics.stdev(replayed) if len(replayed) > 1 else 0.0
    print(f"Accuracy on all 10,000 test images, of the checkpoints at iteration {at}:")
    print(f"  original {original:.4f}")
    print(f"  replayed {mean:.4f} ± {spread:.4f}, the mean and standard deviation of {len(replayed)} seeds")
    print("          ", ", ".join(f"{accuracy:.4f}" for accuracy in replayed))
    print(f"  gap      {mean - original:+.4f}")
    failed = [seed for seed, accuracy in enumerate(replayed) if accuracy < CHANCE]
    if failed:
        print(
            f"  The seeds {failed} fell to chance: the schedule begins with {best.schedule(1)}, which other "
            "first weights did not bear. The population had several to choose from, a replay has one."
        )

    draw(best, replays, [original, *replayed]).savefig(experiment / "replay.png")
    print("Picture:", experiment / "replay.png")
    return original, replayed


if __name__ == "__main__":
    main()
