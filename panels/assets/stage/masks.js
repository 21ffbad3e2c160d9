/**
 * The mask tool: click a thing and get its mask; left includes, right or Alt / Shift + click excludes, drag draws a box. Masks are
 * painted on a canvas beneath the drawing; points, the choice between masks and the question about a lost object lie above.
 */

import { h } from "./dom.js";
import { svg } from "./overlay.js";

const DRAG_PX = 6;
const LONGEST_NAME = 24;
export const MASK_COLOURS = ["#ffd60a", "#38bdf8", "#ff5fa2", "#4ade80", "#b78bff", "#ff9f43", "#2dd4bf", "#f87171"];
const CHOICES = ["mask_choice_1", "mask_choice_2", "mask_choice_3"];
const SIGHTS = { visible: "", low: "hard to see", lost: "lost" };

/** Pixels of a mask told as lengths of runs: off, on, off, … @returns {Uint8Array} */
export function pixelsOf({ width, height, runs }) {
  const pixels = new Uint8Array(width * height);
  let at = 0;
  runs.forEach((length, i) => {
    if (i % 2) pixels.fill(1, at, at + length);
    at += length;
  });
  return pixels;
}

const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));

/** Paints a mask into an image: its area faint, its rim strong; a mask that is not seen now as a rim alone. */
function paint(image, object, pixels, isFaint) {
  const [r, g, b] = rgb(MASK_COLOURS[object.colour % MASK_COLOURS.length]);
  const { width, height } = object;
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const i = row * width + column;
      if (!pixels[i]) continue;
      const isRim = !row || !column || row === height - 1 || column === width - 1 || !pixels[i - 1] || !pixels[i + 1] || !pixels[i - width] || !pixels[i + width];
      if (isFaint && !isRim) continue;
      image.data.set([r, g, b, isRim ? (isFaint && (row + column) % 4 < 2 ? 60 : 235) : 105], 4 * i);
    }
  }
}

/** The square (left, top, side in 0..1) that holds every mask a click may mean, with some room. */
function squareAround(object) {
  const { width, height } = object;
  let [left, top, right, bottom] = [width, height, 0, 0];
  for (const option of object.candidates) {
    pixelsOf({ ...option, width, height }).forEach((isOn, i) => {
      if (!isOn) return;
      const x = i % width, y = (i / width) | 0;
      [left, top, right, bottom] = [Math.min(left, x), Math.min(top, y), Math.max(right, x), Math.max(bottom, y)];
    });
  }
  const side = Math.min(1, 1.4 * Math.max((right - left) / width, (bottom - top) / height, 0.08));
  const keep = (x) => Math.min(Math.max(x - side / 2, 0), 1 - side);
  return [keep((left + right) / 2 / width), keep((top + bottom) / 2 / height), side];
}

export class MaskTool {
  /** @param {object} stage the stage */
  constructor(stage) {
    this.stage = stage;
    this.viewport = stage.viewport;
    this.state = { objects: [], selected: null, segmenters: [], program: null };
    this.isActive = false;
    /** The right button is for this tool as well. */
    this.takesRight = true;
    this.camera = "";
    this.draft = null;
    this.start = null;
    this.pixels = new Map();
    this.canvas = h("canvas", { class: "masks", width: 256, height: 256 });
    stage.canvas.after(this.canvas);
    this.group = svg("g", { class: "layer-masks" });
    stage.overlay.root.append(this.group);
    this.choices = h("div", { class: "mask-choices", hidden: true, role: "group", "aria-label": "What was meant" });
    this.question = h("div", { class: "mask-question", hidden: true, role: "alert" });
    this.listeners = new Set();
    this.viewport.onChange(() => { this.canvas.style.transform = this.viewport.css; this.refresh(); });
  }

  /** Puts what can be clicked above the surface; once the stage is furnished. */
  attach(picture) {
    picture.append(this.choices, this.question);
  }

  connect(socket) {
    socket.on("hello", (m) => { if (m.masks) this.take(m.masks); if (this.isActive) this.arm(); });
    socket.on("masks", (m) => this.take(m));
  }

  onChange(fn) {
    this.listeners.add(fn);
    fn(this.state);
  }

  take(message) {
    this.state = message;
    this.pixels = new Map(message.objects.map((o) => [o.id, pixelsOf(o)]));
    for (const fn of this.listeners) fn(message);
    this.refresh();
    if (this.isActive) this.stage.showTools();
  }

  get selected() {
    return this.state.objects.find((o) => o.id === this.state.selected) ?? null;
  }

