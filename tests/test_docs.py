"""Commands in the documents work as written, at a smaller size; files, links and names that they mention exist."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from nmt.config import CONFIG_FOLDER, DOORS, compose_train, register, typed
from nmt.evaluation import results
from nmt.models.attention.options import AttentionOptions
from nmt.models.build import MODEL_OPTIONS
from tests.conftest import ROOT, TINY_CORPUS, TINY_SIZES
from tests.corpora_server import serving
from tests.small_multi30k import MODULE, repository, write_module

DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text()
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted(DOCS.glob("*.md")),
    ROOT / "scripts/peers/README.md",
    ROOT / "data/README.md",
]
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
GRAMMAR = [option for option in TINY_CORPUS if option.startswith("corpus.")]
SMALL = [option for option in TINY_CORPUS if not option.startswith("corpus.")]
LENGTH = ["trainer.max_minutes=0", "trainer.max_steps=2"]


def reduced(command: str) -> str:
    """The command with what makes it small."""
    if "-m nmt.train" in command:
        sizes = TINY_SIZES["transformer" if "transformer" in command else "recurrent"]
        has_text = "corpus=files" in command or "multi30k" in command
        corpus = [] if has_text else GRAMMAR
        return " ".join([command, *SMALL, *LENGTH, *sizes, *(f"'{option}'" for option in corpus)])
    if "do=inspect" in command:
        return " ".join([command, *SMALL, *TINY_SIZES["recurrent"]])
    if "-m nmt.compare" in command:
        sizes = [*TINY_SIZES["recurrent"], "model.decoder_size=32"]  # dot needs states of one size
        inside = ",".join(f"'{option}'" for option in [*TINY_CORPUS, *sizes])
        return f'{command} match=steps budget=2 device=cpu evaluation.resamples=20 "overrides=[{inside}]"'
    return f"{command} decoding.beam_size=1" if "-m nmt.evaluate" in command else command


def commands(text: str) -> list[str]:
    joined = re.sub(r"\\\n\s*", "", text)
    return [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]


def run(command: str, folder: Path, **variables: str) -> None:
    binaries = Path(sys.executable).parent
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PATH": f"{binaries}:{os.environ['PATH']}", **variables}
    environment["PYTHONPATH"] = f"{folder}:{ROOT}"
    environment.pop("NMT_DATA", None)
    made = subprocess.run(command, shell=True, cwd=folder, env=environment, capture_output=True, timeout=300)
    assert made.returncode == 0, f"{command}\n{made.stderr.decode()}"


@pytest.fixture(scope="module")
def mirror() -> Iterator[str]:
    """The address of a server that stands in for the public hosts, with a small Multi30k."""
    with serving({"multi30k/dataset": repository()}) as server:
        yield server.url


def write_my_text(folder: Path) -> None:
    (folder / "my").mkdir()
    for split, count in (("train", 80), ("valid", 5), ("test", 5)):
        for language in ("en", "de"):
            text = "".join(f"sentence {i} in {language}\n" for i in range(count))
            (folder / f"my/{split}.{language}").write_text(text)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with the files that the document tells to write."""
    folder = tmp_path_factory.mktemp("first_hour")
    write_my_text(folder)
    write_module(folder, repository())
    (folder / "my_configs/comparison").mkdir(parents=True)
    blocks = dict(BLOCK.findall((DOCS / "first_hour.md").read_text()))
    (folder / "my_attention.py").write_text(blocks["python"])
    (folder / "my_configs/comparison/scores.yaml").write_text(blocks["yaml"])
    return folder


@pytest.mark.parametrize(
    "block", [text for kind, text in BLOCK.findall((DOCS / "first_hour.md").read_text()) if kind == "bash"]
)
def test_every_block_of_the_first_hour_runs(block, place, mirror):
    for command in commands(block):
        run(reduced(command), place, NMT_MIRROR=mirror, NMT_PLUGINS=MODULE)


@pytest.fixture(scope="module")
def data_place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_my_text(folder)
    write_module(folder, repository())
    return folder


# Those that need mtdata are run by tests/corpus/test_mtdata.py; what begins the first hour, too, is run there.
OF_DATA = [text for kind, text in BLOCK.findall((DOCS / "data.md").read_text()) if kind == "bash"]
OF_FIRST_HOUR = commands((DOCS / "first_hour.md").read_text())


