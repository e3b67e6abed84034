"""The QR code that leads from paper to the release's audit page: vector squares, drawn from segno's matrix."""

import segno

from pantau.report.svg import Chart, Drawing

QUIET = 2  # modules of white around the code; the page's own margin adds the rest


def qr(name: str, address: str, alt: str, size: float = 62) -> Chart:
    """`address` as a QR code of `size` points, error correction M."""
    matrix = segno.make_qr(address, error="m").matrix
    count = len(matrix) + 2 * QUIET
    drawing = Drawing(count, count)
    for y, line in enumerate(matrix):
        begin = None
        for x, dark in enumerate([*line, 0]):
            if dark and begin is None:
                begin = x
            elif not dark and begin is not None:
                drawing.rect(begin + QUIET, y + QUIET, x - begin, 1.02)  # a hair more: no seam between rows
                begin = None
    return Chart(name, drawing.chart(name, alt).svg, alt, size, size)
