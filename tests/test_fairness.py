"""What a comparison refuses before anything is trained, where no command reaches it."""

from __future__ import annotations

import pytest

from nmt.config import compose_train
from nmt.corpus.kinds.files import FilesOptions
from nmt.errors import UserError
from nmt.evaluation.measures import measure as registry
from nmt.evaluation.measures.measure import MEASURES, Hits, Need
from nmt.evaluation.options import EvaluationOptions
from nmt.jobs.compare import Planned, _check_fair
from nmt.schemas import CompareConfig, SystemOptions


def test_a_measure_whose_word_links_a_test_set_has_not_is_refused(monkeypatch):
    monkeypatch.setattr(registry, "MEASURES", dict(MEASURES))

    class Linked(Hits):
        name = "linked"
        label = "linked words"
        needs = frozenset({Need.KNOWN_LINKS})

        def count(self, hypothesis, reference):
            return 0.0, 1.0

    evaluation = EvaluationOptions(metrics=["linked"])
    systems = {"fixed": SystemOptions("demo/fixed")}
    config = CompareConfig(name="c", baseline="fixed", systems=systems, evaluation=evaluation)
    of_grammar = compose_train(["+experiment=demo/fixed"])
    _check_fair(config, [Planned("fixed", 1, of_grammar)])
    of_files = compose_train(["+experiment=demo/fixed"])
    of_files.corpus = FilesOptions(train=["a.tsv"], valid="b.tsv", tests={"news": "c.tsv"})
    with pytest.raises(UserError, match="metrics=linked needs known word links, which test set 'news' has not"):
        _check_fair(config, [Planned("fixed", 1, of_files)])
