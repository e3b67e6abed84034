"""The items of a page of JSON: what an API delivers, apart from its envelope, its cursors and page borders.

Numbers keep every digit. What two programs may read differently (a key that stands twice, NaN, half a
character) is no JSON here.
"""

import json
import re
from collections.abc import Collection, Iterable
from decimal import Decimal
from hashlib import sha256
from typing import Any, NoReturn

_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # may be half a character, which no text can hold alone


class NoItemsError(ValueError):
    """The page is not what was promised; the message says why, as the end of a sentence."""


class Repeated(dict[str, Any]):
    """An object in which a key stands twice, so that it is open which of the values was meant."""


def parse(content: bytes) -> Any:
    """A page of JSON; decimal numbers as Decimal. Raises NoItemsError where it is not JSON in UTF-8."""
    try:
        text = content.decode("utf-8-sig")
        page = json.loads(text, object_pairs_hook=_object, parse_float=Decimal, parse_constant=_constant)
        if _HALF.search(text):
            json.dumps(page, ensure_ascii=False, default=str).encode()
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise NoItemsError(f"is no JSON ({error})") from error
    return page


def value(page: Any, path: str) -> Any:
    """What stands in the page under `path`, such as `result.total`. Raises NoItemsError where nothing does."""
    for key in path.split("."):
        if not isinstance(page, dict) or isinstance(page, Repeated) or key not in page:
            raise NoItemsError(f"has no `{path}`")
        page = page[key]
    return page


def find(page: Any, path: str) -> list[Any]:
    """The list of items that stands in the page under `path`. Raises NoItemsError where there is none."""
    found = value(page, path)
    if not isinstance(found, list):
        raise NoItemsError(f"holds no list in `{path}`")
    return found


def content_hash(items: Iterable[Any], ignore: Collection[str] = ()) -> str:
    """SHA-256 over the items alone, in whatever order and on whatever pages they came.

    Args:
        ignore: keys of an item that are the server's own and no content.
    """
    encode = json.JSONEncoder(
        sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=lambda n: {"number": str(n)}
    ).encode
    if ignore:
        items = [
            {k: v for k, v in item.items() if k not in ignore} if isinstance(item, dict) else item
            for item in items
        ]
    return sha256("\n".join(sorted(map(encode, items))).encode()).hexdigest()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    return made if len(made) == len(pairs) else Repeated(made)


def _constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")
