"""The tutorial's ConvNet on poptune, in the function form: it is entered anew at each exploit."""

import poptune as tune

tune.preload("torch")  # the workers' imports begin beside this program's own

from convnet import INTERVAL, make, test, train
from convnet_settings import fit_and_tell

from poptune.datasets.mnist import load_mnist


def train_convnet(config):
    mnist = load_mnist()
    model, optimizer = make(tune.get_context().seed, config["lr"], config["momentum"])
    step = 1
    if checkpoint := tune.get_checkpoint():
        state = checkpoint.to_dict()
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        for group in optimizer.param_groups:
            group["lr"], group["momentum"] = config["lr"], config["momentum"]
        step = state["step"] + 1
    while True:
        train(model, optimizer, mnist)
        checkpoint = None
        if step % INTERVAL == 0:
            checkpoint = tune.Checkpoint.from_dict(
                {"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
            )
        tune.report({"mean_accuracy": test(model, mnist), "lr": config["lr"]}, checkpoint=checkpoint)
        step += 1


if __name__ == "__main__":
    fit_and_tell(train_convnet)
