/**
 * The hand tool: correcting on the picture. Dragging the ring at the gripper takes over at once and moves the hand in the plane of the picture
 * (Shift: nearer and farther); a click sends the hand over a place, a stroke anywhere else makes the hand move likewise. A gamepad drives too.
 */

import { svg } from "./overlay.js";

const RING_PX = 17;
const CLICK_PX = 5;
const RENEW_MS = 60;
const DEPTH_PER_PX = 0.0015;
const DEAD_ZONE = 0.12;
const PAD_MS = 60;
const PAD_STEP_M = 0.012;
const PAD_STEP_RAD = 0.06;
const HALO = "rgba(6,9,14,0.72)";
const CAN_DRIVE = new Set(["autonomous", "paused", "correcting"]);
/** Buttons of a standard gamepad, as gym-hil uses them. */
const PAD_BUTTONS = { 5: "correct", 6: "grip-close", 7: "grip-open", 3: "mark_success", 0: "mark_failure", 2: "discard", 1: "halt", 4: "segment" };

export class HandTool {
  /** @param {object} stage the stage */
  constructor(stage) {
    this.stage = stage;
    this.group = svg("g", { class: "layer-hand" });
    stage.overlay.root.append(this.group);
    this.held = null;
    this.pressed = new Set();
    stage.viewport.onChange(() => this.draw());
    window.addEventListener("gamepadconnected", () => this.pollPad());
    this.pollPad();
  }

  get status() { return this.stage.status; }

  /** Whether the ring is on the picture. */
  get isShown() {
    const { status } = this;
    return Boolean(status?.ee && status.shown_step === null && (this.stage.tools.tool === "hand" || status.mode === "correcting") && CAN_DRIVE.has(status.mode));
  }

  // --- what the stage tells ---

  follow(status, before) {
    const isDriving = status.mode === "correcting", wasDriving = before?.mode === "correcting";
    const { tools } = this.stage;
    if (isDriving && !wasDriving && tools.tool !== "hand") {
      this.toolBefore = tools.tool;
      tools.choose("hand");
    } else if (!isDriving && wasDriving && this.toolBefore && !this.held) {
      if (tools.tool === "hand") tools.choose(this.toolBefore);
      this.toolBefore = null;
    }
    if (!isDriving && wasDriving && this.held?.kind === "ring") this.letGo();
    this.draw();
  }

  setProjection(projection) {
    this.projection = projection;
    this.draw();
  }

  // --- geometry ---

  /** World [m] to [CSS x, CSS y, depth in m]; null behind the camera. */
  project([x, y, z]) {
    const m = this.projection;
    if (!m) return null;
    const w = m[8] * x + m[9] * y + m[10] * z + m[11];
    if (w < 0.01) return null;
    const [u, v] = this.stage.viewport.toScreen([(m[0] * x + m[1] * y + m[2] * z + m[3]) / w, (m[4] * x + m[5] * y + m[6] * z + m[7]) / w]);
    return [u, v, w];
  }

  /** The world point [m] under a place on the screen [CSS px] at a depth [m]. */
  unproject(at, depth) {
    const m = this.projection;
    const [u, v] = this.stage.viewport.toImage(at);
    const b = [u * depth - m[3], v * depth - m[7], depth - m[11]];
    const [a, d, g] = [[m[0], m[1], m[2]], [m[4], m[5], m[6]], [m[8], m[9], m[10]]];
    const cross = (p, q) => [p[1] * q[2] - p[2] * q[1], p[2] * q[0] - p[0] * q[2], p[0] * q[1] - p[1] * q[0]];
    const [dg, ga, ad] = [cross(d, g), cross(g, a), cross(a, d)];
    const det = a[0] * dg[0] + a[1] * dg[1] + a[2] * dg[2];
    return [0, 1, 2].map((i) => (b[0] * dg[i] + b[1] * ga[i] + b[2] * ad[i]) / det);
  }

  // --- the pointer ---

