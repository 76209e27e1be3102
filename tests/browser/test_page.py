"""The report in a real browser: what a reader does with it."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import HOSTILE

pytestmark = pytest.mark.browser
BOARD = "#table-leaderboard"


def column(page, table, index):
    return page.eval_on_selector_all(
        f"{table} tbody tr:not([hidden])", f"rows => rows.map(r => r.cells[{index}].textContent)"
    )


def test_sorts_a_table_by_mouse_and_by_keyboard(open_report):
    page = open_report()
    table = "#table-results"
    titles = page.eval_on_selector_all(f"{table} thead tr:last-child th", "cells => cells.map(c => c.dataset.kind)")
    index = titles.index("percent")
    head = page.locator(f"{table} thead tr:last-child th").nth(index)
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    values = page.eval_on_selector_all(f"{table} tbody tr", f"rows => rows.map(r => r.cells[{index}].dataset.value)")
    numbers = [float(value) for value in values if value]
    assert len(numbers) > 2
    assert numbers == sorted(numbers, reverse=True)
    # What is undefined stands last either way.
    assert "" not in values[: len(numbers)]
    head.get_by_role("button").press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    values = page.eval_on_selector_all(f"{table} tbody tr", f"rows => rows.map(r => r.cells[{index}].dataset.value)")
    assert [float(value) for value in values[: len(numbers)]] == sorted(numbers)
    others = page.eval_on_selector_all(f"{table} th[aria-sort]", "cells => cells.map(c => c.ariaSort)")
    assert sum(sort != "none" for sort in others) == 1


def test_filters_the_leaderboard(open_report):
    page = open_report()
    everything = page.locator(f"{BOARD} tbody tr").count()
    assert everything > 100
    page.select_option(f"{BOARD} .filters select >> nth=0", label="MPDD")
    shown = column(page, BOARD, 0)
    assert 0 < len(shown) < everything
    assert set(shown) == {"MPDD"}
    page.fill(f"{BOARD} [data-search]", "adaclip")
    # Typing is answered with a delay.
    expect(page.locator(f"{BOARD} .count")).not_to_have_text(f"{len(shown)} of {everything} rows")
    rows = page.eval_on_selector_all(f"{BOARD} tbody tr:not([hidden])", "rows => rows.map(r => r.textContent)")
    assert rows
    assert all("adaclip" in row.lower() for row in rows)
    assert page.inner_text(f"{BOARD} .count") == f"{len(rows)} of {everything} rows"


def test_own_rows_stand_out_on_the_leaderboard(open_report):
    page = open_report()
    ours = page.eval_on_selector_all(f"{BOARD} tr.ours", "rows => rows.map(r => r.textContent)")
    assert any("First" in row for row in ours)


def test_opens_a_panel_by_keyboard_and_gives_the_focus_back(open_report):
    page = open_report()
    panel = page.locator("button.panel").first
    panel.focus()
    page.keyboard.press("Enter")
    dialog = page.locator("#viewer")
    assert dialog.is_visible()
    assert dialog.locator("img").count() == panel.locator("img").count() > 0
    assert "score" in page.inner_text("#viewer-title")
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert panel.evaluate("button => button === document.activeElement")


def test_a_figure_opens_large_with_its_caption(open_report):
    page = open_report()
    page.locator("button.enlarge").first.click()
    assert page.inner_text("#viewer-title")
    assert page.locator("#viewer-body p").inner_text()
    page.get_by_role("button", name="Close").click()
    assert not page.locator("#viewer").is_visible()


@pytest.mark.parametrize("width", [1280, 400])
def test_every_picture_shows_and_nothing_is_wider_than_the_window(open_report, width):
    page = open_report(width)
    page.eval_on_selector_all("details", "all => all.forEach(d => { d.open = true; })")
    images = page.locator("main img")
    assert images.count() > 20
    for index in range(images.count()):
        images.nth(index).scroll_into_view_if_needed()
    # Resolves when a picture is decoded; the page's own policy lets no polling code in.
    page.eval_on_selector_all("main img", "all => Promise.allSettled(all.map(i => i.decode()))")
    broken = page.eval_on_selector_all("main img", "all => all.filter(i => !i.naturalWidth).map(i => i.alt)")
    assert broken == []
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_a_picture_of_the_whole_page_shows_everything(open_report):
    page = open_report()
    # Nothing waits for a window to come near, and nothing is folded but lists of links.
    assert page.eval_on_selector_all(
        "main img", "all => all.length > 20 && all.every(i => i.complete && i.naturalWidth)"
    )
    assert page.locator("main img[loading=lazy]").count() == 0
    folded = page.eval_on_selector_all("details:not([open])", "all => all.map(d => d.className)")
    assert set(folded) <= {"contents"}
    # Rows are cut only of a long table, which says so.
    cut = page.eval_on_selector_all(
        "section.table",
        "all => all.filter(s => s.querySelector('.scroll').clientHeight + 2 < "
        "s.querySelector('table').offsetHeight).map(s => s.id)",
    )
    assert cut == [BOARD[1:]]
    page.locator(BOARD).scroll_into_view_if_needed()
    expect(page.locator(f"{BOARD} .more")).to_contain_text("down for more rows")


def test_a_link_to_a_folded_data_set_unfolds_it(open_report):
    page = open_report()
    page.locator("#set-mpdd summary").click()
    assert not page.locator("#set-mpdd dl").is_visible()
    page.evaluate("location.hash = '#set-mpdd'")
    expect(page.locator("#set-mpdd dl")).to_be_visible()


def test_paper_has_every_row_and_every_column(open_report):
    # A4 across, less its margins, at 96 pixels to an inch.
    page = open_report(width=1032)
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    assert not page.locator(".filters").first.is_visible()
    wide = page.eval_on_selector_all(
        "main table, main pre, main img",
        "all => all.filter(e => e.getBoundingClientRect().right > 1033).map(e => e.outerHTML.slice(0, 90))",
    )
    assert wide == []
    hidden = page.eval_on_selector_all(
        "section.table",
        "all => all.filter(s => { const [f, t] = ['.scroll', 'table'].map(what => s.querySelector(what));"
        " return !t.offsetHeight || getComputedStyle(f).overflow !== 'visible'; }).map(s => s.id)",
    )
    assert hidden == []
    heads = page.eval_on_selector_all("main .h1", "all => all.every(h => getComputedStyle(h).display !== 'none')")
    assert heads


def test_numbers_keep_their_method_in_view_on_a_phone(open_report):
    page = open_report(400)
    for table, method in (("#table-table_1_industrial", "First"), (BOARD, "AdaCLIP"), ("#table-results", "First")):
        page.locator(table).scroll_into_view_if_needed()
        scroll = page.locator(f"{table} .scroll")
        expect(page.locator(f"{table} .more")).to_contain_text("Scroll sideways for more columns")
        assert scroll.evaluate("s => { s.scrollLeft = 9999; return s.scrollLeft; }") > 0, table
        heads = page.eval_on_selector_all(
            f"{table} tbody th",
            "all => all.map(h => [h.textContent + ' ' + getComputedStyle(h, '::after').content, "
            "h.getBoundingClientRect().left, h.getBoundingClientRect().right])",
        )
        assert any(method in text for text, _, _ in heads), table
        assert all(0 <= left < right < 300 for _, left, right in heads), table
        # The last number of each row stands beside its head, not below it.
        last = page.eval_on_selector_all(
            f"{table} tbody tr",
            "rows => rows.map(r => r.lastElementChild.getBoundingClientRect().right)",
        )
        assert all(right <= 401 for right in last), table


def test_all_heads_of_a_row_stay_in_view_on_a_desk(open_report):
    page = open_report(1000)
    table = "#table-categories"
    page.locator(table).scroll_into_view_if_needed()
    expect(page.locator(f"{table} .more")).to_be_visible()
    places = "all => all.map(h => Math.round(h.getBoundingClientRect().left))"
    before = page.eval_on_selector_all(f"{table} tbody tr:first-child > :nth-child(-n+3)", places)
    assert page.locator(f"{table} .scroll").evaluate("s => { s.scrollLeft = 9999; return s.scrollLeft; }") > 0
    assert page.eval_on_selector_all(f"{table} tbody tr:first-child > :nth-child(-n+3)", places) == before
    assert before == sorted(before)


@pytest.mark.parametrize(("width", "least"), [(1280, 11), (400, 8.9)])
def test_letters_of_figures_are_large_enough_to_read(open_report, width, least):
    page = open_report(width)
    # Figures are drawn at 200 dots to an inch, with no letter below 7 points: a 72nd of an inch each.
    sizes = page.eval_on_selector_all(
        "#measured figure img",
        "all => all.map(i => 7 / 72 * 200 * i.clientWidth / i.getAttribute('width'))",
    )
    assert len(sizes) > 5
    assert min(sizes) >= least


def test_every_table_links_its_file_and_names_its_runs(open_report, report):
    page = open_report()
    tables = page.eval_on_selector_all(
        "section.table",
        "all => all.map(s => [s.id, s.querySelector('.files a').getAttribute('href'), "
        "s.querySelector('.files').textContent])",
    )
    assert len(tables) > 6
    for name, address, words in tables:
        assert (report.parent / address).is_file(), name
        # What is known of data and of methods comes from no run.
        assert name in ("table-data", "table-fairness") or "From 2 runs: first, plain." in words, name


def test_every_link_within_the_page_leads_somewhere(open_report):
    page = open_report()
    lost = page.eval_on_selector_all(
        "a[href^='#']", "links => links.map(l => l.hash.slice(1)).filter(id => !document.getElementById(id))"
    )
    assert lost == []


def test_data_are_text_and_never_markup(open_report):
    page = open_report()
    assert page.evaluate("window.hacked") is None
    assert page.title() == "A page & its <tests>"
    assert page.get_by_text(HOSTILE).count() > 0


def test_theme_can_be_chosen(open_report):
    page = open_report(scheme="light")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    button = page.locator("#theme")
    while "dark" not in button.inner_text():
        button.click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_nothing_serious_is_in_the_way_of_assistive_technology(open_report, axe, scheme, width):
    page = open_report(width, scheme)
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    serious = [
        f"{problem['id']}: {node['target']} {node['failureSummary']}"
        for problem in found["violations"]
        if problem["impact"] in ("serious", "critical")
        for node in problem["nodes"][:3]
    ]
    assert serious == []
