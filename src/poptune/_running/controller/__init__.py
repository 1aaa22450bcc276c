"""The loop that joins core, journal and executor."""

from poptune._running.controller.controller import Controller, Display, Limits, Listener, Observer, Watcher

__all__ = ["Controller", "Display", "Limits", "Listener", "Observer", "Watcher"]
