"""What a journal writes for TensorBoard: text as text, and a full disk in one line."""

import errno
import html
import re
import threading

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugin_util import markdown_to_safe_html
from tensorboard.summary.writer.record_writer import RecordWriter

from nmt.corpus.pair import Pair
from nmt.decoding.hypothesis import Translation
from nmt.evaluation import validation
from nmt.training.journal import Look, open_journal

TEXTS = (
    "__init__ and _one_",
    "2*3*4 **bold**",
    "[a](b) ![c](d)",
    "`x` ```y",
    "# no heading",
    "a | b | c",
    "    four spaces",
    "- no list",
    "1. no list",
    "> no quotation",
    r"a\*b \\ c",
    "<b>x</b> &amp; & <http://a.example>",
    "~~~",
    "===",
)


def shown(folder, text: str) -> list[str]:
    """The lines that TensorBoard shows for a text of the journal."""
    journal = open_journal(folder)
    journal.look(Look({"samples/1": text}, {}), 1)
    journal.close()
    board = EventAccumulator(str(folder))
    board.Reload()
    [event] = board.Tensors("samples/1/text_summary")
    page = markdown_to_safe_html(event.tensor_proto.string_val[0])
    return [html.unescape(re.sub("<[^>]*>", "", line)) for line in re.split("<br ?/?>\n", page)]


def test_a_text_in_tensorboard_is_the_text_itself(tmp_path):
    assert shown(tmp_path, "\n".join(TEXTS)) == list(TEXTS)


def test_samples_say_what_is_source_reference_and_output_and_keep_the_order_of_words(tokenizer, monkeypatch, tmp_path):
    """Between U+2068 and U+2069 a sentence has the direction of its own first letter."""

    class Model:
        def __init__(self, *_):
            pass

        def translate(self, sources, attention_for=()):
            return [Translation("החתול, Tom, ישן.", 0.0, [], []) for _ in sources]

    monkeypatch.setattr(validation, "Translator", Model)
    pairs = [Pair("The __cat__, Tom, sleeps here now.", "Die __Katze__, Tom, schläft jetzt hier.")]
    look = validation.Samples(pairs, tokenizer, 1, draw=lambda *_: None)(None)
    assert shown(tmp_path, look.texts["samples/1"]) == [
        "source: The __cat__, Tom, sleeps here now.",
        "reference: Die __Katze__, Tom, schläft jetzt hier.",
        "output: \u2068החתול, Tom, ישן.\u2069",
    ]


def test_a_full_disk_under_tensorboard_is_an_error_of_the_journal_and_no_traceback_of_a_thread(tmp_path, monkeypatch):
    printed: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", printed.append)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    journal = open_journal(tmp_path)
    monkeypatch.setattr(RecordWriter, "write", full)
    with pytest.raises(OSError, match="No space left"):
        for step in range(1, 3):
            journal.event("train", step, loss=1.0)
            journal.close()
    assert not printed
