"""Pages of JSON: an item is a row, numbers keep every digit, and content does not hang on page borders."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from known import Known

from pantau import catalogue, items
from pantau.errors import PantauError
from pantau.read import contract, files
from pantau.read.table import Table

FEED = catalogue.feed("operator__cakupan")
HERE = {"feed": FEED.name, "part": "telkomsel", "period": "2026-08", "delivery": 7}
QUICK = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
GOOD = {"kode_desa": "93.01.01.2001", "nama_desa": "Kuper", "teknologi": "4G", "terlayani_pct": 87.5}


def read(folder: Path, *pages: str | list[Any]) -> Table:
    """Read pages, each given as its text or as its items."""
    found = []
    for no, page in enumerate(pages, 1):
        text = page if isinstance(page, str) else json.dumps({"jumlah": 0, "berikut": None, "data": page})
        path = folder / f"page-{no:04d}.json"
        path.write_text(text)
        found.append((path.name, path))
    return files.read(FEED, found, HERE)


def apply(table: Table) -> contract.Result:
    return contract.apply(FEED, table, Known())


def test_items_are_rows_through_all_pages(tmp_path: Path) -> None:
    sent = [("93.01.01.2001", "Kuper"), ("9301012002", "SEMANGGA JAYA"), ("93.01.02.2001", "Kuper")]
    listed = [{**GOOD, "kode_desa": code, "nama_desa": name} for code, name in sent]
    pages = [listed[:2], [], listed[2:]]
    table = read(tmp_path, *pages)
    assert table.rows["source_row"].to_list() == [1, 2, 3]
    assert [(r.file, r.first, r.last, r.first_file_row) for r in table.ranges] == [
        ("page-0001.json", 1, 2, 1), ("page-0002.json", 3, 2, 1), ("page-0003.json", 3, 3, 1),
    ]  # fmt: skip
    assert apply(table).accepted["wilayah_kode"].to_list() == [
        "93.01.01.2001",
        "93.01.01.2002",
        "93.01.02.2001",
    ]
    assert json.loads(table.raw[3]) == pages[2][0]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("87.5", "87.5"), ("87", "87"), ("87.50", "87.5"), ("0.875e2", "87.5"), ('"87,5"', "87.5"),
        ('"87"', "87"), ("87.55", None), ('"87.5"', None), ("-1", None), ("true", None), ("1e999", None),
        ("1e-999999999", None), ("null", None), ('""', None), ("[1]", None), ('{"a": 1}', None),
    ],
)  # fmt: skip
def test_a_number_is_a_number_and_a_text_follows_the_format(
    tmp_path: Path, written: str, kept: str | None
) -> None:
    item = json.dumps(GOOD).replace("87.5", written)
    result = apply(read(tmp_path, f'{{"data": [{item}]}}'))
    assert result.accepted["terlayani_pct"].to_list() == ([Decimal(kept)] if kept else [])
    assert result.refusals["raw"].to_list() == ([] if kept else [item])
    assert result.refusals["column"].to_list() == ([] if kept else ["terlayani_pct"])


def test_a_code_may_be_a_number_and_a_character_that_no_text_holds_is_refused(tmp_path: Path) -> None:
    result = apply(read(tmp_path, [{**GOOD, "kode_desa": 9301012001}, {**GOOD, "nama_desa": "Ku\0per"}]))
    assert result.accepted["kode_desa"].to_list() == ["9301012001"]
    assert result.refusals.select("source_row", "column", "rule", "value").rows() == [
        (2, "nama_desa", "type", "Ku␀per")
    ]


@pytest.mark.parametrize(
    ("page", "message", "row"),
    [
        ('{"data": [', "is no JSON", None),
        ('{"data": [{"a": NaN}]}', "is no JSON", None),
        ('{"data": ["\\ud800"]}', "is no JSON", None),
        ("[" * 100_000, "is no JSON", None),
        ('{"data": [1e99999999999999999999]}', "is no JSON", None),
        ("[]", "has no `data`", None),
        ('{"items": []}', "has no `data`", None),
        ('{"data": [], "data": []}', "has no `data`", None),
        ('{"data": {}}', "holds no list in `data`", None),
        ('{"data": [{"kode_desa": "1", "kode_desa": "2"}]}', "holds an item that has a key twice", 1),
        ('{"data": [{}, 5]}', "holds an item that is no object", 2),
        (
            json.dumps({"data": [GOOD, {**GOOD, "baru": 1}]}),
            "header is not the one agreed: unknown 'baru'",
            2,
        ),
        (
            json.dumps({"data": [{"desa" if k == "nama_desa" else k: v for k, v in GOOD.items()}]}),
            "header is not the one agreed: missing 'nama_desa'; unknown 'desa'",
            1,
        ),
    ],
)
def test_a_page_that_is_not_as_agreed_refuses_the_delivery(
    tmp_path: Path, page: str, message: str, row: int | None
) -> None:
    with pytest.raises(PantauError, match=message) as error:
        read(tmp_path, [GOOD], page)
    for word in (FEED.name, "part telkomsel", "period 2026-08", "delivery 7", "file page-0002.json", "next:"):
        assert word in str(error.value)
    assert error.value.where.get("row") == row


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
value = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**18), 10**18), text,
    st.decimals(-(10**9), 10**9, places=3).map(float),
)  # fmt: skip
name = st.one_of(text, st.integers(0, 10**18))
item = st.fixed_dictionaries(
    {"nama_desa": name, "teknologi": st.sampled_from(["4G", "5G", None]), "terlayani_pct": value},
    optional={"kode_desa": st.one_of(name, st.from_regex(r"\A[0-9]{10}\Z"), value), "provinsi": value},
)


@QUICK
@given(st.lists(st.lists(item, max_size=6), min_size=1, max_size=4), st.sampled_from([None, 2]))
def test_every_item_ends_in_one_place_with_its_own_text(
    tmp_path: Path, pages: list[list[Any]], indent: int | None
) -> None:
    listed = [item for page in pages for item in page]
    texts = [json.dumps({"x": [{}], "data": page, "y": {"data": []}}, indent=indent) for page in pages]
    table = read(tmp_path, *texts)
    result = apply(table)
    places = [*result.accepted["source_row"], *result.refusals["source_row"].unique()]
    assert sorted(places) == list(range(1, len(listed) + 1))
    assert [json.loads(table.raw[n]) for n in range(1, len(listed) + 1)] == listed
    for n, kept in result.accepted.select("source_row", "nama_desa").iter_rows():
        assert kept == str(listed[n - 1]["nama_desa"]).strip()


@QUICK
@given(st.lists(item, max_size=12), st.lists(st.integers(0, 12), max_size=3), st.randoms())
def test_content_does_not_hang_on_pages_order_or_the_servers_own_keys(
    listed: list[dict[str, Any]], borders: list[int], random: Any
) -> None:
    whole = items.content_hash(listed, ["_id"])
    mixed = random.sample(listed, len(listed))
    cuts = sorted({0, *borders, len(mixed)})
    pages = [
        json.dumps(
            {"jumlah": n, "berikut": str(n), "data": [{"_id": random.random(), **i} for i in mixed[a:b]]}
        )
        for n, (a, b) in enumerate(zip(cuts, [*cuts[1:], len(mixed)], strict=True))
    ]
    again = [i for page in pages for i in items.find(items.parse(page.encode()), "data")]
    straight = items.parse(json.dumps(listed).encode())
    assert items.content_hash(again, ["_id"]) == items.content_hash(straight, ["_id"])
    assert whole == items.content_hash(listed)
    if listed:
        other = [{**listed[0], "nama_desa": "another, surely"}, *listed[1:]]
        assert items.content_hash(other) != whole
        assert items.content_hash([*listed, listed[0]]) != whole


def test_content_tells_a_number_from_a_text_and_keeps_its_last_digit() -> None:
    def digest(item: str) -> str:
        return items.content_hash(items.parse(f"[{item}]".encode()))

    written = [
        '{"a": 1.1}',
        '{"a": "1.1"}',
        '{"a": 1.10000000000000000001}',
        '{"a": null}',
        "{}",
        '{"b": 1.1}',
    ]
    assert len({digest(each) for each in written}) == len(written)
    assert digest('{"a": 1, "b": 2}') == digest('{"b": 2 , "a": 1}')


@pytest.mark.parametrize(
    ("code", "name", "readable"),
    [
        ("9301012001", "Kupre", True),  # the name is not its code's; the code is one
        ("9301019001", "Kuper", False),  # no such village
        (None, "Nirwana", False),
        ("9301012001", "", False),
    ],
)
def test_the_key_of_a_refused_row_is_its_village_s_code_as_it_was_delivered(
    tmp_path: Path, code: str | None, name: str, readable: bool
) -> None:
    result = apply(read(tmp_path, [{**GOOD, "kode_desa": code, "nama_desa": name}]))
    kept = set(result.refusals["cells"])
    assert len(kept) == 1
    written = kept.pop()
    assert (written is not None) is readable
    if readable:
        assert json.loads(written)["kode_desa"] == code
