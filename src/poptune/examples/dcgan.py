"""A small DCGAN on MNIST, and a classifier that judges what it draws.

Source: Radford et al. 2016, "Unsupervised Representation Learning with Deep Convolutional Generative
Adversarial Networks", arXiv:1511.06434; the score is the inception score of Salimans et al. 2016,
arXiv:1606.03498, with a classifier of digits in place of the Inception network.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn, optim

import poptune as tune
from poptune.datasets.mnist import Mnist, load_mnist

NOISE, GENERATOR_WIDTH, DISCRIMINATOR_WIDTH, IMAGE = 100, 32, 32, 32
BATCH, BATCHES_AN_ITERATION, SCORED_IMAGES = 64, 5, 256
BETAS = (0.5, 0.999)


class Generator(nn.Module):
    """Noise ``[n, 100, 1, 1]`` to images ``[n, 1, 32, 32]`` from -1 to 1."""

    def __init__(self) -> None:
        super().__init__()
        width = GENERATOR_WIDTH
        self.main = nn.Sequential(
            *_up(NOISE, width * 4, stride=1, padding=0),
            *_up(width * 4, width * 2),
            *_up(width * 2, width),
            nn.ConvTranspose2d(width, 1, 4, 2, 1, bias=False),
            nn.Tanh(),
        )
        self.apply(weights_init)

    def forward(self, noise: torch.Tensor) -> torch.Tensor:
        return self.main(noise)


class Discriminator(nn.Module):
    """Images ``[n, 1, 32, 32]`` to probabilities ``[n]`` of being real."""

    def __init__(self) -> None:
        super().__init__()
        width = DISCRIMINATOR_WIDTH
        self.main = nn.Sequential(
            nn.Conv2d(1, width, 4, 2, 1, bias=False),
            nn.LeakyReLU(0.2, inplace=True),
            *_down(width, width * 2),
            *_down(width * 2, width * 4),
            nn.Conv2d(width * 4, 1, 4, 1, 0, bias=False),
            nn.Sigmoid(),
        )
        self.apply(weights_init)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.main(images).flatten()


def _up(inputs: int, outputs: int, *, stride: int = 2, padding: int = 1) -> Iterator[nn.Module]:
    yield nn.ConvTranspose2d(inputs, outputs, 4, stride, padding, bias=False)
    yield nn.BatchNorm2d(outputs)
    yield nn.ReLU(inplace=True)


def _down(inputs: int, outputs: int) -> Iterator[nn.Module]:
    yield nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False)
    yield nn.BatchNorm2d(outputs)
    yield nn.LeakyReLU(0.2, inplace=True)


def weights_init(module: nn.Module) -> None:
    """Draw a layer's weights as the paper does: sd .02 around 0, of batch norms around 1."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


class Net(nn.Module):
    """A LeNet that tells digits: images ``[n, 1, 28, 28]`` from -1 to 1 to log-probabilities ``[n, 10]``."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 10, kernel_size=5)
        self.conv2 = nn.Conv2d(10, 20, kernel_size=5)
        self.conv2_drop = nn.Dropout2d()
        self.fc1 = nn.Linear(320, 50)
        self.fc2 = nn.Linear(50, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = F.relu(F.max_pool2d(self.conv2_drop(self.conv2(x)), 2))
        x = F.relu(self.fc1(x.flatten(1)))
        x = F.dropout(x, training=self.training)
        return F.log_softmax(self.fc2(x), dim=1)


def pixels(images: Any) -> torch.Tensor:
    """Return MNIST's bytes ``[n, 28, 28]`` as ``[n, 1, 28, 28]`` from -1 to 1."""
    return torch.from_numpy(images).unsqueeze(1).float() / 127.5 - 1


def train_classifier(mnist: Mnist, *, passes: int = 2, seed: int = 0) -> Net:
    """Train the LeNet, in some 15 s on one core; 97 % of the test images and more are told then."""
    torch.manual_seed(seed)
    net = Net()
    optimizer = optim.Adam(net.parameters(), lr=2e-3)
    labels = torch.from_numpy(mnist.train_labels).long()
    for _ in range(passes):
        for picked in torch.randperm(len(labels)).split(128):
            optimizer.zero_grad()
            F.nll_loss(net(pixels(mnist.train_images[picked])), labels[picked]).backward()
            optimizer.step()
    net.eval()
    return net


