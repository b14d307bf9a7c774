"""A table of scores for a paper."""

from __future__ import annotations

from nmt.evaluation.results import ALL, Comparison
from nmt.report.tables import comparison_table
from nmt.report.words import legend

# What LaTeX would take for a command, or has no letter for.
SPECIAL = {
    "\\": r"\textbackslash{}",
    "±": r"$\pm$",
    "–": "--",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "≤": r"$\leq$",
    "|": r"\textbar{}",
    "€": r"\texteuro{}",
    **{character: "\\" + character for character in "&%$#_{}"},
}


def latex_table(comparison: Comparison, test_set: str, metric: str) -> str:
    """A table in the style of booktabs, ready for \\input; its caption says how to read it."""
    table = comparison_table(comparison, test_set, metric)
    lines = [
        "% needs \\usepackage{booktabs}",
        "\\begin{table}",
        "  \\centering",
        f"  \\begin{{tabular}}{{lr{'r' * len(comparison.systems)}}}",
        "    \\toprule",
        _line(table.header),
        "    \\midrule",
    ]
    for row in table.rows:
        if row[0] == ALL and len(table.rows) > 1:
            lines.append("    \\midrule")
        lines.append(_line(row))
    label = comparison.measure(metric).title
    signature = comparison.signatures[metric]
    caption = f"{label} on {test_set} by source length. {legend(comparison)} {signature}."
    lines += [
        "    \\bottomrule",
        "  \\end{tabular}",
        f"  \\caption{{{latex(caption)}}}",
        f"  \\label{{tab:{comparison.name}-{test_set}-{metric}}}",
        "\\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _line(cells: list[str]) -> str:
    return f"    {' & '.join(map(latex, cells))} \\\\"


def latex(text: str) -> str:
    """Plain text, safe in LaTeX."""
    return "".join(SPECIAL.get(character, character) for character in text)
