"""``ray.tune.execution.placement_groups``: what one trial needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from poptune.errors import ConfigurationError

Resources = Mapping[str, float]


@dataclass(frozen=True)
class PlacementGroupFactory:
    """The resources of one trial; of one bundle, since a trial is one process.

    Raises:
        ConfigurationError: There are several bundles, or a strategy that needs several machines.
    """

    bundles: Sequence[Resources]
    strategy: str = "PACK"

    def __hash__(self) -> int:
        return hash((self.strategy, *(frozenset(bundle.items()) for bundle in self.bundles)))

    def __post_init__(self) -> None:
        if len([bundle for bundle in self.bundles if bundle]) != 1:
            raise ConfigurationError(
                f"A trial is one process, so its resources must be one bundle, got {list(self.bundles)!r}: "
                "add them up into one"
            )
        if self.strategy.startswith("STRICT_SPREAD"):
            raise ConfigurationError(f"All trials run on this machine, got strategy={self.strategy!r}")


def native_resources(resources: object) -> dict[str, float]:
    """Return resources with poptune's names: ``cpu`` and ``gpu``.

    Raises:
        ConfigurationError: They cannot be told beforehand, or are of no known form.
    """
    if isinstance(resources, PlacementGroupFactory):
        resources = next(bundle for bundle in resources.bundles if bundle)
    if not isinstance(resources, Mapping):
        raise ConfigurationError(
            f'resources must be a dict such as {{"cpu": 1, "gpu": 0.5}}, got {resources!r}: they are the '
            "same for all trials"
        )
    native = {_name(name): amount for name, amount in resources.items()}
    if others := native.keys() - {"cpu", "gpu"}:
        raise ConfigurationError(
            f'resources may name "cpu" and "gpu" here, got {sorted(others)}: others are for clusters, with '
            "poptune.RayExecutor in the place of this mirror"
        )
    return native


def _name(name: str) -> str:
    return name.lower() if name in {"CPU", "GPU"} else name