  /** @returns {boolean} whether the tool takes the pointer */
  press(at, event) {
    if (!CAN_DRIVE.has(this.status?.mode)) {
      this.stage.dialogs?.toast(this.status?.mode === "halted" ? "Halted: press Space to release it first." : "Start an episode first (Scene tab).", "info");
      return false;
    }
    if (event.altKey || event.button !== 0) return false;
    const ring = this.status.ee && this.status.shown_step === null ? this.project(this.status.ee) : null;
    const isOnRing = ring && Math.hypot(ring[0] - at[0], ring[1] - at[1]) < RING_PX * (event.pointerType === "touch" ? 1.8 : 1.3);
    this.held = { kind: isOnRing ? "ring" : "stroke", start: at, points: [at], depth: ring?.[2] ?? null, isLow: event.shiftKey, lastY: at[1] };
    if (isOnRing) {
      // Where the ring is grabbed, so that taking it moves nothing.
      this.held.offset = [ring[0] - at[0], ring[1] - at[1]];
      this.takeOver(event.pointerType === "touch" ? "touch" : "handle");
      this.aim(at);
      this.timer = setInterval(() => this.send(), RENEW_MS);
      this.send();
    }
    return true;
  }

  drag(at, event) {
    const { held } = this;
    if (!held) return;
    if (held.kind === "ring") {
      if (event.shiftKey) {
        held.depth = Math.max(0.1, held.depth - (at[1] - held.lastY) * DEPTH_PER_PX);
        held.offset = [held.aimed[0] - at[0], held.aimed[1] - at[1]];
      }
      held.lastY = at[1];
      this.aim(at);
    } else {
      held.points.push(at);
    }
    this.draw();
  }

  aim(at) {
    const { held } = this;
    held.aimed = [at[0] + held.offset[0], at[1] + held.offset[1]];
    held.goal = this.unproject(held.aimed, held.depth);
  }

  send() {
    if (this.held?.goal && this.status?.mode === "correcting") this.stage.socket.command("drag_hand", { position: this.held.goal });
  }

  release() {
    const { held } = this;
    this.letGo();
    if (!held) return;
    if (held.kind === "ring") {
      if (this.status?.mode === "correcting") this.stage.socket.command("drive_along", { points: [held.goal] });
      return;
    }
    const end = held.points.at(-1);
    const length = held.points.reduce((sum, p, i) => sum + (i ? Math.hypot(p[0] - held.points[i - 1][0], p[1] - held.points[i - 1][1]) : 0), 0);
    if (length < CLICK_PX) this.goOver(held.start, held.isLow);
    else if (end) this.moveLikewise(held);
  }

  letGo() {
    clearInterval(this.timer);
    this.held = null;
    this.draw();
  }

  goOver(at, isLow) {
    const [u, v] = this.stage.viewport.toImage(at);
    if (u < 0 || u > 1 || v < 0 || v > 1) return;
    // Taken over at the click: finding the place takes the server a moment, and who hands back meanwhile shall not drive again.
    this.takeOver("waypoint");
    this.stage.socket.command("drive_over", { camera: this.stage.camera, point: [u, v], is_low: isLow });
  }

  /** The hand makes the movement of a stroke, in the plane of the picture. */
  async moveLikewise({ points, depth }) {
    if (depth === null) return;
    const step = Math.max(1, Math.ceil(points.length / 60));
    const thin = points.filter((_, i) => i % step === 0 || i === points.length - 1).map((p) => this.unproject(p, depth));
    const from = this.status.ee;
    const way = thin.slice(1).map((p) => p.map((c, i) => from[i] + c - thin[0][i]));
    await this.takeOver("stroke");
    if (way.length) this.stage.socket.command("drive_along", { points: way });
  }

  takeOver(via) {
    return this.stage.socket.command("drive", { via });
  }

  hover(at) {
    const ring = this.isShown ? this.project(this.status.ee) : null;
    return ring && Math.hypot(ring[0] - at[0], ring[1] - at[1]) < RING_PX * 1.3 ? "grab" : "crosshair";
  }

  cancel() {
    const wasBusy = Boolean(this.held);
    if (wasBusy) this.letGo();
    return wasBusy;
  }

