"""Findings and legends in plain words, made from the statistics alone."""

from __future__ import annotations

import itertools
import math

from nmt.evaluation.results import ALL, EVERY, SIGNIFICANT, Comparison, Finding, MeasureInfo


def findings(comparison: Comparison) -> list[str]:
    """One sentence for each pair of systems on each test set, and of what models it speaks."""
    pairs = itertools.groupby(comparison.findings, key=_pair)
    sentences = []
    for (test_set, _, _), of_pair in pairs:
        clauses = [_clause(comparison, finding) for finding in of_pair]
        clauses.reverse()
        sentence = "; ".join(clauses)
        if len(comparison.test_sets) > 1:
            sentence = f"On {test_set}, {sentence}"
        first = sentence[0].upper()
        sentences.append(f"{first}{sentence[1:]}. {_of_which_models(comparison)}")
    for system, reason in comparison.unmatched.items():
        sentences.append(f"Nothing is found of {system}, which was not trained as long as the others: {reason}.")
    return sentences


def _pair(finding: Finding) -> tuple[str, str, str]:
    """Returns test set, system and opponent of a finding."""
    return finding.test_set, finding.system, finding.against


def _of_which_models(comparison: Comparison) -> str:
    """What the test, which resamples sentences alone, can't say of other training runs."""
    count = seeds(comparison)
    if count > 1:
        return f"This is the mean over {count} seeds; the test does not see how seeds differ."
    return "This is about these two trained models, one seed each."


def seeds(comparison: Comparison) -> int:
    """How many seeds each system was trained under."""
    return len({run.seed for run in comparison.runs})


def _clause(comparison: Comparison, finding: Finding) -> str:
    """What one finding says, without its full stop."""
    measure = comparison.measure(finding.metric)
    where = _where(finding, comparison.unit(finding.test_set))
    system = finding.system
    against = finding.against
    chance = p_text(finding.p_value, finding.p_is_bound)
    if not finding.differ:
        size = _signed(measure, finding.difference)
        if finding.least is not None and finding.most is not None:
            least = _signed(measure, finding.least)
            most = _signed(measure, finding.most)
            size = _range(finding, least, most)
            chance = f"smallest {chance}"
        return f"{where} no sure difference between {system} and {against} ({size} {measure.label}, {chance})"
    who = f"{where} {system} is {_lead(measure, finding)} {against}"
    difference = measure.text(abs(finding.difference))
    half_width = measure.text(finding.half_width)
    size = f"{difference} ± {half_width}"
    if finding.least is not None and finding.most is not None:
        least = measure.text(abs(finding.least))
        most = measure.text(abs(finding.most))
        of_each = _range(finding, least, most)
        return f"{who} by {of_each} {measure.label} (together {size}, largest {chance})"
    return f"{who} by {size} {measure.label} ({chance})"


def _lead(measure: MeasureInfo, finding: Finding) -> str:
    """How the system stands to the other one."""
    higher = finding.difference > 0
    if measure.higher_is_better is None:
        return "above" if higher else "below"
    if higher == measure.higher_is_better:
        return "ahead of"
    return "behind"


def _range(finding: Finding, least: str, most: str) -> str:
    """From the smallest to the largest difference of the buckets that are told together, and where these are."""
    smallest = f"{least} ({finding.least_at})"
    largest = f"{most} ({finding.most_at})"
    return f"{smallest} to {largest}"


def _signed(measure: MeasureInfo, difference: float) -> str:
    sign = "-" if difference < 0 else "+"
    size = abs(difference)
    return sign + measure.text(size)


def p_text(p_value: float, is_bound: bool) -> str:
    """A p-value to two digits: p = 0.036, or p ≤ 0.009 where the resamples can give no smaller one."""
    exponent = math.floor(math.log10(p_value))
    places = max(0, 1 - exponent)  # behind the point
    if not is_bound:
        value = _without_zeros(p_value, places)
        return f"p = {value}"
    shift = 10**places
    shifted = round(p_value * shift, 6)
    upwards = math.ceil(shifted) / shift  # a bound may not be told too small
    bound = _without_zeros(upwards, places)
    return f"p ≤ {bound}"


def _without_zeros(value: float, places: int) -> str:
    """0.5 for 0.50, and 0.00001 where %g would give 1e-05."""
    text = f"{value:.{places}f}"
    if "." not in text:
        return text
    text = text.rstrip("0")
    return text.rstrip(".")


def _where(finding: Finding, unit: str) -> str:
    """The lengths that a finding holds for, such as: up to 20 words."""
    low = finding.low
    high = finding.high
    if finding.range == EVERY:
        return "at every length"
    if finding.range == ALL:
        return "over all lengths together"
    if low == 0:  # of a report that was written before findings had bounds
        return f"at {finding.range} {unit}"
    if high is None:
        return f"beyond {low - 1} {unit}"
    if low == high:
        return f"at {low} {unit}"
    return f"up to {high} {unit}" if low == 1 else f"from {low} to {high} {unit}"


def legend(comparison: Comparison) -> str:
    """How to read a table of scores."""
    share = round(100 * comparison.confidence)
    test = comparison.provenance["significance"]
    count = seeds(comparison)
    parts = [f"In brackets: {share} % bootstrap band."]
    if count > 1:
        parts.append(f"±: standard deviation over {count} seeds, which band and test do not see.")
    parts.append(f"*: differs from {comparison.baseline} (p < {SIGNIFICANT}, {test}).")
    if count <= 1:
        parts.append("One seed: bands and stars are about these trained models, not about others trained alike.")
    parts.append(f"In round brackets: fewer than {comparison.min_sentences} sentences, too few to say.")
    if any(info.too_short for infos in comparison.buckets.values() for info in infos):
        parts.append("Too short: the references of that length say too little for the measure.")
    return " ".join(parts)
