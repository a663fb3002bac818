"use strict";
// What is near the pointer, or has the focus in the table: a ring in every chart, and a word on what it was.

const REACH = 24; // pixels from the pointer within which a point is meant
const rings = []; // one a chart: around the point that is pointed at
let picked = () => {}; // what to do with the iteration that is clicked

/** Show what is near the pointer, and pick what is clicked. ``at`` is where a point is drawn. */
function pointing(chart, points, at) {
  const { fig, holder } = chart;
  const ring = new Bokeh.ColumnDataSource({ data: { x: [], y: [] } });
  tint(
    fig.scatter({ field: "x" }, { field: "y" }, { source: ring, size: 17, line_width: 2, fill_color: null }).glyph,
    { line_color: "ink" },
    true,
  );
  rings.push((point) => {
    const [x, y] = point && points.includes(point) ? at(point) : [];
    ring.data = x === undefined ? { x: [], y: [] } : { x: [x], y: [y] };
  });
  const near = (event) => {
    const wide = fig.inner_width / (fig.x_range.end - fig.x_range.start);
    const high = fig.inner_height / (fig.y_range.end - fig.y_range.start);
    let [found, nearest] = [null, REACH];
    for (const point of points) {
      const [x, y] = at(point);
      const distance = Math.hypot((x - event.x) * wide, (y - event.y) * high);
      if (distance < nearest) [found, nearest] = [point, distance];
    }
    return found;
  };
  fig.on_event("mousemove", (event) => {
    const point = near(event);
    const box = holder.getBoundingClientRect();
    holder.classList.toggle("pointing", point !== null);
    pointAt(point, box.left + event.sx, box.top + event.sy);
  });
  fig.on_event("mouseleave", () => pointAt(null));
  fig.on_event("tap", (event) => {
    const point = near(event);
    if (point) picked(point.id);
  });
}

const tip = document.getElementById("tip");
let ringed = null;

/** Ring a point wherever it is drawn; with a place, say there what it is. */
function pointAt(point, left, top) {
  if (point !== ringed) for (const ring of rings) ring(point); // each draws its chart anew
  ringed = point;
  tip.hidden = !point || left === undefined;
  if (tip.hidden) return;
  const runs = point.runs.length
    ? [`${point.runs.length} runs: ${point.runs.map((y) => Number(y.toPrecision(7))).join(", ")}`]
    : [];
  const reason = report.details[point.id]?.reason;
  const lines = [point.said, ...runs, ...(reason ? [reason] : [])].map((text) =>
    element("p", { textContent: text, dir: "auto" }),
  );
  tip.replaceChildren(
    element("b", {
      textContent: [point.id, point.status, point.score, point.delta && `(${point.delta})`].filter(Boolean).join(" "),
    }),
    ...lines,
  );
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(12, Math.min(left + 16, innerWidth - width - 12))}px`;
  tip.style.top = `${top + 18 + height < innerHeight ? top + 18 : Math.max(8, top - height - 14)}px`;
}
