"""``ray.tune.examples.mnist_pytorch``: a small ConvNet and an iteration of its training on MNIST."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset

from poptune.datasets.mnist import load_mnist

EPOCH_SIZE = 512
TEST_SIZE = 256
_MEAN, _STD = 0.1307, 0.3081


class ConvNet(nn.Module):
    """One convolution and one linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 3, kernel_size=3)
        self.fc = nn.Linear(192, 10)

    def forward(self, x: Any) -> Any:
        """Return the log-probabilities ``[n, 10]`` of images ``[n, 1, 28, 28]``."""
        x = F.relu(F.max_pool2d(self.conv1(x), 3))
        return F.log_softmax(self.fc(x.view(-1, 192)), dim=1)


class _Digits(Dataset):
    """Images as normalised tensors ``[1, 28, 28]``, each made when it is asked for."""

    def __init__(self, images: Any, labels: Any) -> None:
        self._images, self._labels = images, labels

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        pixels = torch.from_numpy(self._images[index]).unsqueeze(0).float() / 255
        return (pixels - _MEAN) / _STD, int(self._labels[index])


def get_data_loaders(batch_size: int = 64) -> tuple[Any, Any]:
    """Return loaders of the training and of the test images, shuffled."""
    mnist = load_mnist()
    train_set = _Digits(mnist.train_images, mnist.train_labels)
    test_set = _Digits(mnist.test_images, mnist.test_labels)
    return (
        DataLoader(train_set, batch_size=batch_size, shuffle=True),
        DataLoader(test_set, batch_size=batch_size, shuffle=True),
    )


def train_func(model: Any, optimizer: Any, train_loader: Any, device: Any = None) -> None:
    """Train on about ``EPOCH_SIZE`` images."""
    model.train()
    for index, (data, target) in enumerate(train_loader):
        if index * len(data) > EPOCH_SIZE:
            return
        optimizer.zero_grad()
        F.nll_loss(model(data.to(device or "cpu")), target.to(device or "cpu")).backward()
        optimizer.step()


def test_func(model: Any, data_loader: Any, device: Any = None) -> float:  # noqa: PT028 - no test of ours
    """Return the accuracy on about ``TEST_SIZE`` images."""
    model.eval()
    correct = total = 0
    with torch.no_grad():
        for index, (data, target) in enumerate(data_loader):
            if index * len(data) > TEST_SIZE:
                break
            predicted = model(data.to(device or "cpu")).argmax(dim=1)
            correct += int((predicted == target.to(device or "cpu")).sum())
            total += len(target)
    return correct / total


train, test = train_func, test_func
"""Their names of 2022."""
