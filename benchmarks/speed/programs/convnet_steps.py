"""The tutorial's ConvNet on poptune, in the steps form: exploits happen in place, the data is shared."""

import poptune as tune

tune.preload("torch")  # the workers' imports begin beside this program's own

from convnet import make, test, train
from convnet_settings import fit_and_tell
from measured import tell_unavailable

from poptune.datasets.mnist import load_mnist


def train_convnet(config, mnist):
    from poptune.integrations.torch import bind  # noqa: PLC0415 - not every poptune has it

    model, optimizer = make(tune.get_context().seed, config["lr"], config["momentum"])
    for _ in tune.steps(config, model=model, optimizer=bind(optimizer, "lr", "momentum")):
        train(model, optimizer, mnist)
        tune.report({"mean_accuracy": test(model, mnist), "lr": config["lr"]})


if __name__ == "__main__":
    if hasattr(tune, "steps"):
        fit_and_tell(tune.with_parameters(train_convnet, mnist=load_mnist()))
    else:
        tell_unavailable("this poptune has no tune.steps")
