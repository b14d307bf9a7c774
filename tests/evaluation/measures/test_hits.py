import numpy as np

from nmt.evaluation.measures.accuracy import Accuracy
from nmt.evaluation.measures.exact import Exact


def test_accuracy_counts_words_at_their_place_and_exact_whole_sentences():
    hypotheses, references = ["a b c", "a x", "", "a b"], ["a b c", "a b c d", "a", " a  b "]
    accuracy, exact = Accuracy(), Exact()
    assert accuracy.statistics_of_texts(hypotheses, references).tolist() == [[3, 3], [1, 4], [0, 1], [2, 2]]
    assert accuracy.score(np.array([6.0, 10.0])) == 60.0
    assert exact.statistics_of_texts(hypotheses, references)[:, 0].tolist() == [1, 0, 0, 1]
    assert exact.score(np.array([2.0, 4.0])) == 50.0
    assert accuracy.statistics_of_texts([], []).shape == (0, 2)
