"""Four ConvNets trained by two plain processes, one network after another: the training that all must pay."""

import multiprocessing

import torch
from convnet import ITERATIONS, TRIALS, make, test, train
from measured import SLOTS, parser

from poptune.datasets.mnist import load_mnist


def train_some(first, iterations):
    torch.set_num_threads(1)
    mnist = load_mnist()
    for seed in range(first, TRIALS, SLOTS):
        model, optimizer = make(seed, lr=0.1, momentum=0.5)
        for _ in range(iterations):
            train(model, optimizer, mnist)
            test(model, mnist)


def main():
    options = parser()
    options.add_argument("--iterations", type=int, default=ITERATIONS)
    iterations = options.parse_args().iterations
    context = multiprocessing.get_context("fork")
    trainers = [context.Process(target=train_some, args=(first, iterations)) for first in range(SLOTS)]
    for trainer in trainers:
        trainer.start()
    for trainer in trainers:
        trainer.join()
        assert trainer.exitcode == 0


if __name__ == "__main__":
    main()
