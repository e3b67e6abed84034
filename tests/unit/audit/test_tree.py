"""A folder of pages is put in its place whole, and what cannot change is written once."""

from pathlib import Path

import pytest

from pantau.audit.tree import Tree
from pantau.errors import PantauError


def write(target: Path, stamp: str, text: str, **how: bool) -> Tree:
    """One writing: a page that is always new and one that depends on `stamp`."""
    with Tree(target, **how) as tree:
        tree.write("index.html", text)
        tree.once("frozen", stamp, lambda: tree.write("frozen/page.html", text))
    return tree


def test_a_frozen_page_is_linked_and_not_written_again(tmp_path: Path) -> None:
    target = tmp_path / "site"
    assert write(target, "a", "one").written == 2
    first = (target / "frozen" / "page.html").stat().st_ino
    again = write(target, "a", "two")
    assert (again.written, again.kept) == (1, 1)
    assert (target / "index.html").read_text() == "two"
    assert (target / "frozen" / "page.html").read_text() == "one"
    assert (target / "frozen" / "page.html").stat().st_ino == first


@pytest.mark.parametrize("change", ["stamp", "torn", "gone", "everything"])
def test_it_is_written_again_where_it_is_not_what_it_was(tmp_path: Path, change: str) -> None:
    target = tmp_path / "site"
    write(target, "a", "one")
    page = target / "frozen" / "page.html"
    if change == "torn":
        page.write_text("")
    elif change == "gone":
        page.unlink()
    write(target, "b" if change == "stamp" else "a", "two", everything=change == "everything")
    assert page.read_text() == "two"


def test_an_error_leaves_what_stood_and_a_killed_writing_is_cleared_up(tmp_path: Path) -> None:
    target = tmp_path / "site"
    write(target, "a", "one")
    with pytest.raises(ZeroDivisionError), Tree(target) as tree:
        tree.write("index.html", str(1 / 0))
    assert (target / "index.html").read_text() == "one"
    target.rename(tmp_path / ".site.old")  # killed between the two renames
    (tmp_path / ".site.new").mkdir()
    (tmp_path / ".site.new" / "index.html").write_text("half")
    assert write(target, "a", "three").kept == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["site"]


def test_bytes_are_linked_once_under_each_name(tmp_path: Path) -> None:
    source = tmp_path / "landed"
    source.write_bytes(b"\x00\x01")
    with Tree(tmp_path / "site") as tree:
        tree.link("files/x/a.csv", source)
        tree.link("files/x/a.csv", source)
    linked = tmp_path / "site" / "files" / "x" / "a.csv"
    assert linked.read_bytes() == b"\x00\x01"
    assert linked.stat().st_ino == source.stat().st_ino


@pytest.mark.parametrize("path", ["../escaped.html", "a/../../escaped.html", "/escaped.html"])
def test_no_page_leaves_its_folder(tmp_path: Path, path: str) -> None:
    with pytest.raises(PantauError, match="outside its folder"), Tree(tmp_path / "site") as tree:
        tree.write(path, "x")
    assert not list(tmp_path.rglob("escaped.html"))
