"""The ConvNet of mnist_convnet_pbt.py in the steps form: nothing is saved, restored or set by hand.

When the weakest network takes over the weights of the strongest, the objects in the loop load them and go on;
the function is not entered again. The images reach each worker once.

    python examples/mnist_convnet_steps.py
"""

import poptune as tune

if __name__ == "__main__":
    tune.preload("torch")  # so that the workers' imports begin beside this program's own

import torch
from torch import optim

from mnist_convnet_pbt import PERTURBATION_INTERVAL, ConvNet, parse, test, train
from poptune.datasets.mnist import load_mnist
from poptune.integrations.torch import bind
from poptune.schedulers import PopulationBasedTraining


def train_convnet(config, mnist):
    torch.manual_seed(tune.get_context().seed)  # or else all trials begin with the same weights
    model = ConvNet()
    optimizer = optim.SGD(model.parameters(), lr=config["lr"], momentum=config["momentum"])
    bound = bind(optimizer, "lr", "momentum")
    for _ in tune.steps(config, model=model, optimizer=bound, random=tune.RandomState()):
        train(model, optimizer, mnist.train_images, mnist.train_labels)
        accuracy = test(model, mnist.test_images, mnist.test_labels)
        tune.report({"mean_accuracy": accuracy, "lr": config["lr"]})


def make_tuner(options, mnist):
    scheduler = PopulationBasedTraining(
        time_attr="training_iteration",
        perturbation_interval=PERTURBATION_INTERVAL,
        hyperparam_mutations={"lr": tune.uniform(0.0001, 1), "momentum": [0.8, 0.9, 0.99]},
    )
    return tune.Tuner(
        tune.with_parameters(train_convnet, mnist=mnist),
        param_space={"lr": tune.uniform(0.001, 1), "momentum": tune.uniform(0.001, 1)},
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


def main(arguments=None):
    mnist = load_mnist()
    results = make_tuner(parse(arguments), mnist).fit()
    best = results.get_best_result()
    model = ConvNet()
    model.load_state_dict(best.checkpoint.to_dict()["model"])
    pixels = torch.from_numpy(mnist.test_images).unsqueeze(1).float() / 255
    with torch.no_grad():
        hits = model(pixels).argmax(dim=1) == torch.from_numpy(mnist.test_labels)
    print("Best result:", best.path)
    print("Its config: ", best.config)
    print("Its schedule:", best.schedule)
    print("Accuracy of its last weights on all test images:", hits.float().mean().item())
    return results


if __name__ == "__main__":
    main()
