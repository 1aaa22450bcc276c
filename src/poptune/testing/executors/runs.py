"""What comes of whole runs, whoever carries them out."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import poptune as tune
from poptune.schedulers import FIFOScheduler, PopulationBasedTraining
from poptune.testing.executors.maker import MakesExecutors


class RunConformance(MakesExecutors):
    """Tests through :class:`Tuner`."""

    def fit(
        self,
        path: Path,
        trainable: Any,
        *,
        slots: int = 2,
        max_resident_trials: int | None = None,
        space: dict[str, Any] | None = None,
        run: dict[str, Any] | None = None,
        **config: Any,
    ) -> tune.ResultGrid:
        """Run four trials on two slots, or what else is said."""
        executor = self.make_executor(slots, max_resident_trials)
        settings: dict[str, Any] = {"metric": "height", "mode": "max", "num_samples": 4, "seed": 0, **config}
        return tune.Tuner(
            trainable,
            param_space={"notes": str(path / "notes"), **(space or {"lr": tune.uniform(0, 1)})},
            tune_config=tune.TuneConfig(**settings),
            run_config=tune.RunConfig(
                **{
                    "name": "run",
                    "storage_path": path,
                    "executor": executor,
                    "verbose": 0,
                    "stop": {"training_iteration": 12},
                    **(run or {}),
                }
            ),
        ).fit()

    @pytest.mark.parametrize(("synch", "background"), [(False, False), (True, False), (False, True)])
    def test_the_function_is_entered_once_a_trial_and_once_an_exploit(
        self, tmp_path: Path, *, synch: bool, background: bool
    ) -> None:
        def climb(config: dict[str, Any]) -> None:
            with Path(config["notes"]).open("a") as file:
                print(tune.get_context().get_trial_id(), file=file)
            height = np.zeros(2)
            if checkpoint := tune.get_checkpoint():
                height = checkpoint.to_dict()["height"]
            while True:
                height += config["lr"]
                state = tune.Checkpoint.from_dict({"height": height})
                tune.report({"height": height[0]}, checkpoint=state)

        saves = tune.CheckpointConfig(save_in_background=background)
        results = self.fit(tmp_path, climb, scheduler=_pbt(synch=synch), run={"checkpoint_config": saves})
        exploits = Counter(edge.recipient for edge in results.lineage.exploits)
        entries = (tmp_path / "notes").read_text().split()
        assert len(entries) == 4 + exploits.total()
        assert exploits.total() > 0
        for result in results:
            assert not result.error
            rows = result.lineage.metrics_dataframe
            assert list(rows["training_iteration"]) == list(range(1, 13))
            final = result.metrics["height"]
            assert result.checkpoint is not None
            assert result.checkpoint.to_dict()["height"].tolist() == [final, final]
        pids = {frozenset(result.metrics_dataframe["pid"]) for result in results}
        assert len(pids) == (4 if self.has_processes else 1), "each stays in its process while it waits"

    @pytest.mark.parametrize("in_place", [True, False])
    def test_an_object_is_exploited_in_place_or_built_anew(self, tmp_path: Path, *, in_place: bool) -> None:
        class Climb(tune.Trainable):
            def setup(self, config: dict[str, Any]) -> None:
                self.height = 0.0
                self._note("setup")

            def step(self) -> dict[str, Any]:
                self.height += self.config["lr"]
                return {"height": self.height}

            def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any] | None:
                Path(checkpoint_dir, "height").write_text(repr(self.height))
                return {"height": self.height} if in_place else None

            def load_checkpoint(self, checkpoint: Any) -> None:
                is_folder = isinstance(checkpoint, str)
                self.height = float(
                    Path(checkpoint, "height").read_text() if is_folder else checkpoint["height"]
                )

            def reset_config(self, new_config: dict[str, Any]) -> bool:
                self._note("reset")
                return in_place

            def cleanup(self) -> None:
                self._note("cleanup")

            def _note(self, text: str) -> None:
                with Path(self.config["notes"]).open("a") as file:
                    print(text, file=file)

        results = self.fit(tmp_path, Climb, scheduler=_pbt(synch=True))
        notes = Counter((tmp_path / "notes").read_text().split())
        exploits = len(results.lineage.exploits)
        setups = 4 if in_place else 4 + exploits
        assert notes == {"setup": setups, "cleanup": setups, "reset": exploits}
        for result in results:
            rows = result.lineage.metrics_dataframe
            steps = np.diff(rows["height"], prepend=0.0)
            learning_rates = [result.lineage.schedule(iteration)["lr"] for iteration in range(1, 13)]
            assert np.allclose(steps, learning_rates), "each step is made with the config of its time"

    def test_a_failure_after_an_exploit_in_place_is_heard(self, tmp_path: Path) -> None:
        class Climb(tune.Trainable):
            def setup(self, config: dict[str, Any]) -> None:
                self.height, self.resets = 0.0, 0

            def step(self) -> dict[str, Any]:
                if self.resets:
                    raise ValueError("cannot go on from here")
                self.height += self.config["lr"]
                return {"height": self.height}

            def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
                return {"height": self.height}

            def load_checkpoint(self, checkpoint: Any) -> None:
                self.height = checkpoint["height"]

            def reset_config(self, new_config: dict[str, Any]) -> bool:
                self.resets += 1
                return True

        results = self.fit(tmp_path, Climb, scheduler=_pbt(synch=True))
        assert results.num_errors > 0
        assert all("cannot go on from here" in str(error) for error in results.errors)

    def test_each_way_to_fail_is_told_in_the_users_words(self, tmp_path: Path) -> None:
        def train(config: dict[str, Any]) -> None:
            def nothing() -> None:
                return None

            def lacks_the_metric() -> None:
                tune.report({"accuracy": 1.0, "loss": 2.0})

            def goes_back() -> None:
                tune.report({"height": 1.0, "epoch": 2})
                tune.report({"height": 1.0, "epoch": 1})

            def says_what_cannot_be_kept() -> None:
                tune.report({"height": 1.0, "deep": {"inner": object()}})

            def no_checkpoint() -> None:
                weights: Any = {"weights": 1}
                tune.report({"height": 1.0, "epoch": 1}, checkpoint=weights)

            def leaves() -> None:
                raise SystemExit("enough")

            deeds = [nothing, lacks_the_metric, goes_back, says_what_cannot_be_kept, no_checkpoint, leaves]
            deeds[config["deed"]]()
            assert config["lr"]

        results = self.fit(
            tmp_path,
            train,
            space={"deed": tune.grid_search([0, 1, 2, 3, 4, 5])},
            num_samples=1,
            scheduler=PopulationBasedTraining(
                time_attr="epoch", perturbation_interval=100, hyperparam_mutations={"lr": [1, 2]}
            ),
            run={
                "stop": {"epoch": 500},
                "failure_config": tune.FailureConfig(on_all_failed="return"),
            },
        )
        told = [str(result.error) for result in results]
        for words, error in zip(
            [
                ["ended without a report"],
                ["lacks 'height'", "['accuracy', 'loss']"],
                ["'epoch'", "got 1 after 2"],
                ["'deep.inner'", "object"],
                ["Checkpoint.from_dict"],
                ["SystemExit: enough"],
            ],
            told,
            strict=True,
        ):
            assert all(word in error for word in words), error

    def test_no_trial_trains_past_its_stop(self, tmp_path: Path) -> None:
        def train(config: dict[str, Any]) -> None:
            for step in range(1, 9):
                with Path(config["notes"]).open("a") as file:
                    print(step, file=file)
                tune.report({"height": step * config["lr"]})

        def run(name: str, **settings: Any) -> tuple[list[int], int]:
            (tmp_path / "notes").write_text("")
            results = self.fit(
                tmp_path,
                train,
                space={"lr": tune.grid_search([1, 2])},
                num_samples=1,
                scheduler=FIFOScheduler(),
                run={"name": name, "stop": None, **settings},
            )
            assert not results.errors
            steps = len((tmp_path / "notes").read_text().split())
            return [result.metrics.get("training_iteration", 0) for result in results], steps

        assert run("dict", stop={"height": 6}) == ([6, 3], 9)
        assert run("function", stop=lambda _, result: result["height"] >= 6) == ([6, 3], 9)
        (first, second), _ = run("population", stop_population_at={"height": 6})
        assert first <= 6
        assert second <= 3
        assert first == 6 or second == 3

    def test_a_time_budget_ends_the_run(self, tmp_path: Path) -> None:
        def train(config: dict[str, Any]) -> None:
            while True:
                tune.report({"height": config["lr"]})

        results = self.fit(
            tmp_path,
            train,
            num_samples=2,
            run={"stop": None},
            time_budget_s=0.5,
        )
        assert len(results) == 2
        assert not results.errors

    def test_a_failed_trial_is_retried_from_its_newest_checkpoint(self, tmp_path: Path) -> None:
        def train(config: dict[str, Any]) -> None:
            checkpoint = tune.get_checkpoint()
            step = checkpoint.to_dict()["step"] if checkpoint else 0
            notes = Path(config["notes"])
            while True:
                step += 1
                if step in {4, 6} and not (mark := notes.with_name(f"{config['lr']}-{step}")).exists():
                    mark.touch()
                    raise ValueError(f"at {step}")
                state = tune.Checkpoint.from_dict({"step": step}) if step % 2 else None
                tune.report({"height": float(step)}, checkpoint=state)

        results = self.fit(
            tmp_path,
            train,
            slots=1,
            space={"lr": tune.grid_search([1, 2])},
            num_samples=1,
            scheduler=FIFOScheduler(),
            run={"stop": {"height": 8}, "failure_config": tune.FailureConfig(max_failures=2)},
        )
        assert not results.errors
        for result in results:
            assert list(result.metrics_dataframe["height"]) == [1, 2, 3, 4, 5, 6, 7, 8]
            assert list(result.metrics_dataframe["training_iteration"]) == [1, 2, 3, 4, 5, 6, 7, 8]

    def test_workers_are_reused_unless_it_is_forbidden(self, tmp_path: Path) -> None:
        def train(_config: dict[str, Any]) -> None:
            tune.report({"height": 1.0})

        def pids(name: str, **settings: Any) -> set[int]:
            results = self.fit(tmp_path, train, slots=1, run={"name": name}, **settings)
            return {result.metrics["pid"] for result in results}

        assert len(pids("reused")) == 1
        if self.has_processes:
            assert len(pids("fresh", reuse_workers=False)) == 4

    def test_no_more_trials_are_in_memory_than_may_be(self, tmp_path: Path) -> None:
        def climb(config: dict[str, Any]) -> None:
            checkpoint = tune.get_checkpoint()
            height = checkpoint.to_dict()["height"] if checkpoint else 0.0
            while True:
                height += config["lr"]
                state = tune.Checkpoint.from_dict({"height": height})
                tune.report({"height": height}, checkpoint=state)

        results = self.fit(tmp_path, climb, max_resident_trials=2, scheduler=_pbt(synch=True))
        assert not results.errors
        for result in results:
            rows = result.lineage.metrics_dataframe
            assert list(rows["training_iteration"]) == list(range(1, 13))
        if self.has_processes:
            pids = {pid for result in results for pid in result.metrics_dataframe["pid"]}
            assert len(pids) == 2, "an evicted trial's worker takes the next"

    def test_a_trial_is_told_who_and_where_it_is(self, tmp_path: Path) -> None:
        def train(_config: dict[str, Any], data: list[int]) -> None:
            context = tune.get_context()
            tune.report(
                {
                    "height": len(data),
                    "seen": [
                        context.get_trial_id(),
                        context.get_trial_name(),
                        context.get_trial_dir(),
                        context.get_experiment_name(),
                        dict(context.get_trial_resources()),
                    ],
                }
            )

        trainable = tune.with_parameters(train, data=[1, 2, 3])
        (result,) = self.fit(tmp_path, trainable, num_samples=1, resources_per_trial={"cpu": 2})
        trial = result.metrics["trial_id"]
        assert result.metrics["height"] == 3
        assert result.metrics["seen"] == [trial, f"train_{trial}", str(result.path), "run", {"cpu": 2}]


def _pbt(*, synch: bool = False, interval: float = 3) -> PopulationBasedTraining:
    return PopulationBasedTraining(
        time_attr="training_iteration",
        perturbation_interval=interval,
        hyperparam_mutations={"lr": tune.uniform(0, 1)},
        synch=synch,
    )
