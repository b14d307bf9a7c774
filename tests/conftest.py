"""What tests share: the door as a user opens it, tiny models of every kind, tiny corpora, the device."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import torch
from torch import Tensor

from nmt.corpus.batches.encoded import encode_pairs
from nmt.corpus.fetching.absent import fetching_command, megabytes
from nmt.corpus.fetching.place import is_here
from nmt.corpus.kinds.grammar import GrammarOptions
from nmt.corpus.pair import Pair
from nmt.corpus.recipes.recipe import RECIPES
from nmt.corpus.subwords.tokenizer import Tokenizer, TokenizerOptions, train_tokenizer
from nmt.corpus.text.cleaning import CleaningReport
from nmt.kernels.process import prepare

torch.set_num_threads(1)  # tiny models: a second thread costs more than it brings

# Where the laws run: models, loss, search and gradients. Random numbers are drawn on the CPU, so they are the same.
DEVICE = torch.device(os.environ.get("NMT_TEST_DEVICE", "cpu"))

ROOT = Path(__file__).parent.parent
DATA = Path(os.environ.get("NMT_DATA") or ROOT / "data/corpora").absolute()

TINY_GRAMMAR = GrammarOptions(train_pairs=300, valid_pairs=20, test_pairs_per_bucket=4, test_bounds=[5, 10, 15])
# Overrides that make any experiment on the built-in corpus small enough for a test.
TINY_CORPUS = (
    "corpus.train_pairs=300",
    "corpus.valid_pairs=20",
    "corpus.test_pairs_per_bucket=4",
    "corpus.test_bounds=[5,10,15]",
    "corpus.median_words=6",
    "tokenizer.vocabulary_size=400",
    "batching.tokens=256",
    "trainer.precision=fp32",
    "validation.bleu_sentences=4",
    "device=cpu",
)
TINY_SIZES = {
    "recurrent": ("model.embedding_size=16", "model.encoder_size=16", "model.decoder_size=16"),
    "transformer": ("model.size=16", "model.heads=2", "model.feed_forward_size=32"),
}


def environment(threads: str = "1", **more: str) -> dict[str, str]:
    """The environment variables of a process that a test starts: this checkout, no GPU."""
    ours = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": threads, "CUDA_VISIBLE_DEVICES": ""}
    return {**os.environ, **ours, **more}


def door(
    name: str, *arguments: str, folder: Path, text: bytes | None = None, limit: float = 300, threads: str = "1"
) -> subprocess.CompletedProcess[bytes]:
    """``python -m nmt.<name> ...`` in ``folder``, as a user types it."""
    command = [sys.executable, "-m", f"nmt.{name}", *arguments]
    variables = environment(threads)
    return subprocess.run(command, cwd=folder, env=variables, input=text, capture_output=True, timeout=limit)


def real_corpus(name: str) -> Path:
    """The folder of a real corpus. Skips the test where the corpus is not here, and says which command fetches it."""
    recipe = RECIPES[name]
    if not is_here(recipe, DATA):
        pytest.skip(f"{DATA / name}: not there; {fetching_command(recipe)} fetches it ({megabytes(recipe.size)})")
    return DATA / name


def same(ours: Tensor, theirs: Tensor) -> None:
    """Equal bit for bit on a CPU; on CUDA, where some sums come in another order each time, nearly so."""
    if DEVICE.type == "cpu":
        assert torch.equal(ours, theirs)
    else:
        torch.testing.assert_close(ours, theirs)


def backward_in_evaluation() -> AbstractContextManager:
    """cuDNN's LSTM has no backward in evaluation mode: within the block PyTorch's own takes its place."""
    return torch.backends.cudnn.flags(enabled=False)


@pytest.fixture(autouse=True)
def no_lines_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that is busy a phase may last, and be named: not within a test."""
    monkeypatch.setattr("nmt.progress.SECONDS_OF_SILENCE", 1e6, raising=False)


@pytest.fixture(autouse=DEVICE.type == "cuda")
def exact_products() -> None:
    """Fp32 products in fp32, whatever an earlier test chose for the process."""
    prepare(DEVICE, "fp32")


@pytest.fixture(scope="session")
def tiny_pairs() -> list[Pair]:
    return list(TINY_GRAMMAR.read("train"))


@pytest.fixture(scope="session")
def tokenizer(tiny_pairs: list[Pair], tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    folder = tmp_path_factory.mktemp("tokenizer") / "tokenizer"
    return train_tokenizer(lambda: tiny_pairs, TokenizerOptions(vocabulary_size=400), folder)


@pytest.fixture(scope="session")
def encoded(tiny_pairs: list[Pair], tokenizer: Tokenizer):
    return encode_pairs(tiny_pairs, tokenizer, CleaningReport())


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run made through the real door, for all tests that only read one."""
    folder = tmp_path_factory.mktemp("trained")
    made = door(
        "train",
        "+experiment=demo/attention",
        *TINY_CORPUS,
        *TINY_SIZES["recurrent"],
        "trainer.max_steps=6",
        "trainer.max_minutes=0",
        "trainer.validate_every=3",
        "run.dir=run",
        folder=folder,
    )
    assert made.returncode == 0, made.stderr.decode()
    return folder / "run"


@pytest.fixture
def random_batch() -> Callable[..., tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Source (B, S), its mask, and target_in (B, T) of random ids below ``vocabulary``, on DEVICE."""

    def make(lengths: list[int], target_length: int, vocabulary: int = 40, seed: int = 0):
        generator = torch.Generator().manual_seed(seed)
        width = max(lengths)
        mask = torch.arange(width) < torch.tensor(lengths)[:, None]
        source = torch.randint(4, vocabulary, (len(lengths), width), generator=generator) * mask
        target = torch.randint(4, vocabulary, (len(lengths), target_length), generator=generator)
        return source.to(DEVICE), mask.to(DEVICE), target.to(DEVICE)

    return make
