"""``ray.tune.execution``."""
