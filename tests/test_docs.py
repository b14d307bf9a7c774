"""What the documents tell people to type works as written, at a smaller size; what they say of files is true."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from nmt.evaluation import results
from tests.conftest import ROOT, TINY_CORPUS, TINY_SIZES

DOCS = ROOT / "docs"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
GRAMMAR = [option for option in TINY_CORPUS if option.startswith("corpus.")]
SMALL = [option for option in TINY_CORPUS if not option.startswith("corpus.")]
LENGTH = ["trainer.max_minutes=0", "trainer.max_steps=2"]


def reduced(command: str) -> str:
    """The command with what makes it small."""
    if "-m nmt.train" in command:
        sizes = TINY_SIZES["transformer" if "transformer" in command else "recurrent"]
        corpus = [] if "corpus=files" in command else GRAMMAR
        return " ".join([command, *SMALL, *LENGTH, *sizes, *(f"'{option}'" for option in corpus)])
    if "-m nmt.compare" in command:
        sizes = [*TINY_SIZES["recurrent"], "model.decoder_size=32"]  # dot needs states of one size
        inside = ",".join(f"'{option}'" for option in [*TINY_CORPUS, *sizes])
        return f'{command} match=steps budget=2 device=cpu evaluation.resamples=20 "overrides=[{inside}]"'
    return command + (" decoding.beam_size=1" if "-m nmt." in command and "translate" not in command else "")


def commands(text: str) -> list[str]:
    joined = re.sub(r"\\\n\s*", "", text)
    return [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]


def run(command: str, folder: Path) -> None:
    binaries = Path(sys.executable).parent
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PATH": f"{binaries}:{os.environ['PATH']}"}
    environment["PYTHONPATH"] = f"{folder}:{ROOT}"
    made = subprocess.run(command, shell=True, cwd=folder, env=environment, capture_output=True, timeout=300)
    assert made.returncode == 0, f"{command}\n{made.stderr.decode()}"


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with the files that the document tells to write."""
    folder = tmp_path_factory.mktemp("first_hour")
    (folder / "my").mkdir()
    (folder / "my_configs/comparison").mkdir(parents=True)
    for split, count in (("train", 80), ("valid", 5), ("test", 5)):
        for language in ("en", "de"):
            text = "".join(f"sentence {i} in {language}\n" for i in range(count))
            (folder / f"my/{split}.{language}").write_text(text)
    blocks = dict(BLOCK.findall((DOCS / "first_hour.md").read_text()))
    (folder / "my_attention.py").write_text(blocks["python"])
    (folder / "my_configs/comparison/scores.yaml").write_text(blocks["yaml"])
    return folder


@pytest.mark.parametrize(
    "block", [text for kind, text in BLOCK.findall((DOCS / "first_hour.md").read_text()) if kind == "bash"]
)
def test_every_block_of_the_first_hour_runs(block, place):
    for command in commands(block):
        run(reduced(command), place)


@pytest.fixture(scope="module")
def growing(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("growing")
    (folder / "my").mkdir()
    for split, count in (("train", 80), ("valid", 5), ("mono", 30), ("special", 20)):
        for language in ("en", "de"):
            text = "".join(f"sentence {i} in {language}\n" for i in range(count))
            (folder / f"my/{split}.{language}").write_text(text)
    (folder / "my/mono.en").unlink()
    return folder


@pytest.mark.parametrize(
    "block", [text for kind, text in BLOCK.findall((DOCS / "growing.md").read_text()) if kind == "bash"]
)
def test_every_block_of_growing_runs(block, growing):
    for command in commands(block):
        run(reduced(command).replace("--standalone", "--standalone --local-addr 127.0.0.1"), growing)


def test_what_growing_makes_is_there(growing):
    assert len((growing / "my/back.en").read_text().split("\n")) == 31
    assert len((growing / "my/taught.de").read_text().split("\n")) == 81
    runs = ["many", "sweep/rate-0.002", "sweep/rate-0.004", "reverse", "augmented", "student", "special"]
    for name in runs:
        assert list((growing / f"runs/{name}/seed-1/checkpoints").glob("step-*")), name
    assert (growing / "runs/sweep/rate-0.004/seed-2/checkpoints").is_dir()


def test_what_the_first_hour_makes_is_there(place):
    assert len((place / "my/translated.de").read_text().splitlines()) == 5
    assert (place / "runs/scores/report/index.html").exists()
    assert "score: distance" in (place / "runs/distance/seed-1/config.yaml").read_text()


def test_a_plugin_that_is_not_there_is_told(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NMT_PLUGINS": "nowhere_to_be_found"}
    command = [sys.executable, "-m", "nmt.train", "+experiment=demo/attention"]
    made = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True)
    assert made.returncode == 2 and b"NMT_PLUGINS=nowhere_to_be_found: cannot be imported" in made.stderr


def test_the_report_s_document_names_every_field():
    text = (DOCS / "report.md").read_text()
    kinds = (
        results.Row,
        results.DifferenceRow,
        results.Finding,
        results.Published,
        results.RunInfo,
        results.Comparison,
        results.MeasureInfo,
        results.BucketInfo,
    )
    for kind in kinds:
        for field in fields(kind):
            if field.name != "sentences" or kind is results.Row:
                assert f"`{field.name}`" in text, f"{kind.__name__}.{field.name}"


@pytest.mark.parametrize("document", [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))])
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text()):
        assert (document.parent / target).exists(), target


def test_the_readme_s_tree_is_the_tree():
    text = (ROOT / "README.md").read_text()
    for path in (ROOT / "nmt").rglob("*.py"):
        if path.name != "__init__.py":
            assert path.name in text, path


def test_the_readme_s_commands_name_what_exists():
    from nmt.config import CONFIG_FOLDER

    text = (ROOT / "README.md").read_text()
    for group in ("experiment", "comparison"):
        for name in re.findall(rf"\+{group}=([\w/]+)", text):
            assert (CONFIG_FOLDER / group / f"{name}.yaml").exists(), name
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"make ([a-z0-9-]+)", text):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE) or target == "it", target
