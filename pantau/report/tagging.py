"""The tag tree and metadata that make one file PDF/UA-1 and PDF/A-3a at once, which WeasyPrint 70.0 cannot.

Works on the box tree and on the PDF's objects before they are written: no second pass over the file. Leans on
private names of WeasyPrint, so it refuses any other version. Not safe in threads: `pdf.render` holds a lock.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from xml.etree import ElementTree as ET

import pydyf
import weasyprint
from weasyprint.document import Document
from weasyprint.formatting_structure import boxes
from weasyprint.pdf import tags
from weasyprint.pdf.metadata import NS, DocumentMetadata

from pantau.errors import PantauError

WEASYPRINT = "70.0"

_EXTENSION = {
    "pdfaExtension": "http://www.aiim.org/pdfa/ns/extension/",
    "pdfaSchema": "http://www.aiim.org/pdfa/ns/schema#",
    "pdfaProperty": "http://www.aiim.org/pdfa/ns/property#",
}
for _prefix, _uri in _EXTENSION.items():
    ET.register_namespace(_prefix, _uri)  # the standard asks for these very prefixes


def claim_both_standards(metadata: DocumentMetadata) -> None:
    """Make the document's one XMP packet name PDF/UA-1 beside PDF/A, and describe that claim's schema."""

    def generate(variant: str, version: int, conformance: str) -> bytes:
        root = ET.fromstring(  # noqa: S314  WeasyPrint's own output
            DocumentMetadata.generate_rdf_metadata(metadata, variant, version, conformance)
        )
        rdf, about = f"{{{NS['rdf']}}}", {f"{{{NS['rdf']}}}about": ""}
        resource = {f"{rdf}parseType": "Resource"}
        ET.SubElement(root, f"{rdf}Description", {**about, f"{{{NS['pdfuaid']}}}part": "1"})
        extension, schema, prop = (f"{{{uri}}}" for uri in _EXTENSION.values())
        schemas = ET.SubElement(ET.SubElement(root, f"{rdf}Description", about), f"{extension}schemas")
        described = ET.SubElement(ET.SubElement(schemas, f"{rdf}Bag"), f"{rdf}li", resource)
        for name, text in (
            ("schema", "PDF/UA identification schema"),
            ("namespaceURI", NS["pdfuaid"]),
            ("prefix", "pdfuaid"),
        ):
            ET.SubElement(described, f"{schema}{name}").text = text
        properties = ET.SubElement(ET.SubElement(described, f"{schema}property"), f"{rdf}Seq")
        part = ET.SubElement(properties, f"{rdf}li", resource)
        for name, text in (
            ("name", "part"),
            ("valueType", "Integer"),
            ("category", "internal"),
            ("description", "Part of ISO 14289 that the file conforms to"),
        ):
            ET.SubElement(part, f"{prop}{name}").text = text
        return ET.tostring(root, encoding="utf-8")

    metadata.generate_rdf_metadata = generate


def outer_links_only(document: Document) -> None:
    """Keep one annotation for each link: WeasyPrint makes one for every box inside it."""
    for page in document.pages:
        linked = [box for _, _, _, box in page.links]
        inner = {id(b) for box in linked for b in box.descendants() if b is not box}
        page.links = [link for link in page.links if id(link[3]) not in inner]


class Tagging:
    """What the pass over one document's boxes leaves for the pass over its PDF objects."""

    def __init__(self) -> None:
        self.artifacts: dict[int, dict[int, dict[str, str]]] = {}  # page → marked content → properties
        self.tables: dict[Any, list[pydyf.Dictionary]] = {}  # HTML element → its Table on each page

    def artifact(self, page: int, mcid: int, properties: dict[str, str]) -> None:
        self.artifacts.setdefault(page, {})[mcid] = properties

    def finish(self, pdf: pydyf.PDF) -> None:
        """Last pass on the PDF's objects, uncompressed yet. Raises PantauError for what cannot be tagged."""
        pages = [_object(pdf, reference) for reference in pdf.page_references]
        root = _object(pdf, pdf.catalog["StructTreeRoot"])
        numbers = _object(pdf, root["ParentTree"])["Nums"]
        for parts in self.tables.values():
            self._join_table(pdf, parts, numbers)
        for number, marked in self.artifacts.items():
            _write_artifacts(_object(pdf, pages[number]["Contents"]).stream, dict(marked), number)
        _refuse_hidden_text(pdf)
        for element in pdf.objects:
            if isinstance(element, pydyf.Dictionary) and element.get("Type") == "/StructElem":
                _tidy(pdf, element)
        if "AF" in pdf.catalog:  # WeasyPrint lists each file twice
            pdf.catalog["AF"] = pydyf.Array(dict.fromkeys(pdf.catalog["AF"]))

    def _join_table(self, pdf: pydyf.PDF, parts: list[pydyf.Dictionary], numbers: list[Any]) -> None:
        """One Table for a table that runs over several pages; its repeated heads become artifacts."""
        first = parts[0]
        for part in parts[1:]:
            for reference in list(part["K"]):
                row = _object(pdf, reference)
                if row["S"] in ("/THead", "/TFoot"):
                    self._forget(pdf, row, numbers)
                else:
                    row["P"] = first.reference
                    first["K"].append(reference)
            _object(pdf, part["P"])["K"].remove(part.reference)
            part.clear()

    def _forget(self, pdf: pydyf.PDF, element: pydyf.Dictionary, numbers: list[Any]) -> None:
        page = pdf.page_references.index(element["Pg"])
        for kid in element["K"]:
            if isinstance(kid, int):
                self.artifact(page, kid, {"Type": "/Pagination"})
                numbers[numbers.index(page) + 1][kid] = "null"  # the parent tree is positional: never delete
            else:
                self._forget(pdf, _object(pdf, kid), numbers)
        element.clear()


