"use strict";
// The details of an iteration: a dialog, built of text only.

const dialog = document.getElementById("details");
const body = document.getElementById("details-body");
const said = document.getElementById("said");
let opened = ""; // the iteration whose details are open

function openDetails(id) {
  const point = byId.get(id);
  if (!point) {
    said.textContent = `${id} is not in this report: gitexp show ${id}`;
    return;
  }
  opened = id;
  body.replaceChildren(...details(point, report.details[id] ?? {}));
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  pointAt(point);
  saveState();
}

function details(point, more) {
  const status = element("span", { className: `verdict ${point.status.toLowerCase()}`, textContent: point.status });
  const score = [point.score, point.delta && `(${point.delta})`].filter(Boolean).join(" ");
  const facts = [
    ["Because", more.reason],
    ["Hypothesis", more.hypothesis],
    ["Text", more.body],
    ["Note", more.note],
    ["Changed", more.changed],
    ["Set", more.params],
    ["Error", more.error],
    ["Spoiled", (more.spoiled ?? []).join("\n")],
    ["Memory", point.memory === null ? "" : `${point.memory.toFixed(1)} MB`],
    ["Metrics", (more.metrics ?? []).map(([name, value]) => `${name} = ${value}`).join("\n")],
    ["Device", more.device],
    ["Data", more.trained_on],
    ["Commit", more.commit],
  ];
  return [
    element("p", { className: "head" }, status, element("span", { textContent: score })),
    element("h2", { id: "details-title", dir: "auto", textContent: `${point.id} ${point.said}` }),
    element("dl", {}, ...facts.filter(([, value]) => value).map(([name, value]) => fact(name, value))),
    ...part("Runs it stood on", more.samples?.length && samples(more.samples)),
    ...part("Take it, or look closer", element("div", {}, ...commands(point, more).map(command))),
    ...part("Diff", evidence(more.diff, diff, `Not in this file: gitexp show ${point.id}`, "It changes no file.")),
    ...part(
      "End of the log",
      evidence(
        more.tail,
        plain,
        `Not in this file: gitexp show ${point.id}`,
        "It is not on the machine where this report was made; gitexp logs fetch may bring it.",
      ),
    ),
  ];
}

function fact(name, value) {
  return element("div", {}, element("dt", { textContent: name }), element("dd", { textContent: value, dir: "auto" }));
}

function part(title, content) {
  return content ? [element("h3", { textContent: title }), content] : [];
}

function evidence(text, made, unknown, none) {
  if (text) return made(text);
  return element("p", { className: "about", textContent: text === undefined ? unknown : none });
}

function plain(text) {
  return element("pre", { tabIndex: 0, textContent: text });
}

function diff(text) {
  const kinds = { "+": "added", "-": "removed", "@": "where" };
  const lines = text.split("\n").map((line) => {
    const header = /^(diff|index|---|\+\+\+|new|deleted|old|similarity) ?/.test(line);
    return element("span", { textContent: line, className: header ? "where" : (kinds[line[0]] ?? "") });
  });
  return element("pre", { tabIndex: 0 }, ...lines);
}

function samples(rows) {
  const head = ["Iteration", "Seed", "Score", "Time"].map((name) => element("th", { scope: "col", textContent: name }));
  const lines = rows.map((row) => element("tr", {}, ...row.map((cell) => element("td", { textContent: cell }))));
  return element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...lines));
}

function commands(point, more) {
  const look = [`gitexp show ${point.id}`, `gitexp why ${point.id}`];
  if (!more.commit) return look;
  if (point.status === "CRASH" || point === report.points[0]) return [`git show ${more.commit}`, ...look];
  const again = point.status === "KEEP" ? [`gitexp verify ${point.id}`] : [];
  return [`gitexp pick ${point.id} --onto main`, `git cherry-pick -x ${more.commit}`, ...again, ...look];
}

function command(text) {
  const copy = element("button", { type: "button", className: "quiet", textContent: "Copy" });
  copy.setAttribute("aria-label", `Copy ${text}`);
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      copy.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(copy.previousSibling);
      copy.textContent = "Selected";
    }
  });
  return element("div", { className: "command" }, element("code", { textContent: text }), copy);
}

/** To the row above or below, of those that the filter leaves. */
function move(by) {
  const ids = visibleRows().map((row) => row.dataset.id);
  const next = ids[ids.indexOf(opened) + by];
  if (next) openDetails(next);
}

document.getElementById("newer").addEventListener("click", () => move(-1));
document.getElementById("older").addEventListener("click", () => move(1));
document.getElementById("close").addEventListener("click", () => dialog.close());
dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
dialog.addEventListener("close", () => {
  opened = "";
  pointAt(null);
  saveState();
});
