"""The command ``poptune``: continue, check and show experiments. It uses the public interface and no more."""

from poptune.cli.commands import main

__all__ = ["main"]
