"""``python -m poptune`` is the command ``poptune``."""

from poptune.cli import main

if __name__ == "__main__":
    main(prog_name="poptune")
