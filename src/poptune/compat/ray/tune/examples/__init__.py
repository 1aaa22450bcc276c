"""``ray.tune.examples``: the modules that the tutorial imports from."""