  // --- drawing ---

  draw() {
    if (this.isWanted) return;
    this.isWanted = true;
    requestAnimationFrame(() => {
      this.isWanted = false;
      const ring = this.isShown && this.projection ? this.project(this.status.ee) : null;
      this.group.replaceChildren(...(ring ? this.ring(ring) : []), ...this.stroke());
      const { dataset } = this.stage.element;
      const place = ring ? `${ring[0].toFixed(1)},${ring[1].toFixed(1)}` : "";
      if (dataset.ring !== place) dataset.ring = place;
    });
  }

  ring([x, y]) {
    const parts = [svg("circle", { cx: x, cy: y, r: RING_PX, class: "hand-halo" }), svg("circle", { cx: x, cy: y, r: RING_PX, class: "hand-ring" }), svg("circle", { cx: x, cy: y, r: 2.5, class: "hand-dot" })];
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      const [a, b] = [RING_PX + 3, RING_PX + 9];
      parts.push(svg("path", { d: `M${x + dx * a - dy * 4} ${y + dy * a - dx * 4}L${x + dx * b} ${y + dy * b}L${x + dx * a + dy * 4} ${y + dy * a + dx * 4}`, class: "hand-arrow" }));
    }
    const aimed = this.held?.kind === "ring" ? this.held.aimed : null;
    if (aimed) parts.push(svg("path", { d: `M${x} ${y}L${aimed[0]} ${aimed[1]}`, class: "hand-pull" }), svg("circle", { cx: aimed[0], cy: aimed[1], r: 6, class: "hand-goal" }));
    return parts;
  }

  stroke() {
    if (this.held?.kind !== "stroke" || this.held.points.length < 2) return [];
    const d = this.held.points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
    return [svg("path", { d, stroke: HALO, "stroke-width": 7, fill: "none", "stroke-linejoin": "round" }), svg("path", { d, class: "hand-stroke" })];
  }

  // --- the gamepad ---

  pollPad() {
    if (this.padTimer) return;
    const hasPad = () => [...(navigator.getGamepads?.() ?? [])].some(Boolean);
    if (!hasPad()) return;
    this.padTimer = setInterval(() => {
      const pad = [...navigator.getGamepads()].find(Boolean);
      if (!pad || !document.body.contains(this.stage.root)) {
        clearInterval(this.padTimer);
        this.padTimer = 0;
        return;
      }
      this.readPad(pad);
    }, PAD_MS);
  }

  readPad(pad) {
    this.stage.element.dataset.gamepad = pad.id.slice(0, 60);
    const isDown = (i) => Boolean(pad.buttons[i]?.pressed);
    for (const [index, command] of Object.entries(PAD_BUTTONS)) {
      const was = this.pressed.has(index);
      if (isDown(index) && !was) {
        this.pressed.add(index);
        this.padButton(command);
      } else if (!isDown(index) && was) this.pressed.delete(index);
    }
    if (this.status?.mode !== "correcting" || !this.projection) return;
    const axis = (i) => { const a = pad.axes[i] ?? 0; return Math.abs(a) < DEAD_ZONE ? 0 : a; };
    const [x, y, turn, height] = [axis(0), axis(1), axis(2), axis(3)];
    if (!(x || y || turn || height)) return;
    const [right, down] = [this.stage.driver.worldAxis([1, 0]), this.stage.driver.worldAxis([0, 1])];
    const move = [0, 1, 2].map((i) => PAD_STEP_M * (x * right[i] + y * down[i]));
    move[2] -= PAD_STEP_M * height;
    this.stage.driver.drive([...move, 0, 0, -PAD_STEP_RAD * turn]);
  }

  padButton(command) {
    if (command === "grip-close" || command === "grip-open") this.stage.driver.grip(command === "grip-open" ? 1 : 0);
    else if (command === "correct" && this.status?.mode !== "correcting") this.takeOver("gamepad");
    else if (command !== "segment" || this.status?.mode === "correcting") this.stage.run(command);
  }
}
