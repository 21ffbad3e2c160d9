/** How a path is drawn on one picture, and what of it lies under the pointer. */

import { svg } from "./overlay.js";

const HALO = "rgba(6,9,14,0.75)";
const COLOURS = { ok: "#35d07f", bad: "#ff4d4d", none: "#ffd24d", own: "#2ee6c0", behind: "#8b95a5", old: "#e8ecf3", policy: "#2ee6c0", trace: "#ffd24d" };
const POINT_HIT_PX = 16;
const LINE_HIT_PX = 11;
const LIFT_PX = 30;
const FIRM = 0.3;
const line = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

/** One picture's geometry: world points to 0..1 of the picture and back, by the 3x4 projection of its newest frame. */
export class Lens {
  constructor() {
    this.m = null;
  }

  /** @returns {boolean} whether it is another one than before */
  set(m) {
    if (this.m && m.every((v, i) => Math.abs(v - this.m[i]) < 1e-6)) return false;
    this.m = m;
    return true;
  }

  /** @returns {[number, number] | null} null behind the camera */
  project([x, y, z]) {
    const m = this.m;
    if (!m) return null;
    const w = m[8] * x + m[9] * y + m[10] * z + m[11];
    return w < 0.02 ? null : [(m[0] * x + m[1] * y + m[2] * z + m[3]) / w, (m[4] * x + m[5] * y + m[6] * z + m[7]) / w];
  }

  /** The world point that is seen at [u, v] on the plane through `point` with normal `n`; null where the plane is seen edge on. */
  onPlane([u, v], point, n) {
    const m = this.m;
    const rows = [0, 1, 2].map((k) => m[k] - u * m[8 + k]), cols = [0, 1, 2].map((k) => m[4 + k] - v * m[8 + k]);
    const a = [rows, cols, n], b = [u * m[11] - m[3], v * m[11] - m[7], n[0] * point[0] + n[1] * point[1] + n[2] * point[2]];
    const det = (r) => r[0][0] * (r[1][1] * r[2][2] - r[1][2] * r[2][1]) - r[0][1] * (r[1][0] * r[2][2] - r[1][2] * r[2][0]) + r[0][2] * (r[1][0] * r[2][1] - r[1][1] * r[2][0]);
    const whole = det(a);
    if (Math.abs(whole) < 1e-6) return null;
    const found = [0, 1, 2].map((k) => det(a.map((row, i) => row.map((value, j) => (j === k ? b[i] : value)))) / whole);
    return this.project(found) ? found : null;
  }

  /** View direction at a point, world. */
  get forward() {
    const n = [this.m[8], this.m[9], this.m[10]], length = Math.hypot(...n) || 1;
    return n.map((c) => c / length);
  }

  /** Moves a point level: over the table as far as the camera looks down on it, else across the view. */
  level(uv, point) {
    return this.onPlane(uv, point, Math.abs(this.forward[2]) > FIRM ? [0, 0, 1] : this.forward);
  }

  /** Moves a point up or down: to the height at which it is seen beside [u, v]. */
  upright(uv, point) {
    const [fx, fy] = this.forward, length = Math.hypot(fx, fy);
    if (length < 0.2) return null;
    const found = this.onPlane(uv, point, [fx / length, fy / length, 0]);
    return found && [point[0], point[1], found[2]];
  }
}

/** Draws the path on one picture. */
export class PathLayer {
  /** @param {SVGGElement} group @param {(uv: number[]) => number[]} toScreen @param {number} scale of marks */
  constructor(group, lens, toScreen, scale) {
    Object.assign(this, { group, lens, toScreen, scale });
  }

  at(position) {
    const uv = this.lens.project(position);
    return uv && this.toScreen(uv);
  }

  draw(view) {
    const { model } = view;
    if (!view.isShown || !this.lens.m) return void this.group.replaceChildren();
    const points = model.shown, places = points.map((p) => this.at(p.position));
    const parts = [];
    if (model.state.old.length > 1 && !model.past) parts.push(this.stroke(model.state.old.map((p) => this.at(p)), COLOURS.old, 1.6, { "stroke-dasharray": "3 5", class: "path-old", opacity: 0.8 }));
    if (model.ghost?.positions.length > 1) parts.push(this.stroke(model.ghost.positions.map((p) => this.at(p)), "#b9a2ff", 1.8, { class: "path-ghost", opacity: 0.9 }));
    points.forEach((p, i) => { if (view.isActive && places[i]) parts.push(this.dropLine(p, places[i], p.id === model.selectedId)); });
    parts.push(...this.segments(view, places));
    for (const [who, way] of Object.entries(view.proposals ?? {})) parts.push(this.proposal(who, way));
    if (view.isActive || model.past) points.forEach((p, i) => { if (places[i]) parts.push(this.point(view, p, i, places[i])); });
    points.forEach((p, i) => { if (places[i] && p.gripper !== null) parts.push(this.grip(places[i], p.gripper > 0.5)); });
    for (const problem of model.report?.problems ?? []) parts.push(this.problem(problem));
    if (model.ghost?.now) parts.push(this.robot(model.ghost.now));
    if (view.drawing) parts.push(svg("path", { d: line(view.drawing.map((p) => this.toScreen(p))), fill: "none", stroke: COLOURS.none, "stroke-width": 3, "stroke-linejoin": "round" }));
    if (view.marks) for (const [name, place] of Object.entries(view.marks)) parts.push(this.mark(name, place));
    this.group.replaceChildren(...parts.filter(Boolean));
  }

