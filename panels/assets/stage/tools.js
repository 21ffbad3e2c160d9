/** Pointer tools on the picture: select, arrow, path, circle, pen, erase; zoom and pan with any of them. Mouse, pen and touch. */

import { STEP_COLOURS, clamp01, moved, newId, reshaped, simplify, stepOf } from "./document.js";

const CLICK_PX = 5;
const PATH_TOLERANCE_PX = 3;
const DEFAULT_RADIUS = 0.055;
export const TOOLS = ["select", "arrow", "path", "circle", "pen", "erase", "trace", "mask", "hand"];
const DRAWING_TOOLS = new Set(["arrow", "path", "circle", "pen"]);

export class Tools {
  /**
   * @param {HTMLElement} surface takes the pointer
   * @param {{viewport: import("./viewport.js").Viewport, drawing: import("./document.js").Drawing,
   *   overlay: import("./overlay.js").Overlay, commit: Function, canDraw: () => string, onChange: Function}} parts
   */
  constructor(surface, parts) {
    Object.assign(this, { surface, ...parts });
    this.tool = "arrow";
    this.lastDrawingTool = "arrow";
    this.isSnapping = true;
    this.isGeometric = true;
    /** 1..8, or null: the next free step. */
    this.step = null;
    /** @type {object | null} what the pressed pointer is doing */
    this.action = null;
    /** @type {object | null} way points clicked so far */
    this.clicked = null;
    /** @type {Map<number, [number, number]>} */
    this.pointers = new Map();
    /** Tools with a hand of their own: `press(at, event)` says whether it takes the pointer, then `drag(at, event)`, `release()`, `hover(at)`, `cancel()`. @type {Map<string, object>} */
    this.hands = new Map();
    surface.addEventListener("pointerdown", (e) => this.down(e));
    surface.addEventListener("pointermove", (e) => this.move(e));
    surface.addEventListener("pointerup", (e) => this.up(e));
    surface.addEventListener("pointercancel", (e) => this.abort(e));
    surface.addEventListener("pointerleave", () => this.overlay.setHover(null));
    surface.addEventListener("dblclick", () => this.finish());
    surface.addEventListener("wheel", (e) => this.wheel(e), { passive: false });
    surface.addEventListener("contextmenu", (e) => e.preventDefault());
    surface.addEventListener("auxclick", (e) => e.preventDefault());
  }

  choose(tool) {
    this.cancel();
    this.tool = tool;
    if (DRAWING_TOOLS.has(tool)) this.lastDrawingTool = tool;
    if (tool !== "select") this.drawing.select(null);
    this.surface.dataset.tool = tool;
    this.onChange();
  }

  /** @returns {boolean} whether something was in the making */
  cancel() {
    const wasBusy = Boolean(this.hand?.cancel() || this.clicked || this.action);
    this.clicked = this.action = null;
    this.setDraft(null);
    return wasBusy;
  }

  /** Ends an arrow of clicked way points. @returns {boolean} whether there was one */
  finish() {
    if (!this.clicked) return false;
    const points = this.clicked.filter((p, i, all) => !i || this.pixels(p, all[i - 1]) > 3);
    this.clicked = null;
    this.setDraft(null);
    if (points.length > 1) this.add({ kind: "arrow", points });
    return true;
  }

  /** Whether the person holds something that a message from the server must not replace. */
  get isBusy() {
    return this.action?.kind === "drag" || this.action?.kind === "erase";
  }

  get hand() {
    return this.hands.get(this.tool);
  }

