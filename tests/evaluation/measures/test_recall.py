from dataclasses import dataclass

from nmt.evaluation.measures.recall import PARTS, counts_by_part, recalled


@dataclass
class Texts:
    """As much of an evaluation as counts by place need."""

    sources: list[str]
    references: list[str]
    hypotheses: list[str]
    known: list[list[tuple[int, int]]]

    def links_known_of(self, row):
        return self.known[row]


def test_a_word_of_the_output_serves_one_word_of_the_reference():
    assert recalled("the dog the cat", "the cat", [(0, 0), (1, 1), (2, 2), (3, 3)]) == {
        0: True,
        1: False,
        2: False,
        3: True,
    }
    assert recalled("ruft an", "an", [(0, 0), (0, 1)]) == {0: True}, "any of its words is enough"


def test_counts_stand_at_their_tenth_of_the_sentence():
    source = " ".join("w" * 20)
    reference = " ".join(f"t{i}" for i in range(20))
    hypothesis = " ".join(f"t{i}" for i in range(10))
    known = [[(i, i) for i in range(20)]]
    counts = counts_by_part(Texts([source], [reference], [hypothesis], known))
    assert counts.shape == (1, PARTS, 2)
    assert counts[0, :, 1].tolist() == [2] * 10 and counts[0, :, 0].tolist() == [2] * 5 + [0] * 5
