"""One self-contained HTML file: data, script and plotting library inlined; no request leaves it."""

from __future__ import annotations

import base64
import gzip
import json
import logging
from pathlib import Path
from typing import Any

import jinja2

from nmt.evaluation.results import ALL_SEEDS, SIGNIFICANT, Comparison, SentenceSet, spread
from nmt.report import tables, words
from nmt.report.figures import colour

log = logging.getLogger("nmt")

ASSETS = Path(__file__).parent / "assets"
SCRIPTS = ("charts.js", "sentences.js", "main.js")
SENTENCE_BYTES = 8_000_000  # of all test sets together: with the library (5 MB) the page stays under 15 MB


def html_text(comparison: Comparison) -> str:
    """The page. Raises nothing for large results: what does not fit is thinned out evenly, and the page says so.

    Raises ModuleNotFoundError where plotly is not installed.
    """
    from plotly.offline import get_plotlyjs

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ASSETS),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    budget = SENTENCE_BYTES // max(len(comparison.sentences), 1)
    packed = {sentences.test_set: pack(sentences, budget) for sentences in comparison.sentences}
    rules = {s.test_set: _rule(s, packed[s.test_set][1]) for s in comparison.sentences}
    return environment.get_template("page.html.jinja").render(
        comparison=comparison,
        names=words.NAMES,
        seeds=_seeds(comparison),
        colours={system: colour(comparison, system) for system in comparison.systems},
        findings=words.findings(comparison),
        legend=words.legend(comparison),
        published=tables.published_table(comparison),
        costs=tables.cost_table(comparison),
        capacities=tables.capacity_table(comparison),
        differing=tables.differing_options(comparison),
        css=(ASSETS / "page.css").read_text(encoding="utf-8"),
        data=_script_safe(_data(comparison, rules)),
        blocks=[(test_set, block) for test_set, (block, _) in packed.items()],
        plotly=get_plotlyjs(),
        script="\n".join((ASSETS / name).read_text(encoding="utf-8") for name in SCRIPTS),
    )


def _seeds(comparison: Comparison) -> list[str]:
    """The mean first, where there are several."""
    seeds = list(dict.fromkeys(row.seed for row in comparison.rows))
    return [ALL_SEEDS, *(seed for seed in seeds if seed != ALL_SEEDS)] if ALL_SEEDS in seeds else seeds


def _data(comparison: Comparison, rules: dict[str, str]) -> dict[str, Any]:
    options = next(iter(comparison.options.values()))
    return {
        "name": comparison.name,
        "systems": [{"name": system, "colour": colour(comparison, system)} for system in comparison.systems],
        "metrics": comparison.metrics,
        "names": words.NAMES,
        "higherIsBetter": {metric: metric not in words.LOWER_IS_BETTER for metric in comparison.metrics},
        "significant": SIGNIFICANT,
        "seeds": _seeds(comparison),
        "testSets": comparison.test_sets,
        "rows": [
            [
                r.system,
                r.seed,
                r.test_set,
                r.bucket,
                r.metric,
                _short(r.score),
                _short(r.low),
                _short(r.high),
                r.p_value,
            ]
            for r in comparison.rows
        ],
        "costs": [
            [c.system, c.length, c.training_seconds, c.search_seconds, c.memory_megabytes] for c in comparison.costs
        ],
        "gradients": [[g.system, g.test_set, g.bucket, g.probes, g.shares] for g in comparison.gradients],
        "places": [
            [p.system, p.test_set, p.bucket, p.place, _short(p.score), _short(p.low), _short(p.high), p.words]
            for p in comparison.places
        ],
        "runs": [{"system": run.system, "seed": run.seed, "curve": run.curve} for run in comparison.runs],
        "sentenceRules": rules,
        "sourceLanguage": options.get("corpus.source_language", ""),
        "targetLanguage": options.get("corpus.target_language", ""),
    }


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _script_safe(content: Any) -> str:
    """JSON that can't end the script element it stands in."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def pack(sentences: SentenceSet, budget: int) -> tuple[str, int]:
    """Shown sentences with their heat maps, gzip in base64, and how many: all if they fit, else every so many."""
    shown = sentences.shown
    while True:
        block = _block(sentences, shown)
        if len(block) <= budget or len(shown) <= 1:
            return block, len(shown)
        keep = max(1, int(0.95 * len(shown) * budget / len(block)))
        lengths = [len(sentences.sources[i].split()) for i in shown]
        shown = [shown[i] for i in spread(lengths, keep)]


def _block(sentences: SentenceSet, shown: list[int]) -> str:
    rows = [
        {
            "number": i + 1,
            "bucket": sentences.buckets[i],
            "words": len(sentences.sources[i].split()),
            "source": sentences.sources[i],
            "reference": sentences.references[i],
            "outputs": [texts[i] for texts in sentences.outputs.values()],
            "scores": {
                metric: [round(scores[i], 1) for scores in by_system.values()]
                for metric, by_system in sentences.scores.items()
            },
        }
        for i in shown
    ]
    maps = {
        system: {
            str(i + 1): [found[i].source_pieces, found[i].target_pieces, found[i].weights.tobytes().hex()]
            for i in shown
            if i in found
        }
        for system, found in sentences.heat_maps.items()
    }
    pictures = {
        system: {
            str(i + 1): [p.source_pieces, p.target_pieces, list(p.heads.shape[:2]), p.heads.tobytes().hex()]
            for i, p in found.items()
            if i in shown
        }
        for system, found in sentences.pictures.items()
    }
    gold = {str(i + 1): links for i, links in sentences.gold.items()}
    text = json.dumps(
        {"rows": rows, "maps": maps, "pictures": pictures, "gold": gold}, ensure_ascii=False, separators=(",", ":")
    )
    return base64.b64encode(gzip.compress(text.encode("utf-8", "replace"), 9, mtime=0)).decode()


def _rule(sentences: SentenceSet, count: int) -> str:
    total = len(sentences.sources)
    beside = f"sentences_{sentences.test_set}.jsonl"
    if count == total:
        return f"All {total:,} sentences, first seed of each system; also in {beside}."
    return (
        f"{count:,} of {total:,} sentences, spread evenly over source lengths, first seed of each system; "
        f"all are in {beside} beside this page."
    )
