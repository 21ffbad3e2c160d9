/**
 * The path tool: the robot's way as a line on the picture whose points are dragged. Level by default, up and down with Shift or by the
 * arrow over a selected point; the same points can be dragged on the second camera. Everything is drawn beneath the surface that takes
 * the pointer, so a redraw never takes anything from under it.
 */

import { h } from "./dom.js";
import { svg } from "./overlay.js";
import { Lens, PathLayer, hitPath } from "./path_layer.js";
import { PathModel } from "./path_model.js";

const DRAW_PX = 14;

export class TraceTool {
  /** @param {object} stage the stage */
  constructor(stage) {
    this.stage = stage;
    this.viewport = stage.viewport;
    this.model = new PathModel((name, args) => stage.socket.request(name, args));
    this.lens = new Lens();
    this.isActive = false;
    /** @type {number[][] | null} a path that is being drawn, in 0..1 of the picture */
    this.drawing = null;
    /** What the next click means besides editing: `{take(uv, camera)}`. */
    this.picking = null;
    this.proposals = null;
    this.marks = null;
    const group = svg("g", { class: "layer-path" });
    stage.overlay.root.append(group);
    this.layer = new PathLayer(group, this.lens, (uv) => this.viewport.toScreen(uv), 1);
    this.notes = h("div", { class: "notes path-notes" });
    stage.notes.after(this.notes);
    this.viewport.onChange(() => this.refresh());
    this.model.onChange(() => {
      this.refresh();
      if (this.isActive) stage.showTools();
    });
  }

  connect(socket) {
    socket.on("hello", (m) => this.model.take(m.trajectory));
    socket.on("trajectory", (m) => this.model.take(m));
    socket.on("trajectory_drive", (m) => this.model.takeDrive(m));
    socket.on("status", (m) => { this.shownStep = m.shown_step; this.showMoment(); });
    socket.on("event", () => this.showMoment());
    socket.on("intention", (m) => { this.proposals = m.proposals ?? null; this.refresh(); });
    socket.on("frame", (frame) => { if (frame.channel === 1 && this.pip?.lens.set(frame.projection)) this.refresh(); });
  }

  /** Draws and drags on the second camera as well. @param {{element: HTMLElement, name: string}} pip */
  attach(pip) {
    const side = 240;
    const root = svg("svg", { class: "pip-intention", viewBox: `0 0 ${side} ${side}`, "aria-hidden": "true" });
    const group = svg("g");
    root.append(group);
    const canvas = pip.element.querySelector("canvas");
    canvas.after(root);
    const lens = new Lens();
    this.pip = { view: pip, canvas, lens, layer: new PathLayer(group, lens, ([u, v]) => [side * u, side * v], 0.75) };
    const at = (e) => {
      const box = canvas.getBoundingClientRect();
      return [((e.clientX - box.left) / box.width) * side, ((e.clientY - box.top) / box.height) * side];
    };
    let isHolding = false;
    // In the capture phase, so that a point under the pointer goes before moving the small picture about.
    canvas.addEventListener("pointerdown", (e) => {
      const hit = this.isActive && e.button === 0 ? hitPath(this.model, this.pip.layer, at(e), false) : null;
      if (!hit) return;
      e.stopImmediatePropagation();
      canvas.setPointerCapture(e.pointerId);
      isHolding = true;
      this.grab(hit, e);
    }, true);
    canvas.addEventListener("pointermove", (e) => {
      const place = at(e);
      if (isHolding) {
        e.stopImmediatePropagation();
        this.moveTo([place[0] / side, place[1] / side], lens, e.shiftKey);
      } else if (this.isActive) {
        canvas.style.cursor = hitPath(this.model, this.pip.layer, place, false) ? "grab" : "";
      }
    }, true);
    for (const type of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(type, () => {
        if (!isHolding) return;
        isHolding = false;
        if (type === "pointerup") this.release(pip.name);
        else this.model.cancel();
      }, true);
    }
  }

  // --- what the stage tells ---

  /** Of an earlier moment that is looked at, the path that stood then; also called when the timeline has read another episode. */
  showMoment() {
    const step = this.shownStep ?? null;
    if (step === null) {
      this.pastId = null;
      return this.model.showPast(null);
    }
    const events = window.VLAW?.timeline?.events ?? [];
    const found = events.filter((e) => e.kind === "path" && e.step <= step && e.payload?.path).at(-1);
    if ((found?.id ?? "none") === this.pastId && this.model.past) return undefined;
    this.pastId = found?.id ?? "none";
    return this.model.showPast(found ? found.payload.path.points : []);
  }