@pytest.mark.parametrize("block", [block for block in OF_DATA if "mtdata" not in block])
def test_every_block_of_the_page_on_corpora_runs(block, data_place, mirror):
    for command in commands(block):
        if command not in OF_FIRST_HOUR:
            run(reduced(command), data_place, NMT_MIRROR=mirror, NMT_PLUGINS=MODULE)


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


def readme_commands() -> list[str]:
    """Commands of README.md: those in cells of its tables, and those in its blocks."""
    cells = re.findall(r"\| `((?:python|torchrun) [^`]+)` \|", README)
    blocks = [command for kind, text in BLOCK.findall(README) if kind == "bash" for command in commands(text)]
    return [*cells, *blocks]


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory) -> Path:
    """A folder in which README's first command has run, with the files that its other commands name."""
    folder = tmp_path_factory.mktemp("readme")
    for name, line in (("source.txt", "The man sleeps."), ("test.en", "The man sleeps.")):
        (folder / name).write_text(f"{line}\n" * 3)
    (folder / "test.de").write_text("Der Mann schläft.\n" * 3)
    (folder / "wrong.de").write_text("Die Mann schläft.\n" * 3)
    (folder / "test.links").write_text("0-0 1-1 2-2\n" * 3)
    train, *_ = [command for command in readme_commands() if "nmt.train" in command]
    run(reduced(train), folder)
    return folder


READ = [command for command in readme_commands() if re.search(r"-m nmt\.(evaluate|translate|align|score)", command)]


@pytest.mark.parametrize("command", READ)
def test_every_command_of_the_readme_that_uses_a_run_works(command, run_folder):
    run(reduced(command).replace("=RUN", "=runs/demo/attention/seed-1"), run_folder)


@pytest.mark.parametrize("command", readme_commands())
def test_every_command_of_the_readme_names_options_that_exist(command):
    words = shlex.split(command.split(" < ")[0])
    door = words[words.index("-m") + 1].removeprefix("nmt.")
    register()
    with initialize_config_dir(str(CONFIG_FOLDER), version_base="1.3"):
        config = typed(compose(door, words[words.index("-m") + 2 :]), DOORS[door])
    assert isinstance(config, DOORS[door])


@pytest.mark.parametrize("code", [text for kind, text in BLOCK.findall(README) if kind == "python"])
def test_python_in_the_readme_works(code, run_folder):
    run(f"{sys.executable} -c {shlex.quote(code)}", run_folder)


def test_the_readme_stays_short():
    assert len(README.splitlines()) <= 120


