"""What corpora share whose splits the user names: in files, or in a data set."""

from __future__ import annotations

from nmt.corpus.kinds.corpus import Corpus
from nmt.corpus.pair import Pair
from nmt.errors import UserError, check_name, nearest


class PlacedCorpus(Corpus):
    """Text that lies where the options say: each split in a place, the training text perhaps in several."""

    train: list[str] | str
    valid: str
    tests: dict[str, str]

    def __post_init__(self) -> None:
        for name in self.tests:
            check_name(name, "corpus.tests")

    def test_names(self) -> list[str]:
        return list(self.tests)

    def places(self, split: str) -> list[str]:
        """Raises UserError for a split that has no place."""
        named = {**self.tests, "train": self.train, "valid": self.valid}
        if split not in named:
            raise UserError(f"corpus.tests: no test set '{split}'; {nearest(split, self.tests)}")
        places = named[split]
        if isinstance(places, str):
            places = [places]
        if not places or not all(places):
            raise UserError(
                f"corpus.{split}: no place is given; name a file (with {{language}} in it) or a data set's split"
            )
        return list(places)


def pair_of_texts(source: str | None, target: str | None, place: str) -> Pair:
    """Makes a pair of one line each: a record, unlike a line of text, may hold line ends and half characters.

    Raises UserError that names ``place`` for half of a surrogate pair.
    """
    return Pair(_one_line(source, place), _one_line(target, place))


def _one_line(text: str | None, place: str) -> str:
    line = (text or "").replace("\r", " ").replace("\n", " ")
    try:
        line.encode("utf-8")
    except UnicodeEncodeError:
        raise UserError(f"{place}: half of a surrogate pair, which is no text; mend or leave out the record") from None
    return line
