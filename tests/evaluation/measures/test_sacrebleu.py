import numpy as np
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st

from nmt.evaluation.measures.measure import chosen_measures

WORDS = st.lists(st.sampled_from(["the", "cat", "sat", "on", "a", "mat", ".", "Ü"]), max_size=9).map(" ".join)
PAIRS = st.lists(st.tuples(WORDS, WORDS.filter(bool)), min_size=1, max_size=8)


SACREBLEU = ("bleu", "chrf", "ter")


@pytest.mark.parametrize("name", SACREBLEU)
@settings(max_examples=60, deadline=None)
@given(pairs=PAIRS)
def test_sums_of_sentence_statistics_give_sacrebleu_s_corpus_score(name, pairs):
    [measure] = chosen_measures([name])
    hypotheses, references = zip(*pairs, strict=True)
    total = measure.statistics_of_texts(hypotheses, references).sum(axis=0)
    by_hand = {"bleu": sacrebleu.corpus_bleu, "chrf": sacrebleu.corpus_chrf, "ter": sacrebleu.corpus_ter}[name]
    assert measure.score(total) == pytest.approx(by_hand(list(hypotheses), [list(references)]).score, abs=1e-9)
    assert measure.scores_of_sums(total[None])[0] == pytest.approx(measure.score(total), abs=1e-9)


@pytest.mark.parametrize("name", SACREBLEU)
@settings(max_examples=40, deadline=None)
@given(pairs=PAIRS, seed=st.integers(0, 99))
def test_many_scores_at_once_equal_one_by_one(name, pairs, seed):
    [measure] = chosen_measures([name])
    rows = measure.statistics_of_texts(*zip(*pairs, strict=True))
    counts = np.random.default_rng(seed).integers(0, 4, size=(5, len(rows)))
    totals = counts @ rows
    assert measure.scores_of_sums(totals) == pytest.approx([measure.score(total) for total in totals], abs=1e-9)


def test_signatures_are_sacrebleu_s():
    assert {m.name: m.signature.split("|")[0] for m in chosen_measures(SACREBLEU)} == dict.fromkeys(
        SACREBLEU, "nrefs:1"
    )
    assert "tok:13a" in chosen_measures(["bleu"])[0].signature