def slug(heading: str) -> str:
    """The anchor that a heading gets: lower case, without punctuation, spaces as hyphens."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(path: Path) -> set[str]:
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    return {slug(heading) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_pictures_lead_somewhere(page):
    for target, anchor in LINK.findall(page.read_text()):
        path = page.parent / target if target else page
        assert path.exists(), target
        assert not anchor or anchor in anchors(path), f"{target}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_names_in_a_document_are_names_of_something(page):
    text = page.read_text() if page.name != "CHANGELOG.md" else ""  # which names what is no more
    for group in ("experiment", "comparison"):
        for name in re.findall(rf"\+{group}=([\w/]+)", text):
            own = page.name == "first_hour.md" and name == "scores"
            assert own or (CONFIG_FOLDER / group / f"{name}.yaml").exists(), name
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"(?:`|^    )make ([a-z0-9-]+)", text, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"make {target}"
    for path in re.findall(r"`((?:nmt|configs|scripts|tests|docs)/[\w./-]*)`", text):
        assert (ROOT / path).exists(), path


def tree(text: str) -> set[str]:
    """Files and folders that the tree in docs/tour.md names, by their paths.

    A line begins with a folder, whose files may follow in the same line, or with files of the folder that is one level
    further out.
    """
    paths = set()
    folders: dict[int, str] = {}
    block = text[text.index("\nnmt/\n") :].split("```")[0]
    for line in filter(str.strip, block.splitlines()):
        indent = len(line) - len(line.lstrip())
        first = line.split()[0]
        outer = folders[max((level for level in folders if level < indent), default=0)] if indent else ""
        if first.endswith("/"):
            folders = {level: folder for level, folder in folders.items() if level < indent}
            folders[indent] = outer + first
            outer = folders[indent]
            paths.add(outer)
        paths |= {outer + name for name in re.findall(r"\b\w+\.py\b", line)}
    return paths


def test_the_tour_names_every_file_and_folder_and_no_other():
    named = tree((DOCS / "tour.md").read_text())
    package = ROOT / "nmt"
    files = {str(path.relative_to(ROOT)) for path in package.rglob("*.py") if path.name != "__init__.py"}
    folders = {f"{path.relative_to(ROOT)}/" for path in package.rglob("*") if list(path.glob("*.py"))} | {"nmt/"}
    missing = sorted((files | folders) - named)
    gone = sorted(name for name in named if not (ROOT / name).exists())
    assert not missing, "not in docs/tour.md:\n" + "\n".join(missing)
    assert not gone, "in docs/tour.md, but not there:\n" + "\n".join(gone)


def removed_models() -> dict[str, str]:
    """Table of CHANGELOG.md: name of each removed model configuration, and what to type instead."""
    return dict(re.findall(r"^\| `(\w+)` \| `(model=[^`]+)` \|$", CHANGELOG, re.MULTILINE))


GENERAL = {"score": "general", "query": "current"}
TWO_LAYERS = {"encoder_layers": 2, "decoder_layers": 2, "residual": True}
SAME_SIZE = {"encoder_size": 128, "decoder_size": 256}
# The options that each removed configuration had, beside the defaults.
REMOVED = {
    "lstm_concat": {"attention": {"score": "concat", "query": "current"}},
    "lstm_cosine": {**SAME_SIZE, "attention": {"score": "cosine", "query": "current"}},
    "lstm_coverage": {"attention": {"score": "additive", "coverage": True}},
    "lstm_diagonal": {"attention": {"score": "diagonal", "query": "current"}},
    "lstm_each_layer": {**TWO_LAYERS, "attention": {**GENERAL, "place": "each"}},
    "lstm_gnmt": {
        **TWO_LAYERS,
        "decoder_layers": 4,
        "attention": {"score": "additive", "normed": True, "query": "current", "place": "first"},
    },
    "lstm_hard": {"attention": {**GENERAL, "read": "hard_sample"}},
    "lstm_hard_marginal": {"attention": {**GENERAL, "read": "hard_marginal"}},
    "lstm_local_m": {"attention": {**GENERAL, "scope": "local_m"}},
    "lstm_local_p": {"attention": {**GENERAL, "scope": "local_p"}},
    "lstm_multihead": {"attention": {"score": "scaled_dot", "heads": 4, "query": "current"}},
    "lstm_sparse": {"attention": {**GENERAL, "read": "sparse"}},
    "lstm_uniform": {"attention": {"score": "uniform", "query": "current"}},
    "luong_dot": {**SAME_SIZE, "attention": {"score": "dot", "query": "current", "input_feeding": True}},
    "luong_general": {"attention": {**GENERAL, "input_feeding": True}},
    "min_gru_attention": {
        "cell": "min_gru",
        "encoder_layers": 3,
        "decoder_layers": 3,
        "residual": True,
        "attention": {"score": "additive", "query": "current"},
    },
    "rnn_fixed": {"cell": "tanh", "context": "fixed", "bidirectional": False, "reverse_source": True},
    "transformer_additive": {"score": "additive"},
    "transformer_modern": {"positions": "rotary", "norm": "rms", "activation": "swiglu"},
}


def test_the_changelog_says_what_to_type_for_every_removed_model():
    assert removed_models().keys() == REMOVED.keys()
    for name in REMOVED:
        assert not (CONFIG_FOLDER / f"model/{name}.yaml").exists()


@pytest.mark.parametrize("name", REMOVED)
def test_what_to_type_instead_of_a_removed_model_gives_its_options(name):
    options = dict(REMOVED[name])
    kind = "transformer" if name.startswith("transformer") else "recurrent"
    if "attention" in options:
        options["attention"] = AttentionOptions(**options["attention"])
    assert compose_train(removed_models()[name].split()).model == MODEL_OPTIONS[kind](**options)


def test_the_version_is_the_same_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    versions = re.findall(r"^## (\d+\.\d+\.\d+)$", CHANGELOG, re.MULTILINE)
    assert project["version"] == versions[0]
    assert f"version: {versions[0]}" in (ROOT / "CITATION.cff").read_text().splitlines()
