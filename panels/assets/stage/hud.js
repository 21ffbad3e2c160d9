/** What is always visible: who is in control, the task, time, speed, rate and latency; the buttons around the picture. */

import { h, icon, tooltip } from "./dom.js";
import { STEP_COLOURS, css, stepOf } from "./document.js";
import { TOOLS } from "./tools.js";

const MODES = {
  idle: { text: "NO EPISODE", icon: "idle" },
  autonomous: { text: "POLICY", icon: "policy" },
  correcting: { text: "HUMAN", icon: "hand" },
  paused: { text: "PAUSED", icon: "pause" },
  halted: { text: "HALTED", icon: "halted" },
  history: { text: "LOOKING BACK", icon: "history" },
  stored: { text: "STORED EPISODE", icon: "history" },
};
const SPEEDS = [0.125, 0.25, 0.5, 1, 2, 4, "max"];
const speedText = (speed) => (speed === "max" ? "max" : { 0.125: "⅛×", 0.25: "¼×", 0.5: "½×" }[speed] ?? `${speed}×`);

export class Hud {
  /**
   * @param {object} parts `commands` by name, `run(name, args)`, `tools`, `drawing`, `path`: the model of the edited path, `focusPicture()`
   */
  constructor({ commands, run, tools, drawing, path, focusPicture }) {
    Object.assign(this, { commands, run, tools, drawing, path, focusPicture });
    this.modeText = h("span", { class: "mode-text" });
    this.modeIcon = h("span", { class: "mode-icon" });
    this.mode = h("div", { class: "mode", role: "status", "aria-live": "polite" }, [this.modeIcon, this.modeText]);
    this.task = h("div", { class: "task" });
    this.steering = h("div", { class: "steering-on", role: "status", hidden: true });
    this.led = h("div", { class: "led-by", role: "status", hidden: true });
    this.metrics = h("div", { class: "metrics", "aria-label": "Simulated time, speed, frames per second, latency" });
    this.values = Object.fromEntries(["time", "step", "speed", "fps", "latency"].map((name) => [name, h("span", { class: `metric metric-${name}` })]));
    this.metrics.append(...Object.values(this.values));
    this.top = h("div", { class: "hud-top" }, [h("div", { class: "hud-left" }, [this.mode, this.led, this.steering, this.task]), this.metrics]);
    this.cameras = h("div", { class: "cameras", role: "radiogroup", "aria-label": "Camera" });
    this.intention = this.button("toggle_intention", { className: "view" });
    this.heat = this.button("toggle_heat", { className: "view" });
    this.views = h("div", { class: "views", hidden: true }, [this.intention, this.heat]);
    this.note = h("div", { class: "note", hidden: true });
    this.bottom = h("div", { class: "hud-bottom" }, [this.cameras, this.views, this.note, (this.success = h("div", { class: "success", hidden: true }, [icon("check"), "Task solved"]))]);
    this.rail = this.makeRail();
    this.transport = this.makeTransport();
    this.status = null;
  }

  /** A button for a command of the table, with its keys in the tooltip. */
  button(name, { iconName = name, label = "", args, className = "" } = {}) {
    const command = this.commands.get(name);
    const content = [...(iconName ? [icon(iconName)] : []), ...(label ? [h("span", { class: "label", text: label })] : [])];
    return h(
      "button",
      {
        type: "button",
        class: `stage-button ${className}`,
        title: tooltip(command),
        "aria-label": command.title,
        dataset: { command: name },
        onclick: (event) => {
          this.run(name, args);
          if (event.detail) this.focusPicture(); // a mouse: the keys go on acting on the picture, not on this button
        },
      },
      content,
    );
  }

  makeRail() {
    this.toolButtons = new Map(TOOLS.map((tool) => [tool, this.button(`tool_${tool}`)]));
    this.undo = this.button("undo");
    this.redo = this.button("redo");
    this.snap = this.button("toggle_snap");
    this.style = this.button("toggle_style");
    this.swatches = STEP_COLOURS.map((colour, i) => {
      const button = this.button(`colour_${i + 1}`, { iconName: "", label: String(i + 1), className: "swatch" });
      button.style.setProperty("--swatch", css(colour));
      return button;
    });
    return h("div", { class: "rail", role: "toolbar", "aria-label": "Drawing tools", "aria-orientation": "vertical" }, [
      ...this.toolButtons.values(),
      h("hr"),
      h("div", { class: "swatches", title: "Step of the next stroke; none chosen: the next free one" }, this.swatches),
      h("hr"),
      this.snap,
      this.style,
      h("hr"),
      this.undo,
      this.redo,
      (this.clear = this.button("clear")),
    ]);
  }

  makeTransport() {
    this.play = this.button("toggle", { iconName: "play", className: "play" });
    this.speed = h(
      "select",
      {
        class: "speed",
        "aria-label": "Speed",
        title: "Simulated over real time (- and =)",
        dataset: { command: "set_speed" },
        onchange: () => this.run("set_speed", { speed: this.speed.value === "max" ? "max" : Number(this.speed.value) }),
      },
      SPEEDS.map((speed) => h("option", { value: String(speed), text: speedText(speed) })),
    );
    this.correct = this.button("correct", { iconName: "hand", label: "Take over", className: "correct" });
    this.runPlan = this.button("run_plan", { iconName: "play", label: "Run drawing", className: "run-plan" });
    this.halt = this.button("halt", { iconName: "halted", label: "HALT", className: "halt" });
    this.live = this.button("follow_live");
    return h("div", { class: "transport", role: "toolbar", "aria-label": "Playback" }, [
      h("div", { class: "cluster" }, [this.button("first_step"), this.button("step_back"), this.play, this.button("step_forward"), this.live]),
      this.speed,
      h("div", { class: "cluster" }, [this.button("reset"), this.button("branch")]),
      this.correct,
      h("span", { class: "spring" }),
      this.runPlan,
      this.halt,
    ]);
  }

