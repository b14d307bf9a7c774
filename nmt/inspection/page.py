"""A look into a corpus as one HTML file, which asks nothing of a network and needs no script."""

from __future__ import annotations

from pathlib import Path

from nmt.corpus.text.writing import isolated
from nmt.inspection.pictures import SOURCE_COLOUR, TARGET_COLOUR, length_picture
from nmt.inspection.results import Inspection
from nmt.inspection.sections import advice_section, notes_section, sections
from nmt.report.page import ASSETS as REPORT_ASSETS
from nmt.report.page import templates_in

ASSETS = Path(__file__).parent / "assets"


def html_text(inspection: Inspection) -> str:
    """Returns the page, in the style of a comparison's report."""
    environment = templates_in(ASSETS)
    environment.filters["isolated"] = isolated
    parts = [
        advice_section(inspection),
        *sections(inspection),
        notes_section(inspection),
    ]
    pictures = {}
    for split in inspection.splits:
        if split.pairs:
            pictures[split.name] = length_picture(split)
    template = environment.get_template("inspection.html.jinja")
    return template.render(
        inspection=inspection,
        sections=[part for part in parts if part is not None],
        pictures=pictures,
        css=(REPORT_ASSETS / "page.css").read_text(encoding="utf-8"),
        own_css=(ASSETS / "inspection.css").read_text(encoding="utf-8"),
        source_colour=SOURCE_COLOUR,
        target_colour=TARGET_COLOUR,
    )
