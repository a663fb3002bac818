"use strict";
// The losses of runs, laid over each other.

const COLOURS = 6; // that runs are told apart by; then dashes
const AXES = { share: "percent of the budget", step: "step", order: "line of progress" };

let choices = []; // the runs, each with its box
let usual = ""; // those that are chosen at first

function chosenRuns() {
  return choices
    .filter(({ box }) => box.checked)
    .map(({ run }) => run.id)
    .join(",");
}

/** The losses of the runs that are chosen: ``before`` the page was loaded again, or else those that are usual. */
function drawCurves(before) {
  const { axis, runs } = report.curves;
  if (!runs.length) {
    instead("curves", "No run's loss is known here.");
    document.getElementById("runs").hidden = true;
    return undefined;
  }
  document.getElementById("loss-about").textContent =
    "As the runs printed it: in their own unit, which need not be the score's.";
  const chart = figure("curves", AXES[axis]);
  const source = new Bokeh.ColumnDataSource({ data: { xs: [], ys: [], colour: [], dash: [] } });
  chart.fig.multi_line(
    { field: "xs" },
    { field: "ys" },
    { source, line_color: { field: "colour" }, line_dash: { field: "dash" }, line_width: 1.75 },
  );
  const best = report.points.filter((p) => p.status === "KEEP").at(-1).id;
  const first = new Set([runs[0].id, best, runs.at(-1).id]); // those of the baseline, the incumbent and the newest
  const listed = [...runs].reverse().sort((a, b) => first.has(b.id) - first.has(a.id));
  choices = listed.map((run) => chooser(run, first.has(run.id)));
  usual = chosenRuns();
  if (before) for (const { run, box } of choices) box.checked = before.split(",").includes(run.id);
  const slots = []; // by colour, the run that has it: it keeps it while others come and go
  const lay = () => {
    const data = { xs: [], ys: [], colour: [], dash: [] };
    for (const { run, box, swatch } of choices) {
      const had = slots.indexOf(run);
      if (had >= 0 && !box.checked) slots[had] = null;
      if (had < 0 && box.checked) slots[slots.includes(null) ? slots.indexOf(null) : slots.length] = run;
      const slot = slots.indexOf(run);
      const style = slot < COLOURS ? "solid" : "dashed";
      swatch.style.borderTop = slot < 0 ? "" : `2px ${style} var(--run-${slot % COLOURS})`;
      if (slot < 0) continue;
      data.xs.push(run.x);
      data.ys.push(run.y);
      data.colour.push(colour(`run-${slot % COLOURS}`));
      data.dash.push(style);
    }
    source.data = data;
  };
  document.getElementById("runs").addEventListener("change", lay);
  tinted.push(lay);
  lay();
  return show(chart);
}

function chooser(run, checked) {
  const box = element("input", { type: "checkbox", value: run.id, checked });
  const swatch = element("i");
  const label = element("span", { textContent: `${run.id} ${byId.get(run.id)?.said ?? ""}`, dir: "auto" });
  document.getElementById("runs").append(element("label", {}, box, swatch, label));
  return { run, box, swatch };
}
