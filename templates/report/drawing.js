"use strict";
// What all charts have in common: BokehJS draws them, in the page's colours. No text of anybody's goes into them.

Bokeh.logger.set_level("error");
const report = JSON.parse(document.getElementById("data").textContent);
const byId = new Map(report.points.map((point) => [point.id, point]));
const MOUSE = matchMedia("(pointer: fine)").matches; // a finger that drags scrolls the page
const tinted = []; // what has to change its colour with the theme

const probe = document.body.appendChild(document.createElement("span"));
probe.hidden = true;

function colour(name) {
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}

/** Give a model its colours, by the names of the style sheet's variables; now, and when the theme changes. */
function tint(model, names, glyph = false) {
  const paint = () => {
    const wrap = (name) => (glyph ? { value: colour(name) } : colour(name));
    model.setv(Object.fromEntries(Object.entries(names).map(([key, name]) => [key, wrap(name)])));
  };
  tinted.push(paint);
  paint();
}

function figure(id, under, options = {}) {
  const fig = Bokeh.Plotting.figure({
    sizing_mode: "stretch_both",
    toolbar_location: null,
    tools: MOUSE ? "xbox_zoom" : "",
    background_fill_color: null,
    border_fill_color: null,
    outline_line_color: null,
    min_border: 8,
    ...options,
  });
  const font = getComputedStyle(document.body).fontFamily;
  fig.below[0].setv({
    axis_label: under,
    axis_label_text_font: font,
    axis_label_text_font_size: "12px",
    axis_label_text_font_style: "normal",
  });
  tint(fig.below[0], { axis_label_text_color: "soft" });
  for (const axis of [...fig.below, ...fig.left]) {
    axis.setv({
      minor_tick_line_color: null,
      major_tick_in: 0,
      major_tick_out: 4,
      major_label_text_font: font,
      major_label_text_font_size: "12px",
    });
    tint(axis, { axis_line_color: "line", major_tick_line_color: "line", major_label_text_color: "soft" });
  }
  for (const grid of fig.center) tint(grid, { grid_line_color: "line" });
  fig.center[0].visible = false; // the upright lines
  return { fig, holder: document.getElementById(id) };
}

function show({ fig, holder }) {
  return Bokeh.Plotting.show(fig, holder);
}

function instead(id, words) {
  const holder = document.getElementById(id);
  holder.classList.add("empty");
  holder.removeAttribute("role");
  holder.removeAttribute("aria-label");
  holder.textContent = words;
}

/** Draw a glyph of ``fig`` (a line, markers) through ``places``, which are pairs of x and y. */
function draw(fig, glyph, places, look, colours) {
  const drawn = fig[glyph](
    places.map((place) => place[0]),
    places.map((place) => place[1]),
    look,
  );
  tint(drawn.glyph, colours, true);
}

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** Pictures of the charts, as paper has no canvas that could be drawn anew at its width. */
function picture() {
  for (const holder of document.querySelectorAll(".chart")) {
    holder.querySelector(":scope > img")?.remove();
    const view = Object.values(Bokeh.index).find((v) => holder.contains(v.el));
    if (view) holder.append(element("img", { src: view.export("png").canvas.toDataURL(), alt: "" }));
  }
}
