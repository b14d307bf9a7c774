"""A look into a corpus as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict

from nmt.inspection.results import Inspection


def json_text(inspection: Inspection) -> str:
    """Returns all numbers that text and page show, by the names of the fields in `nmt.inspection.results`."""
    return json.dumps(asdict(inspection), ensure_ascii=False, indent=1) + "\n"