  setProjection(projection) {
    if (this.lens.set(projection)) this.refresh();
  }

  /** Whether the tool is in the hand; without it the path is shown, but not touched. */
  setActive(isActive) {
    if (isActive === this.isActive) return;
    this.isActive = isActive;
    this.stage.element.classList.toggle("has-path-tool", isActive);
    this.stage.socket?.command("trajectory_watch", { is_on: isActive });
    if (isActive && !this.stage.pip?.isOpen) this.stage.run("toggle_pip");
    this.refresh();
  }

  get isShown() {
    const { model } = this;
    return this.isActive || Boolean(model.past) || (model.points.length > 0 && !model.state.is_own);
  }

  get isBusy() {
    return Boolean(this.model.held || this.drawing);
  }

  refresh() {
    if (this.isWanted) return;
    this.isWanted = true;
    requestAnimationFrame(() => {
      this.isWanted = false;
      this.layer.draw(this);
      this.pip?.layer.draw(this);
      this.writeNotes();
      const { dataset } = this.stage.element;
      dataset.path = `${this.model.shown.length}`;
      dataset.pathState = this.model.report?.state ?? "";
    });
  }

  /** The words of each problem, beside its place. */
  writeNotes() {
    const problems = this.isShown ? (this.model.report?.problems ?? []) : [];
    const key = JSON.stringify(problems.map((p) => [p.message, ...(this.layer.at(p.position) ?? [])].map((x) => (typeof x === "number" ? Math.round(x) : x))));
    if (key === this.noteKey) return;
    this.noteKey = key;
    const taken = [];
    this.notes.replaceChildren(...problems.slice(0, 4).flatMap((problem) => {
      const at = this.layer.at(problem.position);
      if (!at) return [];
      const x = Math.min(Math.max(at[0] + 18, 4), this.viewport.width - 200);
      let y = Math.min(Math.max(at[1] - 12, 44), this.viewport.height - 80);
      while (taken.some((other) => Math.abs(other - y) < 36)) y += 36;
      taken.push(y);
      const note = h("div", { class: "problem-note path-note", text: problem.message });
      note.style.left = `${x}px`;
      note.style.top = `${y}px`;
      return [note];
    }));
  }

  // --- the hand of the tool ---

  press(at, event) {
    const uv = this.viewport.toImage(at);
    if (this.picking) {
      const { take } = this.picking;
      take(uv, this.stage.overlay.camera);
      return true;
    }
    const refusal = this.refusal();
    if (refusal) {
      this.stage.dialogs?.toast(refusal, "info");
      return true;
    }
    const hit = hitPath(this.model, this.layer, at, true);
    if (hit) {
      this.grab(hit, event);
      return true;
    }
    if (event.altKey) return false; // pans
    this.model.select(null);
    this.drawing = [uv];
    this.drawnFrom = at;
    return true;
  }

  refusal() {
    const { status } = this.stage;
    if (status?.mode === "idle") return "Start an episode first (Scene tab).";
    if (this.model.past) return "This is the path of an earlier moment. Follow live (End) to edit the present one.";
    return "";
  }

  grab(hit, event) {
    if (hit.kind === "line") {
      const [a, b] = [this.model.points[hit.index].position, this.model.points[hit.index + 1].position];
      this.model.insert(hit.index, a.map((c, k) => c + hit.t * (b[k] - c)));
    } else if (event.altKey) {
      this.model.remove(hit.id);
      return;
    } else {
      this.model.hold(hit.id, `${hit.kind === "lift" ? "raised" : "moved"} point ${this.model.number(hit.id)}`);
    }
    this.isLifting = hit.kind === "lift";
    this.offset = null;
  }

  drag(at, event) {
    const uv = this.viewport.toImage(at);
    if (this.drawing) {
      this.drawing.push(uv.map((c) => Math.min(Math.max(c, 0), 1)));
      this.refresh();
    } else if (this.model.held) {
      this.moveTo(uv, this.lens, event.shiftKey || this.isLifting);
    }
  }

