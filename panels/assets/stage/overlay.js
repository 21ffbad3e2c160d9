/** Everything vector on the picture: strokes, drafts, handles, ghost paths, the executed trail, warnings. Draws in CSS pixels. */

import { STEP_COLOURS, css, stepOf } from "./document.js";

const SVG = "http://www.w3.org/2000/svg";
/** Points of one piece of the executed path. */
const PIECE = 60;
const HALO = "rgba(6,9,14,0.72)";

/** Makes an SVG element; text is set as text, never as markup. */
export function svg(tag, attributes = {}, children = []) {
  const node = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined && value !== null) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

const path = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

/** A smooth curve through points (Catmull-Rom as cubic Béziers), for the loose look. */
function smoothPath(points) {
  if (points.length < 3) return path(points);
  let d = `M${points[0][0].toFixed(1)} ${points[0][1].toFixed(1)}`;
  for (let i = 0; i < points.length - 1; i++) {
    const [a, b, c, e] = [points[Math.max(0, i - 1)], points[i], points[i + 1], points[Math.min(points.length - 1, i + 2)]];
    const p = [b[0] + (c[0] - a[0]) / 6, b[1] + (c[1] - a[1]) / 6], q = [c[0] - (e[0] - b[0]) / 6, c[1] - (e[1] - b[1]) / 6];
    d += `C${p[0].toFixed(1)} ${p[1].toFixed(1)} ${q[0].toFixed(1)} ${q[1].toFixed(1)} ${c[0].toFixed(1)} ${c[1].toFixed(1)}`;
  }
  return d;
}

/** Corners of the arrowhead at the end of a polyline, and the point where its shaft should stop. */
function head(points, size) {
  const tip = points.at(-1);
  let from = points.at(-2) ?? tip;
  for (let i = points.length - 2; i >= 0 && Math.hypot(tip[0] - from[0], tip[1] - from[1]) < size * 0.8; i--) from = points[i];
  const length = Math.hypot(tip[0] - from[0], tip[1] - from[1]) || 1;
  const [dx, dy] = [(tip[0] - from[0]) / length, (tip[1] - from[1]) / length];
  const base = [tip[0] - dx * size, tip[1] - dy * size];
  const wing = size * 0.52;
  return { left: [base[0] - dy * wing, base[1] + dx * wing], right: [base[0] + dy * wing, base[1] - dx * wing], base, tip };
}

export class Overlay {
  /**
   * @param {SVGSVGElement} root
   * @param {HTMLElement} notes layer for text beside warnings
   * @param {import("./viewport.js").Viewport} viewport
   * @param {import("./document.js").Drawing} drawing
   */
  constructor(root, notes, viewport, drawing) {
    Object.assign(this, { root, notes, viewport, drawing });
    this.layers = {};
    for (const name of ["trail", "ghosts", "strokes", "draft", "handles", "problems"]) {
      this.layers[name] = svg("g", { class: `layer-${name}` });
      root.append(this.layers[name]);
    }
    this.camera = "";
    this.projection = null;
    this.planStep = null;
    this.hoverId = null;
    /** @type {object | null} a stroke in the making */
    this.draft = null;
    /** @type {number[][]} executed end-effector positions, world [m] */
    this.trail = [];
    this.numDrawn = 0;
    this.isWanted = false;
    viewport.onChange(() => this.refresh());
    drawing.onChange(() => this.refresh());
  }

  /** Draws anew before the next paint; many calls cost one drawing. */
  refresh() {
    if (this.isWanted) return;
    this.isWanted = true;
    requestAnimationFrame(() => {
      this.isWanted = false;
      this.draw();
    });
  }

  setCamera(name) {
    if (name === this.camera) return;
    this.camera = name;
    this.refresh();
  }

  setProjection(projection) {
    if (this.projection && projection.every((v, i) => Math.abs(v - this.projection[i]) < 1e-6)) return;
    this.projection = projection;
    if (this.trail.length || this.drawing.reading.ghosts.length) this.refresh();
  }

  setPlanStep(step) {
    if (step === this.planStep) return;
    this.planStep = step;
    this.refresh();
  }

  setHover(id) {
    if (id === this.hoverId) return;
    this.hoverId = id;
    this.refresh();
  }

