"""Shows that new tests fail at an earlier commit: its code under today's tests.

  python scripts/failed_before.py 24cbe87                  every test that the commit does not have
  python scripts/failed_before.py 24cbe87 tests/corpus     those of some files or folders

A test that was there already, under the same name, is left out. A style check of a new file is
absent there, and counted apart. Exit code 1 where a new test passes at that commit.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
ANY = ["-m", "slow or not slow"]  # in the place of the markers that pyproject.toml leaves out


def main() -> None:
    if len(sys.argv) < 2 or {"--help", "-h"} & set(sys.argv[1:]):
        raise SystemExit(__doc__)
    commit, *chosen = sys.argv[1:]
    chosen = chosen or ["tests"]
    with tempfile.TemporaryDirectory() as folder:
        earlier = Path(folder) / "nmt"
        _git("worktree", "add", "--quiet", "--detach", str(earlier), commit)
        try:
            new = sorted(_tests(ROOT, chosen) - _tests(earlier, chosen))
            shutil.rmtree(earlier / "tests")
            shutil.copytree(ROOT / "tests", earlier / "tests")
            outcomes = _outcomes(earlier, new)
        finally:
            _git("worktree", "remove", "--force", str(earlier))
    absent = [test for test in new if test not in outcomes]
    passed = [test for test in new if test in outcomes and not outcomes[test].startswith("failed")]
    failed = len(new) - len(passed) - len(absent)
    for test in new:
        print(f"{test}\n    {outcomes.get(test, 'absent: a case of a file that the commit has not')}")
    print(f"{len(new)} new tests at {commit}: {failed} fail, {len(absent)} are absent, {len(passed)} pass")
    raise SystemExit(bool(passed))


def _git(*arguments: str) -> None:
    subprocess.run(["git", "-C", str(ROOT), *arguments], check=True)


def _pytest(root: Path, *arguments: str) -> str:
    """Runs pytest in a checkout, on that checkout's code, and returns what it prints."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(root),
        "COLUMNS": "1000",
    }  # pytest leaves out reasons that do not fit
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *ANY, *arguments]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True).stdout


def _tests(root: Path, chosen: list[str]) -> set[str]:
    """Names of the tests in these files or folders; of those that this checkout hasn't, none."""
    present = [place for place in chosen if (root / place.partition("::")[0]).exists()]
    if not present:
        return set()
    listed = _pytest(root, "--collect-only", *present)
    return {line for line in listed.splitlines() if re.match(r"tests/\S+\.py::", line)}


def _outcomes(root: Path, tests: list[str]) -> dict[str, str]:
    """Runs tests by name: passed, skipped, or failed with the first line of the reason."""
    if not tests:
        return {}
    # A file that can't be imported ends a whole call, so each file has its own.
    by_file: dict[str, list[str]] = {}
    for test in tests:
        by_file.setdefault(test.partition("::")[0], []).append(test)
    outcomes: dict[str, str] = {}
    for file, of_file in by_file.items():
        printed = _pytest(root, "-rA", "-q", "--tb=no", *of_file)
        for line in printed.splitlines():
            match = re.match(r"(PASSED|FAILED|SKIPPED|ERROR) (tests/\S+\.py(?:::.*?)?)(?: - (.*))?$", line)
            if not match:
                continue
            verdict, name, reason = match.groups()
            failed = verdict in ("FAILED", "ERROR")
            text = f"failed: {reason or 'could not be imported'}" if failed else verdict.lower()
            for test in of_file if name == file else [name]:
                outcomes[test] = text
        if not any(test in outcomes for test in of_file):
            reasons = [line[1:].strip() for line in printed.splitlines() if line.startswith("E  ")]
            if reasons:
                outcomes |= dict.fromkeys(of_file, f"failed: {reasons[0]}")
    return outcomes


if __name__ == "__main__":
    main()
