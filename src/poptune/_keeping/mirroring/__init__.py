"""An experiment in two places: run in a local folder, which is mirrored to a remote one.

`mirror` says in which order what goes there, and what is true there at any moment. `file_parts` is how a file
that only grows is kept there, in pieces that never change: the `journal` (as plain records) and the objects
it names, each one of the `growing_files`. `background` does all this beside the controller; `fetching` brings
an experiment back to a local folder; `making_way` does so for a new one of the same name.
"""

from poptune._keeping.mirroring.background import Mirroring
from poptune._keeping.mirroring.fetching import continued, fetch_for_reading, is_all_there, is_experiment
from poptune._keeping.mirroring.making_way import make_way

__all__ = ["Mirroring", "continued", "fetch_for_reading", "is_all_there", "is_experiment", "make_way"]
