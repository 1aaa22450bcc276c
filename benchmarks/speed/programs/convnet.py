"""The tutorial's ConvNet and an iteration of its training, the same for every program."""

import torch
from torch import nn, optim
from torch.nn import functional

TRAIN_IMAGES, TEST_IMAGES, BATCH = 512, 256, 64
TRIALS, ITERATIONS, INTERVAL = 4, 50, 5


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 3, kernel_size=3)
        self.fc = nn.Linear(192, 10)

    def forward(self, x):
        x = functional.relu(functional.max_pool2d(self.conv1(x), 3))
        return functional.log_softmax(self.fc(x.flatten(1)), dim=1)


def make(seed, lr, momentum):
    torch.manual_seed(seed)
    model = ConvNet()
    return model, optim.SGD(model.parameters(), lr=lr, momentum=momentum)


def draw(images, labels, count):
    picked = torch.randint(len(images), (count,))
    pixels = torch.from_numpy(images)[picked].unsqueeze(1).float() / 255
    return pixels, torch.from_numpy(labels)[picked].long()


def train(model, optimizer, mnist):
    model.train()
    parts = draw(mnist.train_images, mnist.train_labels, TRAIN_IMAGES)
    for x, y in zip(*(part.split(BATCH) for part in parts), strict=True):
        optimizer.zero_grad()
        functional.nll_loss(model(x), y).backward()
        optimizer.step()


def test(model, mnist):
    model.eval()
    with torch.no_grad():
        x, y = draw(mnist.test_images, mnist.test_labels, TEST_IMAGES)
        return (model(x).argmax(dim=1) == y).float().mean().item()
