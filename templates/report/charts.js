"use strict";
// The iterations: by number, with the running best, and against what they cost.

const SHAPES = {
  KEEP: { marker: "circle" },
  DISCARD: { marker: "square", angle: Math.PI / 4 },
  CRASH: { marker: "x" },
};

/** The scores that are worth the room: the KEEPs', those as far from them as they are apart, and most of the others. */
function inView(points, all) {
  const scored = points.filter((p) => p.y !== null).sort((a, b) => a.y - b.y);
  const kept = scored.filter((p) => p.status === "KEEP");
  const known = kept.length ? kept : scored; // of those that said their memory, say, none may be kept
  const [low, high] = [known[0].y, known.at(-1).y];
  const span = high - low || 6 * report.noise || Math.abs(high) / 20 || 1;
  const few = Math.floor(0.15 * scored.length);
  const bottom = all ? -Infinity : Math.min(low - span, scored[few].y);
  const top = all ? Infinity : Math.max(high + span, scored.at(-1 - few).y);
  const near = scored.filter((p) => p.y >= bottom && p.y <= top);
  const runs = near.flatMap((p) => [p.y, ...p.runs]);
  const [least, most] = [runs.reduce((a, b) => Math.min(a, b)), runs.reduce((a, b) => Math.max(a, b))];
  const margin = 0.07 * (most - least) || 2 * report.noise || Math.abs(high) / 20 || 1;
  return { start: least - margin, end: most + margin, outside: scored.length - near.length };
}

function looks(status, size) {
  const small = status === "DISCARD" ? 0.75 * size : size; // a square on its corner looks larger
  return { ...SHAPES[status], size: small, line_width: status === "CRASH" ? 2 : 1.5 };
}

function colours(status) {
  const line = status.toLowerCase();
  return { fill_color: status === "DISCARD" ? "page" : line, line_color: line };
}

function markers(fig, points, at, size) {
  for (const status of ["DISCARD", "KEEP"]) {
    const places = points.filter((p) => p.status === status).map(at);
    if (places.length) draw(fig, "scatter", places, looks(status, size), colours(status));
  }
}

/** Markers for what has no score (a CRASH, or a run that was pruned); to be placed where the bad scores are. */
function unscored(fig, points, size) {
  const places = ["DISCARD", "CRASH"].map((status) => {
    const xs = points.filter((p) => p.y === null && p.status === status).map((p) => p.x);
    const source = new Bokeh.ColumnDataSource({ data: { x: [], y: [] } });
    const drawn = fig.scatter({ field: "x" }, { field: "y" }, { ...looks(status, size), source });
    tint(drawn.glyph, colours(status), true);
    return (edge) => {
      source.data = { x: xs, y: xs.map(() => edge) };
    };
  });
  return (edge) => places.forEach((place) => place(edge));
}

/** The incumbent's score after each iteration, and around it the noise of a run. */
function runningBest(fig, kept) {
  const last = [report.last + 0.6, kept.at(-1).y];
  const steps = [...kept.map((p) => [p.x, p.y]), last];
  const [x, y] = [steps.map((step) => step[0]), steps.map((step) => step[1])];
  if (report.noise) {
    const [low, high] = [y.map((v) => v - report.noise), y.map((v) => v + report.noise)];
    tint(fig.varea_step(x, low, high, "after", { fill_alpha: 1 }).glyph, { fill_color: "band" }, true);
  }
  tint(fig.step(x, y, "after", { line_width: 2 }).glyph, { line_color: "best" }, true);
}

/** Where an iteration was run more than once: each run, and the distance between the best and the worst. */
function drawRuns(fig, repeated) {
  if (!repeated.length) return;
  const xs = repeated.map((p) => p.x);
  const ends = [repeated.map((p) => Math.min(...p.runs)), repeated.map((p) => Math.max(...p.runs))];
  tint(fig.segment(xs, ends[0], xs, ends[1], { line_width: 1.5 }).glyph, { line_color: "soft" }, true);
  const places = repeated.flatMap((p) => p.runs.map((y) => [p.x, y]));
  draw(fig, "scatter", places, { marker: "dash", size: 8, line_width: 1.5 }, { line_color: "soft" });
}

/** The running best, and every iteration. */
function drawBest() {
  const { points, last, minimize } = report;
  const [x, y] = [new Bokeh.Range1d({ start: 0, end: 1 }), new Bokeh.Range1d({ start: 0, end: 1 })];
  const chart = figure("best", "iteration", { x_range: x, y_range: y });
  const { fig } = chart;
  fig.below[0].ticker.min_interval = 1;
  fig.below[0].formatter = new Bokeh.NumeralTickFormatter({ format: "0,0" });
  const scored = points.filter((p) => p.y !== null);
  const kept = points.filter((p) => p.status === "KEEP");
  const size = points.length > 600 ? 6 : points.length > 150 ? 8 : 10;
  const edge = () => y.start + (y.end - y.start) * (minimize ? 0.975 : 0.025);
  runningBest(fig, kept);
  drawRuns(
    fig,
    scored.filter((p) => p.runs.length),
  );
  markers(fig, scored, (p) => [p.x, p.y], size);
  const place = unscored(fig, points, size);
  pointing(chart, points, (p) => [p.x, p.y ?? edge()]);
  const choose = () => {
    const count = Number(document.getElementById("range").value);
    const first = count ? Math.max(0, last - count + 1) : 0;
    const chosen = points.filter((p) => p.x >= first || p === kept.at(-1));
    const { start, end, outside } = inView(chosen, document.getElementById("fit").checked);
    const margin = Math.max(0.6, 0.02 * (last - first));
    x.setv({ start: first - margin, end: last + margin });
    y.setv({ start, end });
    place(edge());
    say(outside);
  };
  document.getElementById("range-field").hidden = last < 60;
  for (const id of ["range", "fit"]) document.getElementById(id).addEventListener("change", choose);
  chart.holder.addEventListener("dblclick", choose);
  choose();
  return show(chart);
}

function say(outside) {
  document.getElementById("outside").textContent = outside
    ? `Outside this range: ${outside} of the scores. “Whole range” shows them.`
    : "";
  document.getElementById("how").textContent = MOUSE
    ? "Drag over the chart to look closer, double-click to see it whole."
    : "";
}

/** Score against what it cost, with the Pareto front. */
function drawCost(kind, none) {
  const points = report.points.filter((p) => p.y !== null && p[kind] !== null);
  if (!points.length) return instead(kind, none);
  const { start, end } = inView(points, false);
  const chart = figure(kind, "", { y_range: new Bokeh.Range1d({ start, end }) });
  const at = (p) => [p[kind], p.y];
  const front = report.fronts[kind].map((id) => at(byId.get(id)));
  draw(chart.fig, "line", front, { line_width: 2, line_dash: "dashed" }, { line_color: "best" });
  markers(chart.fig, points, at, points.length > 600 ? 5 : 8);
  draw(chart.fig, "scatter", front, { size: 13, line_width: 1.5, fill_color: null }, { line_color: "best" });
  pointing(chart, points, at);
  return show(chart);
}
