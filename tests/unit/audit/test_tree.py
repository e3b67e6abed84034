"""A folder of pages is put in its place whole, and what cannot change is written once."""

import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from pantau.audit.tree import Tree
from pantau.errors import PantauError


def write(target: Path, stamp: str, text: str, **how: Any) -> Tree:
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


@pytest.mark.parametrize("change", ["stamp", "torn", "same size", "gone", "everything", "stamps", "list"])
def test_it_is_written_again_where_it_is_not_what_it_was(tmp_path: Path, change: str) -> None:
    target = tmp_path / "site"
    write(target, "a", "one")
    page = target / "frozen" / "page.html"
    if change == "torn":
        page.write_text("")
    elif change == "same size":
        page.write_text("eno")
    elif change == "gone":
        page.unlink()
    elif change == "stamps":  # a page and what is known of it, in step
        page.write_text("eno")
        stamps = target / ".stamps.json"
        one, eno = (sha256(text.encode()).hexdigest() for text in ("one", "eno"))
        stamps.write_text(stamps.read_text().replace(one, eno))
    elif change == "list":  # and the list too: the ledger knows another
        (target / "hashes.txt").write_text("0" * 64 + "  frozen/page.html\n")
    write(
        target, "b" if change == "stamp" else "a", "two", everything=change == "everything",
        is_known=lambda _: change != "list",
    )  # fmt: skip
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


def test_bytes_are_copied_once_and_then_linked_from_the_earlier_pages(tmp_path: Path) -> None:
    source = tmp_path / "landed"
    source.write_bytes(b"\x00\x01")
    digest = sha256(b"\x00\x01").hexdigest()
    kept = tmp_path / "site" / "files" / "x" / "a.csv"
    with Tree(tmp_path / "site") as tree:
        assert tree.keep("files/x/a.csv", source, digest)
        assert tree.keep("files/x/a.csv", source, digest)
    first = kept.stat().st_ino
    assert first != source.stat().st_ino
    source.write_bytes(b"other")  # changed in place: the pages keep what was delivered
    with Tree(tmp_path / "site") as tree:
        assert tree.keep("files/x/a.csv", source, digest)
    assert (kept.read_bytes(), kept.stat().st_ino) == (b"\x00\x01", first)
    kept.write_bytes(b"forged")
    with Tree(tmp_path / "site") as tree:  # neither is it any more
        assert not tree.keep("files/x/a.csv", source, digest)
        assert not tree.keep("files/x/b.csv", tmp_path / "missing", digest)
    assert not kept.exists()


def test_the_list_names_every_file_and_is_told_before_the_pages_stand(tmp_path: Path) -> None:
    target, told = tmp_path / "site", list[tuple[str, int, bool]]()
    write(target, "a", "one", seal=lambda digest, files: told.append((digest, files, target.exists())))
    text = (target / "hashes.txt").read_bytes()
    assert told == [(sha256(text).hexdigest(), 3, False)]
    subprocess.run(["sha256sum", "--check", "--strict", "hashes.txt"], cwd=target, check=True)


@pytest.mark.parametrize("path", ["../escaped.html", "a/../../escaped.html", "/escaped.html"])
def test_no_page_leaves_its_folder(tmp_path: Path, path: str) -> None:
    with pytest.raises(PantauError, match="outside its folder"), Tree(tmp_path / "site") as tree:
        tree.write(path, "x")
    assert not list(tmp_path.rglob("escaped.html"))