  at(event) {
    const box = this.surface.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  inside(screen) {
    const [u, v] = this.viewport.toImage(screen);
    return [clamp01(u), clamp01(v)];
  }

  pixels(a, b) {
    const [p, q] = [this.viewport.toScreen(a), this.viewport.toScreen(b)];
    return Math.hypot(p[0] - q[0], p[1] - q[1]);
  }

  down(event) {
    const at = this.at(event);
    this.surface.focus({ preventScroll: true });
    this.pointers.set(event.pointerId, at);
    this.surface.setPointerCapture(event.pointerId);
    event.preventDefault();
    if (event.pointerType === "touch" && this.pointers.size === 2) {
      this.cancel();
      this.action = { kind: "pinch", ...this.pinch() };
    } else if ((event.button === 0 || event.button === 2) && this.pointers.size === 1 && (event.button === 0 || this.hand?.takesRight) && this.hand?.press(at, event)) {
      this.action = { kind: "hand" };
    } else if (event.button === 1 || (event.button === 0 && event.altKey)) {
      this.action = { kind: "pan", last: at };
    } else if (event.button === 0 && this.pointers.size === 1 && !this.hand) {
      this.press(at);
    }
  }

  press(at) {
    const toScreen = (p) => this.viewport.toScreen(p);
    if (this.tool === "select") {
      const hit = this.drawing.hit(toScreen, at);
      this.drawing.select(hit?.stroke.id ?? null);
      if (hit) this.action = { kind: "drag", start: at, original: hit.stroke, handle: hit.handle, isMoved: false };
      return;
    }
    if (this.tool === "erase") {
      this.action = { kind: "erase", removed: 0 };
      this.eraseAt(at);
      return;
    }
    const refusal = this.canDraw();
    if (refusal) return;
    const point = this.inside(at);
    this.action = { kind: this.tool, start: at, points: [point] };
    if (this.clicked) this.action.kind = "click";
  }

  move(event) {
    const at = this.at(event);
    if (this.pointers.has(event.pointerId)) this.pointers.set(event.pointerId, at);
    const action = this.action;
    if (!action) return this.hover(at);
    if (action.kind === "hand") {
      this.hand.drag(at, event);
    } else if (action.kind === "pan") {
      this.viewport.panBy(at[0] - action.last[0], at[1] - action.last[1]);
      action.last = at;
    } else if (action.kind === "pinch") {
      this.movePinch(action);
    } else if (action.kind === "drag") {
      this.drag(action, at);
    } else if (action.kind === "erase") {
      this.eraseAt(at);
    } else {
      this.extend(action, event, at);
    }
  }

  hover(at) {
    if (this.hand) {
      this.surface.style.cursor = this.hand.hover(at);
      return;
    }
    if (this.clicked) {
      this.setDraft({ kind: "arrow", points: [...this.clicked, this.inside(at)] });
    } else if (this.tool === "select" || this.tool === "erase") {
      const hit = this.drawing.hit((p) => this.viewport.toScreen(p), at);
      this.overlay.setHover(hit?.stroke.id ?? null);
      this.surface.style.cursor = hit ? (hit.handle === null ? "move" : "grab") : "";
      return;
    }
    this.surface.style.cursor = "";
  }

  extend(action, event, at) {
    // A pen reports more often than the screen is painted; every sample counts for the shape.
    const samples = event.getCoalescedEvents?.() ?? [];
    for (const sample of samples.length ? samples : [event]) action.points.push(this.inside(this.at(sample)));
    const [start, end] = [action.points[0], this.inside(at)];
    if (action.kind === "arrow") this.setDraft({ kind: "arrow", points: [start, end] });
    else if (action.kind === "circle") this.setDraft({ kind: "circle", points: [start, this.viewport.toImage(at)] });
    else if (action.kind === "click") this.setDraft({ kind: "arrow", points: [...this.clicked, end] });
    else this.setDraft({ kind: "freehand", points: action.points });
  }

  up(event) {
    this.pointers.delete(event.pointerId);
    const action = this.action;
    if (!action) return;
    this.action = null;
    if (action.kind === "hand") return this.hand.release();
    const at = this.at(event);
    const isClick = action.start && Math.hypot(at[0] - action.start[0], at[1] - action.start[1]) < CLICK_PX;
    if (action.kind === "drag" && action.isMoved) this.commit("move");
    else if (action.kind === "erase" && action.removed) this.commit("delete");
    else if (DRAWING_TOOLS.has(action.kind) || action.kind === "click") this.draw(action, at, isClick && action.points.length < 60);
  }

  draw(action, at, isClick) {
    const end = this.inside(at);
    this.setDraft(null);
    if (action.kind === "circle") {
      const rim = isClick ? [action.points[0][0] + DEFAULT_RADIUS, action.points[0][1]] : this.viewport.toImage(at);
      this.add({ kind: "circle", points: [action.points[0], rim] });
    } else if (action.kind === "click") {
      this.clicked.push(end);
      this.setDraft({ kind: "arrow", points: this.clicked });
    } else if (isClick && action.kind !== "pen") {
      this.clicked = [end];
      this.setDraft({ kind: "arrow", points: [end, end] });
    } else if (action.kind === "arrow") {
      this.add({ kind: "arrow", points: [action.points[0], end] });
    } else {
      this.drawFreely(action);
    }
  }

  drawFreely(action) {
    const { width, height } = this.viewport;
    const scale = Math.max(width, height) * this.viewport.scale;
    const thin = simplify(action.points, (action.kind === "pen" ? 0.7 : PATH_TOLERANCE_PX) / scale).slice(0, 1500);
    if (thin.length < 2) return;
    if (action.kind === "pen") this.add({ kind: "freehand", points: thin, raw: thin });
    else this.add({ kind: "arrow", points: thin, raw: [] });
  }

  drag(action, at) {
    const from = this.viewport.toImage(action.start), to = this.viewport.toImage(at);
    if (!action.isMoved && Math.hypot(at[0] - action.start[0], at[1] - action.start[1]) < 2) return;
    action.isMoved = true;
    const changed = action.handle === null ? moved(action.original, to[0] - from[0], to[1] - from[1]) : reshaped(action.original, action.handle, to);
    this.replace(changed);
  }

  eraseAt(at) {
    const hit = this.drawing.hit((p) => this.viewport.toScreen(p), at);
    if (!hit) return;
    this.drawing.doc = { ...this.drawing.doc, strokes: this.drawing.strokes.filter((s) => s.id !== hit.stroke.id) };
    this.drawing.changed();
    if (this.action) this.action.removed += 1;
  }

  abort(event) {
    this.pointers.delete(event.pointerId);
    this.cancel();
  }

  wheel(event) {
    event.preventDefault();
    this.viewport.zoomAt(this.at(event), Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)));
  }

  pinch() {
    const [a, b] = [...this.pointers.values()];
    return { middle: [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2], spread: Math.hypot(a[0] - b[0], a[1] - b[1]) || 1 };
  }

  movePinch(action) {
    if (this.pointers.size < 2) return;
    const now = this.pinch();
    this.viewport.panBy(now.middle[0] - action.middle[0], now.middle[1] - action.middle[1]);
    this.viewport.zoomAt(now.middle, now.spread / action.spread);
    Object.assign(action, now);
  }

  // --- changes of the drawing ---

  setDraft(shape) {
    this.overlay.draft = shape && { id: "draft", raw: [], ...this.look(shape), ...shape };
    this.overlay.refresh();
  }

  /** Colour and style of a new stroke. An arrow about or from a circle belongs to the circle's step. */
  look(shape) {
    const circle = this.step === null && shape.kind !== "circle" ? this.circleAt(shape.points[0]) : null;
    const step = this.step ?? (circle ? stepOf(circle) : null) ?? this.drawing.nextStep;
    return { colour: circle && this.step === null ? circle.colour : STEP_COLOURS[step - 1], width_px: 4, is_geometric: this.isGeometric, order: null, verb: null };
  }

  circleAt(point) {
    if (this.drawing.doc?.camera !== this.overlay.camera) return null;
    return this.drawing.strokes.findLast((s) => {
      if (s.kind !== "circle") return false;
      const radius = this.pixels(s.points[0], s.points[1]);
      const sameStep = this.drawing.strokes.filter((o) => stepOf(o) === stepOf(s));
      return sameStep.length === 1 && this.pixels(s.points[0], point) < 2.2 * radius;
    }) ?? null;
  }

  add(shape) {
    const stroke = { id: newId(), raw: [], ...this.look(shape), ...shape };
    const doc = this.drawing.documentFor(this.overlay.camera, this.currentStep());
    this.drawing.doc = { ...doc, strokes: [...doc.strokes, stroke] };
    this.drawing.changed();
    this.commit("add", stroke.kind === "freehand" && this.isSnapping);
  }

  replace(stroke) {
    this.drawing.doc = { ...this.drawing.doc, strokes: this.drawing.strokes.map((s) => (s.id === stroke.id ? stroke : s)) };
    this.drawing.changed();
  }

  /** @param {(stroke: object) => object | null} change null removes the stroke */
  changeSelected(change, kind) {
    const stroke = this.drawing.selected;
    if (!stroke) return false;
    const changed = change(stroke);
    const strokes = this.drawing.strokes.flatMap((s) => (s.id !== stroke.id ? [s] : changed ? [changed] : []));
    this.drawing.doc = { ...this.drawing.doc, strokes };
    if (!changed) this.drawing.selectedId = null;
    this.drawing.changed();
    this.commit(kind);
    return true;
  }

  nudge(du, dv) {
    return this.changeSelected((s) => moved(s, du / this.drawing.doc.width, dv / this.drawing.doc.height), "move");
  }

  setStep(step) {
    const isChanged = this.changeSelected((s) => ({ ...s, colour: STEP_COLOURS[step - 1], order: null }), "colour");
    if (!isChanged) this.step = this.step === step ? null : step;
    this.onChange();
  }

  toggleStyle() {
    const isChanged = this.changeSelected((s) => ({ ...s, is_geometric: !s.is_geometric }), "style");
    if (!isChanged) this.isGeometric = !this.isGeometric;
    this.onChange();
  }
}
