import logging

import pytest

from nmt import progress
from nmt.progress import Progress, clock, counted


def test_a_line_tells_share_and_time_left():
    made = Progress("translating test", "sentences", total=200)
    assert made.line(50, seconds=60) == " 25%  translating test  3:00 left"
    resumed = Progress("training", "", total=1.0, first=0.6)
    assert resumed.line(0.8, seconds=60) == " 80%  training  1:00 left", (
        "the share of all, the time of what was made now"
    )
    assert made.line(0, seconds=1) == "  0%  translating test  ? left"
    assert Progress("reading", "pairs").line(12_345, 1) == "reading: 12,345 pairs"


def test_a_file_gets_plain_lines_rarely(monkeypatch, caplog):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    caplog.set_level(logging.INFO, "nmt")
    items = iter(range(60))
    for _ in counted(items, "reading", "pairs"):
        now[0] += 1.0
    assert len(caplog.messages) == 2 and all(line.startswith("reading: ") for line in caplog.messages)


@pytest.mark.parametrize(("seconds", "told"), [(0, "0:00"), (59.6, "1:00"), (3723, "1:02:03")])
def test_times_read_as_clocks(seconds, told):
    assert clock(seconds) == told
