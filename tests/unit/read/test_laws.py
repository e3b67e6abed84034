"""Old codes are carried by law as far as the laws and the register go."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from known import REGISTER, Known

from pantau.errors import PantauError
from pantau.read.regions import successors

CODES = st.sampled_from(["11.01", "11.02", "12.01", "12.02", "93.01"])
DAYS = st.sampled_from(["2002-04-11", "2012-11-16", "2022-07-25"])


@pytest.mark.parametrize(
    ("laws", "live", "found"),
    [
        # two steps, in whatever order they stand
        ([("91.01", "92.01", "2012-11-16"), ("92.01", "93.01", "2022-07-25")], {"93.01"},
         {"91.01": "93.01", "92.01": "93.01"}),
        ([("92.01", "93.01", "2022-07-25"), ("91.01", "92.01", "2012-11-16")], {"93.01"},
         {"91.01": "93.01", "92.01": "93.01"}),
        # a register from before the second law
        ([("91.01", "92.01", "2012-11-16"), ("92.01", "93.01", "2022-07-25")], {"92.01"},
         {"91.01": "92.01", "92.01": "93.01"}),
        # the number had another owner before: who left in 2012 does not leave again by the law of 2002
        ([("91.01", "92.01", "2012-11-16"), ("92.01", "94.01", "2002-04-11")], {"92.01", "94.01"},
         {"91.01": "92.01", "92.01": "94.01"}),
        # given up twice: the newest law is meant
        ([("91.01", "92.01", "2012-11-16"), ("91.01", "95.01", "2022-07-25")], {"92.01", "95.01"}, {"91.01": "95.01"}),
        # two change places on one day, and one comes back later
        ([("11.01", "11.02", "2012-11-16"), ("11.02", "11.01", "2012-11-16")], {"11.01", "11.02"},
         {"11.01": "11.02", "11.02": "11.01"}),
        ([("11.01", "11.02", "2012-11-16"), ("11.02", "11.01", "2022-07-25")], {"11.01"},
         {"11.01": "11.01", "11.02": "11.01"}),
        # without a day
        ([("91.01", "92.01", ""), ("92.01", "93.01", "")], {"93.01"}, {"91.01": "93.01", "92.01": "93.01"}),
        ([], set(), {}),
    ],
)  # fmt: skip
def test_chains_are_followed_to_their_end(
    laws: list[tuple[str, str, str]], live: set[str], found: dict[str, str]
) -> None:
    assert successors(laws, live) == found


@pytest.mark.parametrize(
    "laws",
    [
        [("a", "b", ""), ("b", "a", "")],
        [("a", "a", "")],
        [("x", "a", "2012-01-01"), ("a", "b", ""), ("b", "a", "")],
    ],
)
def test_a_circle_is_told(laws: list[tuple[str, str, str]]) -> None:
    with pytest.raises(PantauError, match=r"lead in a circle: .* → a"):
        successors(laws, set())


@given(st.lists(st.tuples(CODES, CODES, DAYS)), st.sets(CODES))
def test_dated_laws_always_end(laws: list[tuple[str, str, str]], live: set[str]) -> None:
    found = successors(laws, live)
    assert set(found) == {old for old, _, _ in laws}
    assert set(found.values()) <= {new for _, new, _ in laws}


def test_a_village_of_two_laws_ago_is_found_by_its_name() -> None:
    resolver = Known()
    live = {code for code in REGISTER if len(code) == 5}
    resolver._laws = successors([("90.01", "91.01", "2002-04-11"), ("91.01", "93.01", "2022-07-25")], live)
    rows = pl.DataFrame(
        {"source_row": [1, 2], "code": ["90.01.01.2001", "91.01.01.2001"], "name": ["Kuper", "Kuper"]}
    )
    assert resolver.resolve(rows, ["desa"], named=True)["resolved"].to_list() == ["93.01.01.2001"] * 2