  draw() {
    const { viewport, drawing } = this;
    this.root.setAttribute("viewBox", `0 0 ${viewport.width} ${viewport.height}`);
    const toScreen = (p) => viewport.toScreen(p);
    const isHere = drawing.doc?.camera === this.camera;
    const running = this.planStep === null ? null : drawing.reading.plan?.steps[this.planStep];
    this.layers.strokes.replaceChildren(...(isHere ? drawing.strokes.map((s) => this.stroke(s, toScreen, running)) : []));
    this.layers.draft.replaceChildren(...(this.draft ? [this.stroke(this.draft, toScreen, null, true)] : []));
    this.layers.handles.replaceChildren(...(isHere ? this.handles(drawing.selected, toScreen) : []));
    this.layers.ghosts.replaceChildren(...drawing.reading.ghosts.map((g) => this.ghost(g)));
    this.layers.trail.replaceChildren();
    this.numDrawn = 0;
    this.drawTrail();
    this.problems(isHere, toScreen);
  }

  stroke(stroke, toScreen, running, isDraft = false) {
    const points = stroke.points.map(toScreen);
    const width = Math.max(2.5, stroke.width_px * Math.min(this.viewport.width / 480, 1.6));
    const colour = css(stroke.colour);
    const shape = stroke.kind === "circle" ? this.circle(points, stroke) : this.line(points, stroke, width, toScreen);
    const states = { selected: stroke.id === this.drawing.selectedId, hover: stroke.id === this.hoverId, draft: isDraft };
    if (running) states[running.stroke_ids.includes(stroke.id) ? "running" : "waiting"] = true;
    const name = ["stroke", `kind-${stroke.kind}`, ...Object.keys(states).filter((k) => states[k]).map((k) => `is-${k}`)].join(" ");
    const group = svg("g", { class: name, "data-id": stroke.id });
    const halo = { stroke: HALO, "stroke-width": width + 3, fill: "none", "stroke-linecap": "round", "stroke-linejoin": "round" };
    group.append(...shape.map((d) => svg("path", { d: d.d, ...halo, fill: d.isFilled ? HALO : "none" })));
    group.append(
      ...shape.map((d) =>
        svg("path", { d: d.d, class: "ink", stroke: colour, "stroke-width": d.isFilled ? 1 : width, fill: d.isFilled ? colour : "none", "stroke-linecap": "round", "stroke-linejoin": "round" }),
      ),
    );
    if (stroke.kind === "circle") group.append(svg("circle", { cx: points[0][0], cy: points[0][1], r: 3, fill: colour, stroke: HALO }));
    const number = stepOf(stroke);
    if (number !== null && !isDraft) group.append(this.badge(points, stroke, number));
    return group;
  }

  circle([centre, rim], stroke) {
    const r = Math.max(2, Math.hypot(rim[0] - centre[0], rim[1] - centre[1]));
    if (stroke.is_geometric) {
      return [{ d: `M${centre[0] - r} ${centre[1]}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0` }];
    }
    const wobble = Array.from({ length: 26 }, (_, i) => {
      const a = -1.2 + (i / 25) * (2 * Math.PI + 0.25), k = 1 + 0.035 * Math.sin(2.3 * a + r) + 0.0022 * i;
      return [centre[0] + r * k * Math.cos(a), centre[1] + r * k * Math.sin(a)];
    });
    return [{ d: smoothPath(wobble) }];
  }

  line(points, stroke, width, toScreen) {
    if (stroke.kind === "freehand") return [{ d: smoothPath((stroke.raw?.length ? stroke.raw : stroke.points).map(toScreen)) }];
    if (points.length < 2) return [{ d: `${path([points[0], points[0]])}Z` }];
    const size = Math.max(11, width * 3.1);
    const corners = head(points, size);
    if (stroke.is_geometric) {
      return [{ d: path([...points.slice(0, -1), corners.base]) }, { d: `${path([corners.left, corners.tip, corners.right])}Z`, isFilled: true }];
    }
    return [{ d: smoothPath(points) }, { d: path([corners.left, corners.tip, corners.right]) }];
  }

  badge(points, stroke, number) {
    const at = stroke.kind === "circle" ? this.onRim(points) : points[0];
    const next = stroke.kind === "circle" ? points[0] : (points[1] ?? [at[0] + 1, at[1]]);
    const length = Math.hypot(next[0] - at[0], next[1] - at[1]) || 1;
    const x = Math.min(Math.max(at[0] - (13 * (next[0] - at[0])) / length, 10), this.viewport.width - 10);
    const y = Math.min(Math.max(at[1] - (13 * (next[1] - at[1])) / length, 10), this.viewport.height - 10);
    const text = svg("text", { x, y: y + 4, "text-anchor": "middle", class: "badge-text" });
    text.textContent = String(number);
    return svg("g", { class: "badge" }, [svg("circle", { cx: x, cy: y, r: 9, fill: css(stroke.colour), stroke: HALO, "stroke-width": 1.5 }), text]);
  }

