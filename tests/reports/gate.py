"""What veraPDF lets pass though it is wrong: content without a tag, figures without words, broken tables."""

import io
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pikepdf


def inspect(pdf: bytes) -> tuple[list[str], Counter[str], pikepdf.Pdf]:
    """Problems in words, how often each tag occurs, and the open file."""
    file = pikepdf.open(io.BytesIO(pdf))
    root = file.Root.StructTreeRoot
    problems: list[str] = []
    elements = list(_walk(root))
    seen = {element.objgen for element in elements}
    tags = Counter(str(element.S) for element in elements)
    for element in elements:
        if element.S == "/Figure" and not str(element.get("/Alt", "")).strip():
            problems.append("a Figure has no Alt")
        if element.S == "/TH" and "/Scope" not in element.get("/A", {}):
            problems.append("a TH has no Scope")
        if element.S == "/Table":
            problems += _ragged(element)
    numbers = list(root.ParentTree.Nums)
    parents = {int(numbers[i]): numbers[i + 1] for i in range(0, len(numbers), 2)}
    for number, page in enumerate(file.pages, 1):
        line = parents[int(page.StructParents)]
        for operands, _ in pikepdf.parse_content_stream(page, "BDC"):
            if "/MCID" in operands[1]:
                mcid = int(operands[1].MCID)
                element = line[mcid] if mcid < len(line) else None
                if element is None or element.objgen not in seen:
                    problems.append(f"page {number}: content {mcid} is not in the tag tree")
        for annotation in page.get("/Annots", []):
            element = parents.get(int(annotation.get("/StructParent", -1)))
            if element is None or element.objgen not in seen or element.S != "/Link":
                problems.append(f"page {number}: an annotation is not in the tag tree as a link")
            if not str(annotation.get("/Contents", "")).strip():
                problems.append(f"page {number}: a link says nothing")
    attached = [item.objgen for item in file.Root.get("/AF", [])]
    if len(attached) != len(set(attached)):
        problems.append("AF lists a file twice")
    for item in file.Root.get("/AF", []):
        if item.get("/AFRelationship") != "/Data" or not str(item.get("/Desc", "")).strip():
            problems.append("an attachment does not say what it is")
    return problems, tags, file


def links(file: pikepdf.Pdf) -> list[str]:
    """Where the links lead, in order: an address, or `#` and the name of a place in the document."""
    return [
        str(annotation.A.URI) if "/A" in annotation else f"#{annotation.Dest}"
        for page in file.pages
        for annotation in page.get("/Annots", [])
    ]


def _walk(element: Any) -> Iterator[pikepdf.Dictionary]:
    for kid in _kids(element):
        if isinstance(kid, pikepdf.Dictionary) and kid.get("/Type") not in ("/OBJR", "/MCR"):
            yield kid
            yield from _walk(kid)


def _kids(element: Any) -> list[Any]:
    kids = element.get("/K", [])
    return list(kids) if isinstance(kids, pikepdf.Array) else [kids]


def _ragged(table: pikepdf.Dictionary) -> list[str]:
    """Rows of one table that do not come to the same width, spans counted."""
    widths, carried = set(), Counter()
    rows = [row for row in _walk(table) if row.S == "/TR"]
    for i, row in enumerate(rows):
        width = carried[i]
        for cell in _kids(row):
            attributes = cell.get("/A", {})
            columns, down = int(attributes.get("/ColSpan", 1)), int(attributes.get("/RowSpan", 1))
            width += columns
            for later in range(1, down):
                carried[i + later] += columns
        widths.add(width)
    return [f"a table's rows are {sorted(widths)} cells wide"] if len(widths) > 1 else []


def order_of_headings(file: pikepdf.Pdf) -> list[int]:
    """The levels of the headings, in reading order."""
    return [
        int(str(e.S)[2:])
        for e in _walk(file.Root.StructTreeRoot)
        if str(e.S).startswith("/H") and str(e.S)[2:].isdigit()
    ]
