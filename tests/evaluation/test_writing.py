"""What follows from the script of a test set: BLEU's tokenizer, and what lengths are counted in."""

from __future__ import annotations

import json
import shutil
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest

from nmt.corpus.batches.batcher import Batcher, BatchingOptions
from nmt.corpus.batches.position import Share
from nmt.corpus.pair import Pair
from nmt.evaluation.comparison import compare_test_set, merged
from nmt.evaluation.options import EvaluationOptions
from nmt.evaluation.probes.contrast import contrast
from nmt.evaluation.table import compare_on
from nmt.evaluation.translations import Evaluation, Evaluations
from nmt.evaluation.validation import Validation
from nmt.training.journal import read_journal
from tests.evaluation.test_contrast import LongerIsWorse
from tests.processes import door_in_process, fails

RUN = Path(__file__).parent.parent / "runs" / "dbcf5e1" / "attention"

ENGLISH = ["The man sleeps in the house.", "A dog sees the child.", "She reads a long book every single day."]
CHINESE = ["环保组织的国际化工作仍在继续。", "我们不知道。", "委员会已经公布了专家们的建议，大家都很满意。"]
JAPANESE = ["彼女は毎日長い本を読んでいます。", "犬が子供を見た。", "コーヒーを飲みながら話しましょう。"]
THAI = ["ผู้ชายนอนหลับอยู่ในบ้าน", "สุนัขเห็นเด็ก", "เธออ่านหนังสือเล่มยาวทุกวัน"]
LAO = ["ຜູ້ຊາຍນອນຢູ່ໃນເຮືອນ", "ໝາເຫັນເດັກນ້ອຍ", "ນາງອ່ານປຶ້ມທຸກມື້"]
KHMER = ["បុរសដេកនៅក្នុងផ្ទះ", "ឆ្កែឃើញក្មេង", "នាងអានសៀវភៅរាល់ថ្ងៃ"]
BURMESE = ["ယောက်ျားသည်အိမ်တွင်အိပ်နေသည်", "ခွေးကကလေးကိုမြင်သည်", "သူမသည်စာအုပ်ကိုနေ့တိုင်းဖတ်သည်"]
KOREAN = ["남자가 집에서 자고 있습니다.", "개가 아이를 보았습니다.", "그녀는 매일 긴 책을 읽습니다."]


def evaluation(sources: list[str], references: list[str], hypotheses: list[str] | None = None) -> Evaluation:
    """As if translated, by default without a mistake."""
    return Evaluation(
        test_set="test",
        sources=sources,
        references=references,
        hypotheses=references if hypotheses is None else hypotheses,
        seconds=1.0,
        shown=[0],
        heat_maps={},
        scores=[-1.0] * len(sources),
        reference_scores=[-1.0] * len(sources),
        pictures={},
        links={},
        gradients={},
    )


@pytest.fixture
def evaluated(tmp_path, monkeypatch):
    """Calls the evaluate door on given translations; returns what scores.json holds, and the table."""
    shutil.copytree(RUN, tmp_path / "run")
    folder = tmp_path / "run" / "evaluations" / "test"
    folder.mkdir(parents=True, exist_ok=True)

    identity = {"asked": "best", "checkpoint": "best.safetensors", "weights": "", "decoding": {}}

    def call(translated: Evaluation, *options: str) -> tuple[dict, str]:
        for name, value in (("folder", folder), ("identity", identity)):  # as evaluate_run sets them
            object.__setattr__(translated, name, value)
        monkeypatch.setattr("nmt.jobs.evaluate.evaluate_run", lambda *_: [translated])
        done = door_in_process("evaluate", "run=run", "evaluation.resamples=10", *options, folder=tmp_path)
        assert done.returncode == 0, done.stderr.decode()
        return json.loads((folder / "scores.json").read_text()), done.stdout.decode()

    return call


