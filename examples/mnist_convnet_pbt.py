"""Population Based Training of a small ConvNet on MNIST: the first half of Ray Tune's guide to PBT.

Four networks train side by side, an iteration being 512 training and 256 test images. Every five iterations
the weakest takes over the weights of the strongest and tries other hyperparameters.

    python examples/mnist_convnet_pbt.py
"""

import argparse
from pathlib import Path

import poptune as tune

if __name__ == "__main__":
    tune.preload("torch")  # so that the workers' imports begin beside this program's own

import torch
import torch.nn.functional as F
from torch import nn, optim

from poptune.datasets.mnist import load_mnist
from poptune.schedulers import PopulationBasedTraining

TRAIN_IMAGES, TEST_IMAGES, BATCH = 512, 256, 64
PERTURBATION_INTERVAL = 5


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 3, kernel_size=3)
        self.fc = nn.Linear(192, 10)

    def forward(self, x):
        x = F.relu(F.max_pool2d(self.conv1(x), 3))
        return F.log_softmax(self.fc(x.flatten(1)), dim=1)


def draw(images, labels, count):
    """Return `count` random images, their pixels from 0 to 1, and their labels."""
    picked = torch.randint(len(images), (count,))
    pixels = torch.from_numpy(images)[picked].unsqueeze(1).float() / 255
    return pixels, torch.from_numpy(labels)[picked].long()


def train(model, optimizer, images, labels):
    model.train()
    for x, y in zip(*(part.split(BATCH) for part in draw(images, labels, TRAIN_IMAGES)), strict=True):
        optimizer.zero_grad()
        F.nll_loss(model(x), y).backward()
        optimizer.step()


def test(model, images, labels):
    model.eval()
    with torch.no_grad():
        x, y = draw(images, labels, TEST_IMAGES)
        return (model(x).argmax(dim=1) == y).float().mean().item()


def train_convnet(config):
    torch.manual_seed(tune.get_context().seed)  # or else all trials begin with the same weights
    mnist = load_mnist()
    model = ConvNet()
    optimizer = optim.SGD(model.parameters(), lr=config["lr"], momentum=config["momentum"])
    step = 1
    if checkpoint := tune.get_checkpoint():
        state = checkpoint.to_dict()
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        for group in optimizer.param_groups:  # the donor's optimizer, but this trial's hyperparameters
            group["lr"], group["momentum"] = config["lr"], config["momentum"]
        step = state["step"] + 1
    while True:
        train(model, optimizer, mnist.train_images, mnist.train_labels)
        accuracy = test(model, mnist.test_images, mnist.test_labels)
        checkpoint = None
        if step % config["checkpoint_interval"] == 0:
            checkpoint = tune.Checkpoint.from_dict(
                {"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
            )
        tune.report({"mean_accuracy": accuracy, "lr": config["lr"]}, checkpoint=checkpoint)
        step += 1


def accuracy_on_all(result):
    """Return the iteration of a trial's newest checkpoint and its accuracy on all 10,000 test images."""
    state = result.checkpoint.to_dict()
    mnist, model = load_mnist(), ConvNet()
    model.load_state_dict(state["model"])
    with torch.no_grad():
        predicted = model(torch.from_numpy(mnist.test_images).unsqueeze(1).float() / 255).argmax(dim=1)
    return state["step"], (predicted == torch.from_numpy(mnist.test_labels)).float().mean().item()


def make_tuner(options):
    scheduler = PopulationBasedTraining(
        time_attr="training_iteration",
        perturbation_interval=PERTURBATION_INTERVAL,
        hyperparam_mutations={"lr": tune.uniform(0.0001, 1), "momentum": [0.8, 0.9, 0.99]},
    )
    return tune.Tuner(
        train_convnet,
        param_space={
            "lr": tune.uniform(0.001, 1),
            "momentum": tune.uniform(0.001, 1),
            "checkpoint_interval": PERTURBATION_INTERVAL,
        },
        tune_config=tune.TuneConfig(
            metric="mean_accuracy",
            mode="max",
            num_samples=options.trials,
            seed=options.seed,
            scheduler=scheduler,
        ),
        run_config=tune.RunConfig(
            storage_path=options.storage,
            stop={"mean_accuracy": options.accuracy, "training_iteration": options.iterations},
        ),
    )


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=4, help="size of the population")
    parser.add_argument("--iterations", type=int, default=50, help="a trial ends after so many")
    parser.add_argument("--accuracy", type=float, default=0.96, help="or when its test accuracy reaches this")
    parser.add_argument("--seed", type=int, default=None, help="draws the same first configs again")
    parser.add_argument("--storage", default="~/poptune_results", help="where results are kept")
    return parser.parse_args(arguments)


def main(arguments=None):
    load_mnist()  # fetched here once, before any trial needs it
    results = make_tuner(parse(arguments)).fit()
    best = results.get_best_result()
    pictures = Path(results.experiment_path)
    tune.plots.curves(results).savefig(pictures / "learning_curve.png")
    tune.plots.schedule(results).savefig(pictures / "schedules.png")
    print("Best result:", best.path)
    print("Its config: ", best.config)
    print(f"Accuracy:    {best.metrics['mean_accuracy']:.4f} on its last {TEST_IMAGES} test images")
    if best.checkpoint is not None:
        step, accuracy = accuracy_on_all(best)  # since luck flatters the best of several
        print(f"             {accuracy:.4f} on all 10,000, of its checkpoint at iteration {step}")
    print("Pictures:   ", pictures / "learning_curve.png", "and", pictures / "schedules.png")
    return results


if __name__ == "__main__":
    main()
