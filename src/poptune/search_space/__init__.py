"""The search space: what each hyperparameter may be, and drawing configs from it."""

from poptune.search_space.constructors import (
    choice,
    grid_search,
    lograndint,
    loguniform,
    ordinal,
    qlograndint,
    qloguniform,
    qrandint,
    qrandn,
    quniform,
    randint,
    randn,
    sample_from,
    uniform,
)
from poptune.search_space.domains import Choice, Domain, GridSearch, Ordinal, SampleFrom
from poptune.search_space.numeric import Float, Integer, Normal, Numeric
from poptune.search_space.space import Resolved, entries, place, resolve, validate
from poptune.search_space.variants import trial_tag, variants

__all__ = [
    "Choice",
    "Domain",
    "Float",
    "GridSearch",
    "Integer",
    "Normal",
    "Numeric",
    "Ordinal",
    "Resolved",
    "SampleFrom",
    "choice",
    "entries",
    "grid_search",
    "lograndint",
    "loguniform",
    "ordinal",
    "place",
    "qlograndint",
    "qloguniform",
    "qrandint",
    "qrandn",
    "quniform",
    "randint",
    "randn",
    "resolve",
    "sample_from",
    "trial_tag",
    "uniform",
    "validate",
    "variants",
]
