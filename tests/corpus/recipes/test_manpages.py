"""Manual pages from a few small PO files."""

from __future__ import annotations

import pytest

from nmt.corpus.recipes import manpages_en_de
from nmt.errors import Damaged, UserError
from tests.corpus.recipes.memory import pairs_of, splits_of

HEAD = 'msgid ""\nmsgstr ""\n"Language: de\\n"\n'


def entry(english: str, german: str, *comments: str) -> str:
    quoted = [text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for text in (english, german)]
    before = "".join(f"{comment}\n" for comment in comments)
    return f'{before}msgid "{quoted[0]}"\nmsgstr "{quoted[1]}"\n'


def page(*entries: str) -> bytes:
    return "\n".join([HEAD, *entries]).encode()


def sentence(number: int) -> tuple[str, str]:
    return f"Shows entry number {number} of the list.", f"Zeigt Eintrag Nummer {number} der Liste."


def of(files: dict[str, bytes]) -> dict[str, list[tuple[str, ...]]]:
    return {name: pairs_of(split) for name, split in splits_of("manpages-en-de", files).items()}


@pytest.fixture
def all_trained(monkeypatch):
    """No page is held out."""
    monkeypatch.setattr(manpages_en_de, "TEST", 0)
    monkeypatch.setattr(manpages_en_de, "VALID", 0)


def trained(*entries: str) -> list[tuple[str, ...]]:
    return of({"man1/ls.1.po": page(*entries)})["train"]


def test_whole_pages_are_held_out_and_no_sentence_of_theirs_is_trained_on(monkeypatch):
    monkeypatch.setattr(manpages_en_de, "TEST", 2)
    monkeypatch.setattr(manpages_en_de, "VALID", 2)
    files = {"common/shared.po": page(*(entry(*sentence(number)) for number in range(90, 95)))}
    for number in range(5):
        english, _ = sentence(10 * number)
        own = [entry(*sentence(10 * number + place)) for place in range(3)]
        files[f"man{number}/page.po"] = page(*own)
        files[f"man8/other{number}.po"] = page(
            entry(english.upper(), f"Zeigt etwas anderes als die Nummer {number}."), entry(*sentence(100 + number))
        )
    splits = of(files)
    assert list(splits) == ["train", "test", "valid"]
    assert len(splits["test"]) >= 2 and len(splits["valid"]) >= 2
    held_out = splits["test"] + splits["valid"]
    pages = [{sentence(10 * number + place) for place in range(3)} for number in range(5)]
    for of_page in pages:
        assert not of_page & set(held_out) or not of_page & set(splits["train"])
    for column in (0, 1):
        held = {pair[column].lower() for pair in held_out}
        assert held.isdisjoint({pair[column].lower() for pair in splits["train"]})
    shared = {sentence(number) for number in range(90, 95)}
    assert shared <= set(splits["train"])
    assert of(files) == splits


def test_a_test_sentence_that_is_validated_on_is_left_out_of_the_test(monkeypatch):
    monkeypatch.setattr(manpages_en_de, "TEST", 1)
    monkeypatch.setattr(manpages_en_de, "VALID", 1)
    english, german = sentence(1)
    splits = of(
        {
            "man1/a.po": page(entry(english, german), entry(*sentence(2))),
            "man1/b.po": page(entry(english.upper(), f"{german} Ja."), entry(*sentence(3))),
        }
    )
    assert splits["train"] == [] and len(splits["valid"]) == 2 and len(splits["test"]) == 1


def test_only_pages_and_shared_entries_are_read(all_trained):
    text = page(entry(*sentence(1)))
    assert of({"man1/ls.1.po": text, "addendum.po": b"no PO file", "man1/README": b"\xff"})["train"] == [sentence(1)]
    assert of({"common/header.po": text})["train"] == [sentence(1)]