def scores_of(content: dict, metric: str) -> dict[str, float]:
    return {row["bucket"]: row["score"] for row in content["scores"] if row["metric"] == metric}


@pytest.mark.parametrize(
    ("references", "tokenizer"),
    [
        (CHINESE, "zh"),
        (JAPANESE, "char"),
        (THAI, "char"),
        (LAO, "char"),
        (KHMER, "char"),
        (BURMESE, "char"),
        ([line.replace(" ", "") for line in KOREAN], "char"),
    ],
    ids=["Chinese", "Japanese", "Thai", "Lao", "Khmer", "Burmese", "Korean without spaces"],
)
def test_perfect_output_scores_100_in_a_script_without_spaces(references, tokenizer, evaluated):
    content, _ = evaluated(evaluation(ENGLISH, references))
    assert scores_of(content, "bleu")["all"] == pytest.approx(100)
    assert f"|tok:{tokenizer}|" in content["signatures"]["bleu"]


def test_sources_without_spaces_are_counted_in_characters(evaluated):
    translated = evaluation(CHINESE, ENGLISH)
    content, table = evaluated(translated, "evaluation.bucket_bounds=[10,20]")
    assert list(scores_of(content, "bleu")) == ["1-10", "11-20", "21+", "all"]
    assert "| source characters |" in table and "|tok:13a|" in content["signatures"]["bleu"]
    for form in ("NFC", "NFD"):
        _, table = evaluated(evaluation([unicodedata.normalize(form, line) for line in KOREAN], ENGLISH))
        assert "| source words |" in table, "Korean has spaces"


def test_measures_of_words_count_characters_there(evaluated):
    changed = [CHINESE[0].replace("继续", "停止"), *CHINESE[1:]]
    content, _ = evaluated(
        evaluation(ENGLISH, [" ".join(CHINESE[0]), *CHINESE[1:]], changed),
        "evaluation.metrics=[ter,accuracy,exact]",
    )
    length = sum(map(len, CHINESE))
    assert scores_of(content, "ter")["all"] == pytest.approx(200 / length)
    assert scores_of(content, "accuracy")["all"] == pytest.approx(100 * (length - 2) / length)
    assert scores_of(content, "exact")["all"] == pytest.approx(200 / 3), "white space parts nothing"
    assert content["signatures"]["ter"].endswith("|unit:characters")
    assert content["signatures"]["exact"] == "the same characters"
    twice = evaluation(ENGLISH, CHINESE, [CHINESE[0] * 2, *CHINESE[1:]])
    rows, _ = compare_on(Evaluations({"a": {"1": twice}}), "a", EvaluationOptions(resamples=10))
    [ratio] = [row.score for row in rows if row.metric == "length_ratio" and row.bucket == "all"]
    [repeated] = [row.score for row in rows if row.metric == "repetition" and row.bucket == "all"]
    assert ratio == pytest.approx(1 + len(CHINESE[0]) / length)
    assert repeated == pytest.approx(100 * (len(CHINESE[0]) - 3) / (length + len(CHINESE[0]) - 3 * 3))


def test_a_tokenizer_of_one_s_own_is_named_and_one_that_is_absent_refused(evaluated, tmp_path, monkeypatch):
    content, _ = evaluated(evaluation(ENGLISH, KOREAN), "evaluation.tokenize=char")
    assert "|tok:char|" in content["signatures"]["bleu"]
    refused = door_in_process("evaluate", "run=run", "evaluation.tokenize=zhh", folder=tmp_path)
    fails(refused, "evaluation.tokenize=zhh", "did you mean 'zh'?")
    monkeypatch.setattr("sacrebleu.tokenizers.tokenizer_ja_mecab.MeCab", None)
    refused = door_in_process("evaluate", "run=run", "evaluation.tokenize=ja-mecab", folder=tmp_path)
    fails(refused, "evaluation.tokenize=ja-mecab", "pip install 'sacrebleu[ja]'")
    command = ("train", "+experiment=demo/attention", "validation.tokenize=ja-mecab", "run.dir=new")
    fails(door_in_process(*command, folder=tmp_path), "validation.tokenize=ja-mecab", "pip install 'sacrebleu[ja]'")
    assert not (tmp_path / "new").exists()


