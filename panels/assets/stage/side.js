/** Beside or over the picture: a second camera, and the list of strokes with what they were read as. */

import { h, icon } from "./dom.js";
import { css, stepOf } from "./document.js";
import { Picture } from "./picture.js";

const PIP_SIZE = 240;
const PIP_CHANNEL = 1;

/** A second camera; it docks in the side column when there is room, else floats on the picture and can be dragged. */
export class PictureInPicture {
  /** @param {{socket: object, onSwap: (name: string) => void, onClose: Function, next: (name: string) => string}} parts */
  constructor({ socket, onSwap, onClose, next }) {
    Object.assign(this, { socket, onSwap, onClose, next });
    this.canvas = h("canvas", { width: PIP_SIZE, height: PIP_SIZE, "aria-label": "Second camera" });
    this.label = h("button", { type: "button", class: "pip-name", title: "Show another camera here", onclick: () => this.show(this.next(this.name)) });
    this.element = h("div", { class: "pip", hidden: true }, [
      this.canvas,
      h("div", { class: "pip-bar" }, [
        this.label,
        h("button", { type: "button", class: "pip-button", title: "Swap with the large picture", "aria-label": "Swap cameras", onclick: () => this.onSwap(this.name) }, [icon("swap")]),
        h("button", { type: "button", class: "pip-button", title: "Close (I)", "aria-label": "Close second camera", onclick: () => this.onClose() }, [icon("close")]),
      ]),
    ]);
    this.name = "";
    this.picture = new Picture(this.canvas, socket, PIP_CHANNEL, (frame) => { this.element.dataset.seq = String(frame.seq); });
    this.bindDrag();
  }

  get isOpen() {
    return !this.element.hidden;
  }

  show(name) {
    this.name = name;
    this.element.hidden = false;
    this.label.textContent = name;
    this.socket.showCamera(PIP_CHANNEL, name, PIP_SIZE, PIP_SIZE);
  }

  hide() {
    this.element.hidden = true;
    this.socket.showCamera(PIP_CHANNEL, null);
  }

  bindDrag() {
    let start = null;
    this.canvas.addEventListener("pointerdown", (e) => {
      if (!this.element.classList.contains("is-floating")) return;
      start = { x: e.clientX - this.element.offsetLeft, y: e.clientY - this.element.offsetTop };
      this.canvas.setPointerCapture(e.pointerId);
    });
    this.canvas.addEventListener("pointermove", (e) => {
      if (!start) return;
      const box = this.element.offsetParent.getBoundingClientRect();
      this.element.style.left = `${Math.min(Math.max(e.clientX - start.x, 4), box.width - this.element.offsetWidth - 4)}px`;
      this.element.style.top = `${Math.min(Math.max(e.clientY - start.y, 4), box.height - this.element.offsetHeight - 4)}px`;
      this.element.style.right = this.element.style.bottom = "auto";
    });
    for (const type of ["pointerup", "pointercancel"]) this.canvas.addEventListener(type, () => { start = null; });
    this.canvas.addEventListener("dblclick", () => this.onSwap(this.name));
  }
}

/** Strokes in step order with the sentence of their step: the way to select and read them without a pointer. */
export class StrokeList {
  constructor(drawing, onDelete) {
    this.drawing = drawing;
    this.onDelete = onDelete;
    this.planStep = null;
    this.list = h("ol", { class: "steps" });
    this.empty = h("p", { class: "steps-empty", text: "What you draw is listed here, step by step." });
    this.error = h("p", { class: "steps-error", hidden: true });
    this.element = h("div", { class: "steps-box" }, [h("h3", { text: "Drawing" }), this.empty, this.list, this.error]);
    this.refresh = window.VLAW.steady(this.element, () => this.draw());
    drawing.onChange(() => this.refresh());
    this.refresh();
  }

  setPlanStep(step) {
    if (step === this.planStep) return;
    this.planStep = step;
    this.refresh();
  }

  draw() {
    const { plan, sentences, error, problems } = this.drawing.reading;
    const stepIndex = new Map((plan?.steps ?? []).flatMap((s, i) => s.stroke_ids.map((id) => [id, i])));
    const strokes = [...this.drawing.strokes].sort((a, b) => (stepIndex.get(a.id) ?? 99) - (stepIndex.get(b.id) ?? 99));
    this.empty.hidden = strokes.length > 0;
    this.list.replaceChildren(...strokes.map((s) => this.row(s, stepIndex.get(s.id), sentences, problems)));
    this.error.hidden = !error;
    this.error.textContent = error;
  }

  row(stroke, index, sentences, problems) {
    const warnings = problems.filter((p) => p.step === index);
    const badge = h("span", { class: "steps-badge", text: String(stepOf(stroke) ?? "–") });
    badge.style.background = css(stroke.colour);
    const select = h(
      "button",
      { type: "button", class: "steps-text", title: "Select this stroke", onclick: () => this.drawing.select(stroke.id) },
      [h("span", { class: "steps-kind", text: stroke.kind }), h("span", { class: "steps-sentence", text: (sentences[index] ?? "").replace(/^\d+\.?\s+/, "") })],
    );
    const remove = h("button", { type: "button", class: "steps-remove", title: "Delete this stroke", "aria-label": "Delete this stroke", onclick: () => this.onDelete(stroke.id) }, [icon("close")]);
    const notes = warnings.map((p) => h("span", { class: "steps-warning" }, [icon("warn"), p.message]));
    const classes = [stroke.id === this.drawing.selectedId ? "is-selected" : "", index !== undefined && index === this.planStep ? "is-running" : ""];
    return h("li", { class: classes.join(" ").trim(), dataset: { id: stroke.id } }, [badge, select, remove, ...notes]);
  }
}
