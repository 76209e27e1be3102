"use strict";

// Theme: follows the system until someone chooses. A page opened from a file may not be allowed to remember.
(() => {
  const button = document.getElementById("theme");
  const order = ["system", "light", "dark"];
  const memory = {
    get: () => { try { return localStorage.getItem("adaclip-theme"); } catch { return null; } },
    set: (value) => { try { localStorage.setItem("adaclip-theme", value); } catch { /* not allowed here */ } },
  };
  const show = (theme) => {
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.querySelector("span").textContent = theme;
  };
  let theme = order.includes(memory.get()) ? memory.get() : "system";
  show(theme);
  button.hidden = false;
  button.addEventListener("click", () => {
    theme = order[(order.indexOf(theme) + 1) % order.length];
    show(theme);
    memory.set(theme);
  });
})();

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
  }

  const filters = section.querySelector(".filters");
  if (!filters) continue;
  filters.hidden = false;
  const search = filters.querySelector("[data-search]");
  const selects = [...filters.querySelectorAll("select")];
  const status = filters.querySelector(".count");
  const words = rows.map((row) => row.textContent.toLowerCase());
  for (const select of selects) {
    const column = Number(select.dataset.column);
    const values = new Set(rows.map((row) => row.cells[column].firstChild?.textContent ?? ""));
    for (const value of [...values].sort(collator.compare)) select.append(new Option(value, value));
  }
  const apply = () => {
    const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row, index) => {
      const fits = wanted.every((word) => words[index].includes(word)) && selects.every((select) => {
        const cell = row.cells[Number(select.dataset.column)];
        return !select.value || (cell.firstChild?.textContent ?? "") === select.value;
      });
      row.hidden = !fits;
      shown += fits;
    });
    status.textContent = shown === rows.length ? `${rows.length} rows` : `${shown} of ${rows.length} rows`;
  };
  let waiting;
  search.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(apply, 120); });
  for (const select of selects) select.addEventListener("change", apply);
  apply();
}

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
      copy.loading = "eager";
      figure.append(copy);
      if (!single) {
        const caption = document.createElement("figcaption");
        caption.textContent = image.alt;
        figure.append(caption);
      }
      return figure;
    }));
    if (single) {
      const caption = opener.parentElement.querySelector("figcaption");
      viewerTitle.textContent = caption.querySelector("strong").textContent;
      const words = document.createElement("p");
      words.textContent = caption.lastChild.textContent.trim();
      viewerBody.append(words);
    } else {
      viewerTitle.textContent = opener.querySelector(".what").textContent.replace(/\s+/g, " ").trim();
    }
    viewer.showModal();
  } else if (event.target === viewer) {
    viewer.close();
  }
});
