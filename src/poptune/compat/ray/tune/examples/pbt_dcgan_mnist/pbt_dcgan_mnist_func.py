"""The training function of the incumbent's DCGAN example, and the classifier that it is scored by."""

from __future__ import annotations

import torch

from poptune.examples.dcgan import classifier_path, dcgan_train, load_classifier

__all__ = ["dcgan_train", "download_mnist_cnn"]


def download_mnist_cnn() -> str:
    """Return the path of a trained classifier's ``state_dict``, for ``torch.load``.

    Nothing is downloaded: the classifier is trained on the spot once, in some 15 s, and kept.
    """
    path = classifier_path().with_suffix(".pt")
    if not path.is_file():
        aside = path.with_suffix(".new")
        torch.save(load_classifier().state_dict(), aside)
        aside.replace(path)
    return str(path)
