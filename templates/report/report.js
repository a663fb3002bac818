"use strict";
// The table, the filter, the theme, and what survives a reload.

const root = document.documentElement;
const tbody = document.querySelector("#table tbody");
const rows = [...tbody.rows];
const heads = [...document.querySelectorAll("#table thead th")];
const verdicts = [...document.querySelectorAll("input[name=verdict]")];
const text = document.getElementById("text");
const words = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
let order = { column: 0, down: true };

function visibleRows() {
  return [...tbody.rows].filter((row) => !row.hidden);
}

function filter() {
  const wanted = new Set(verdicts.filter((box) => box.checked).map((box) => box.value));
  const sought = text.value.trim().toLowerCase();
  for (const row of rows) row.hidden = !wanted.has(row.dataset.verdict) || !words.get(row).includes(sought);
  const shown = visibleRows();
  document.getElementById("count").textContent =
    shown.length === rows.length ? "" : `${shown.length} of ${rows.length} shown`;
  reachable(shown.find((row) => row.tabIndex === 0) ?? shown[0]);
  saveState();
}

/** Of the rows, one is a stop of the tab key; from there the arrow keys go on. */
function reachable(row) {
  for (const other of rows) if (other.tabIndex === 0) other.tabIndex = -1;
  if (row) row.tabIndex = 0;
}

function sortBy(column, down) {
  order = { column, down };
  const value = (row) => {
    const cell = row.cells[column].textContent.trim();
    if (column === 0) return byId.get(row.dataset.id).x;
    if (heads[column].classList.contains("number")) return cell === "" ? null : Number(cell);
    return cell;
  };
  const keyed = rows.map((row) => [value(row), row]);
  const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b) : a - b);
  keyed.sort(([a, x], [b, y]) => {
    if (a === null || b === null) return (a === null) - (b === null); // what has no value is last, either way
    return (down ? compare(b, a) : compare(a, b)) || byId.get(y.dataset.id).x - byId.get(x.dataset.id).x;
  });
  tbody.append(...keyed.map(([, row]) => row));
  for (const head of heads) head.removeAttribute("aria-sort");
  heads[column].setAttribute("aria-sort", down ? "descending" : "ascending");
}

// -- keys and clicks --------------------------------------------------------------------------------------------------

for (const [column, head] of heads.entries()) {
  head.firstElementChild.addEventListener("click", () => {
    sortBy(column, order.column === column ? !order.down : false);
    said.textContent = `Sorted by ${head.textContent.trim()}, ${order.down ? "descending" : "ascending"}.`;
    saveState();
  });
}

tbody.addEventListener("keydown", (event) => {
  const row = event.target.closest("tr");
  if (event.key === "Enter" && event.target === row) {
    event.preventDefault();
    openDetails(row.dataset.id);
    return;
  }
  const shown = visibleRows();
  const at = shown.indexOf(row);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: shown.length - 1 }[event.key];
  if (to === undefined || !shown[to]) return;
  event.preventDefault();
  reachable(shown[to]);
  shown[to].focus();
});
tbody.addEventListener("focusin", (event) => {
  const row = event.target.closest("tr");
  reachable(row);
  pointAt(byId.get(row.dataset.id));
});
tbody.addEventListener("focusout", () => pointAt(null));
tbody.addEventListener("click", (event) => {
  const row = event.target.closest("tr");
  if (getSelection().isCollapsed) openDetails(row.dataset.id);
});
document.querySelector("main").addEventListener("click", (event) => {
  const link = event.target.closest("[data-open]");
  if (link && !tbody.contains(link)) openDetails(link.dataset.open);
});
document.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
for (const box of verdicts) box.addEventListener("change", filter);
text.addEventListener("input", filter);

// -- the theme ----------------------------------------------------------------------------------------------------------

const systemDark = matchMedia("(prefers-color-scheme: dark)");

function remembered(key, value) {
  try {
    if (value !== undefined) localStorage.setItem(key, value);
    return localStorage.getItem(key);
  } catch {
    return null; // a browser that keeps nothing for files
  }
}

/** The chosen theme, or else the system's; then nothing needs to be set, which spares a long table a second layout. */
function setTheme(chosen) {
  const theme = chosen ?? (systemDark.matches ? "dark" : "light");
  if (chosen) root.dataset.theme = chosen;
  root.dataset.drawn = theme;
  document.getElementById("theme").textContent = theme === "dark" ? "Light" : "Dark";
  for (const paint of tinted) paint();
}

document.getElementById("theme").addEventListener("click", () => {
  const other = root.dataset.drawn === "dark" ? "light" : "dark";
  remembered("gitexp-theme", other);
  setTheme(other);
});
systemDark.addEventListener("change", () => setTheme(root.dataset.theme));

// -- what survives a reload, and can be linked to: what is filtered, sorted, chosen and open, in the address -----------

const range = document.getElementById("range");
const fit = document.getElementById("fit");

function saveState() {
  const state = new URLSearchParams();
  if (range.value !== "0") state.set("range", range.value);
  if (fit.checked) state.set("fit", "1");
  if (chosenRuns() !== usual) state.set("runs", chosenRuns());
  const left = verdicts.filter((box) => box.checked).map((box) => box.value);
  if (left.length < verdicts.length) state.set("verdict", left.join(","));
  if (text.value) state.set("text", text.value);
  if (order.column !== 0 || !order.down) state.set("sort", (order.down ? "-" : "") + order.column);
  if (opened) state.set("open", opened);
  history.replaceState(null, "", state.size ? `#${state}` : location.pathname + location.search);
}

function restoreState(state) {
  range.value = state.get("range") ?? "0";
  fit.checked = state.has("fit");
  const sort = Number(state.get("sort"));
  if (state.has("sort") && heads[Math.abs(sort)]) sortBy(Math.abs(sort), state.get("sort").startsWith("-"));
  if (state.has("verdict"))
    for (const box of verdicts) box.checked = state.get("verdict").split(",").includes(box.value);
  text.value = state.get("text") ?? "";
  const open = state.get("open");
  filter();
  if (open) openDetails(open);
}

function scrolled(where) {
  try {
    if (where === undefined) return Number(sessionStorage.getItem("gitexp-scroll"));
    sessionStorage.setItem("gitexp-scroll", where);
  } catch {
    // then the page starts at its top
  }
  return 0;
}

/** A page of ``gitexp report --watch`` looks for a newer one when nobody is busy with it. */
function reloading(seconds) {
  let busy = 0;
  for (const what of ["pointermove", "keydown", "wheel", "touchstart"])
    addEventListener(
      what,
      () => {
        busy = performance.now();
      },
      { passive: true },
    );
  const again = () => {
    if (performance.now() - busy < 3000) return setTimeout(again, 1000);
    scrolled(scrollY);
    return location.reload();
  };
  setTimeout(again, 1000 * seconds);
}

// -- start --------------------------------------------------------------------------------------------------------------

async function start() {
  setTheme(remembered("gitexp-theme"));
  picked = openDetails;
  const state = new URLSearchParams(location.hash.slice(1));
  restoreState(state);
  if (report.reload) {
    scrollTo(0, scrolled());
    reloading(report.reload);
  }
  await drawBest();
  await Promise.all([
    drawCurves(state.get("runs")),
    drawCost("memory", "No run said how much memory it took."),
    drawCost("seconds", "No run was timed."),
  ]);
  addEventListener("beforeprint", picture);
  addEventListener("change", saveState);
  saveState();
  root.dataset.ready = String(Math.round(performance.now()));
}

start();
