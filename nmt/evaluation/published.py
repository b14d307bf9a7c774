"""A published score beside ours: reproduced, not reproduced, or not run at this scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nmt.evaluation.results import ALL, Published, Row

REPRODUCED = "reproduced"
NOT_REPRODUCED = "not reproduced"
NOT_RUN = "not run at this scale"


@dataclass
class PublishedOptions:
    """The score that a paper gives for this very experiment."""

    score: float = 0.0  # 0: none is known
    tolerance: float = 1.0  # either way; papers mostly tokenise before they score, we score detokenised text
    metric: str = "bleu"
    test_set: str = ""
    source: str = ""  # paper, table, row
    search: list[str] = field(default_factory=list)  # what it was translated with, such as decoding.beam_size=12


def other_search(options: PublishedOptions, search: Mapping[str, str]) -> str:
    """The first option of search or checkpoint that is not the paper's; empty where there is none."""
    for wanted in options.search:
        name, _, value = wanted.partition("=")
        if search.get(name) != value:
            return f"{name}={search.get(name)}, not {value}"
    return ""


def judge(options: PublishedOptions, system: str, rows: Sequence[Row], changed: str) -> Published | None:
    """None where nothing is published. ``changed`` names an option that is not the experiment's own: another scale.

    ``rows`` are those of the system over all seeds.
    """
    if not options.score:
        return None
    wanted = (system, options.test_set, ALL, options.metric)
    scores = [row.score for row in rows if (row.system, row.test_set, row.bucket, row.metric) == wanted]
    ours = scores[0] if scores else None
    if changed or ours is None:
        verdict = f"{NOT_RUN} ({changed or 'not scored'})"
    else:
        verdict = REPRODUCED if abs(ours - options.score) <= options.tolerance else NOT_REPRODUCED
    return Published(
        system=system,
        source=options.source,
        test_set=options.test_set,
        metric=options.metric,
        published=options.score,
        tolerance=options.tolerance,
        score=ours,
        verdict=verdict,
    )
