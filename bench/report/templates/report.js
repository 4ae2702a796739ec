"use strict";

// Sorting, filtering and the dialogs of rows. All text reaches the page as text, never as markup.

const data = JSON.parse(document.getElementById("report-data").textContent);
const dialog = document.querySelector("dialog");

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// ---- Sorting: ascending, descending, and back to the order of the report.

const NEXT = {none: "ascending", ascending: "descending", descending: "none"};

function sortKey(row, column) {
  const cell = row.cells[column];
  if ("value" in cell.dataset) return Number(cell.dataset.value);
  return cell.classList.contains("numeric") ? null : cell.textContent;
}

function compare(a, b) {
  return typeof a === "number" ? a - b : a.localeCompare(b, "en", {numeric: true});
}

function sortRows(table, original, heading, column) {
  const order = NEXT[heading.getAttribute("aria-sort")];
  for (const other of table.querySelectorAll("th[aria-sort]")) other.setAttribute("aria-sort", "none");
  heading.setAttribute("aria-sort", order);
  const keyed = original.map((row) => [sortKey(row, column), row]);
  const [present, absent] = [keyed.filter(([key]) => key !== null), keyed.filter(([key]) => key === null)];
  const sign = order === "descending" ? -1 : 1;
  if (order !== "none") present.sort(([a], [b]) => sign * compare(a, b));
  const sorted = order === "none" ? original : [...present, ...absent].map(([, row]) => row);
  table.tBodies[0].append(...sorted);
  table.classList.toggle("sorted", order !== "none");
}

function columnsOf(table) {
  // Headings that stand over one column, in the order of the columns.
  const [first, second] = table.tHead.rows;
  const below = second ? [...second.cells] : [];
  return [...first.cells].flatMap((cell) => cell.colSpan > 1 || cell.classList.contains("group") ?
    below.splice(0, cell.colSpan) : [cell]);
}

function makeSortable(table) {
  const original = [...table.tBodies[0].rows];
  columnsOf(table).forEach((heading, column) => {
    if (!heading.classList.contains("sortable")) return;
    const button = element("button", {type: "button"}, heading.firstChild);
    heading.prepend(button);
    heading.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => sortRows(table, original, heading, column));
  });
}

// ---- Filters: all words somewhere in the row, and the chosen value of each axis.

function makeFilterable(form, table) {
  const words = form.querySelector("input");
  const choices = [...form.querySelectorAll("select")];
  const rows = [...table.tBodies[0].rows];
  const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));

  function fits(row) {
    return words.value.toLowerCase().split(/\s+/).every((word) => texts.get(row).includes(word)) &&
      choices.every(({value, dataset}) => !value || row.cells[dataset.column].textContent === value);
  }

  function filter() {
    for (const row of rows) row.hidden = !fits(row);
    const shown = rows.filter((row) => !row.hidden).length;
    form.querySelector("output").value = shown < rows.length ? `${shown} of ${rows.length} rows` : "";
    table.classList.toggle("filtered", shown < rows.length);
  }

  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
}

// ---- The grid: one cell can be reached by Tab, the others from it by arrow keys.

const MOVES = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1]};

function makeGrid(table) {
  const body = table.tBodies[0];
  const rows = () => [...body.rows].filter((row) => row.dataset.details && !row.hidden);
  if (!rows().length) return;
  table.setAttribute("role", "grid");
  for (const cell of body.querySelectorAll("tr[data-details] td")) cell.tabIndex = -1;
  rows()[0].cells[0].tabIndex = 0;

  function moveTo(cell) {
    for (const other of body.querySelectorAll("td[tabindex='0']")) other.tabIndex = -1;
    cell.tabIndex = 0;
    cell.focus();
  }

  body.addEventListener("click", (event) => {
    const cell = event.target.closest("tr[data-details] td");
    if (cell && !event.target.closest("a")) {
      moveTo(cell);
      openDetails(cell.parentElement.dataset.details);
    }
  });
  body.addEventListener("keydown", (event) => {
    const cell = event.target.closest("td");
    if (!cell || event.target !== cell) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      openDetails(cell.parentElement.dataset.details);
    } else if (event.key in MOVES) {
      event.preventDefault();
      const [down, right] = MOVES[event.key];
      const line = rows()[rows().indexOf(cell.parentElement) + down];
      const next = line && line.cells[cell.cellIndex + right];
      if (next) moveTo(next);
    }
  });
}

// ---- Dialogs.

function readingsTable({seeds, readings}) {
  const compared = readings.some((reading) => reading.published);
  const heads = ["", ...seeds.map(({seed}) => `seed ${seed}`), "mean", `${data.level} interval`,
    ...(compared ? ["paper", "difference", "agreement"] : [])];
  const lines = readings.map((reading) => [reading.metric, ...reading.values, reading.mean, reading.interval,
    ...(compared ? [reading.published, reading.difference, reading.agreement] : [])]);
  return element("table", {},
    element("thead", {}, element("tr", {}, ...heads.map((text) => element("th", {scope: "col"}, text)))),
    element("tbody", {}, ...lines.map(([name, ...values]) => element("tr", {},
      element("th", {scope: "row"}, name), ...values.map((text) => element("td", {}, text || "–"))))));
}

function copyOf(id) {
  const copy = document.getElementById(id).cloneNode(true);
  copy.removeAttribute("id");
  return copy;
}

function logTail(training) {
  const lines = data.logs[training];
  return lines ? [element("h4", {}, `End of the log of training ${training}`),
    element("pre", {className: "log"}, lines.join("\n"))] : [];
}

function seedParts({seed, training, record, reason}) {
  const parts = record ? [copyOf(`record-${record}`)] :
    [element("p", {className: "reason"}, `Seed ${seed}, training ${training}: ${reason}`)];
  return [...parts, ...logTail(training)];
}

function sharedParts(seeds) {
  const links = seeds.filter(({record}) => record).flatMap(({record}) =>
    [...document.getElementById(`record-${record}`).querySelectorAll(".origins a")]);
  const ids = new Set(links.map((link) => link.getAttribute("href").slice(1)));
  return [...ids].map(copyOf);
}

function openDetails(key) {
  const row = data.rows[key];
  const close = element("button", {type: "button", className: "close", autofocus: true}, "Close");
  close.addEventListener("click", () => dialog.close());
  dialog.replaceChildren(
    element("header", {}, element("h2", {id: "dialog-title"}, row.title), close),
    ...(data.mark ? [element("p", {className: "mark"}, data.mark)] : []),
    element("div", {className: "readings"}, readingsTable(row)),
    ...row.seeds.flatMap(seedParts),
    ...sharedParts(row.seeds),
  );
  dialog.showModal();
  dialog.scrollTop = 0;
}

dialog.addEventListener("click", (event) => {
  // Only the backdrop is the dialog itself; a link leads out of it, to the page.
  if (event.target === dialog || event.target.closest("a")) dialog.close();
});

// ---- Commands can be copied.

async function copyText(source, button) {
  try {
    await navigator.clipboard.writeText(source.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(source);
    button.textContent = "Selected: press Ctrl+C";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
}

for (const command of document.querySelectorAll("pre.command")) {
  command.before(element("button", {type: "button", className: "copy"}, "Copy"));
}
document.addEventListener("click", (event) => {
  if (event.target.matches("button.copy")) copyText(event.target.nextElementSibling, event.target);
});

for (const section of document.querySelectorAll("section.table")) {
  const table = section.querySelector("table");
  makeSortable(table);
  makeFilterable(section.querySelector("form.filters"), table);
  makeGrid(table);
}
document.querySelector(".hint").hidden = false;
