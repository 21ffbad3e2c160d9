/** The drawing as the page holds it between commits: the same JSON as on the server, and the geometry to pick from it. */

export const STEP_COLOURS = [
  [0, 255, 94], [0, 255, 247], [255, 106, 138], [255, 214, 0],
  [178, 120, 255], [255, 140, 26], [64, 128, 255], [255, 64, 255],
];

export const css = ([r, g, b], alpha = 1) => `rgba(${r},${g},${b},${alpha})`;
export const newId = () => (crypto.randomUUID ? crypto.randomUUID() : `s${Date.now().toString(36)}${Math.random().toString(36).slice(2, 10)}`);
export const clamp01 = (value) => Math.min(1, Math.max(0, value));
const distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);

/** Distance of p to the segment a-b, all in the same unit. */
export function segmentDistance(p, a, b) {
  const dx = b[0] - a[0], dy = b[1] - a[1];
  const length2 = dx * dx + dy * dy;
  const t = length2 ? Math.min(1, Math.max(0, ((p[0] - a[0]) * dx + (p[1] - a[1]) * dy) / length2)) : 0;
  return distance(p, [a[0] + t * dx, a[1] + t * dy]);
}

/** Ramer-Douglas-Peucker with the tolerance in the unit of the points. */
export function simplify(points, tolerance) {
  if (points.length < 3) return points;
  let worst = 0, index = 0;
  for (let i = 1; i < points.length - 1; i++) {
    const d = segmentDistance(points[i], points[0], points.at(-1));
    if (d > worst) [worst, index] = [d, i];
  }
  if (worst <= tolerance) return [points[0], points.at(-1)];
  return [...simplify(points.slice(0, index + 1), tolerance).slice(0, -1), ...simplify(points.slice(index), tolerance)];
}

/** The step number that a stroke shows: explicit, else the place of its colour. */
export function stepOf(stroke) {
  if (stroke.order) return stroke.order;
  const place = STEP_COLOURS.findIndex((c) => c.every((v, i) => v === stroke.colour[i]));
  return place < 0 ? null : place + 1;
}

export class Drawing {
  constructor() {
    this.doc = null;
    this.selectedId = null;
    this.listeners = new Set();
    /** What the server read from it: plan, sentences, problems, ghosts. */
    this.reading = { sentences: [], calls: [], problems: [], ghosts: [], error: "", plan: null };
    this.canUndo = false;
    this.canRedo = false;
  }

  onChange(fn) {
    this.listeners.add(fn);
  }

  changed() {
    for (const fn of this.listeners) fn();
  }

  /** Takes the server's truth. */
  load(message) {
    const { sketch, can_undo: canUndo, can_redo: canRedo, type, ...reading } = message;
    this.doc = sketch;
    this.reading = reading;
    this.canUndo = canUndo;
    this.canRedo = canRedo;
    if (!this.selected) this.selectedId = null;
    this.changed();
  }

  get strokes() {
    return this.doc?.strokes ?? [];
  }

  get selected() {
    return this.strokes.find((s) => s.id === this.selectedId) ?? null;
  }

  select(id) {
    if (this.selectedId === id) return;
    this.selectedId = id;
    this.changed();
  }

  /** A copy of the document for another camera or frame size starts empty, because strokes belong to the picture they were drawn on. */
  documentFor(camera, step) {
    if (this.doc && (this.doc.camera === camera || !this.strokes.length)) return { ...this.doc, camera, step };
    return { version: 1, id: newId(), camera, width: this.doc?.width ?? 480, height: this.doc?.height ?? 480, step, strokes: [] };
  }

  /** The colour index that the next stroke should have: one step further than the last one drawn. */
  get nextStep() {
    const used = this.strokes.map(stepOf).filter((n) => n !== null);
    return used.length ? Math.min(Math.max(...used) + 1, STEP_COLOURS.length) : 1;
  }

  /**
   * Finds what lies under the pointer.
   * @param {(p: number[]) => number[]} toScreen maps 0..1 to CSS px
   * @param {[number, number]} at CSS px
   * @returns {{stroke: object, handle: number | null} | null} a handle of the selected stroke, or a stroke
   */
  hit(toScreen, at, tolerance = 9) {
    const selected = this.selected;
    if (selected) {
      const handle = selected.points.findIndex((p) => distance(toScreen(p), at) <= tolerance + 3);
      if (handle >= 0) return { stroke: selected, handle };
    }
    let best = null, bestDistance = tolerance;
    for (const stroke of this.strokes) {
      const points = stroke.points.map(toScreen);
      const d = stroke.kind === "circle" ? Math.abs(distance(points[0], at) - distance(points[0], points[1])) : pathDistance(points, at);
      const centre = stroke.kind === "circle" ? distance(points[0], at) : Infinity;
      if (Math.min(d, centre) <= bestDistance) [best, bestDistance] = [stroke, Math.min(d, centre)];
    }
    return best ? { stroke: best, handle: null } : null;
  }
}

function pathDistance(points, at) {
  if (points.length === 1) return distance(points[0], at);
  let best = Infinity;
  for (let i = 1; i < points.length; i++) best = Math.min(best, segmentDistance(at, points[i - 1], points[i]));
  return best;
}

/** A stroke moved by (du, dv), kept within the picture. */
export function moved(stroke, du, dv) {
  const anchors = stroke.kind === "circle" ? stroke.points.slice(0, 1) : stroke.points;
  const us = anchors.map((p) => p[0]), vs = anchors.map((p) => p[1]);
  const safe = (d, low, high) => Math.min(Math.max(d, -low), 1 - high);
  const sx = safe(du, Math.min(...us), Math.max(...us)), sy = safe(dv, Math.min(...vs), Math.max(...vs));
  const shift = ([u, v]) => [u + sx, v + sy];
  return { ...stroke, points: stroke.points.map(shift), raw: [] };
}

/** A stroke with one handle dragged to a point; the centre of a circle takes the rim along. */
export function reshaped(stroke, handle, [u, v]) {
  if (stroke.kind === "circle" && handle === 0) return moved(stroke, u - stroke.points[0][0], v - stroke.points[0][1]);
  const to = stroke.kind === "circle" ? [u, v] : [clamp01(u), clamp01(v)];
  return { ...stroke, points: stroke.points.map((p, i) => (i === handle ? to : p)), raw: [] };
}