def test_a_comparison_names_the_test_sets_whose_signatures_differ():
    options = EvaluationOptions(resamples=10)
    parts = []
    for name, sources, references in (("zh", ENGLISH, CHINESE), ("ko", CHINESE, KOREAN), ("en", KOREAN, ENGLISH)):
        translated = replace(evaluation(sources, references), test_set=name)
        parts.append(compare_test_set(Evaluations({"a": {"1": translated}}), "a", options))
    fields = merged(parts)
    first, second = fields["signatures"]["bleu"].split("; ")
    assert "|tok:zh|" in first and first.endswith(" (zh)")
    assert "|tok:13a|" in second and second.endswith(" (ko, en)")
    assert "(" not in fields["signatures"]["chrf"], "one for all"
    assert fields["units"] == {"ko": "characters"}
    assert "units" not in merged(parts[:1]) or not merged(parts[:1])["units"]


def test_processes_share_the_tokenizer_of_all_references(encoded, tokenizer):
    pairs = [Pair("a", "Beijing"), Pair("b", "我完全不懂他们到底在说些什么。")]
    tokenizers = set()
    for rank in range(2):
        batcher = Batcher(encoded, BatchingOptions(tokens=512), seed=0, share=Share(rank, 2))
        bleu, _ = Validation(batcher, pairs, tokenizer, batch_size=2).measures
        tokenizers.add(bleu.signature)
    [signature] = tokenizers
    assert "|tok:zh|" in signature


def test_mistakes_are_placed_by_characters_where_no_space_parts_words():
    right = ["我们不知道。", "他们不知道。"]
    wrong = ["我们不知到了。", "他们都不知道。"]
    rows = contrast(LongerIsWorse(), CHINESE[:2], right, wrong, "s", EvaluationOptions(bucket_bounds=[3, 10]))
    by_place = {row.bucket: row.sentences for row in rows if row.metric == "preferred_by_place"}
    by_length = {row.bucket: row.sentences for row in rows if row.metric == "preferred"}
    assert by_place == {"1-3": 1, "4-10": 1, "all": 2}
    assert by_length == {"4-10": 1, "11+": 1, "all": 2}


def test_selection_by_bleu_works_without_spaces(tmp_path):
    sentences = list(zip(ENGLISH, CHINESE, strict=True))
    for language, side in (("en", 0), ("zh", 1)):
        lines = [pair[side] + "\n" for pair in sentences]
        (tmp_path / f"train.{language}").write_text("".join(lines * 16), encoding="utf-8")
        (tmp_path / f"valid.{language}").write_text("".join(lines), encoding="utf-8")
    done = door_in_process(
        "train",
        *("corpus=files", "corpus.target_language=zh", "corpus.train=['train.{language}']"),
        *("corpus.valid='valid.{language}'", "corpus.tests={test: 'valid.{language}'}"),
        *("model=gru_attention", "model.embedding_size=16", "model.encoder_size=16", "model.decoder_size=16"),
        *("tokenizer.kind=char", "tokenizer.joint=false", "tokenizer.vocabulary_size=80", "batching.tokens=256"),
        *("optimizer.learning_rate=0.03", "optimizer.warmup_steps=5", "validation.samples=0"),
        *("trainer.select_by=bleu", "trainer.max_steps=24", "trainer.validate_every=8", "trainer.precision=fp32"),
        *("run.dir=run", "device=cpu"),
        folder=tmp_path,
    )
    assert done.returncode == 0, done.stderr.decode()
    bleu = [event["bleu"] for event in read_journal(tmp_path / "run") if event["event"] == "valid"]
    assert bleu[-1] > bleu[0], "so the best step is not the first"
