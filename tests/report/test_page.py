"""The page in a real browser: drawn, switched, downloaded, reached by keyboard, readable, and silent."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from nmt.evaluation.results import Comparison, SentenceSet
from nmt.report.page import html_text
from tests.evaluation.test_table import OPTIONS
from tests.report.comparisons import make_comparison

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)


@pytest.fixture(scope="module")
def browser() -> Iterator:
    if BROWSER is None:
        pytest.skip("no Chromium on this machine; install one (Debian: apt-get install chromium) to test the page")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as tool:
        opened = tool.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "index.html"
    comparison = make_comparison(seeds=("1", "2"), test_sets=("test", "other"))
    comparison = replace(comparison, resamples=OPTIONS.resamples, units={"other": "characters"})
    path.write_text(html_text(comparison), encoding="utf-8")
    return path


@pytest.fixture(params=["light", "dark"])
def page(browser, place, request) -> Iterator:
    """The page, opened; at the end nothing was complained of, and nothing asked of the network."""
    context = browser.new_context(viewport={"width": 1200, "height": 900}, color_scheme=request.param)
    opened = context.new_page()
    complaints: list[str] = []
    requests: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("request", lambda asked: requests.append(asked.url))
    opened.goto(place.as_uri())
    opened.wait_for_selector("body[data-ready]")
    yield opened
    assert not complaints
    assert [url for url in requests if not url.startswith(("data:", "blob:"))] == [place.as_uri()]
    context.close()


def curve_title(page) -> str:
    return page.locator("#curve-chart .gtitle").text_content()


def test_every_chart_is_drawn(page):
    charts = ("curve-chart", "learning-chart", "measure-length_ratio", "measure-repetition")
    for chart in (*charts, "training-cost-chart", "search-cost-chart"):
        assert page.locator(f"#{chart} .scatterlayer .trace").count() >= 3, chart
    assert page.locator("#curve-chart .scatterlayer .trace").count() == 6, "a line and a band for each of three systems"
    assert page.locator("#score-table tbody tr").count() == 4
    assert page.locator("#place-chart .scatterlayer .trace").count() == 6
    assert page.locator("#gradient-chart .heatmaplayer").count() == 3
    for axis in ("x", "y"):  # what hovering shows
        tenths = page.evaluate(f"document.querySelector('#gradient-chart').data[0].{axis}")
        assert tenths == list(range(1, 11))
    assert page.locator("#why-controls select").input_value() == "9-12"
    page.evaluate("() => { data.places.length = 0; whyControls.bucket.innerHTML = ''; showWhy(chosen()); }")
    assert page.locator("#why-controls select").input_value() == "9-12", "13+ has a map of gradients, of 3 sentences"


def test_metric_test_set_and_seed_switch_in_place(page):
    assert curve_title(page) == "BLEU by source length, test"
    first = page.locator("#score-table").inner_text()
    assert "±" in first, "the mean over seeds shows their spread"
    assert first.count("too short for BLEU") == 3, "13+, once a system"
    page.check("input[name=metric][value=chrf]", force=True)
    page.check("input[name=testSet][value=other]", force=True)
    assert curve_title(page) == "chrF by source length, other"
    told = page.locator("#score-table").inner_text()
    assert "source characters" in told and "too short" not in told
    assert page.locator("#why-controls .unit").inner_text() == "characters"
    page.check("input[name=seed][value='2']", force=True)
    assert "±" not in page.locator("#score-table").inner_text() != first
    page.check("input[name=of][value=bleu]", force=True)
    page.check("input[name=against][value=tokens]", force=True)
    assert page.locator("#learning-chart .xtitle").text_content() == "target tokens"


def test_hovering_tells_bucket_count_score_band_and_significance(page):
    box = page.locator("#curve-chart .nsewdrag").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.14, box["y"] + box["height"] / 2)
    page.wait_for_selector("#curve-chart .hoverlayer .legend")
    told = page.locator("#curve-chart .hoverlayer").text_content()
    assert "1-8" in told and "n=48" in told and "[" in told and "p ≤ 0.0067" in told and "*" in told
    assert page.locator("#score-table td[title='p ≤ 0.0067']").count() > 0


def test_sentences_are_filtered_ordered_and_searched(page):
    cards = page.locator("#sentence-list article")
    assert cards.count() == 8 and "1 of " in page.locator("#page-number").inner_text()
    page.click("#next")
    assert page.locator("#page-number").inner_text().startswith("2 of ")
    page.select_option("#sentence-controls select[name=bucket]", "13+")
    assert cards.count() == 3
    page.select_option("#sentence-controls select[name=bucket]", "")
    page.select_option("select[name=order]", "difference")
    gaps = page.evaluate(
        "[...document.querySelectorAll('#sentence-list article')].map((card) =>"
        " { const scores = [...card.querySelectorAll('dt b')].map((b) => +b.textContent);"
        " return Math.abs(scores[0] - scores[1]); })"
    )
    assert gaps == sorted(gaps, reverse=True) and gaps[0] > 0
    page.fill("input[name=text]", "c man sees a")
    page.wait_for_function("document.querySelector('#page-number').textContent.startsWith('1 of 3')")
    assert all("c man sees a" in text for text in page.locator("#sentence-list article").all_inner_texts())
    page.fill("input[name=text]", "not there at all")
    page.wait_for_function("document.querySelector('#sentence-list').textContent.startsWith('No sentence')")


def test_attention_opens_under_a_sentence(page):
    page.select_option("select[name=order]", "file")
    page.click("#sentence-list article:first-of-type button")
    page.wait_for_selector("#map-1-0 .heatmaplayer image, #map-1-0 .heatmaplayer .hm")
    assert page.locator("#sentence-list .maps .chart").count() == 3
    assert page.locator("#map-1-0 .xtick").all_text_contents() == ["a", "$b"], "words, not the marks of their pieces"
    assert page.evaluate("document.querySelector('#map-1-0').layout.shapes.length") == 0
    for view, weights in (("mean", [0.4, 0.6]), ("head 0 0", [1, 0]), ("head 1 1", [0.6, 0.4])):
        page.select_option("#sentence-list .maps figure:first-of-type .view select", view)
        drawn = page.evaluate("document.querySelector('#map-1-0').data[0].z[0]")
        assert drawn == pytest.approx(weights, abs=0.01)
    assert page.evaluate("document.querySelector('#map-1-0').layout.shapes.length") > 0, "known links are framed"
    no_break = page.evaluate(
        r"joined(['▁a\u00a0b', '<0xE2>', '<0x80>', '<0xAF>', 'c', '</s>']).map((word) => word.pieces)"
    )
    assert no_break == [[0], [0], [4], [5]], "as words_of parts them"
    page.click("#sentence-list article:first-of-type button")
    assert page.locator("#sentence-list .maps").count() == 0


@pytest.mark.parametrize(
    ("form", "starts"), [("svg", b"<svg"), ("png", b"\x89PNG"), ("csv", b"source words,sentences")]
)
def test_figures_download(page, form, starts):
    with page.expect_download() as caught:
        page.click(f"#curve .downloads button[data-as={form}]")
    assert caught.value.suggested_filename == f"trial-curve-chart.{form}"
    assert caught.value.path().read_bytes().startswith(starts)


def test_the_keyboard_reaches_everything(page):
    reached = set()
    for _ in range(200):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("((e) => e.id || e.name || e.dataset.as || e.tagName)(document.activeElement)"))
        if "next" in reached and "SUMMARY" in reached:
            break
    assert {
        "metric",
        "testSet",
        "seed",
        "against",
        "of",
        "bucket",
        "order",
        "text",
        "svg",
        "next",
        "SUMMARY",
    } <= reached


CONTRAST = """
() => {
  const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => parse(colour).slice(0, 3).map((v) => v / 255)
    .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      const alpha = parse(colour)[3];
      if (alpha === undefined || alpha === 1) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const bad = [];
  const texts = "h1, h2 a, p, td, th, dt, dd, mark, button:not(:disabled), legend, label span, summary, code, a";
  for (const element of document.querySelectorAll(texts)) {
    if (!element.checkVisibility() || !element.textContent.trim()) continue;
    const [a, b] = [light(getComputedStyle(element).color), light(behind(element))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) bad.push(`${element.tagName} ${element.textContent.slice(0, 30)}: ${ratio.toFixed(2)}`);
  }
  return bad;
}
"""


def test_text_stands_out_from_its_ground(page):
    assert page.evaluate(CONTRAST) == [], "WCAG 2.1 AA asks for 4.5 to 1"


def test_a_phone_needs_no_sideways_scrolling(page):
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(200)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def large_comparison() -> Comparison:
    """10 systems, 3 test sets, 10,000 sentences each, outputs of 25 random words."""
    rng = np.random.default_rng(1)
    words = np.array([f"word{i}" for i in range(3000)])
    comparison = make_comparison(names=[f"system {i}" for i in range(10)], test_sets=("a", "b", "c"))
    names = comparison.systems

    def texts() -> list[str]:
        return [" ".join(row) for row in words[rng.integers(0, len(words), (10_000, 25))]]

    shown = list(range(0, 10_000, 10))
    sets = [
        SentenceSet(
            test_set=name,
            buckets=["1-8"] * 10_000,
            sources=texts(),
            references=texts(),
            outputs={system: texts() for system in names},
            scores={m: {system: rng.uniform(0, 100, 10_000).tolist() for system in names} for m in ("bleu", "chrf")},
            shown=shown,
            heat_maps={},
            pictures={},
            gold={},
        )
        for name in ("a", "b", "c")
    ]  # fmt: skip
    return replace(comparison, sentences=sets)


def test_a_large_comparison_stays_small_and_quick(browser, tmp_path):
    path = tmp_path / "index.html"
    path.write_text(html_text(large_comparison()), encoding="utf-8")
    assert path.stat().st_size < 15_000_000
    page = browser.new_page()
    page.goto(path.as_uri())
    page.wait_for_selector("body[data-ready]", timeout=15_000)
    assert "of 10,000 sentences, spread evenly" in page.locator("#sentence-rule").inner_text()
    spent = page.evaluate(
        "async () => { const start = performance.now(); document.querySelector('input[value=chrf]').click();"
        " await new Promise(requestAnimationFrame); return performance.now() - start; }"
    )
    assert spent < 2000, "milliseconds from click to picture"
    page.close()


HEBREW = "החתול, Tom, ישן."
NAMES = ("__proto__", "constructor", "שלום-2")


@pytest.fixture(scope="module")
def foreign(browser, tmp_path_factory) -> Iterator:
    """A page whose systems have names that JavaScript knows, and one from right to left, as all outputs are."""
    comparison = make_comparison(NAMES)
    [sentences] = comparison.sentences
    outputs = {name: [HEBREW] * len(texts) for name, texts in sentences.outputs.items()}
    maps = {
        name: {0: replace(picture[0], target_pieces=["▁ישן", "."])} for name, picture in sentences.heat_maps.items()
    }
    path = tmp_path_factory.mktemp("foreign") / "index.html"
    path.write_text(
        html_text(replace(comparison, sentences=[replace(sentences, outputs=outputs, heat_maps=maps)])), "utf-8"
    )
    page = browser.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(path.as_uri())
    page.wait_for_selector("body[data-ready]")
    yield page, complaints
    page.close()


def test_a_sentence_from_right_to_left_is_set_to_the_right(foreign):
    page, _ = foreign
    output = page.locator("#sentence-list dd").nth(2)
    assert output.inner_text() == HEBREW
    edges = output.evaluate(
        "cell => { const text = document.createRange(); text.selectNodeContents(cell);"
        " return [cell.getBoundingClientRect().right, text.getBoundingClientRect().right]; }"
    )
    assert edges[0] == pytest.approx(edges[1], abs=1)
    assert output.evaluate("cell => getComputedStyle(cell).direction") == "rtl"
    assert page.locator("#sentence-list dd").first.evaluate("cell => getComputedStyle(cell).direction") == "ltr"


def test_names_and_pieces_from_right_to_left_leave_the_order_of_what_is_around_them(foreign):
    page, _ = foreign
    for place in ("#score-table th", "#cost td", "#sentence-list dt"):
        assert page.locator(f"{place} bdi", has_text=NAMES[2]).first.get_attribute("dir") == "auto", place
    assert f"\u2068{NAMES[2]}\u2069 and" in page.locator(".findings").inner_text()
    assert f"\u2068{NAMES[2]}\u2069" in page.locator("#curve-chart .legendtext").all_text_contents()
    page.click("#sentence-list article:first-of-type button")
    page.wait_for_selector("#map-1-2 .ytick")
    assert page.locator("#map-1-2 .ytick").first.text_content() == "\u2068ישן.\u2069"


def test_a_system_may_have_a_name_that_javascript_knows(foreign):
    page, complaints = foreign
    legend = page.locator("#curve-chart .legendtext").all_text_contents()
    assert legend[:2] == ["__proto__", "constructor"] and not complaints
    page.locator("#curve-chart .legendtoggle").first.click()  # hides the line and the band of that system alone
    page.wait_for_function("() => document.querySelectorAll('#curve-chart .scatterlayer .trace').length === 4")
