"""How systems are told apart in figures and on the page."""

from __future__ import annotations

import json
import re
from dataclasses import replace

from matplotlib import pyplot as plt

from nmt.report.figures import by_length
from nmt.report.page import html_text
from tests.report.comparisons import make_comparison


def test_of_many_systems_no_two_are_drawn_alike():
    one = make_comparison(("fixed", "attention"))
    names = [f"system {number}" for number in range(43)]
    of_one = [row for row in one.rows if row.system == "fixed" and row.metric == "bleu"]
    rows = [replace(row, system=name) for name in names for row in of_one]
    options = dict.fromkeys(names, one.options["fixed"])
    many = replace(one, systems=names, rows=rows, options=options, findings=[], runs=[], published=[])
    figure = by_length(many, "test", "bleu")
    lines = figure.axes[0].get_lines()
    looks = {(line.get_color(), line.get_marker(), str(line._unscaled_dash_pattern)) for line in lines}
    assert len(lines) == len(looks) == len(names)
    plt.close(figure)
    text = html_text(replace(many, sentences=[]))
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text)[1])
    looks = {(system["colour"], system["symbol"], system["dash"]) for system in data["systems"]}
    keys = {system["key"] for system in data["systems"]}
    assert len(looks) == len(keys) == len(names), "in the charts, and before each name in tables"
