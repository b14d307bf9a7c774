"""The same numbers counted line by line, as plainly as can be, and corpora for tests to look into."""

from __future__ import annotations

import unicodedata
from collections import Counter
from pathlib import Path

from nmt.corpus.kinds.files import FilesOptions
from nmt.corpus.subwords.tokenizer import TokenizerOptions
from nmt.corpus.text.cleaning import CleaningOptions
from nmt.inspection.look import Limits, Looked, look_into
from nmt.inspection.results import Split

Texts = list[tuple[str, str]]
BOUNDS = (10, 20, 30)


def corpus_in(folder: Path, train: Texts = (), valid: Texts = (), /, **tests: Texts) -> FilesOptions:
    """Writes texts as parallel files, and returns the corpus that they are."""
    options = {}
    if train:
        write(folder, "train", train)
        options["train"] = [f"{folder}/train.{{language}}"]
    if valid:
        write(folder, "valid", valid)
        options["valid"] = f"{folder}/valid.{{language}}"
    for name, texts in tests.items():
        write(folder, name, texts)
    places = {name: f"{folder}/{name}.{{language}}" for name in tests}
    return FilesOptions(source_language="en", target_language="de", tests=places, **options)


def write(folder: Path, name: str, texts: Texts) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for side, language in enumerate(("en", "de")):
        content = "".join(f"{pair[side]}\n" for pair in texts)
        (folder / f"{name}.{language}").write_bytes(content.encode())


def look(corpus: FilesOptions, cleaning: CleaningOptions | None = None) -> Looked:
    return look_into(corpus, Limits(cleaning or CleaningOptions(), TokenizerOptions(), BOUNDS))


def split(looked: Looked, name: str) -> Split:
    [one] = [split for split in looked.splits if split.name == name]
    return one


def odd(split: Split) -> dict[tuple[str, str], tuple[int, tuple[int, ...]]]:
    """Count and first lines of every kind on every side."""
    return {(one.kind, one.side): (one.lines.count, one.lines.first) for one in split.odd}


def is_blank(text: str) -> bool:
    return all(unicodedata.category(character) in ("Zs", "Zl", "Zp", "Cc", "Cf") for character in text)


def first_lines(fits: list[bool]) -> tuple[int, tuple[int, ...]]:
    numbers = [number for number, fit in enumerate(fits, 1) if fit]
    return len(numbers), tuple(numbers[:5])


def repeated(texts: Texts) -> tuple[int, tuple[int, ...]]:
    seen: set[tuple[str, str]] = set()
    fits = []
    for pair in texts:
        is_compared = not is_blank(pair[0]) and not is_blank(pair[1])
        fits.append(is_compared and pair in seen)
        seen.add(pair)
    return first_lines(fits)


def with_several_targets(texts: Texts) -> int:
    targets: dict[str, set[str]] = {}
    for source, target in texts:
        if not is_blank(source) and not is_blank(target):
            targets.setdefault(source, set()).add(target)
    return sum(len(of_source) > 1 for of_source in targets.values())


def bare_words(texts: Texts, side: int) -> Counter[str]:
    words: Counter[str] = Counter()
    for pair in texts:
        words.update(filter(None, (word.strip(".,!?()&;<>\"/-'#") for word in pair[side].split())))
    return words