  stroke(places, colour, width, more = {}) {
    const seen = places.filter(Boolean), k = this.scale;
    if (seen.length < 2) return null;
    const shape = { d: line(seen), fill: "none", "stroke-linejoin": "round", "stroke-linecap": "round" };
    return svg("g", { class: more.class, opacity: more.opacity }, [
      svg("path", { ...shape, stroke: HALO, "stroke-width": (width + 2.6) * k }),
      svg("path", { ...shape, stroke: colour, "stroke-width": width * k, "stroke-dasharray": more["stroke-dasharray"] }),
    ]);
  }

  /** The line itself, piece by piece: travelled, feasible, in trouble, unknown. */
  segments(view, places) {
    const { model } = view, parts = [];
    const bad = new Set((model.report?.problems ?? []).flatMap((p) => [p.point - 1, p.point]));
    const colourOf = (i) => {
      if (i < model.numPassed) return "behind";
      if (model.past) return "old";
      if (!model.report || model.report.state === "checking") return model.state.is_own ? "own" : "none";
      return bad.has(i) && model.report.state === "bad" ? "bad" : "ok";
    };
    for (let i = 1; i < places.length; ) {
      const kind = colourOf(i - 1);
      const run = [places[i - 1]];
      while (i < places.length && colourOf(i - 1) === kind) run.push(places[i++]);
      parts.push(this.stroke(run, COLOURS[kind], kind === "behind" ? 2 : 3.4, { class: `path-line is-${kind}`, opacity: kind === "behind" ? 0.7 : 1 }));
    }
    return parts;
  }

  point(view, point, i, [x, y]) {
    const { model } = view, k = this.scale;
    const isSelected = point.id === model.selectedId, isBehind = i < model.numPassed;
    const isHot = point.id === model.hoverId || point.id === model.held?.id;
    const r = (isSelected ? 8 : isHot ? 7.5 : 6) * k;
    const fill = isBehind ? COLOURS.behind : isSelected ? "#ffffff" : i === 0 ? HALO : COLOURS.none;
    const group = svg("g", { class: `path-point${isSelected ? " is-selected" : ""}${isBehind ? " is-behind" : ""}`, "data-id": point.id, "data-index": i }, [
      svg("circle", { cx: x, cy: y, r: r + 2.2 * k, fill: HALO }),
      svg("circle", { cx: x, cy: y, r, fill, stroke: isSelected ? COLOURS.none : "#ffffff", "stroke-width": (isSelected ? 3 : 1.4) * k }),
    ]);
    if (isSelected && k > 0.8 && !isBehind && !model.past) group.append(...this.lift([x, y]));
    if (k > 0.8 && (isSelected || isHot)) {
      const text = svg("text", { x: x + 14, y: y + 20, class: "path-label" });
      text.textContent = `${i + 1} · ${Math.round(100 * point.position[2])} cm high`;
      group.append(text);
    }
    return group;
  }

  /** The arrow that raises and lowers a selected point. */
  lift([x, y]) {
    const top = y - LIFT_PX;
    const d = `M${x} ${y - 12}V${top + 5}M${x - 6} ${top + 4}L${x} ${top - 5}L${x + 6} ${top + 4}`;
    return [
      svg("path", { d, fill: "none", stroke: HALO, "stroke-width": 6, "stroke-linecap": "round", "stroke-linejoin": "round" }),
      svg("path", { d, fill: "none", stroke: "#8cc8ff", "stroke-width": 3, "stroke-linecap": "round", "stroke-linejoin": "round", class: "path-lift" }),
    ];
  }

  /** Down to the table: how high a point is cannot be seen otherwise. */
  dropLine(point, [x, y], isSelected) {
    const foot = this.at([point.position[0], point.position[1], 0]);
    if (!foot || point.position[2] < 0.01) return null;
    const opacity = isSelected ? 0.95 : 0.4;
    return svg("g", { class: "path-drop", opacity }, [
      svg("path", { d: line([[x, y], foot]), stroke: "#ffffff", "stroke-width": 1.3, "stroke-dasharray": "1.5 3.5", fill: "none" }),
      svg("ellipse", { cx: foot[0], cy: foot[1], rx: 4 * this.scale, ry: 2 * this.scale, fill: "#ffffff" }),
    ]);
  }

