"""One self-contained HTML file: data, script and plotting library inlined; no request leaves it."""

from __future__ import annotations

import base64
import gzip
import json
import logging
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jinja2

from nmt.evaluation.results import (
    ALL,
    ALL_SEEDS,
    SIGNIFICANT,
    Comparison,
    CostRow,
    GradientMap,
    MeasureInfo,
    PlaceRow,
    Row,
    SentenceSet,
    evenly_over_lengths,
    is_smallest,
    length_in,
    names_isolated,
)
from nmt.report import tables, words
from nmt.report.styles import style

log = logging.getLogger("nmt")

ASSETS = Path(__file__).parent / "assets"
SCRIPTS = ("charts.js", "sentences.js", "main.js")
SENTENCE_BYTES = 8_000_000  # of all test sets together: with the library (5 MB) the page stays under 15 MB
Json = dict[str, Any]
Maps = dict[str, dict[str, list[Any]]]  # by system and number of the sentence
AXES = ("step", "seconds", "tokens")  # of a learning curve; whatever else it holds is drawn against them


@dataclass(frozen=True)
class Group:
    """Measures that explain the same, under one heading."""

    anchor: str
    title: str
    measures: list[MeasureInfo]


@dataclass(frozen=True)
class Curve:
    """What a learning curve may show."""

    name: str
    title: str
    unit: str


def templates_in(folder: Path) -> jinja2.Environment:
    """Returns the templates of a folder, in which a name that is not given is an error."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def html_text(comparison: Comparison) -> str:
    """The page. Raises nothing for large results: what does not fit is thinned out evenly, and the page says so.

    Raises ModuleNotFoundError where plotly is not installed.
    """
    from plotly.offline import get_plotlyjs

    environment = templates_in(ASSETS)
    environment.filters["isolated"] = names_isolated
    budget = SENTENCE_BYTES // max(len(comparison.sentences), 1)
    blocks: list[tuple[str, str]] = []
    rules: dict[str, str] = {}
    for sentences in comparison.sentences:
        block, count = pack(sentences, budget, comparison.unit(sentences.test_set))
        blocks.append((sentences.test_set, block))
        rules[sentences.test_set] = _rule(sentences, count)
    return environment.get_template("page.html.jinja").render(
        comparison=comparison,
        chosen=comparison.chosen(),
        groups=_groups(comparison),
        curves=_curves(comparison),
        seeds=_seeds(comparison),
        keys={system: style(comparison, system).key for system in comparison.systems},
        findings=words.findings(comparison),
        legend=words.legend(comparison),
        published=tables.published_table(comparison),
        costs=tables.cost_table(comparison),
        capacities=tables.capacity_table(comparison),
        differing=tables.differing_options(comparison),
        css=(ASSETS / "page.css").read_text(encoding="utf-8"),
        data=_script_safe(_data(comparison, rules)),
        blocks=blocks,
        plotly=get_plotlyjs(),
        script="\n".join((ASSETS / name).read_text(encoding="utf-8") for name in SCRIPTS),
    )


def _seeds(comparison: Comparison) -> list[str]:
    """The mean first, where there are several."""
    seeds = list(dict.fromkeys(row.seed for row in comparison.rows))
    if ALL_SEEDS in seeds:
        seeds.remove(ALL_SEEDS)
        seeds.insert(0, ALL_SEEDS)
    return seeds


def _groups(comparison: Comparison) -> list[Group]:
    """The measures that explain, by heading, in the order of the comparison."""
    there: set[str] = set()
    for test_set in comparison.test_sets:
        there |= {measure.name for measure in comparison.explaining(test_set)}
    groups: dict[str, Group] = {}
    for measure in comparison.measures:
        if measure.name not in there:
            continue
        if measure.group not in groups:
            anchor = f"group-{len(groups) + 1}"
            groups[measure.group] = Group(anchor, measure.group, [])
        groups[measure.group].measures.append(measure)
    return list(groups.values())


def _curves(comparison: Comparison) -> list[Curve]:
    """What was measured while training, the loss first."""
    points = [point for run in comparison.runs for point in run.curve]
    curves = {"loss": Curve("loss", "validation loss", "nats a token")}
    for point in points:
        for name in point:
            if name in curves or name in AXES:
                continue
            measure = comparison.measure(name)
            curves[name] = Curve(name, f"validation {measure.label}", measure.title)
    return list(curves.values())


def _data(comparison: Comparison, rules: dict[str, str]) -> Json:
    """All that the page's script draws."""
    options = next(iter(comparison.options.values()))
    groups = _groups(comparison)
    shown = comparison.chosen()
    for group in groups:
        shown += group.measures
    return {
        "name": comparison.name,
        "systems": [_of_system(comparison, system) for system in comparison.systems],
        "metrics": comparison.metrics,
        "measures": {measure.name: _of_measure(measure) for measure in shown},
        "groups": [_of_group(group) for group in groups],
        "curves": {curve.name: asdict(curve) for curve in _curves(comparison)},
        "significant": SIGNIFICANT,
        "fewSentences": comparison.min_sentences,
        "units": {test_set: comparison.unit(test_set) for test_set in comparison.test_sets},
        "tooShort": _too_short(comparison),
        "seeds": _seeds(comparison),
        "testSets": comparison.test_sets,
        "rows": _rows(comparison),
        "costs": [_values(cost) for cost in comparison.costs],
        "gradients": [_values(gradient_map) for gradient_map in comparison.gradients],
        "places": [_of_place(place) for place in comparison.places],
        "runs": [{"system": run.system, "seed": run.seed, "curve": run.curve} for run in comparison.runs],
        "sentenceRules": rules,
        "sourceLanguage": options.get("corpus.source_language", ""),
        "targetLanguage": options.get("corpus.target_language", ""),
    }


