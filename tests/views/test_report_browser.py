"""The report in a real browser: headless Chromium, driven by Playwright, which downloads none of its own.

Debian: apt-get install chromium. Elsewhere: CHROMIUM=/path/to/chrome. ``-s`` prints how long 2,000 iterations take.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from gitexp.ledger.iterations import IterationTuple
from gitexp.ledger.ledger import Ledger
from gitexp.model import Status
from gitexp.views import report
from gitexp.views.report_details import Details
from tests.helpers.browser import browser, chromium
from tests.helpers.ledgers import HOSTILE, details, ledger

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="no Chromium here: apt-get install chromium, or CHROMIUM=/its/path"),
]
COUNT = 40
WIDE, PHONE = {"width": 1200, "height": 900}, {"width": 390, "height": 844}
READY = 60_000  # milliseconds: only a page that fails takes so long

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def running() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    made, words = ledger(COUNT), " ".join(HOSTILE)
    texts = {
        "plain": report.html(made, details(made)),
        "hostile": report.html(ledger(9, words), details(ledger(9, words), words)),
        "watched": report.html(made, details(made), reload=1),
        "one": report.html(ledger(1), details(ledger(1))),
        "forgetful": report.html(forgetful(made), Details({}, {}, {})),
    }
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text)
    return {name: folder / f"{name}.html" for name in texts}


def forgetful(made: Ledger) -> Ledger:
    """One whose runs did not say how much memory they took, but for a DISCARD."""
    last = next(i for i in reversed(made.iterations) if i.status is Status.DISCARD)
    forgot = (
        i if i is last else replace(i, measurement=replace(i.measurement, memory_mb=None)) for i in made.iterations
    )
    return replace(made, iterations=IterationTuple(tuple(forgot)))


@pytest.fixture
def opened(running: Browser, files: dict[str, Path]) -> Iterator[Open]:
    """Open a page. Nothing in it may fail, complain, ask for anything, or pop up."""
    wrong: list[str] = []
    pages: list[Page] = []

    def watch(found: Page) -> None:
        found.on("console", lambda message: wrong.append(f"console: {message.text}"))
        found.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        found.on("dialog", lambda dialog: (wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        found.on("request", lambda r: r.url.startswith(("file:", "data:")) or wrong.append(f"request: {r.url}"))

    def visit(name: str, viewport: dict[str, int] = WIDE, state: str = "", **how: object) -> Page:
        found = running.new_page(viewport=viewport, **how)  # type: ignore[arg-type]
        pages.append(found)
        watch(found)
        found.goto(files[name].as_uri() + state)
        ready(found)
        return found

    yield visit
    for found in pages:
        found.context.close()
    assert wrong == []


def ready(found: Page) -> None:
    found.wait_for_selector("[data-ready]", state="attached", timeout=READY)


def rows(found: Page) -> Locator:
    return found.locator("#table tbody tr:visible")


def ids(found: Page) -> list[str]:
    return rows(found).locator("th").all_inner_texts()


def test_it_loads_and_draws(opened: Open) -> None:
    found = opened("plain")
    assert found.title() == "learning rate: gitexp report"
    for chart in ("best", "curves", "memory", "seconds"):
        assert found.locator(f"#{chart} canvas").first.is_visible(), chart
    assert rows(found).count() == COUNT


def test_an_experiment_that_has_only_begun(opened: Open) -> None:
    found = opened("one")
    assert ids(found) == ["exp000"]
    assert found.get_by_text("nothing yet").count() == 3


def test_an_experiment_of_which_little_is_known(opened: Open) -> None:
    found = opened("forgetful")
    assert found.locator("#memory canvas").first.is_visible()
    expect(found.locator("#curves")).to_have_text("No run's loss is known here.")
    found.locator("tr[data-id=exp001]").click()
    expect(found.get_by_role("dialog")).to_contain_text("Not in this file: gitexp show exp001")


def point_at(found: Page, identity: str) -> None:
    """The mouse near where the chart of the running best has the iteration."""
    found.locator("#best").scroll_into_view_if_needed()
    where = found.evaluate(
        """id => {
            const point = byId.get(id), holder = document.getElementById("best");
            const { frame } = Object.values(Bokeh.index).find((view) => holder.contains(view.el));
            const box = holder.getBoundingClientRect();
            return [box.left + frame.x_scale.compute(point.x), box.top + frame.y_scale.compute(point.y)];
        }""",
        identity,
    )
    found.mouse.move(where[0] + 2, where[1] + 2)


def test_the_mouse_on_a_point_shows_what_it_was_and_a_click_opens_it(opened: Open) -> None:
    found = opened("plain")
    point_at(found, "exp000")
    expect(found.locator("#tip")).to_contain_text("exp000 KEEP 2.5")
    expect(found.locator("#tip")).to_contain_text("learning rate 0")
    found.mouse.move(5, 5)
    expect(found.locator("#tip")).to_be_hidden()
    point_at(found, "exp000")
    found.mouse.down()
    found.mouse.up()
    expect(found.get_by_role("dialog")).to_contain_text("exp000 learning rate 0")


def test_a_row_opens_the_details(opened: Open) -> None:
    found = opened("plain")
    found.locator("tr[data-id=exp001]").click()
    dialog = found.get_by_role("dialog", name="exp001 learning rate 1")
    expect(dialog).to_be_visible()
    for said in (
        "because of learning rate",
        "-LR = 0.1 # val_bpb: 2.0",
        "the end",
        "gitexp show exp001",
        "num_steps = 953",
    ):
        expect(dialog).to_contain_text(said)
    dialog.get_by_role("button", name="Previous row").click()
    expect(found.get_by_role("dialog", name="exp002 learning rate 2")).to_be_visible()
    found.keyboard.press("Escape")
    expect(found.get_by_role("dialog")).to_be_hidden()


def test_a_keep_says_how_to_take_it_and_copies_the_command(opened: Open) -> None:
    found = opened("plain", permissions=["clipboard-read", "clipboard-write"])
    found.locator("tr[data-verdict=KEEP]").first.click()
    best = ledger(COUNT).incumbent
    for command in (f"gitexp pick {best.id} --onto main", f"git cherry-pick -x {best.commit[:12]}"):
        copy = found.get_by_role("button", name=f"Copy {command}")
        copy.click()
        expect(copy).to_have_text("Copied")
        assert found.evaluate("navigator.clipboard.readText()") == command


def test_filters(opened: Open) -> None:
    found = opened("plain")
    found.get_by_label("KEEP", exact=True).uncheck()
    found.get_by_label("DISCARD", exact=True).uncheck()
    assert set(rows(found).locator("td.verdict").all_inner_texts()) == {"CRASH"}
    expect(found.locator("#count")).to_have_text(f"{COUNT // 7} of {COUNT} shown")
    found.get_by_label("Text in the row").fill("RATE 13")
    assert ids(found) == ["exp013"]
    found.get_by_label("Text in the row").fill("no such thing")
    assert ids(found) == []


def test_sorts(opened: Open) -> None:
    found = opened("plain")
    assert ids(found) == [f"exp{number:03d}" for number in reversed(range(COUNT))]
    score = found.get_by_role("columnheader", name="val learning rate")
    score.get_by_role("button").click()
    assert score.get_attribute("aria-sort") == "ascending"
    scores = found.locator("#table tbody td:nth-child(3)").all_inner_texts()
    known = [float(cell) for cell in scores if cell]
    assert known == sorted(known)
    assert scores[len(known) :] == [""] * (COUNT - len(known)) != []  # what has no score stands last, either way
    score.get_by_role("button").click()
    assert score.get_attribute("aria-sort") == "descending"
    known = [float(cell) for cell in found.locator("#table tbody td:nth-child(3)").all_inner_texts() if cell]
    assert known == sorted(known, reverse=True)
    assert found.locator("[aria-sort]").count() == 1


def test_the_keyboard_is_enough(opened: Open) -> None:
    found = opened("plain")
    found.keyboard.press("Tab")
    expect(found.get_by_role("link", name="Skip to the table")).to_be_focused()
    found.keyboard.press("Enter")
    for _ in range(12):  # the filters and the heads of the table are on the way
        found.keyboard.press("Tab")
        if found.evaluate("document.activeElement.tagName") == "TR":
            break
    expect(found.locator("tr[data-id=exp039]")).to_be_focused()
    for key, identity in (("ArrowDown", "exp038"), ("End", "exp000"), ("ArrowUp", "exp001"), ("Home", "exp039")):
        found.keyboard.press(key)
        expect(found.locator(f"tr[data-id={identity}]")).to_be_focused()
    assert found.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    found.keyboard.press("Enter")
    expect(found.get_by_role("dialog", name="exp039 learning rate 39")).to_be_visible()
    assert found.evaluate("document.activeElement.closest('dialog') !== null")
    found.keyboard.press("Escape")
    expect(found.locator("tr[data-id=exp039]")).to_be_focused()


def background(found: Page) -> str:
    return str(found.evaluate("getComputedStyle(document.body).backgroundColor"))


def test_dark_and_light(opened: Open) -> None:
    light, dark = opened("plain"), opened("plain", color_scheme="dark")
    assert background(light) != background(dark)
    light.get_by_role("button", name="Dark").click()
    assert background(light) == background(dark)
    light.reload()
    ready(light)
    assert background(light) == background(dark)
    light.get_by_role("button", name="Light").click()
    assert background(light) != background(dark)


@pytest.mark.parametrize("name", ["plain", "hostile", "one"])
def test_a_phone_is_wide_enough(opened: Open, name: str) -> None:
    found = opened(name, PHONE)
    assert found.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    found.locator("#table tbody tr").first.click()
    expect(found.get_by_role("dialog")).to_be_visible()
    assert found.evaluate("document.getElementById('details').scrollWidth") <= PHONE["width"]


def test_hostile_text_is_shown_and_does_nothing(opened: Open) -> None:
    found = opened("hostile")
    assert found.locator("img, iframe, [onerror], [onmouseover], [autofocus]").count() == 0
    scripts = found.locator("script").count()
    point_at(found, "exp000")
    expect(found.locator("#tip")).to_contain_text("<script>alert('in an element')</script>")
    found.locator("tr[data-id=exp006]").click()
    dialog = found.get_by_role("dialog")
    expect(dialog).to_contain_text("</script><script>alert('after the data')</script>")
    expect(dialog.locator("pre").last).to_contain_text("javascript:alert('a link')")
    assert found.locator("script").count() == scripts
    assert found.locator("[href]").evaluate_all("all => all.map((a) => a.getAttribute('href'))") == [
        "data:,",
        "#iterations",
    ]


def test_a_script_that_got_in_would_not_run(running: Browser, files: dict[str, Path]) -> None:
    """Should an escape ever be missing: the policy stops the script, and the image does not load."""
    bad = files["plain"].with_name("bad.html")
    hole = "<script>window.broken = 1</script><img src='https://example.org/x.png' onerror='window.broken = 1'></main>"
    bad.write_text(files["plain"].read_text().replace("</main>", hole))
    found = running.new_page()
    found.goto(bad.as_uri())
    ready(found)
    assert found.evaluate("window.broken") is None
    found.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("details", ["", "#open=exp000"])
def test_axe_finds_nothing_serious(opened: Open, scheme: str, details: str) -> None:
    found = opened("plain", state=details, color_scheme=scheme)
    results = Axe().run(found, options={"resultTypes": ["violations"]}).response
    serious = [v for v in results["violations"] if v["impact"] in ("serious", "critical")]
    assert [(v["id"], [node["target"] for node in v["nodes"]][:3]) for v in serious] == []


def test_what_was_chosen_survives_a_reload(opened: Open) -> None:
    found = opened("plain")
    found.get_by_label("CRASH", exact=True).uncheck()
    found.get_by_label("Text in the row").fill("rate 1")
    found.get_by_role("columnheader", name="Difference").get_by_role("button").click()
    found.get_by_label("whole range").check()
    found.locator("#runs input:not(:checked)").first.check()
    before, chosen = ids(found), found.evaluate("chosenRuns()")
    for _ in range(2):
        found.reload()
        ready(found)
    assert ids(found) == before
    assert found.evaluate("chosenRuns()") == chosen
    expect(found.get_by_label("whole range")).to_be_checked()
    expect(found.get_by_label("CRASH", exact=True)).not_to_be_checked()


def test_a_watched_page_loads_itself_again_and_stays_where_it_was(opened: Open, files: dict[str, Path]) -> None:
    found = opened("watched")
    found.get_by_label("Text in the row").fill("rate")
    found.evaluate("scrollTo(0, 700)")
    made = ledger(COUNT + 1)
    files["watched"].write_text(report.html(made, details(made)))
    expect(found.locator(f"tr[data-id=exp{COUNT:03d}]")).to_be_attached(timeout=READY)
    ready(found)
    expect(found.get_by_label("Text in the row")).to_have_value("rate")
    assert found.evaluate("scrollY") == 700


LAID_OVER = """() => Bokeh.documents.flatMap((document) => document.roots()[0].renderers)
    .find((renderer) => renderer.glyph.type === "MultiLine").data_source.data.xs.length"""


def test_runs_can_be_laid_over_each_other(opened: Open) -> None:
    found = opened("plain")
    before = found.locator("#runs input:checked").count()  # the baseline, the incumbent, the newest
    assert before >= 2
    assert found.evaluate(LAID_OVER) == before
    found.locator("#runs input:not(:checked)").first.check()
    assert found.evaluate(LAID_OVER) == before + 1
    found.locator("#runs input:checked").first.uncheck()
    assert found.evaluate(LAID_OVER) == before


def test_on_paper_it_is_light_and_has_the_charts(opened: Open, tmp_path: Path) -> None:
    found = opened("plain", color_scheme="dark")
    found.pdf(path=tmp_path / "report.pdf", format="A4")
    assert found.locator(".chart img").count() == 4
    found.emulate_media(media="print")
    assert background(found) == "rgb(255, 255, 255)"
    assert not found.locator("#theme").is_visible()
    assert found.locator("#best img").evaluate("img => img.naturalWidth") > 500


def test_how_long_two_thousand_iterations_take(running: Browser, tmp_path: Path) -> None:
    made = ledger(2000)
    file = tmp_path / "long.html"
    file.write_text(report.html(made, details(made)))
    times = []
    for _ in range(3):
        found = running.new_page(viewport=WIDE)
        found.goto(file.as_uri(), wait_until="commit")
        ready(found)
        assert rows(found).count() == 2000
        times.append(int(found.locator("html").get_attribute("data-ready") or 0))
        found.close()
    print(f"\n2,000 iterations, {file.stat().st_size:,} bytes: drawn after {times} ms")
