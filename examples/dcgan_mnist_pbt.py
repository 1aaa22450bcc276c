"""Population Based Training of a DCGAN on MNIST: the second half of Ray Tune's guide to PBT.

Each trial is a generator and a discriminator, each with a learning rate of its own that the population tunes.
What a generator draws is scored by a classifier, which every worker opens from memory that all of them share.

    python examples/dcgan_mnist_pbt.py            # 2 trials of 5 iterations, to see that it works and copies
    python examples/dcgan_mnist_pbt.py --full     # 8 trials of 150 iterations
"""

import argparse
from pathlib import Path

from matplotlib.figure import Figure

import poptune as tune
from poptune.examples.dcgan import dcgan_train, demo_gan, load_classifier
from poptune.schedulers import PopulationBasedTraining

PERTURBATION_INTERVAL, SHORT_INTERVAL = 5, 2


def make_tuner(options):
    interval = PERTURBATION_INTERVAL if options.full else SHORT_INTERVAL
    scheduler = PopulationBasedTraining(
        time_attr="training_iteration",
        perturbation_interval=interval,
        hyperparam_mutations={
            "netG_lr": tune.uniform(1e-2, 1e-5),
            "netD_lr": tune.uniform(1e-2, 1e-5),
        },
    )
    return tune.Tuner(
        dcgan_train,
        param_space={
            "netG_lr": tune.choice([0.0001, 0.0002, 0.0005]),
            "netD_lr": tune.choice([0.0001, 0.0002, 0.0005]),
            "mnist_model_ref": tune.put(load_classifier()),
            "checkpoint_interval": interval,
        },
        tune_config=tune.TuneConfig(
            metric="is_score",
            mode="max",
            num_samples=8 if options.full else 2,
            seed=options.seed,
            scheduler=scheduler,
        ),
        run_config=tune.RunConfig(
            storage_path=options.storage,
            stop={"training_iteration": options.iterations or (150 if options.full else 5)},
        ),
    )


def curves(results, *metrics):
    """Draw what every trial reported of some metrics, one panel a metric."""
    figure = Figure(figsize=(6 * len(metrics), 4), layout="constrained")
    for axes, metric in zip(figure.subplots(1, len(metrics), squeeze=False)[0], metrics, strict=True):
        for index, result in enumerate(results):
            axes.plot(result.metrics_dataframe[metric], label=f"trial {index}", linewidth=1)
        axes.set(xlabel="result", ylabel=metric)
        axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure


def digits(checkpoint):
    """Draw a grid of digits from a checkpoint's generator."""
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    axes.imshow(demo_gan(checkpoint), cmap="gray", vmin=0, vmax=1)
    axes.set_axis_off()
    return figure


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="8 trials of 150 iterations")
    parser.add_argument("--iterations", type=int, default=None, help="a trial ends after so many")
    parser.add_argument("--seed", type=int, default=None, help="draws the same first configs again")
    parser.add_argument("--storage", default="~/poptune_results", help="where results are kept")
    return parser.parse_args(arguments)


def main(arguments=None):
    results = make_tuner(parse(arguments)).fit()
    best = results.get_best_result()
    pictures = {
        "inception_score.png": curves(results, "is_score"),
        "losses.png": curves(results, "lossg", "lossd"),
        "digits.png": digits(best.checkpoint),
    }
    folder = Path(results.experiment_path)
    for name, picture in pictures.items():
        picture.savefig(folder / name, dpi=150)
    scores = best.lineage.metrics_dataframe["is_score"]
    print(
        f"Inception score of the best lineage: {scores.iloc[0]:.2f} at first, {scores.iloc[-1]:.2f} at last"
    )
    print(f"{len(results.lineage.exploits)} times a trial has copied another")
    print("Best result:", best.path)
    print("Pictures:   ", *(folder / name for name in pictures))
    return results


if __name__ == "__main__":
    main()