  get contexts() {
    return this.isActive ? ["masking"] : [];
  }

  get undoing() {
    return { canUndo: Boolean(this.state.can_undo), canRedo: Boolean(this.state.can_redo) };
  }

  setActive(isActive) {
    if (isActive === this.isActive) return;
    this.isActive = isActive;
    this.arm();
    this.refresh();
  }

  /** Lets the server look at each new frame ahead, so that a click is answered at once. */
  arm() {
    this.stage.socket?.command("mask_arm", { camera: this.isActive ? this.camera : "" });
  }

  setCamera(name) {
    if (name === this.camera) return;
    this.camera = name;
    if (this.isActive) this.arm();
    this.refresh();
  }

  // --- the pointer ---

  press(at, event) {
    if (this.stage.refuseDrawing()) return false;
    this.start = { at, isOut: event.button === 2 || event.altKey || event.shiftKey };
    return true;
  }

  drag(at) {
    if (!this.start || this.start.isOut) return;
    if (!this.draft && Math.hypot(at[0] - this.start.at[0], at[1] - this.start.at[1]) < DRAG_PX) return;
    const a = this.inside(this.start.at), b = this.inside(at);
    this.draft = [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[0], b[0]), Math.max(a[1], b[1])];
    this.refresh();
  }

  release() {
    const { start, draft } = this;
    this.start = this.draft = null;
    this.refresh();
    if (!start) return;
    if (draft) this.ask({ box: draft });
    else this.ask({ points: [[...this.inside(start.at), start.isOut ? 0 : 1]] });
  }

  hover() {
    return "crosshair";
  }

  cancel() {
    const wasBusy = Boolean(this.start || this.draft);
    this.start = this.draft = null;
    if (wasBusy) this.refresh();
    return wasBusy;
  }

  inside(at) {
    return this.viewport.toImage(at).map((x) => Math.min(1, Math.max(0, x)));
  }

  /** Asks for a mask on the frame that is shown: while the robot moves, that frame has a step of its own. */
  async ask(what) {
    const { status, element } = this.stage;
    const isMoving = ["autonomous", "correcting"].includes(status?.mode);
    const step = status?.shown_step ?? (isMoving ? Number(element.dataset.step) : null);
    const begun = performance.now();
    element.dataset.masking = "1";
    try {
      await this.stage.socket.request("mask_point", { camera: this.camera, step, ...what });
      element.dataset.maskMs = String(Math.round(performance.now() - begun));
    } catch {
      // The stage has shown the reason.
    } finally {
      element.dataset.masking = "";
    }
  }

  // --- commands ---

  /** @returns {Function | undefined} what a command of the table does, if it is the tool's */
  local(name) {
    if (!this.isActive && !name.startsWith("mask_")) return undefined;
    const send = (command, args) => () => this.stage.socket.command(command, args);
    const selected = this.selected;
    if (this.isActive && name === "undo") return send("mask_undo");
    if (this.isActive && name === "redo") return send("mask_redo");
    if (name === "mask_new") return send("mask_select", { object: null });
    if (name === "mask_delete") return selected ? send("mask_remove", { object: selected.id }) : () => {};
    const index = CHOICES.indexOf(name);
    if (index >= 0) return selected && index < selected.candidates.length ? send("mask_choose", { object: selected.id, index }) : () => {};
    return undefined;
  }

  // --- drawing ---

  refresh() {
    if (this.isWanted) return;
    this.isWanted = true;
    requestAnimationFrame(() => {
      this.isWanted = false;
      this.draw();
    });
  }

  get here() {
    return this.state.objects.filter((o) => o.camera === this.camera && !o.is_hidden);
  }

  draw() {
    const { canvas, here } = this;
    const [width, height] = here.length ? [here[0].width, here[0].height] : [canvas.width, canvas.height];
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d");
    const image = context.createImageData(width, height);
    for (const object of here) paint(image, object, this.pixels.get(object.id), object.sight === "lost" || object.confidence === 0);
    context.putImageData(image, 0, 0);
    this.group.replaceChildren(...here.flatMap((o) => [this.label(o), ...(this.isActive && o.id === this.state.selected ? this.marks(o) : [])]), ...this.box());
    this.drawChoices();
    this.drawQuestion();
    const { dataset } = this.stage.element;
    dataset.masks = String(this.state.objects.length);
    dataset.maskSights = this.state.objects.map((o) => o.sight).join(" ");
    dataset.maskLag = String(this.state.lag ?? 0);
  }

  /** Name and state of an object, above its mask. */
  label(object) {
    const pixels = this.pixels.get(object.id), first = pixels.indexOf(1);
    if (first < 0) return svg("g");
    const [x, y] = this.viewport.toScreen([(first % object.width) / object.width, Math.floor(first / object.width) / object.height]);
    const note = SIGHTS[object.sight];
    const text = svg("text", { x, y: Math.max(12, y - 6), class: `mask-label is-${object.sight}`, "text-anchor": "middle", fill: MASK_COLOURS[object.colour % MASK_COLOURS.length] });
    text.textContent = `${object.name.slice(0, LONGEST_NAME)}${note ? ` · ${note}` : ""}${object.is_privileged ? " · oracle" : ""}`;
    return text;
  }

  marks(object) {
    const found = object.points.map(([u, v, label]) => {
      const [x, y] = this.viewport.toScreen([u, v]);
      return svg("g", { class: `mask-point ${label ? "is-in" : "is-out"}` }, [
        svg("circle", { cx: x, cy: y, r: 6.5 }),
        svg("path", { d: label ? `M${x - 3} ${y}h6M${x} ${y - 3}v6` : `M${x - 3} ${y}h6` }),
      ]);
    });
    return object.box ? [...found, this.rectangle(object.box, "mask-box")] : found;
  }

  box() {
    return this.draft ? [this.rectangle(this.draft, "mask-box is-draft")] : [];
  }

  rectangle([u0, v0, u1, v1], name) {
    const [x0, y0] = this.viewport.toScreen([u0, v0]), [x1, y1] = this.viewport.toScreen([u1, v1]);
    return svg("rect", { x: x0, y: y0, width: x1 - x0, height: y1 - y0, class: name });
  }

  /** One click may mean a part, a thing or a group: small pictures of each to choose from. */
  drawChoices() {
    const object = this.isActive ? this.selected : null;
    const options = object?.camera === this.camera ? object.candidates : [];
    this.choices.hidden = options.length < 2;
    const key = JSON.stringify([object?.id, object?.choice, options.map((o) => o.area)]);
    if (key === this.choiceKey) return;
    this.choiceKey = key;
    this.choices.replaceChildren(h("span", { text: "Meant:" }), ...options.map((option, i) => this.option(object, option, i)));
  }

  option(object, option, index) {
    const thumb = h("canvas", { width: 64, height: 64 });
    const context = thumb.getContext("2d");
    const [left, top, side] = squareAround(object);
    const cut = (source) => context.drawImage(source, left * source.width, top * source.height, side * source.width, side * source.height, 0, 0, 64, 64);
    cut(this.stage.canvas);
    const full = h("canvas", { width: object.width, height: object.height });
    const image = full.getContext("2d").createImageData(object.width, object.height);
    paint(image, object, pixelsOf({ ...option, width: object.width, height: object.height }), false);
    full.getContext("2d").putImageData(image, 0, 0);
    cut(full);
    const share = ((100 * option.area) / (object.width * object.height)).toFixed(1);
    return h("button", {
      type: "button", class: index === object.choice ? "is-on" : "", "aria-pressed": String(index === object.choice),
      title: `${share} % of the picture, rated ${Math.round(100 * option.score)} % (${index + 1})`,
      onclick: () => this.stage.socket.command("mask_choose", { object: object.id, index }),
    }, [thumb, h("kbd", { text: String(index + 1) })]);
  }

  /** A lost target: the policy waits, and the person is asked. */
  drawQuestion() {
    const lost = this.state.objects.find((o) => o.id === this.state.asking);
    this.question.hidden = !lost;
    const isBack = lost && lost.sight !== "lost", key = lost && `${lost.id}${isBack}`;
    if (this.questionKey === key) return;
    this.questionKey = key;
    if (!lost) return;
    this.question.replaceChildren(
      h("strong", { text: `${lost.name} ${isBack ? "was lost, and is seen again." : "is lost."}` }),
      h("span", { text: isBack ? " The policy waits. Go on if the mask is right, else click the object." : " The policy waits. Click the object again to go on." }),
      h("button", { type: "button", onclick: () => this.find(lost) }, ["Click it"]),
      h("button", { type: "button", onclick: () => this.stage.socket.command("mask_go_on") }, [isBack ? "Go on" : "Go on without"]),
    );
  }

  /** Takes the tool in the hand with an object chosen. */
  find(object) {
    if (object.camera !== this.camera) this.stage.run("show_camera", { name: object.camera });
    this.stage.tools.choose("mask");
    this.stage.socket.command("mask_select", { object: object.id });
  }
}
