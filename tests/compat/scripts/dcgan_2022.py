"""The tutorial's DCGAN as its reader assembles it in the form of 2022; only the imports are changed."""
# ruff: noqa: PLR0402

import matplotlib.pyplot as plt
import torch

import poptune.compat.ray as ray
from poptune.compat.ray import air, tune
from poptune.compat.ray.tune.examples.pbt_dcgan_mnist.common import Net, demo_gan
from poptune.compat.ray.tune.examples.pbt_dcgan_mnist.pbt_dcgan_mnist_func import (
    dcgan_train,
    download_mnist_cnn,
)
from poptune.compat.ray.tune.schedulers import PopulationBasedTraining

ray.init()

# Load the pretrained mnist classification model for inception_score
mnist_cnn = Net()
model_path = download_mnist_cnn()
mnist_cnn.load_state_dict(torch.load(model_path))
mnist_cnn.eval()
# Put the model in Ray object store.
mnist_model_ref = ray.put(mnist_cnn)

perturbation_interval = 5
scheduler = PopulationBasedTraining(
    perturbation_interval=perturbation_interval,
    time_attr="training_iteration",
    hyperparam_mutations={
        # Distribution for resampling
        "netG_lr": tune.uniform(1e-2, 1e-5),
        "netD_lr": tune.uniform(1e-2, 1e-5),
    },
)

smoke_test = True  # For testing purposes: set this to False to run the full experiment
tuner = tune.Tuner(
    dcgan_train,
    run_config=air.RunConfig(
        name="pbt_dcgan_mnist_tutorial",
        stop={"training_iteration": 5 if smoke_test else 150},
        verbose=1,
    ),
    tune_config=tune.TuneConfig(
        metric="is_score",
        mode="max",
        num_samples=2 if smoke_test else 8,
        scheduler=scheduler,
    ),
    param_space={
        # Define how initial values of the learning rates should be chosen.
        "netG_lr": tune.choice([0.0001, 0.0002, 0.0005]),
        "netD_lr": tune.choice([0.0001, 0.0002, 0.0005]),
        "mnist_model_ref": mnist_model_ref,
        "checkpoint_interval": perturbation_interval,
    },
)
results_grid = tuner.fit()

result_dfs = [result.metrics_dataframe for result in results_grid]
best_result = results_grid.get_best_result(metric="is_score", mode="max")

plt.figure(figsize=(7, 4))
for i, df in enumerate(result_dfs):
    plt.plot(df["is_score"], label=i)
plt.legend()
plt.title("Inception Score During Training")
plt.xlabel("Training Iterations")
plt.ylabel("Inception Score")
plt.show()

fig, axs = plt.subplots(1, 2, figsize=(12, 4))
for i, df in enumerate(result_dfs):
    axs[0].plot(df["lossg"], label=i)
    axs[1].plot(df["lossd"], label=i)
axs[0].set_title("Generator Loss During Training")
axs[1].set_title("Discriminator Loss During Training")
plt.show()

with best_result.checkpoint.as_directory() as best_checkpoint:
    demo_gan([best_checkpoint])
print("Inception scores:", [df["is_score"].iloc[-1] for df in result_dfs])
