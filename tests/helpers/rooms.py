"""The table of rooms in the page on the architecture, which ``python tests/helpers/rooms.py`` makes anew."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- rooms: made by tests/helpers/rooms.py -->", "<!-- /rooms -->"


def contracts() -> list[dict[str, Any]]:
    """Return what is agreed on who may import whom."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    found: list[dict[str, Any]] = project["tool"]["importlinter"]["contracts"]
    return found


def layers() -> list[list[str]]:
    """Return the rooms, from the top; of those in one layer none knows another."""
    (contract,) = (one for one in contracts() if one["type"] == "layers")
    return [[room.strip() for room in layer.split("|")] for layer in contract["layers"]]


def table() -> str:
    """Return the table, and what is agreed beyond it."""
    lines = ["| room | what it holds |", "|---|---|"]
    for layer in layers():
        lines += [
            f"| {'┆ ' if place else ''}`{_short(room)}` | {_holds(room)} |"
            for place, room in enumerate(layer)
        ]
    beyond = [f"- {contract['name']}." for contract in contracts() if contract["type"] != "layers"]
    return "\n".join([*lines, "", "Beyond that:", "", *beyond])


def page() -> str:
    """Return the document with the table as it has to be."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


def source(room: str) -> Path:
    """Return the file that says what a room holds."""
    path = ROOT / "src" / Path(*room.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _short(room: str) -> str:
    return room.removeprefix("poptune.")


def _holds(room: str) -> str:
    told = ast.get_docstring(ast.parse(source(room).read_text())) or ""
    return " ".join(told.split("\n\n")[0].split())


if __name__ == "__main__":
    PAGE.write_text(page())