def _object(pdf: pydyf.PDF, reference: bytes | str) -> Any:
    return pdf.objects[int(reference.split()[0])]


def _write_artifacts(stream: list[Any], left: dict[int, dict[str, str]], page: int) -> None:
    for i, item in enumerate(stream):
        if isinstance(item, pydyf.Dictionary) and item.get("MCID") in left and stream[i + 1] == b"BDC":
            properties = left.pop(item["MCID"])
            stream[i - 1], stream[i] = "/Artifact", pydyf.Dictionary(properties)
    if left:
        raise PantauError(
            "A running header or footer is not in the page's own content.",
            where={"page": page + 1},
            next_step="Use no CSS opacity or transform in page margins.",
        )


def _refuse_hidden_text(pdf: pydyf.PDF) -> None:
    for item in pdf.objects:
        form = isinstance(item, pydyf.Stream) and item.extra.get("Subtype") == "/Form"
        if form and any(isinstance(x, pydyf.Dictionary) and "MCID" in x for x in item.stream):
            raise PantauError(
                "Text or an image stands under CSS opacity, where a screen reader cannot reach it.",
                next_step="Use a colour with alpha in place of `opacity`.",
            )


def _tidy(pdf: pydyf.PDF, element: pydyf.Dictionary) -> None:
    # Scope alone names a cell's heads: WeasyPrint's Headers are large, and wrong below a rowspan.
    if element["S"] == "/TH":
        element.pop("ID", None)
    elif element["S"] == "/TD" and "A" in element:
        element["A"].pop("Headers", None)
        if len(element["A"]) == 1:
            del element["A"]
    elif element["S"] == "/LI":
        _wrap_list_body(pdf, element)


def _wrap_list_body(pdf: pydyf.PDF, item: pydyf.Dictionary) -> None:
    loose = [
        k for k in item["K"] if not isinstance(k, int) and _object(pdf, k).get("S") not in ("/Lbl", "/LBody")
    ]
    if loose:
        body = pydyf.Dictionary(
            {
                "Type": "/StructElem",
                "S": "/LBody",
                "K": pydyf.Array(loose),
                "Pg": item["Pg"],
                "P": item.reference,
            }
        )
        pdf.add_object(body)
        for kid in loose:
            _object(pdf, kid)["P"] = body.reference
        item["K"][:] = [k for k in item["K"] if k not in loose] + [body.reference]


@contextmanager
def tagging() -> Iterator[Tagging]:
    """Within it, WeasyPrint tags as the standards ask: margin boxes and pictures without words (`alt=""`) as
    artifacts, header cells with their scope."""
    if weasyprint.__version__ != WEASYPRINT:
        raise PantauError(
            f"The report's tags are made for WeasyPrint {WEASYPRINT}; this is {weasyprint.__version__}.",
            where={"file": "pantau/report/tagging.py"},
            next_step="Check the private names used there, run veraPDF, then raise WEASYPRINT.",
        )
    state, plain = Tagging(), tags._build_box_tree
    tags._build_box_tree = _builder(state, plain)
    try:
        yield state
    finally:
        tags._build_box_tree = plain


def _builder(state: Tagging, plain: Callable[..., Iterator[pydyf.Dictionary]]) -> Callable[..., Any]:
    def drop(
        box: Any, page: int, numbers: dict[int, Any], marked: dict[Any, Any], properties: dict[str, str]
    ) -> None:
        for each in box.descendants():  # the box itself comes first
            if each in marked:
                mcid = marked.pop(each)["mcid"]
                numbers[mcid] = "null"
                state.artifact(page, mcid, properties)

    def build(
        box: Any,
        parent: pydyf.Dictionary,
        pdf: pydyf.PDF,
        page: int,
        numbers: dict[int, Any],
        annotations: list[Any],
        marked: dict[Any, Any],
    ) -> Iterator[pydyf.Dictionary]:
        real = getattr(box, "_box", box)  # an absolutely placed box stands behind a placeholder
        if isinstance(real, boxes.MarginBox):
            edge = "/Header" if real.at_keyword.startswith("@top") else "/Footer"
            drop(real, page, numbers, marked, {"Type": "/Pagination", "Subtype": edge})
            return
        if isinstance(real, boxes.ReplacedBox) and real.element.get("alt") == "":  # says nothing of its own
            drop(real, page, numbers, marked, {"Type": "/Layout"})
            return
        passes_up = isinstance(real, boxes.PageBox) or real.element_tag in ("html", "body")
        for element in plain(box, parent, pdf, page, numbers, annotations, marked):
            if not passes_up and real.element is not None:
                if element["S"] == "/TH":
                    scope = real.element.get("scope")
                    element["A"]["Scope"] = "/Row" if scope in ("row", "rowgroup") else "/Column"
                elif element["S"] == "/Table":
                    state.tables.setdefault(real.element, []).append(element)
            yield element

    return build