def _of_system(comparison: Comparison, system: str) -> Json:
    drawn = style(comparison, system)
    return {
        "name": system,
        "colour": drawn.colour,
        "symbol": drawn.marker.plotly,
        "dash": ",".join(f"{length}px" for length in drawn.dashes) or "solid",
        "key": drawn.key,
    }


def _values(row: CostRow | GradientMap) -> list[Any]:
    """The fields in their order, without their names."""
    return list(vars(row).values())


def _of_measure(measure: MeasureInfo) -> Json:
    return {
        "label": measure.label,
        "title": measure.title,
        "digits": measure.digits,
        "higherIsBetter": measure.higher_is_better is not False,
    }


def _of_group(group: Group) -> Json:
    return {"anchor": group.anchor, "measures": [measure.name for measure in group.measures]}


def _too_short(comparison: Comparison) -> dict[str, dict[str, list[str]]]:
    """By test set and bucket: the measures for which the bucket is too short."""
    too_short: dict[str, dict[str, list[str]]] = {}
    for test_set, infos in comparison.buckets.items():
        too_short[test_set] = {info.label: info.too_short for info in infos if info.too_short}
    return too_short


def _rows(comparison: Comparison) -> list[list[Any]]:
    """All scores, with their p-values as numbers and as people read them."""
    tests: Counter[tuple[str, str, str, str]] = Counter()  # that were corrected together
    for row in comparison.rows:
        if row.p_value is not None and row.bucket != ALL:
            tests[row.system, row.seed, row.test_set, row.metric] += 1
    rows = []
    for row in comparison.rows:
        count = 1 if row.bucket == ALL else tests[row.system, row.seed, row.test_set, row.metric]
        chance = None
        if row.p_value is not None:
            is_bound = comparison.resamples > 0 and is_smallest(row.p_value, count, comparison.resamples)
            chance = words.p_text(row.p_value, is_bound)
        rows.append([*_of_row(row), chance])
    return rows


def _of_row(row: Row) -> list[Any]:
    return [
        row.system,
        row.seed,
        row.test_set,
        row.bucket,
        row.metric,
        _short(row.score),
        _short(row.low),
        _short(row.high),
        row.p_value,
    ]


def _of_place(place: PlaceRow) -> list[Any]:
    return [
        place.system,
        place.test_set,
        place.bucket,
        place.place,
        _short(place.score),
        _short(place.low),
        _short(place.high),
        place.words,
    ]


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _script_safe(content: Any) -> str:
    """JSON that can't end the script element it stands in."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def pack(sentences: SentenceSet, budget: int, unit: str = "words") -> tuple[str, int]:
    """Shown sentences with their heat maps, gzip in base64, and how many: all if they fit, else every so many.

    ``unit`` is what their length is counted in.
    """
    shown = sentences.shown
    while True:
        block = _block(sentences, shown, unit)
        if len(block) <= budget or len(shown) <= 1:
            return block, len(shown)
        keep = max(1, int(0.95 * len(shown) * budget / len(block)))
        lengths = [length_in(unit, sentences.sources[row]) for row in shown]
        shown = [shown[rank] for rank in evenly_over_lengths(lengths, keep)]


def _block(sentences: SentenceSet, shown: list[int], unit: str) -> str:
    """Sentences by their number in the test set, from 1."""
    content = {
        "rows": [_sentence(sentences, row, unit) for row in shown],
        "maps": _maps(sentences, shown),
        "pictures": _pictures(sentences, shown),
        "gold": {str(row + 1): links for row, links in sentences.gold.items()},
    }
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    packed = gzip.compress(text.encode("utf-8", "replace"), 9, mtime=0)
    return base64.b64encode(packed).decode()


def _sentence(sentences: SentenceSet, row: int, unit: str) -> Json:
    scores: dict[str, list[float]] = {}
    for measure, by_system in sentences.scores.items():
        scores[measure] = [float(f"{of_system[row]:.4g}") for of_system in by_system.values()]
    source = sentences.sources[row]
    return {
        "number": row + 1,
        "bucket": sentences.buckets[row],
        "length": length_in(unit, source),
        "source": source,
        "reference": sentences.references[row],
        "outputs": [texts[row] for texts in sentences.outputs.values()],
        "scores": scores,
    }


def _maps(sentences: SentenceSet, shown: list[int]) -> Maps:
    """Pieces, and weights as hexadecimal bytes."""
    maps: Maps = {}
    for system, by_row in sentences.heat_maps.items():
        of_system = maps.setdefault(system, {})
        for row in shown:
            if row in by_row:
                heat_map = by_row[row]
                weights = heat_map.weights.tobytes().hex()
                of_system[str(row + 1)] = [*heat_map.readable(), weights]
    return maps


def _pictures(sentences: SentenceSet, shown: list[int]) -> Maps:
    """Pieces, the number of layers and heads, and weights as hexadecimal bytes."""
    pictures: Maps = {}
    for system, by_row in sentences.pictures.items():
        of_system = pictures.setdefault(system, {})
        for row, picture in by_row.items():
            if row in shown:
                size = list(picture.heads.shape[:2])
                weights = picture.heads.tobytes().hex()
                of_system[str(row + 1)] = [*picture.readable(), size, weights]
    return pictures


def _rule(sentences: SentenceSet, count: int) -> str:
    """Which sentences the page shows."""
    total = len(sentences.sources)
    beside = f"sentences_{sentences.test_set}.jsonl"
    if count == total:
        return f"All {total:,} sentences, first seed of each system; also in {beside}."
    return (
        f"{count:,} of {total:,} sentences, spread evenly over source lengths, first seed of each system; "
        f"all are in {beside} beside this page."
    )