  showCameras(names, shown) {
    this.cameras.replaceChildren(
      ...names.map((name) =>
        h("button", {
          type: "button",
          class: "camera",
          role: "radio",
          "aria-checked": String(name === shown),
          title: `Show the ${name} camera (↑ ↓ go through them)`,
          text: name,
          dataset: { camera: name },
          onclick: () => this.run("show_camera", { name }),
        }),
      ),
    );
  }

  /** @param {object} status as the server sends it */
  showStatus(status) {
    this.status = status;
    const mode = this.shownMode;
    if (this.mode.dataset.mode !== mode) {
      this.mode.dataset.mode = mode;
      this.modeIcon.replaceChildren(icon(MODES[mode].icon));
      this.play.replaceChildren(icon(mode === "autonomous" || mode === "correcting" ? "pause" : "play"));
      this.correct.querySelector(".label").textContent = mode === "correcting" ? "Hand back" : "Take over";
      this.correct.classList.toggle("is-on", mode === "correcting");
    }
    const acting = mode === "autonomous" && status.policy ? `${MODES[mode].text} · ${status.policy}` : MODES[mode].text;
    set(this.modeText, mode === "stored" ? `STORED · STEP ${status.shown_step} OF ${status.num_steps}` : mode === "history" ? `STEP ${status.shown_step} OF ${status.num_steps}` : acting);
    set(this.task, status.instruction || status.task || "");
    this.task.title = status.instruction || "";
    set(this.values.time, `${(status.shown_time_s ?? status.time_s).toFixed(1)} s`);
    set(this.values.step, `step ${status.shown_step ?? status.step}`);
    const isSlow = mode === "autonomous" && status.speed !== "max" && status.actual_speed && status.actual_speed < 0.9 * status.speed;
    set(this.values.speed, speedText(status.speed) + (isSlow || (status.speed === "max" && status.actual_speed) ? ` (${status.actual_speed.toFixed(1)}×)` : ""));
    if (document.activeElement !== this.speed) this.speed.value = String(status.speed);
    this.live.classList.toggle("is-on", status.shown_step === null);
    this.success.hidden = !status.is_success;
    this.views.hidden = !status.driver?.has_intention;
    this.note.hidden = !status.note;
    this.led.hidden = !status.led;
    set(this.led, status.led ? { rollback: "UNDOING", advance: "BACK TO THE START", recovery: "RECOVERING" }[status.led.by] : "");
    this.led.title = status.led?.why ?? "";
    const steeredBy = status.steering?.by ?? [];
    this.steering.hidden = !steeredBy.length;
    set(this.steering, `STEERING ON · ${steeredBy.slice(0, 3).join(", ")}${steeredBy.length > 3 ? ` and ${steeredBy.length - 3} more` : ""}`);
    set(this.note, status.note ?? "");
  }

  /** @param {{is_on: boolean, has_heat: boolean}} wish what of the policy's intention is shown */
  showViews(wish) {
    press(this.intention, wish.is_on);
    press(this.heat, wish.is_on && wish.has_heat);
  }

  get shownMode() {
    if (!this.status) return "idle";
    if (this.status.stored_id) return "stored";
    return this.status.shown_step !== null && this.status.mode !== "autonomous" ? "history" : this.status.mode;
  }

  showRates(fps, latency, isMoving) {
    set(this.values.fps, fps || isMoving ? `${Math.round(fps)} fps` : "still");
    set(this.values.latency, latency === null || !isMoving ? "– ms" : `${Math.round(latency)} ms`);
    this.values.latency.classList.toggle("is-bad", isMoving && latency > 150);
    this.values.fps.classList.toggle("is-bad", isMoving && fps < 12);
  }

  /** Which tool, step, style; what undo and run can do. */
  showTools() {
    const { tools, drawing } = this;
    for (const [tool, button] of this.toolButtons) press(button, tool === tools.tool);
    const selected = drawing.selected;
    const step = selected ? stepOf(selected) : tools.step;
    this.swatches.forEach((button, i) => {
      press(button, step === i + 1);
      button.classList.toggle("is-next", !selected && tools.step === null && drawing.nextStep === i + 1);
    });
    press(this.snap, tools.isSnapping);
    press(this.style, selected ? !selected.is_geometric : !tools.isGeometric);
    const undoing = tools.tool === "trace" ? this.path.undoing : (tools.hand?.undoing ?? drawing);
    this.undo.disabled = !undoing.canUndo;
    this.redo.disabled = !undoing.canRedo;
    this.clear.disabled = !drawing.strokes.length;
    const numSteps = drawing.reading.plan?.steps.length ?? 0;
    this.runPlan.disabled = numSteps === 0;
    this.runPlan.classList.toggle("is-ready", numSteps > 0 && this.status?.mode !== "autonomous");
    set(this.runPlan.querySelector(".label"), numSteps > 1 ? `Run ${numSteps} steps` : "Run drawing");
  }
}

function press(button, isOn) {
  button.classList.toggle("is-on", isOn);
  button.setAttribute("aria-pressed", String(isOn));
}

function set(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
