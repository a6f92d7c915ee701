"""report.html: whole, self-contained, and as a browser sees it."""

import html.parser
import json
import re
import shutil

import pytest

from hrnn import claims, verify
from hrnn.study import writing

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)


@pytest.fixture(scope="module")
def folder(quick_study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    writing.write(quick_study, folder, figures=["1", "6", "9"])
    return folder


def test_the_page_is_self_contained(folder):
    """No address but data: and anchors that exist; every tag is closed."""
    text = (folder / "report.html").read_text()
    addresses = re.findall(r"(?:src|href)='([^']*)'", text)
    anchors = {address[1:] for address in addresses if address.startswith("#")}
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert (
        anchors <= set(re.findall(r"id='([^']*)'", text))
        and {"claims", "figure-9", "provenance"} <= anchors
    )
    assert "http" not in re.sub(r"data:[^']*", "", text)

    class Tags(html.parser.HTMLParser):
        open = []

        def handle_starttag(self, tag, attributes):
            if tag not in ("meta", "link", "img"):
                self.open.append(tag)

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

    parser = Tags()
    parser.feed(text)
    assert parser.open == []


def test_the_page_holds_claims_figures_sources_numbers_and_provenance(folder):
    text = (folder / "report.html").read_text()
    for claim in claims.CLAIMS:
        assert claim.text.replace("'", "&#x27;").replace(">", "&gt;") in text, claim.text
    assert (
        text.count("<figure ") == text.count("Source data</a>") == 3
        and "network.variance_pc12" in text
        and "sha256" not in text
    )
    assert text.count("of 2 networks") == len(claims.CLAIMS)
    assert "in sessions of its own" in text and "not paired" in text, "what the intervals mean"
    assert "networks before training" in text and text.count("(0 of 1)") > len(claims.CLAIMS), (
        "controls"
    )


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser, folder):
    errors = []
    opened = browser.new_page()
    opened.on(
        "console",
        lambda message: (
            errors.append(message.text) if message.type in ("error", "warning") else None
        ),
    )
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on(
        "request",
        lambda request: (
            errors.append(request.url) if not request.url.startswith(("file:", "data:")) else None
        ),
    )
    opened.goto((folder / "report.html").as_uri())
    yield opened
    opened.close()
    assert errors == []


@pytest.mark.browser
def test_all_images_are_shown(page):
    sizes = page.eval_on_selector_all(
        "img",
        "images => images.map(i => [i.complete, i.naturalWidth, i.getBoundingClientRect().width])",
    )
    assert len(sizes) == 3 and all(
        complete and natural > 100 and shown > 100 for complete, natural, shown in sizes
    )


@pytest.mark.browser
def test_a_phone_scrolls_tables_and_not_the_page(page):
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.eval_on_selector(".table", "t => t.scrollWidth > t.clientWidth")
    assert page.eval_on_selector("body", "b => parseFloat(getComputedStyle(b).fontSize)") >= 16


@pytest.mark.browser
def test_the_claims_are_reached_and_read_by_keyboard(page):
    at = "document.activeElement.closest('tr') && document.activeElement.closest('tr').rowIndex"
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate(at):
            break
    assert page.evaluate(at) == 1
    for key, row in (
        ("ArrowDown", 2),
        ("ArrowDown", 3),
        ("ArrowUp", 2),
        ("End", len(claims.CLAIMS)),
        ("ArrowDown", len(claims.CLAIMS)),
        ("Home", 1),
    ):
        page.keyboard.press(key)
        assert page.evaluate(at) == row, key
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "A" or page.evaluate(at) != 1


@pytest.mark.browser
def test_source_data_is_downloaded_whole(page, folder, tmp_path):
    with page.expect_download() as waiting:
        page.click("#figure-9 a.download")
    waiting.value.save_as(tmp_path / "x.csv")
    assert waiting.value.suggested_filename == "figure_9.csv"
    assert (tmp_path / "x.csv").read_bytes() == (folder / "figure_9.csv").read_bytes()


@pytest.mark.browser
def test_the_page_prints(page, tmp_path):
    page.pdf(path=tmp_path / "x.pdf")
    assert (tmp_path / "x.pdf").read_bytes().startswith(b"%PDF") and page.evaluate(
        "matchMedia('print').matches"
    ) is False
    page.emulate_media(media="print")
    assert page.eval_on_selector("nav", "n => getComputedStyle(n).display") == "none"


def test_figures_of_an_earlier_call_stay_on_the_page_and_in_the_manifest(
    quick_study, folder, tmp_path
):
    again = shutil.copytree(folder, tmp_path / "again")
    before = (again / "figure_1.svg").read_bytes()
    writing.write(quick_study, again, figures=["6"])
    text = (again / "report.html").read_text()
    found = json.loads((again / "manifest.json").read_text())
    assert re.findall(r"<figure id='figure-(\w+)'", text) == ["1", "6", "9"]
    assert {
        f"figure_{name}.{kind}" for name in "169" for kind in ("pdf", "png", "svg", "csv")
    } <= set(found["sha256"])
    assert (again / "figure_1.svg").read_bytes() == before and verify(
        again, n_networks=0, progress=False
    ).same.all()


def test_figures_of_other_networks_do_not_stay(quick_study, one_network, folder, tmp_path):
    """They would show what the page's numbers are not of.

    A file that was changed meanwhile is still found out.
    """
    again = shutil.copytree(folder, tmp_path / "again")
    (again / "figure_9.csv").write_text("changed")
    writing.write(quick_study, again, figures=["6"])
    checks = verify(again, n_networks=0, progress=False)
    assert checks[~checks.same].name.tolist() == ["figure_9.csv"]
    with pytest.raises(FileExistsError, match="holds the report of other networks"):
        writing.write(one_network, again, figures=["6"])
    one = tmp_path / "one"
    writing.write(one_network, one, figures=["1"])
    writing.write(quick_study, one, figures=["6"])
    assert re.findall(r"<figure id='figure-(\w+)'", (one / "report.html").read_text()) == ["6"]
