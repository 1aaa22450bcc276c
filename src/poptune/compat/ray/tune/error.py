"""``ray.tune.error``."""

from poptune.errors import PoptuneError


class TuneError(PoptuneError):
    """Trials of ``tune.run`` failed."""
