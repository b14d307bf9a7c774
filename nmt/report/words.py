"""Findings and legends in plain words, made from the statistics alone."""

from __future__ import annotations

from nmt.evaluation.results import ALL, EVERY, SIGNIFICANT, Comparison, Finding

NAMES = {
    "bleu": "BLEU",
    "chrf": "chrF",
    "ter": "TER",
    "accuracy": "accuracy",
    "exact": "exact match",
    "preferred": "right form preferred, %",
    "preferred_by_place": "right form preferred, %",
    "length_ratio": "length ratio",
    "brevity_penalty": "brevity penalty",
    "repetition": "repeated 4-grams, %",
    "recall": "source words translated, %",
    "search_error": "search errors, %",
    "alignment_error": "alignment error, %",
    "attention_entropy": "attention entropy, nats",
    "gradient_near": "gradient near its own place, %",
}
LOWER_IS_BETTER = ("ter",)


def findings(comparison: Comparison) -> list[str]:
    """One sentence for each pair of systems on each test set."""
    pairs: dict[tuple[str, str, str], list[Finding]] = {}
    for finding in comparison.findings:
        pairs.setdefault((finding.test_set, finding.system, finding.against), []).append(finding)
    told = []
    for (test_set, _, _), found in pairs.items():
        sentence = "; ".join(_told(finding) for finding in reversed(found))
        place = f"On {test_set}, " if len(comparison.test_sets) > 1 else ""
        told.append(f"{place}{sentence}." if place else f"{sentence[0].upper()}{sentence[1:]}.")
    return told


def _told(finding: Finding) -> str:
    name, value = NAMES[finding.metric], finding.difference
    if not finding.differ:
        chance = f"{value:+.1f} {name}, p = {finding.p_value:.2g}"
        return f"{_where(finding)} no sure difference between {finding.system} and {finding.against} ({chance})"
    lead = "ahead of" if (value > 0) != (finding.metric in LOWER_IS_BETTER) else "behind"
    gap = f"{abs(value):.1f} ± {finding.half_width:.1f} {name}"
    return f"{_where(finding)} {finding.system} is {lead} {finding.against} by {gap} (p = {finding.p_value:.2g})"


def _where(finding: Finding) -> str:
    """1-20: up to 20 words; 41+: beyond 40 words."""
    if finding.range == EVERY:
        return "at every length"
    if finding.range == ALL:
        return "over all lengths together"
    if finding.range.endswith("+"):
        return f"beyond {int(finding.range[:-1]) - 1} words"
    low, _, high = finding.range.partition("-")
    if not high:
        return f"at {low} words"
    return f"up to {high} words" if low == "1" else f"from {low} to {high} words"


def legend(comparison: Comparison) -> str:
    """How to read a table of scores."""
    share = round(100 * comparison.confidence)
    seeds = len({run.seed for run in comparison.runs})
    spread = f"±: standard deviation over {seeds} seeds. " if seeds > 1 else ""
    return (
        f"In brackets: {share} % bootstrap band. {spread}*: differs from {comparison.baseline} (p < {SIGNIFICANT}, "
        f"{comparison.provenance['significance']}). "
        f"In round brackets: fewer than {comparison.min_sentences} sentences, too few to say."
    )
