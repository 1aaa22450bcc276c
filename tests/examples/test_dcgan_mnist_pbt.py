"""The DCGAN example and its parts."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import poptune as tune  # noqa: E402
from poptune.datasets.mnist import Mnist  # noqa: E402
from poptune.examples import dcgan  # noqa: E402

EXAMPLE = Path(__file__).parents[2] / "examples" / "dcgan_mnist_pbt.py"


def made_up_mnist():
    images = np.random.default_rng(0).integers(0, 255, (64, 28, 28), dtype=np.uint8)
    labels = np.arange(64).astype(np.uint8) % 10
    return Mnist(images, labels, images, labels)


def test_the_score_is_highest_for_images_told_apart_and_varied():
    class Teller(torch.nn.Module):
        def __init__(self, logits):
            super().__init__()
            self.logits = logits

        def forward(self, images):
            return torch.log_softmax(self.logits, dim=1)

    images = torch.zeros(20, 1, 32, 32)
    varied = torch.eye(10).repeat(2, 1) * 100
    alike = torch.eye(10)[:1].repeat(20, 1) * 100
    assert dcgan.inception_score(images, Teller(varied)) == pytest.approx(10)
    assert dcgan.inception_score(images, Teller(alike)) == pytest.approx(1)
    assert dcgan.inception_score(images, Teller(torch.zeros(20, 10))) == pytest.approx(1)


def test_the_networks_have_the_sizes_that_they_say():
    images = dcgan.draw(dcgan.Generator(), 3)
    assert images.shape == (3, 1, 32, 32)
    assert images.abs().max() <= 1
    assert dcgan.Discriminator()(images).shape == (3,)
    assert dcgan.Net()(dcgan.pixels(made_up_mnist().train_images)).shape == (64, 10)


def test_the_classifier_is_trained_once_and_then_kept(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(dcgan, "load_mnist", made_up_mnist)
    first = dcgan.load_classifier()
    assert "Training a classifier" in capsys.readouterr().out
    again = dcgan.load_classifier()
    assert capsys.readouterr().out == ""
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not again.training


def test_a_classifier_that_cannot_be_read_any_more_is_trained_anew(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(dcgan, "load_mnist", made_up_mnist)
    dcgan.load_classifier()
    manifest = dcgan.classifier_path() / ".poptune_manifest.json"
    manifest.write_text(manifest.read_text().replace('"version": 2', '"version": 1'))
    dcgan.load_classifier()
    dcgan.load_classifier()
    assert capsys.readouterr().out.count("Training a classifier") == 2


def test_a_trial_goes_on_from_its_checkpoint_with_the_learning_rates_of_its_config(tmp_path, monkeypatch):
    monkeypatch.setattr(dcgan, "load_mnist", made_up_mnist)
    monkeypatch.setattr(dcgan, "BATCHES_AN_ITERATION", 1)
    monkeypatch.setattr(dcgan, "SCORED_IMAGES", 8)
    rates = []
    train = dcgan.train_iteration

    def note(generator, discriminator, of_generator, of_discriminator, mnist):
        rates.append((of_generator.param_groups[0]["lr"], of_discriminator.param_groups[0]["lr"]))
        return train(generator, discriminator, of_generator, of_discriminator, mnist)

    monkeypatch.setattr(dcgan, "train_iteration", note)
    replay = tune.schedulers.PopulationBasedTrainingReplay(
        tune.Schedule(
            [
                (
                    at,
                    {
                        "netG_lr": rate,
                        "netD_lr": 2 * rate,
                        "checkpoint_interval": 1,
                        "mnist_model_ref": model,
                    },
                )
                for model in [tune.put(dcgan.Net().eval())]
                for at, rate in ((0, 1e-4), (2, 5e-4))
            ]
        )
    )
    results = tune.Tuner(
        dcgan.dcgan_train,
        tune_config=tune.TuneConfig(metric="is_score", mode="max", scheduler=replay),
        run_config=tune.RunConfig(
            storage_path=tmp_path, executor="inline", verbose=0, stop={"training_iteration": 3}
        ),
    ).fit()
    assert rates == [(1e-4, 2e-4), (1e-4, 2e-4), (5e-4, 1e-3)]
    assert dcgan.demo_gan(results[0].checkpoint, rows=2).shape == (64, 64)


@pytest.mark.slow
def test_the_example_runs_in_its_smoke_mode(tmp_path):
    run = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", EXAMPLE, "--seed", "1", "--storage", tmp_path],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert run.returncode == 0
    assert "Inception score of the best lineage" in run.stdout
    [exploits] = re.findall(r"(\d+) times a trial has copied another", run.stdout)
    assert int(exploits) > 0
    [experiment] = tmp_path.iterdir()
    for picture in ("inception_score.png", "losses.png", "digits.png"):
        assert (experiment / picture).read_bytes().startswith(b"\x89PNG")
