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


def test_pictures_far_from_the_window_wait_in_their_places(open_report):
    page = open_report()
    pictures = "#examples img, .figures img"
    assert page.eval_on_selector_all(pictures, "all => all.some(i => !i.complete)")
    places = page.eval_on_selector_all(pictures, "all => all.map(i => i.offsetHeight)")
    assert min(places) > 0
    page.eval_on_selector_all(pictures, "all => Promise.all(all.map(i => (i.loading = 'eager', i.decode())))")
    assert page.eval_on_selector_all(pictures, "all => all.every(i => i.naturalWidth)")
    assert page.eval_on_selector_all(pictures, "all => all.map(i => i.offsetHeight)") == places


def test_a_link_to_a_folded_data_set_unfolds_it(open_report):
    page = open_report()
    assert not page.locator("#set-mpdd dl").is_visible()
    page.evaluate("location.hash = '#set-mpdd'")
    expect(page.locator("#set-mpdd dl")).to_be_visible()


def test_a_long_table_is_left_out_of_print(open_report):
    page = open_report()
    page.emulate_media(media="print")
    assert not page.locator(f"{BOARD} .scroll").is_visible()
    assert page.locator("#table-results .scroll").is_visible()
    assert not page.locator("nav").is_visible()


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
