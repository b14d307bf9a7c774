"""The package built as a wheel and installed into an empty environment trains two steps from any folder."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

from tests.conftest import ROOT, TINY_CORPUS, TINY_SIZES


def run(*command: object, folder: Path) -> subprocess.CompletedProcess[str]:
    words = [str(word) for word in command]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}  # nothing but the wheel
    made = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert made.returncode == 0, made.stderr
    return made


def test_a_wheel_in_an_empty_environment_trains_two_steps_with_its_own_configs(tmp_path):
    build = f"from hatchling.build import build_wheel; print(build_wheel('{tmp_path}'))"
    wheel = run(sys.executable, "-c", build, folder=ROOT).stdout.strip().splitlines()[-1]
    run(sys.executable, "-m", "venv", "--without-pip", "env", folder=tmp_path)
    python = tmp_path / "env/bin/python"
    packages = tmp_path / f"env/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    run(sys.executable, "-m", "zipfile", "-e", tmp_path / wheel, packages, folder=tmp_path)
    # Dependencies come from this environment, behind the wheel; a checkout installed here as editable does not count.
    (packages / "later.pth").write_text(sysconfig.get_path("purelib") + "\n")
    place = run(
        python, "-c", "import nmt, nmt.config; print(nmt.__file__, nmt.config.CONFIG_FOLDER)", folder=tmp_path
    ).stdout
    assert place.count(str(packages)) == 2
    assert (packages / "nmt/py.typed").exists()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    run(
        python,
        "-m",
        "nmt.train",
        "+experiment=demo/transformer",
        *TINY_CORPUS,
        *TINY_SIZES["transformer"],
        "trainer.max_minutes=0",
        "trainer.max_steps=2",
        "run.dir=run",
        folder=elsewhere,
    )
    assert (elsewhere / "run/checkpoints/best.safetensors").exists()
    entry_points = next(packages.glob("*.dist-info")) / "entry_points.txt"
    assert "nmt-compare = nmt.compare:main" in entry_points.read_text()
