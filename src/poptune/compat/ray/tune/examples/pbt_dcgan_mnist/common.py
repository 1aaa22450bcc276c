"""The networks, the score and the demonstration of the incumbent's DCGAN example."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from matplotlib.figure import Figure

from poptune._keeping.checkpoints import Checkpoint
from poptune.datasets.mnist import load_mnist
from poptune.examples import dcgan
from poptune.examples.dcgan import Discriminator, Generator, Net, inception_score, weights_init

__all__ = [
    "Discriminator",
    "Generator",
    "Net",
    "demo_gan",
    "inception_score",
    "load_mnist",
    "weights_init",
]


def demo_gan(checkpoint_paths: Sequence[str]) -> Figure:
    """Draw a grid of digits from each checkpoint's generator, side by side.

    The incumbent's shows an animation in a window; this returns a matplotlib figure, which a notebook shows
    and ``figure.savefig("digits.png")`` saves.
    """
    figure = Figure(figsize=(5 * len(checkpoint_paths), 5), layout="constrained")
    for axes, path in zip(
        figure.subplots(1, len(checkpoint_paths), squeeze=False)[0], checkpoint_paths, strict=True
    ):
        grid: torch.Tensor = dcgan.demo_gan(Checkpoint.from_directory(path))
        axes.imshow(grid, cmap="gray", vmin=0, vmax=1)
        axes.set_axis_off()
    return figure
