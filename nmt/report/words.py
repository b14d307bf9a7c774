"""Findings and legends in plain words, made from the statistics alone."""

from __future__ import annotations

from nmt.evaluation.results import ALL, EVERY, SIGNIFICANT, Comparison, Finding


def findings(comparison: Comparison) -> list[str]:
    """One sentence for each pair of systems on each test set."""
    pairs: dict[tuple[str, str, str], list[Finding]] = {}
    for finding in comparison.findings:
        pair = (finding.test_set, finding.system, finding.against)
        pairs.setdefault(pair, []).append(finding)
    sentences = []
    for (test_set, _, _), of_pair in pairs.items():
        sentence = "; ".join(_clause(comparison, finding) for finding in reversed(of_pair))
        if len(comparison.test_sets) > 1:
            sentences.append(f"On {test_set}, {sentence}.")
        else:
            sentences.append(f"{sentence[0].upper()}{sentence[1:]}.")
    return sentences


def _clause(comparison: Comparison, finding: Finding) -> str:
    measure = comparison.measure(finding.metric)
    where = _where(finding)
    if not finding.differ:
        difference = f"{finding.difference:+.{measure.digits}f} {measure.label}"
        chance = f"{difference}, p = {finding.p_value:.2g}"
        return f"{where} no sure difference between {finding.system} and {finding.against} ({chance})"
    higher = finding.difference > 0
    better = higher != (measure.higher_is_better is False)
    lead = "ahead of" if better else "behind"
    gap = f"{measure.text(abs(finding.difference))} ± {measure.text(finding.half_width)} {measure.label}"
    return f"{where} {finding.system} is {lead} {finding.against} by {gap} (p = {finding.p_value:.2g})"


def _where(finding: Finding) -> str:
    """The lengths that a finding holds for, such as: up to 20 words."""
    low = finding.low
    high = finding.high
    if finding.range == EVERY:
        return "at every length"
    if finding.range == ALL:
        return "over all lengths together"
    if low == 0:  # of a report that was written before findings had bounds
        return f"at {finding.range} words"
    if high is None:
        return f"beyond {low - 1} words"
    if low == high:
        return f"at {low} words"
    return f"up to {high} words" if low == 1 else f"from {low} to {high} words"


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