  grip([x, y], isOpen) {
    const k = this.scale, gap = (isOpen ? 7 : 2.6) * k, tall = 7 * k, side = 18 * k;
    const d = `M${x + side - gap} ${y - tall}v${2 * tall}M${x + side + gap} ${y - tall}v${2 * tall}`;
    return svg("g", { class: "path-grip" }, [
      svg("path", { d, stroke: HALO, "stroke-width": 6.5 * k, "stroke-linecap": "round" }),
      svg("path", { d, stroke: isOpen ? "#8cc8ff" : "#ffb454", "stroke-width": 3.2 * k, "stroke-linecap": "round" }),
    ]);
  }

  problem(problem) {
    const at = this.at(problem.position);
    if (!at) return null;
    const [x, y] = at, k = this.scale;
    return svg("g", { class: "path-problem", "data-kind": problem.kind }, [
      svg("circle", { cx: x, cy: y, r: 15 * k, fill: "none", stroke: COLOURS.bad, "stroke-width": 2.4 * k, "stroke-dasharray": "4 3" }),
      svg("path", { d: `M${x} ${y - 12 * k}l${10 * k} ${17 * k}h${-20 * k}Z`, fill: COLOURS.bad, stroke: "#fff", "stroke-width": 1 }),
      svg("path", { d: `M${x} ${y - 6 * k}v${5.5 * k}m0 ${2.6 * k}v.2`, stroke: "#fff", "stroke-width": 2 * k, "stroke-linecap": "round" }),
    ]);
  }

  proposal(who, way) {
    return this.stroke(way.map((p) => this.at(p)), COLOURS[who] ?? "#fff", 4.5, { class: `path-proposal is-${who}`, opacity: 0.95 });
  }

  /** A see-through arm: its joints, then the hand. */
  robot(joints) {
    const places = joints.map((p) => this.at(p)).filter(Boolean);
    if (places.length < 2) return null;
    const shape = { d: line(places), fill: "none", "stroke-linejoin": "round", "stroke-linecap": "round" }, k = this.scale;
    return svg("g", { class: "path-robot", opacity: 0.62 }, [
      svg("path", { ...shape, stroke: "#35245e", "stroke-width": 22 * k }),
      svg("path", { ...shape, stroke: "#b9a2ff", "stroke-width": 17 * k }),
      ...places.map(([x, y]) => svg("circle", { cx: x, cy: y, r: 4 * k, fill: "#fff", opacity: 0.7 })),
    ]);
  }

  mark(name, position) {
    const at = this.at(position);
    if (!at) return null;
    const text = svg("text", { x: at[0] + 13, y: at[1] + 4, class: "path-label" });
    text.textContent = name;
    return svg("g", {}, [svg("circle", { cx: at[0], cy: at[1], r: 8, fill: HALO, stroke: COLOURS.none, "stroke-width": 3 }), text]);
  }
}

/** What of a path lies under the pointer, on one picture. */
export function hitPath(model, layer, at, isWithLift) {
  const points = model.points, places = points.map((p) => layer.at(p.position));
  const near = (place) => (place ? Math.hypot(place[0] - at[0], place[1] - at[1]) : Infinity);
  const selected = points.findIndex((p) => p.id === model.selectedId);
  if (isWithLift && selected >= model.numPassed && places[selected] && near([places[selected][0], places[selected][1] - LIFT_PX + 4]) < POINT_HIT_PX) {
    return { kind: "lift", id: points[selected].id };
  }
  let best = { gap: POINT_HIT_PX, index: -1 };
  places.forEach((place, i) => {
    const gap = near(place) - (i === selected ? 3 : 0);
    if (i >= model.numPassed && gap < best.gap) best = { gap, index: i };
  });
  if (best.index >= 0) return { kind: "point", id: points[best.index].id };
  let piece = { gap: LINE_HIT_PX };
  for (let i = Math.max(1, model.numPassed); i < places.length; i++) {
    const [a, b] = [places[i - 1], places[i]];
    if (!a || !b) continue;
    const [dx, dy] = [b[0] - a[0], b[1] - a[1]], length2 = dx * dx + dy * dy || 1;
    const t = Math.min(1, Math.max(0, ((at[0] - a[0]) * dx + (at[1] - a[1]) * dy) / length2));
    const gap = Math.hypot(a[0] + t * dx - at[0], a[1] + t * dy - at[1]);
    if (gap < piece.gap) piece = { gap, index: i - 1, t };
  }
  return piece.index === undefined ? null : { kind: "line", index: piece.index, t: piece.t };
}
