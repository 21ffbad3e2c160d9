/** The one line on the picture that says what to do next, and nothing when that is plain. */

import { h } from "./dom.js";

/** Pauses and refusals after which somebody knows the way: hints of the main job are not repeated. */
const NUM_LESSONS = 4;

export class Hint {
  constructor() {
    this.element = h("div", { class: "hint", role: "status", hidden: true });
  }

  /** @param {import("./stage.js").Stage} stage */
  show(stage) {
    const text = stage.hud ? hintOf(stage) : "";
    this.element.hidden = !text;
    this.element.classList.toggle("is-busy", Boolean(stage.loading));
    if (this.element.textContent !== text) this.element.textContent = text;
  }
}

/** @returns {string} empty: no hint */
function hintOf({ status, drawing, masks, path, driver, commits, isFresh, loading }) {
  const { strokes, reading } = drawing;
  if (loading) return `Loading ${loading} …`;
  if (status?.mode === "halted") return "Halted: nothing moves until Space, and Space again";
  if (status?.mode === "idle") return "Choose a task in the Scene tab to begin";
  if (status?.mode === "correcting") return driver.hasDriven ? "" : "Drive: arrows, Page Up/Down, X grips; Tab hands back";
  const isIdle = status?.mode === "paused" && status.shown_step === null;
  if (!isIdle) return "";
  if (masks.isActive) return masks.state.objects.length ? "" : "Click a thing to mask it, or drag a box around it";
  if (path.isActive) return pathHint(path, commits);
  if (status.is_success && commits < NUM_LESSONS) return "Solved, and kept in the History tab; R begins anew";
  if (!strokes.length && !commits && status.step === 0) {
    return status.driver?.reads.includes("text") ? "Tell it what to do (Scene tab), or press Space to let it go" : drawHint(status.instruction);
  }
  if (!isFresh || !strokes.length || commits >= NUM_LESSONS) return "";
  if (reading.problems.length) return "The red note says why not; Ctrl+Z takes it back";
  return reading.plan?.steps.length ? "Press Enter to let the robot do it" : "";
}

function drawHint(instruction) {
  if (/plate|bowl/.test(instruction)) return `Draw an arrow from a cube to a ${/plate/.test(instruction) ? "plate" : "bowl"}, then press Enter`;
  return "Draw an arrow, or a circle on a thing, then press Enter";
}

function pathHint({ model, picking }, commits) {
  if (picking) return "Click on the table";
  if (commits >= NUM_LESSONS) return "";
  return model.isEmpty ? "Drag on the bare table to draw a way" : "Drag a point, then press Enter to run the path";
}
