"""What Population Based Training does, seen on two toy problems of which the answer is known.

docs/understanding_pbt.md explains the pictures, which this makes anew:

    python examples/visualize_pbt.py --pictures docs/images --seeds 10
"""

import argparse
import math
import statistics
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import poptune as tune
from poptune.schedulers import Explored, Explorer, FIFOScheduler, KeepOwn, PopulationBasedTraining

BLACK, GREY, RED, BLUE = "#111111", "#9aa0a8", "#cc3311", "#0077bb"
OPTIMUM = {"color": RED, "linestyle": "--", "linewidth": 1.5, "zorder": 5, "label": "best possible"}


# The noisy bowl: stochastic gradient descent of which the best learning rate is known at every step.

PARAMETERS, START, BOWL_INTERVAL, TRIALS = 1000, 10.0, 5, 6


def descend(config, seed):
    """Minimise |theta|² / 2, whose gradient is theta, but comes with noise of variance 1."""
    theta, step = np.full(PARAMETERS, START), 0
    if checkpoint := tune.get_checkpoint():
        state = checkpoint.to_dict()
        theta, step = state["theta"], state["step"]
    while True:
        noise = np.random.default_rng([seed, step]).normal(size=PARAMETERS)
        theta, step = theta - config["lr"] * (theta + noise), step + 1
        save = step % BOWL_INTERVAL == 0
        state = tune.Checkpoint.from_dict({"theta": theta, "step": step}) if save else None
        tune.report({"score": -math.log10(np.mean(theta**2)), "lr": config["lr"]}, checkpoint=state)


def best_score(step):
    """Return the score after a step of the best schedule there is: 1 / loss grows by 1 a step."""
    return np.log10(1 / START**2 + step)


def best_lr(step):
    """Return the learning rate of a step of that schedule: loss / (loss + 1), of the loss before it."""
    return 1 / (1 + 1 / START**2 + (step - 1))


BOWL_SPACE = {"lr": tune.loguniform(0.001, 1)}
BOWL_PBT = PopulationBasedTraining(
    time_attr="training_iteration",
    perturbation_interval=BOWL_INTERVAL,
    hyperparam_mutations=BOWL_SPACE,
    synch=True,
)


# Figure 2 of the paper: two trials, each of which sees one of the two parameters only.


def climb(config):
    """Maximise 1.2 - (h0 theta0² + h1 theta1²), a surrogate of what is scored: 1.2 - (theta0² + theta1²)."""
    theta, step = np.array([0.9, 0.9]), 0
    if checkpoint := tune.get_checkpoint():
        state = checkpoint.to_dict()
        theta, step = state["theta"], state["step"]
    while True:
        theta, step = theta - 0.01 * 2 * np.array(config["h"]) * theta, step + 1
        state = tune.Checkpoint.from_dict({"theta": theta, "step": step}) if step % 4 == 0 else None
        tune.report({"score": 1.2 - theta @ theta, "theta0": theta[0], "theta1": theta[1]}, checkpoint=state)


@dataclass(frozen=True)
class AddNoise(Explorer[None]):
    def explore(self, state, population, copy, draw):
        moved = np.maximum(0, copy.config["h"] + draw("h").normal(0, 0.1, size=2))
        return Explored({"h": moved.tolist()})


FIGURE_2_SPACE = {"h": tune.grid_search([[1.0, 0.0], [0.0, 1.0]])}
FIGURE_2_PBT = PopulationBasedTraining(
    time_attr="training_iteration",
    perturbation_interval=4,
    quantile_fraction=0.5,
    explorer=AddNoise(),
    synch=True,
)


@dataclass(frozen=True)
class NoChange(Explorer[None]):
    def explore(self, state, population, copy, draw):
        return Explored(copy.config)


def run_each(train, space, pbt, *, neither, num_samples, steps, seed, storage):
    """Run PBT, each of its halves, and neither."""
    schedulers = {
        "PBT": pbt,
        "exploit only": replace(pbt, explorer=NoChange()),
        "explore only": replace(pbt, selector=KeepOwn()),
        neither: FIFOScheduler(),
    }
    return {
        name: tune.Tuner(
            train,
            param_space=space,
            tune_config=tune.TuneConfig(
                metric="score", mode="max", num_samples=num_samples, scheduler=scheduler, seed=seed
            ),
            run_config=tune.RunConfig(
                storage_path=storage, executor="inline", verbose=0, stop={"training_iteration": steps}
            ),
        ).fit()
        for name, scheduler in schedulers.items()
    }


def run_bowl(*, steps, seed, storage):
    train = tune.with_parameters(descend, seed=seed)
    return run_each(
        train,
        BOWL_SPACE,
        BOWL_PBT,
        neither="random search",
        num_samples=TRIALS,
        steps=steps,
        seed=seed,
        storage=storage,
    )


def run_figure_2(*, steps, seed, storage):
    return run_each(
        climb,
        FIGURE_2_SPACE,
        FIGURE_2_PBT,
        neither="grid search",
        num_samples=1,
        steps=steps,
        seed=seed,
        storage=storage,
    )


def final_score(results):
    return results.get_best_result().metrics["score"]


# The pictures.


