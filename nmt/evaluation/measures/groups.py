"""Headings over measures that explain the same, where several files share one."""

BREVITY = "Brevity and repetition"
WORDS = "Words, search and attention"
