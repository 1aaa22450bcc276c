"""The page on the architecture says what holds."""

from pathlib import Path

from rooms import PAGE, ROOT, layers, page, source

PUBLIC = 16
"""So many entries at the top of the package are for users to know."""


def test_the_table_of_rooms_is_made_from_the_contract():
    assert PAGE.read_text() == page(), "bring it up to date: python tests/helpers/rooms.py"


def test_every_module_is_in_a_room():
    rooms = [source(room) for layer in layers() for room in layer]
    homes = {room.parent for room in rooms if room.name == "__init__.py"} | set(rooms)
    package = ROOT / "src" / "poptune"
    lost = [
        path
        for path in package.rglob("*.py")
        if not homes & {path, *path.parents} and not is_no_room(path, package)
    ]
    assert lost == []


def is_no_room(path: Path, package: Path) -> bool:
    """The package's own files, and those of the floors that only group rooms."""
    floors = {package / floor / "__init__.py" for floor in ("_keeping", "_running", "_watching")}
    return (path.parent == package and path.name.startswith("_")) or path in floors


def test_the_tree_shows_what_is_public():
    package = ROOT / "src" / "poptune"
    public = [entry.name for entry in package.iterdir() if not entry.name.startswith("_")]
    public = [name for name in public if name != "py.typed"]
    assert len(public) <= PUBLIC, sorted(public)


def test_no_file_is_long():
    long = {path.name for path in (ROOT / "src").rglob("*.py") if len(path.read_text().splitlines()) > 400}
    assert long == set()
