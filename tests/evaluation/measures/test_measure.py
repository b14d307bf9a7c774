import re
from pathlib import Path

import numpy as np
import pytest

from nmt.errors import UserError
from nmt.evaluation.measures import measure as registry
from nmt.evaluation.measures.measure import (
    MEASURES,
    Hits,
    Measure,
    chosen_measures,
    default_metrics,
    explaining_measures,
    measure_infos,
)
from nmt.evaluation.measures.repetition import Repetition
from tests.conftest import ROOT


@pytest.fixture
def own_registry(monkeypatch):
    """A copy of the registry, which a test may change."""
    monkeypatch.setattr(registry, "MEASURES", dict(MEASURES))
    return registry.MEASURES


def test_a_class_with_a_name_registers_itself(own_registry):
    class Vowels(Hits):
        name = "vowels"
        label = "vowels"

        def count(self, hypothesis, reference):
            return 1, 2

    assert isinstance(chosen_measures(["vowels"])[0], Vowels)
    assert measure_infos()[-1].name == "vowels", "behind those with a rank"


def test_a_base_class_without_a_name_is_no_measure(own_registry):
    before = set(own_registry)

    class Base(Measure):
        pass

    assert set(own_registry) == before


def test_a_name_that_could_not_name_a_file_is_refused(own_registry):
    with pytest.raises(UserError, match="names files"):

        class Slash(Hits):
            name = "a/b"
            label = "a/b"


def test_a_measure_without_a_label_is_refused_before_anything_is_trained(own_registry):
    with pytest.raises(UserError, match="measure Nameless: needs a label"):

        class Nameless(Hits):
            name = "nameless"


def test_a_misspelt_name_is_told_and_one_that_explains_can_not_be_chosen():
    with pytest.raises(UserError, match="did you mean 'bleu'"):
        chosen_measures(["blue"])
    with pytest.raises(UserError, match=r"evaluation\.metrics=repetition"):
        chosen_measures(["repetition"])


def test_the_registry_holds_every_measure_in_the_order_of_tables():
    assert [info.name for info in measure_infos()] == [
        *("bleu", "chrf", "ter", "accuracy", "exact"),
        *("cut_outputs", "length_ratio", "brevity_penalty", "repetition", "recall"),
        *("search_error", "alignment_error", "attention_entropy", "gradient_near"),
    ]
    assert default_metrics() == ["bleu", "chrf"]
    assert all(one.group and one.label for one in explaining_measures())


def test_a_ratio_of_nothing_is_0():
    assert Repetition().scores_of_sums(np.array([[0.0, 0.0], [1.0, 4.0]])).tolist() == [0, 25]


def test_the_registry_names_no_measure():
    text = Path(registry.__file__).read_text(encoding="utf-8")
    assert not [name for name in MEASURES if f'"{name}"' in text]


def test_without_those_built_in_a_user_s_own_is_measured_by_default(own_registry):
    own_registry.clear()

    class Only(Hits):
        name = "only"
        label = "only"

        def count(self, hypothesis, reference):
            return 1, 1

    assert default_metrics() == ["only"] and explaining_measures() == []
    assert np.allclose(Only().statistics_of_texts(["a"], ["b"]), [[1, 1]])


def test_the_measure_in_the_report_s_document_works(own_registry):
    [block] = re.findall(r"```python\n(.*?)```", (ROOT / "docs/report.md").read_text(encoding="utf-8"), re.DOTALL)
    exec(block, {"__name__": "my_measures"})
    [own] = chosen_measures(["length_error"])
    statistics = own.statistics_of_texts(["abc", "a"], ["abcd", "a"])
    assert own.score(statistics.sum(axis=0)) == pytest.approx(20.0)
