"use strict";

const themeButton = document.getElementById("theme");
const nameTheme = (name) => { themeButton.querySelector("span").textContent = name; };
nameTheme(theme.apply());
themeButton.hidden = false;
themeButton.addEventListener("click", () => nameTheme(theme.next()));

// A link into a folded part unfolds it; so does printing.
const unfold = (element) => {
  for (let around = element; around; around = around.parentElement) if (around.tagName === "DETAILS") around.open = true;
};
const follow = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  unfold(target);
  target.scrollIntoView();
};
addEventListener("hashchange", follow);
if (location.hash) follow();
addEventListener("beforeprint", () => {
  for (const folded of document.querySelectorAll("details:not(.contents)")) folded.open = true;
});

// Tables: every heading sorts, columns that ask for it filter.
const collator = new Intl.Collator("en", { numeric: true });
for (const section of document.querySelectorAll("section.table")) {
  const table = section.querySelector("table");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
  if (rows.length > 1) {
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      head.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => sort(head, column));
    });
  }

  const key = (row, column) => row.cells[column].dataset.value;
  function sort(head, column) {
    const text = head.dataset.kind === "text";
    // Numbers begin with the highest, words with the first.
    const first = text ? "ascending" : "descending";
    const other = text ? "descending" : "ascending";
    const direction = head.getAttribute("aria-sort") === first ? other : first;
    for (const one of heads) if (one.hasAttribute("aria-sort")) one.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", direction);
    const sign = direction === "ascending" ? 1 : -1;
    const sorted = [...rows].sort((a, b) => {
      if (text) return sign * collator.compare(a.cells[column].textContent, b.cells[column].textContent);
      const [x, y] = [key(a, column), key(b, column)];
      // What is undefined stays last whichever way.
      if (x === "" || y === "") return (x === "") - (y === "");
      return sign * (Number(x) - Number(y));
    });
    body.append(...sorted);
    table.dataset.sorted = "";
  }

  const filters = section.querySelector(".filters");
  if (!filters) continue;
  filters.hidden = false;
  const search = filters.querySelector("[data-search]");
  const selects = [...filters.querySelectorAll("select")];
  const status = filters.querySelector(".count");
  let words; // made when the first word is typed: long tables would delay the page
  for (const select of selects) {
    const column = Number(select.dataset.column);
    const values = new Set(rows.map((row) => row.cells[column].firstChild?.textContent ?? ""));
    for (const value of [...values].sort(collator.compare)) select.append(new Option(value, value));
  }
  const apply = () => {
    const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (wanted.length) words ??= rows.map((row) => row.textContent.toLowerCase());
    let shown = 0;
    rows.forEach((row, index) => {
      const fits = wanted.every((word) => words[index].includes(word)) && selects.every((select) => {
        const cell = row.cells[Number(select.dataset.column)];
        return !select.value || (cell.firstChild?.textContent ?? "") === select.value;
      });
      row.hidden = !fits;
      shown += fits;
    });
    const all = `${rows.length} ${rows.length === 1 ? "row" : "rows"}`;
    status.textContent = shown === rows.length ? all : `${shown} of ${all}`;
  };
  let waiting;
  search.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(apply, 120); });
  for (const select of selects) select.addEventListener("change", apply);
  apply();
}

// Heads of rows stay in view: each begins where the ones before it end. Whatever is cut says so.
const hints = { columns: "Scroll sideways for more columns.", rows: "Scroll down for more rows.", all: "Scroll sideways for more columns, and down for more rows.", picture: "Scroll sideways, or press the figure to see it whole.", lines: "Scroll for more lines." };
const measure = (scroll) => {
  const frame = scroll.parentElement;
  const table = scroll.querySelector(":scope > table");
  const across = scroll.scrollWidth > scroll.clientWidth + 1;
  const down = scroll.scrollHeight > scroll.clientHeight + 1 && getComputedStyle(scroll).maxHeight !== "none";
  if (table) {
    frame.toggleAttribute("data-fits", !across && !down);
    const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells].slice(0, Number(table.dataset.heads));
    let left = 0;
    heads.forEach((head, index) => {
      table.style.setProperty(`--h${index}`, `${left}px`);
      left += head.offsetWidth;
    });
    table.toggleAttribute("data-stuck", left < 0.7 * scroll.clientWidth);
  }
  const kind = scroll.matches(".plain") ? "picture" : !table ? "lines" : across && down ? "all" : across ? "columns" : "rows";
  const hint = frame.nextElementSibling;
  hint.hidden = !(across || down);
  hint.textContent = hint.hidden ? "" : hints[kind];
  const more = () => {
    frame.dataset.cut = scroll.scrollLeft + scroll.clientWidth < scroll.scrollWidth - 1 ? "right" : "";
  };
  scroll.onscroll = more;
  more();
};
const sizes = new ResizeObserver((entries) => { for (const entry of entries) measure(entry.target); });
for (const scroll of document.querySelectorAll(".frame > .scroll")) sizes.observe(scroll);

// Figures and panels open large. The dialog gives the focus back when it closes.
const viewer = document.getElementById("viewer");
const viewerTitle = document.getElementById("viewer-title");
const viewerBody = document.getElementById("viewer-body");
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-dialog]");
  if (opener) {
    const single = opener.dataset.dialog === "figure";
    viewerBody.className = single ? "single" : "";
    viewerBody.replaceChildren(...[...opener.querySelectorAll("img")].map((image) => {
      const figure = document.createElement("figure");
      const copy = image.cloneNode();
      figure.append(copy);
      if (!single) {
        const caption = document.createElement("figcaption");
        caption.textContent = image.alt;
        figure.append(caption);
      }
      return figure;
    }));
    if (single) {
      const caption = opener.closest("figure").querySelector("figcaption");
      viewerTitle.textContent = caption.querySelector("strong").textContent;
      const words = document.createElement("p");
      words.textContent = caption.lastElementChild.textContent.trim();
      viewerBody.append(words);
    } else {
      viewerTitle.textContent = opener.querySelector(".what").textContent.replace(/\s+/g, " ").trim();
    }
    viewer.showModal();
  } else if (event.target === viewer) {
    viewer.close();
  }
});