@pytest.mark.parametrize(
    ("english", "german", "plain"),
    [
        (r"Use B<ls> and I<\-a> to list all.", r"Mit B<ls> und I<\-a> alles.", "Use ls and -a to list all."),
        (r"Use B<the I<nested> name> here.", "Hier der geschachtelte Name.", "Use the nested name here."),
        (r"Use \fBls\fR and \f[CW]cat\fP now.", "Jetzt ls und cat nutzen.", "Use ls and cat now."),
        (r"A \s-1SMALL\s0 word \(em and dash.", "Ein kleines Wort und Strich.", "A SMALL word — and dash."),
        (r"It prints E<lt>file nameE<gt> here.", "Es gibt den Namen hier aus.", "It prints <file name> here."),
        (r"The user\[aq]s own \(lqfile\(rq is read.", "Die Datei wird gelesen.", "The user's own “file” is read."),
        (r"Wait\&.\ A moment\~later it ends\c", "Ein Moment, dann endet es.", "Wait. A moment later it ends"),
        ("One line\nand\tanother one.", "Eine Zeile und noch eine.", "One line and another one."),
    ],
)
def test_mark_up_is_taken_out(english, german, plain, all_trained):
    [pair] = trained(entry(english, german))
    assert pair[0] == plain


@pytest.mark.parametrize(
    "text",
    [
        entry(r"Some \*(Tm mark of roff is left.", "Eine Auszeichnung bleibt übrig."),
        entry("Then .TP begins a new paragraph.", "Dann beginnt ein neuer Absatz."),
        entry("Some E<unknown> name is left here.", "Ein unbekannter Name bleibt übrig."),
        entry("int main(void)\nreturns zero to all", "int main(void)\nist gleich null", "#, no-wrap"),
        entry("Somebody guessed this translation.", "Das hat jemand nur geraten.", "#, c-format, fuzzy"),
        entry("Two words.", "Zwei Wörter."),
        entry("Equal on both sides here.", "Equal on both sides here."),
        entry("a 1 b 2 c 3 d 4 e 5 f 6 g", "ein Buchstabe und Zahlen"),
        entry("Some words -- 12345678901234567890 !!", "Einige Wörter und Zahlen dabei."),
        entry("This is much too long for its translation into German.", "Kurz."),
        entry("This is short.", "Das ist viel zu lang für das, was im Englischen dasteht, ja."),
        'msgid "A form for one and for many."\nmsgid_plural "Many forms."\nmsgstr[0] "Eine Form."\nmsgstr[1] "V."\n',
        '#~ msgid "Nobody needs this entry now."\n#~ msgstr "Den Eintrag braucht niemand."\n',
        'msgid "Nobody has translated this yet."\nmsgstr ""\n',
    ],
)
def test_what_is_no_prose_or_no_translation_is_left_out(text, all_trained):
    assert trained(text, entry(*sentence(1))) == [sentence(1)]


def test_texts_go_on_over_lines_and_context_is_no_text(all_trained):
    text = (
        '#. type: Plain text\n#| msgid "before"\nmsgctxt "a menu"\n" and more"\nmsgid ""\n"Shows \\"the\\" "\n'
        '"entry here."\nmsgstr "Zeigt "\n"\\"den\\" Eintrag."'
    )
    assert trained(text) == [('Shows "the" entry here.', 'Zeigt "den" Eintrag.')]


def test_each_pair_is_taken_once(all_trained):
    text = page(entry(*sentence(1)), entry(*sentence(1)))
    assert of({"man1/a.po": text, "man2/b.po": text})["train"] == [sentence(1)]


@pytest.mark.parametrize("line", ["msgid Shows", 'msgid "Shows', "Shows", 'unknown "Shows"'])
def test_a_line_that_no_po_file_has_is_named(line):
    content = f"{HEAD}\n# a comment\n{line}\n".encode()
    with pytest.raises(Damaged, match=r"manpages-l10n: po/de/man1/ls\.1\.po, line 6: neither a comment nor a text"):
        of({"man1/ls.1.po": content})


def test_a_text_that_no_keyword_begins_and_bytes_that_are_no_text_are_named():
    with pytest.raises(Damaged, match=r"ls\.1\.po, line 5: neither"):
        of({"man1/ls.1.po": f'{HEAD}\n"alone"\n'.encode()})
    with pytest.raises(UserError, match=r"ls\.1\.po, line 4: not valid UTF-8"):
        of({"man1/ls.1.po": HEAD.encode() + b"\xff\n"})