def draw_population(results, steps):
    """Return the score, the learning rate and the lineage of a population."""
    at = np.arange(1, steps + 1)
    score, lr = tune.plots.curves(results), tune.plots.schedule(results)
    for figure, optimum in ((score, best_score(at)), (lr, best_lr(at))):
        [panel] = figure.axes
        panel.plot(at, optimum, **OPTIMUM)
        panel.legend(handles=panel.lines[-1:], loc="best", frameon=False)
    lr.set_size_inches(8, 4.2)
    return {"score": score, "lr": lr, "lineage": tune.plots.lineage(results)}


def draw_ablations(runs, steps):
    """Draw the score above the learning rate, for PBT and for less than PBT."""
    at = np.arange(1, steps + 1)
    figure, panels = panels_below(runs)
    for (above, below), results in zip(panels.T, runs.values(), strict=True):
        for panel, key, optimum in ((above, "score", best_score(at)), (below, "lr", best_lr(at))):
            for result in results:
                panel.plot(*columns(result, "training_iteration", key), color=GREY, linewidth=0.8)
            best = columns(results.get_best_result().lineage, "training_iteration", key)
            panel.plot(*best, color=BLACK, linewidth=1.8, label="best lineage")
            panel.plot(at, optimum, **OPTIMUM)
        below.set(yscale="log", xlabel="step")
    panels[0, 0].set(ylabel="score")
    panels[1, 0].set(ylabel="learning rate")
    panels[0, 0].legend(handles=panels[0, 0].lines[-2:], loc="lower right", frameon=False, fontsize=8)
    return figure


def draw_figure_2(runs):
    """Draw the score over the steps above the ways through the plane of the two parameters."""
    figure, panels = panels_below(runs, sharex="row")
    axis = np.linspace(0, 1, 60)
    surface = 1.2 - axis[:, None] ** 2 - axis**2
    for (above, below), results in zip(panels.T, runs.values(), strict=True):
        below.contour(axis, axis, surface, levels=10, colors="#cccccc", linewidths=0.7, linestyles="solid")
        for result, color in zip(results, (BLACK, BLUE), strict=True):
            above.plot(*columns(result, "training_iteration", "score"), ".", color=color, markersize=2)
            below.plot(*columns(result, "theta0", "theta1"), ".", color=color, markersize=2)
        above.axhline(1.2, **OPTIMUM)
        above.set(xlabel="step")
        below.set(xlabel="θ0", aspect="equal", xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
        below.plot(0, 0, "*", color=RED, markersize=11, clip_on=False, zorder=5)
    panels[0, 0].set(ylabel="Q")
    panels[0, 0].legend(handles=panels[0, 0].lines[-1:], loc="lower right", frameon=False, fontsize=8)
    panels[1, 0].set(ylabel="θ1")
    return figure


def panels_below(runs, sharex=True):
    """Return a figure with a column of two panels for each run, and its panels."""
    figure = Figure(figsize=(10, 5), dpi=100, layout="constrained")
    panels = figure.subplots(2, len(runs), sharex=sharex, sharey="row")
    for panel, (name, results) in zip(panels[0], runs.items(), strict=True):
        panel.set_title(f"{name}: {final_score(results):.2f}", fontsize=11)
    for panel in panels.flat:
        panel.spines[["top", "right"]].set_visible(False)
    return figure, panels


def columns(result, *keys):
    return [result.metrics_dataframe[key] for key in keys]


def final_scores(runs):
    return {name: final_score(results) for name, results in runs.items()}


def print_table(title, scores_of_seeds):
    print(f"{title}, final score of the best trial, mean ± sd of {len(scores_of_seeds)} seeds")
    for name in scores_of_seeds[0]:
        scores = [scores_of_seed[name] for scores_of_seed in scores_of_seeds]
        spread = statistics.stdev(scores) if len(scores) > 1 else 0.0
        print(f"  {name:14} {statistics.mean(scores):.3f} ± {spread:.3f}")


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=Path, default=Path(), help="the folder for the pictures")
    parser.add_argument("--steps", type=int, default=200, help="length of every training")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds; the pictures are of the first")
    return parser.parse_args(arguments)


def main(arguments=None):
    options = parse(arguments)
    options.pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as storage:
        common = {"steps": options.steps, "storage": storage}
        bowls = [run_bowl(seed=seed, **common) for seed in range(options.seeds)]
        papers = [run_figure_2(seed=seed, **common) for seed in range(options.seeds)]
        figures = {
            **draw_population(bowls[0]["PBT"], options.steps),
            "ablations": draw_ablations(bowls[0], options.steps),
            "figure_2": draw_figure_2(papers[0]),
        }
        for name, figure in figures.items():
            figure.savefig(options.pictures / f"understanding_{name}.png")
        bowl_scores = [final_scores(runs) for runs in bowls]
        paper_scores = [final_scores(runs) for runs in papers]
    print_table(f"The noisy bowl (best possible: {best_score(options.steps):.3f})", bowl_scores)
    print_table("Figure 2 of the paper (best possible: 1.2)", paper_scores)
    return bowl_scores[0], paper_scores[0]


if __name__ == "__main__":
    main()
