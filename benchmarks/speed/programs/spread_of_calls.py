"""Percentiles of the times of many calls."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))
from spread import percentile


def percentiles(name, times_ns):
    """Return median, 99th and 99.9th percentile, maximum and mean, in seconds, of times in ns."""
    ordered = sorted(times_ns)
    shares = {"p50": 50, "p99": 99, "p999": 99.9, "max": 100}
    figures = {f"{name}_{key}_s": percentile(ordered, percent) / 1e9 for key, percent in shares.items()}
    return {**figures, f"{name}_mean_s": sum(ordered) / len(ordered) / 1e9}