  onRim([centre, rim]) {
    const r = Math.hypot(rim[0] - centre[0], rim[1] - centre[1]);
    return [centre[0] - r * 0.707, centre[1] - r * 0.707];
  }

  handles(stroke, toScreen) {
    if (!stroke) return [];
    const shown = stroke.kind === "freehand" ? [stroke.points[0], stroke.points.at(-1)] : stroke.points;
    return shown.map((p) => {
      const [x, y] = toScreen(p);
      return svg("circle", { cx: x, cy: y, r: 6, class: "handle" });
    });
  }

  /** World points to CSS px; null behind the camera. */
  project(point) {
    const m = this.projection;
    if (!m) return null;
    const [x, y, z] = point;
    const w = m[8] * x + m[9] * y + m[10] * z + m[11];
    if (w < 0.01) return null;
    return this.viewport.toScreen([(m[0] * x + m[1] * y + m[2] * z + m[3]) / w, (m[4] * x + m[5] * y + m[6] * z + m[7]) / w]);
  }

  ghost(ghost) {
    const points = ghost.points.map((p) => this.project(p));
    const colour = css(STEP_COLOURS[ghost.step % STEP_COLOURS.length]);
    const visible = points.filter(Boolean);
    const group = svg("g", { class: `ghost${this.planStep === ghost.step ? " is-running" : ""}`, "data-step": ghost.step });
    if (visible.length > 1) {
      group.append(svg("path", { d: path(visible), fill: "none", stroke: HALO, "stroke-width": 4, "stroke-linejoin": "round" }));
      group.append(svg("path", { d: path(visible), fill: "none", stroke: colour, class: "ghost-line", "stroke-width": 2, "stroke-dasharray": "2 6", "stroke-linecap": "round" }));
    }
    points.forEach((p, i) => {
      const phase = ghost.phases[i];
      if (!p || !["grasp", "release", "press"].includes(phase)) return;
      const mark = phase === "grasp" ? svg("rect", { x: p[0] - 4, y: p[1] - 4, width: 8, height: 8, rx: 1.5 }) : svg("circle", { cx: p[0], cy: p[1], r: 4.5 });
      mark.setAttribute("class", "ghost-mark");
      mark.setAttribute("stroke", colour);
      mark.append(svg("title"));
      mark.firstChild.textContent = phase;
      group.append(mark);
    });
    return group;
  }

  clearTrail() {
    this.trail = [];
    this.numDrawn = 0;
    this.layers.trail.replaceChildren();
  }

  extendTrail(positions) {
    this.trail.push(...positions);
    this.drawTrail();
  }

  /** Draws what the executed path has more than it had: in pieces, so that only the newest one changes and is painted anew. */
  drawTrail() {
    this.layers.trail.querySelector(".is-open")?.remove();
    for (let end = this.numDrawn + PIECE; this.numDrawn + 1 < this.trail.length; end = this.numDrawn + PIECE) {
      const isFull = end < this.trail.length;
      const points = this.trail.slice(this.numDrawn, end + 1).map((p) => this.project(p)).filter(Boolean);
      if (points.length > 1) this.layers.trail.append(svg("path", { d: path(points), class: isFull ? "trail" : "trail is-open", fill: "none" }));
      if (!isFull) break;
      this.numDrawn = end;
    }
  }

  problems(isHere, toScreen) {
    const { plan, problems } = this.drawing.reading;
    const marks = [], texts = [];
    for (const problem of isHere && plan ? problems : []) {
      const pixel = problem.pixel ?? plan.steps[problem.step]?.keypoints[0];
      if (!pixel) continue;
      const [x, y] = toScreen([pixel[0] / plan.width, pixel[1] / plan.height]);
      marks.push(svg("g", { class: "problem" }, [svg("path", { d: `M${x} ${y - 11}l11 19h-22Z` }), svg("path", { d: `M${x} ${y - 4}v6m0 3.4v.2`, class: "bang" })]));
      const note = document.createElement("div");
      note.className = "problem-note";
      note.style.left = `${Math.min(Math.max(x + 14, 4), this.viewport.width - 190)}px`;
      note.style.top = `${Math.min(Math.max(y - 10 + 34 * texts.filter((t) => Math.abs(parseFloat(t.style.top) - y) < 30).length, 4), this.viewport.height - 40)}px`;
      const first = problem.message.split(/(?<=\.)\s/)[0];
      note.textContent = /^step/i.test(first) ? first : `Step ${problem.step + 1}: ${first}`;
      texts.push(note);
    }
    this.layers.problems.replaceChildren(...marks);
    this.notes.replaceChildren(...texts);
  }
}
