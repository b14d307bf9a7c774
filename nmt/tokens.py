"""The ids that every vocabulary begins with: what text and models agree on."""

PADDING = 0
START = 1
END = 2
UNKNOWN = 3
