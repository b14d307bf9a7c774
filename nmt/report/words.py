"""Findings and legends in plain words, made from the statistics alone."""

from __future__ import annotations

import itertools

from nmt.evaluation.results import ALL, EVERY, SIGNIFICANT, Comparison, Finding


def findings(comparison: Comparison) -> list[str]:
    """One sentence for each pair of systems on each test set."""
    pairs = itertools.groupby(comparison.findings, key=_pair)
    sentences = []
    for (test_set, _, _), of_pair in pairs:
        clauses = [_clause(comparison, finding) for finding in of_pair]
        clauses.reverse()
        sentence = "; ".join(clauses)
        if len(comparison.test_sets) > 1:
            sentences.append(f"On {test_set}, {sentence}.")
        else:
            first = sentence[0].upper()
            sentences.append(f"{first}{sentence[1:]}.")
    for system, reason in comparison.unmatched.items():
        sentences.append(f"Nothing is found of {system}, which was not trained as long as the others: {reason}.")
    return sentences


def _pair(finding: Finding) -> tuple[str, str, str]:
    """Returns test set, system and opponent of a finding."""
    return finding.test_set, finding.system, finding.against


def _clause(comparison: Comparison, finding: Finding) -> str:
    """What one finding says, without its full stop."""
    measure = comparison.measure(finding.metric)
    where = _where(finding)
    system = finding.system
    against = finding.against
    chance = f"p = {finding.p_value:.2g}"
    size = measure.text(abs(finding.difference))
    if not finding.differ:
        sign = "-" if finding.difference < 0 else "+"
        return f"{where} no sure difference between {system} and {against} ({sign}{size} {measure.label}, {chance})"
    higher = finding.difference > 0
    if measure.higher_is_better is None:
        lead = "above" if higher else "below"
    else:
        lead = "ahead of" if higher == measure.higher_is_better else "behind"
    half_width = measure.text(finding.half_width)
    return f"{where} {system} is {lead} {against} by {size} ± {half_width} {measure.label} ({chance})"


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
    seeds = {run.seed for run in comparison.runs}
    test = comparison.provenance["significance"]
    parts = [f"In brackets: {share} % bootstrap band."]
    if len(seeds) > 1:
        parts.append(f"±: standard deviation over {len(seeds)} seeds.")
    parts += [
        f"*: differs from {comparison.baseline} (p < {SIGNIFICANT}, {test}).",
        f"In round brackets: fewer than {comparison.min_sentences} sentences, too few to say.",
    ]
    return " ".join(parts)