  /** Moves the held point with the pointer; where it was taken hold of stays under it. */
  moveTo(uv, lens, isUpright) {
    const held = this.model.points.find((p) => p.id === this.model.held?.id);
    const now = held && lens.project(held.position);
    if (!now) return;
    if (!this.offset || this.offset.isUpright !== isUpright || this.offset.lens !== lens) {
      this.offset = { isUpright, lens, by: [now[0] - uv[0], now[1] - uv[1]] };
      return;
    }
    const wanted = [uv[0] + this.offset.by[0], uv[1] + this.offset.by[1]];
    const place = isUpright ? lens.upright(wanted, held.position) : lens.level(wanted, held.position);
    if (place) this.model.moveHeld(place);
  }

  release(camera = this.stage.overlay.camera) {
    if (this.drawing) return this.finishDrawing();
    const held = this.model.held;
    this.offset = null;
    if (!held) return undefined;
    const snap = this.model.isSnapping && held.isMoved && !this.isLifting ? { snap: { id: held.id, camera } } : {};
    return this.model.release(snap);
  }

  finishDrawing() {
    const drawn = this.drawing;
    this.drawing = null;
    this.refresh();
    const [first, last] = [this.viewport.toScreen(drawn[0]), drawn.reduce((far, p) => {
      const s = this.viewport.toScreen(p);
      return Math.max(far, Math.hypot(s[0] - this.drawnFrom[0], s[1] - this.drawnFrom[1]));
    }, 0)];
    if (!first || last < DRAW_PX || drawn.length < 3) return;
    const step = Math.max(1, Math.floor(drawn.length / 400));
    const points = drawn.filter((_, i) => i % step === 0 || i === drawn.length - 1);
    this.model.ask("trajectory_draw", { camera: this.stage.overlay.camera, points });
  }

  hover(at) {
    if (this.picking) return "crosshair";
    const hit = this.model.past ? null : hitPath(this.model, this.layer, at, true);
    this.model.hover(hit?.id ?? null);
    return hit ? { lift: "ns-resize", point: "grab", line: "copy" }[hit.kind] : "crosshair";
  }

  /** @returns {boolean} whether something was in the making */
  cancel() {
    const wasBusy = this.isBusy || Boolean(this.picking);
    this.drawing = null;
    this.model.cancel();
    if (this.picking) {
      this.picking = null;
      this.model.changed();
    }
    this.refresh();
    return wasBusy;
  }

  // --- commands ---

  /** In which contexts keys are looked up first. */
  get contexts() {
    return this.isActive ? [...(this.model.selected ? ["waypoint"] : []), "path"] : [];
  }

  /** @returns {boolean} whether a point was selected */
  deselect() {
    const wasSelected = this.isActive && this.model.selectedId !== null;
    if (wasSelected) this.model.select(null);
    return wasSelected;
  }

  /** The page's own commands, by name. */
  local(name, isLarge) {
    const id = this.model.selectedId, step = isLarge ? 0.02 : 0.005;
    const nudge = (right, away, up) => () => this.model.moveBy(id, this.nudgeOffset(right * step, away * step, up * step));
    return {
      waypoint_delete: () => this.model.remove(id),
      waypoint_left: nudge(-1, 0, 0),
      waypoint_right: nudge(1, 0, 0),
      waypoint_away: nudge(0, 1, 0),
      waypoint_near: nudge(0, -1, 0),
      waypoint_raise: nudge(0, 0, 1),
      waypoint_lower: nudge(0, 0, -1),
      waypoint_grip: () => this.turnGripper(id),
      trajectory_go: () => this.go?.(),
      ...(this.isActive ? { undo: () => this.stage.run("trajectory_undo"), redo: () => this.stage.run("trajectory_redo") } : {}),
    }[name];
  }

  /** Close here, open here, as before; in turn. */
  turnGripper(id) {
    const point = this.model.points.find((p) => p.id === id);
    if (!point) return;
    const next = { null: 0, 0: 1, 1: null }[point.gripper];
    const words = next === null ? "no gripper event at" : next > 0.5 ? "open the gripper at" : "close the gripper at";
    this.model.set(id, { gripper: next }, `${words} point ${this.model.number(id)}`);
  }

  /** Right, up the picture and upwards, as the camera shows it, in the world [m]. */
  nudgeOffset(right, away, up) {
    const [fx, fy] = this.lens.m ? this.lens.forward : [1, 0], length = Math.hypot(fx, fy) || 1;
    const f = length > 0.15 ? [fx / length, fy / length] : [-1, 0];
    return [f[1] * right + f[0] * away, -f[0] * right + f[1] * away, up];
  }
}
