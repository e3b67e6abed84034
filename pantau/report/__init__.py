"""Reports: a release's frozen context in, PDF bytes out; `files` writes them where they belong.

One package for each report (`national`) decides what its pages say; beside it stands what every report is made
with: `wording` (texts, numbers, dates), `charts` drawn with `svg`, and `pdf`, whose tags `tagging` completes.
"""

from pantau.report.national import render_national
from pantau.report.pdf import ReportError
from pantau.report.wording import LANGUAGES

__all__ = ["LANGUAGES", "ReportError", "render_national"]
