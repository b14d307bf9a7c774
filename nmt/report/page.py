"""One self-contained HTML file: figures inlined, no network, light and dark."""

from __future__ import annotations

from pathlib import Path

import jinja2

from nmt.evaluation.results import Comparison
from nmt.report import figures, tables


def html_text(comparison: Comparison) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    sections = [
        {
            "test_set": test_set,
            "metric": tables.NAMES[metric],
            "figure": _inline(
                figures.svg_text(figures.by_length(comparison, test_set, metric)), f"{test_set}-{metric}"
            ),
            "table": tables.comparison_table(comparison, test_set, metric),
        }
        for test_set in comparison.test_sets
        for metric in comparison.metrics
    ]
    return environment.get_template("page.html.jinja").render(
        comparison=comparison,
        colours={system: figures.colour(comparison, system) for system in comparison.systems},
        findings=tables.findings(comparison),
        legend=tables.legend(comparison),
        sections=sections,
        costs=tables.cost_table(comparison),
        differing=tables.differing_options(comparison),
        curves=_inline(figures.svg_text(figures.learning_curves(comparison)), "curves"),
        ratios=[(test_set, tables.length_ratio_table(comparison, test_set)) for test_set in comparison.test_sets],
        heat_maps=[
            _inline(figures.svg_text(figures.heat_map(picture)), f"heat-{i}")
            for i, picture in enumerate(comparison.heat_maps)
        ],
        names=tables.NAMES,
    )


def _inline(svg: str, prefix: str) -> str:
    """Identifiers made unique, so that several figures can share a page."""
    return (
        svg.replace('id="', f'id="{prefix}-')
        .replace('href="#', f'href="#{prefix}-')
        .replace("url(#", f"url(#{prefix}-")
    )