def classifier_path() -> Path:
    """Return where the trained classifier is kept, in the user's cache folder."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "poptune" / "mnist_classifier"


def load_classifier() -> Net:
    """Return the trained LeNet: from the cache; trained on the spot if there is none to be read."""
    path = classifier_path()
    try:
        state = tune.Checkpoint.from_directory(path).to_dict()["model"]
    except (tune.ConfigurationError, tune.CheckpointError):
        print("Training a classifier of digits, once (about 15 s)...")
        state = dict(train_classifier(load_mnist()).state_dict())
        shutil.rmtree(path, ignore_errors=True)
        tune.Checkpoint.from_dict({"model": state}).to_directory(path)
    net = Net()
    net.load_state_dict(state)
    net.eval()
    return net


def inception_score(images: torch.Tensor, classifier: nn.Module) -> float:
    """Return how well told apart and how varied images are: exp of the mean KL from p(y|x) to p(y), 1 to 10.

    Args:
        images: ``[n, 1, 32, 32]`` from -1 to 1.
        classifier: What tells the digits.
    """
    with torch.no_grad():
        scaled = F.interpolate(images, size=(28, 28), mode="bilinear", align_corners=False)
        log_conditional = classifier(scaled)
        conditional = log_conditional.exp()
        log_marginal = conditional.mean(dim=0, keepdim=True).clamp_min(1e-12).log()
        divergence = (conditional * (log_conditional - log_marginal)).sum(dim=1)
    return math.exp(float(divergence.mean()))


def real_images(mnist: Mnist, count: int) -> torch.Tensor:
    """Return random training images ``[count, 1, 32, 32]``."""
    picked = torch.randint(len(mnist.train_images), (count,))
    return F.interpolate(
        pixels(mnist.train_images[picked]), size=(IMAGE, IMAGE), mode="bilinear", align_corners=False
    )


def train_iteration(
    generator: Generator,
    discriminator: Discriminator,
    generator_optimizer: optim.Optimizer,
    discriminator_optimizer: optim.Optimizer,
    mnist: Mnist,
) -> tuple[float, float]:
    """Train both networks on a few batches; return the last losses, the generator's first."""
    real, drawn = torch.ones(BATCH), torch.zeros(BATCH)
    for _ in range(BATCHES_AN_ITERATION):
        fakes = generator(torch.randn(BATCH, NOISE, 1, 1))
        discriminator_optimizer.zero_grad()
        on_real = F.binary_cross_entropy(discriminator(real_images(mnist, BATCH)), real)
        on_drawn = F.binary_cross_entropy(discriminator(fakes.detach()), drawn)
        discriminator_loss = on_real + on_drawn
        discriminator_loss.backward()
        discriminator_optimizer.step()

        generator_optimizer.zero_grad()
        generator_loss = F.binary_cross_entropy(discriminator(fakes), real)
        generator_loss.backward()
        generator_optimizer.step()
    return generator_loss.item(), discriminator_loss.item()


def draw(generator: Generator, count: int) -> torch.Tensor:
    """Return images ``[count, 1, 32, 32]`` that the generator draws."""
    with torch.no_grad():
        return generator(torch.randn(count, NOISE, 1, 1))


def dcgan_train(config: dict[str, Any]) -> None:
    """Train a DCGAN until told to stop: the trainable of the example.

    ``config`` has ``netG_lr``, ``netD_lr``, ``checkpoint_interval`` in iterations, and ``mnist_model_ref``, a
    reference to the classifier.
    """
    mnist = load_mnist()
    classifier = tune.get(config["mnist_model_ref"])
    generator, discriminator = Generator(), Discriminator()
    of_generator = optim.Adam(generator.parameters(), lr=config["netG_lr"], betas=BETAS)
    of_discriminator = optim.Adam(discriminator.parameters(), lr=config["netD_lr"], betas=BETAS)
    parts = {
        "netG": generator,
        "netD": discriminator,
        "optimG": of_generator,
        "optimD": of_discriminator,
    }
    step = 1
    if checkpoint := tune.get_checkpoint():
        state = checkpoint.to_dict()
        for name, part in parts.items():
            part.load_state_dict(state[name])
        for optimizer, key in ((of_generator, "netG_lr"), (of_discriminator, "netD_lr")):
            for group in optimizer.param_groups:  # the donor's optimizer, but this trial's learning rate
                group["lr"] = config[key]
        step = state["step"] + 1
    while True:
        lossg, lossd = train_iteration(generator, discriminator, of_generator, of_discriminator, mnist)
        score = inception_score(draw(generator, SCORED_IMAGES), classifier)
        checkpoint = None
        if step % config["checkpoint_interval"] == 0:
            states = {name: part.state_dict() for name, part in parts.items()}
            checkpoint = tune.Checkpoint.from_dict({"step": step, **states})
        tune.report({"lossg": lossg, "lossd": lossd, "is_score": score}, checkpoint=checkpoint)
        step += 1


def demo_gan(checkpoint: tune.Checkpoint, *, rows: int = 8, seed: int = 0) -> torch.Tensor:
    """Return a grid ``[rows * 32, rows * 32]`` from 0 to 1 of digits that a checkpoint's generator draws."""
    generator = Generator()
    generator.load_state_dict(checkpoint.to_dict()["netG"])
    torch.manual_seed(seed)
    images = draw(generator.eval(), rows * rows).squeeze(1)
    grid = images.reshape(rows, rows, IMAGE, IMAGE).permute(0, 2, 1, 3)
    return grid.reshape(rows * IMAGE, rows * IMAGE) / 2 + 0.5
