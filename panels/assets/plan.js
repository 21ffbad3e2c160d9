/* The drawing as a list: strokes and plan steps that can be read and edited with the keyboard alone, beside the picture.
   Everything comes from the tab's socket and goes back as commands; text is written as text. */
(() => {
  "use strict";
  const VLAW = (window.VLAW = window.VLAW || {});
  const VERBS = ["move", "pick", "press", "touch", "rotate", "push", "pull", "follow"];
  const COLOURS = ["#00ff5e", "#00fff7", "#ff6a8a", "#ffd600", "#b278ff", "#ff8c1a", "#4080ff", "#ff40ff"];
  const DEGREES = 180 / Math.PI;

  const make = (tag, properties = {}, ...children) => {
    const { data, ...rest } = properties;
    const node = Object.assign(document.createElement(tag), rest);
    for (const [name, value] of Object.entries(data || {})) node.dataset[name] = value;
    node.append(...children.filter((c) => c !== null && c !== undefined));
    return node;
  };
  const button = (text, title, onclick, disabled = false) => make("button", { type: "button", textContent: text, title, ariaLabel: title, onclick, disabled });
  const verbSelect = (value, isAutoOffered, onchange) => {
    const select = make("select", { ariaLabel: "Verb", title: "What this does" });
    if (isAutoOffered) select.append(make("option", { value: "", textContent: "auto" }));
    for (const verb of VERBS) select.append(make("option", { value: verb, textContent: verb }));
    select.value = value || "";
    select.onchange = () => onchange(select.value || null);
    return select;
  };
  const number = (value, label, onchange, options = {}) => {
    const input = make("input", { type: "number", value, ariaLabel: label, title: label, ...options });
    input.onchange = () => { if (input.value === "" ? options.isEmptyAllowed : input.checkValidity()) onchange(input.value === "" ? null : Number(input.value)); };
    input.onkeydown = (e) => e.stopPropagation();
    return input;
  };
  const hex = (rgb) => "#" + rgb.map((c) => c.toString(16).padStart(2, "0")).join("");
  const round = (x) => Math.round(x * 10) / 10;

  class PlanEditor {
    constructor(element) {
      this.element = element;
      this.strokes = element.querySelector('[data-is="strokes"]');
      this.steps = element.querySelector('[data-is="steps"]');
      this.calls = element.querySelector('[data-is="calls"]');
      this.notes = element.querySelector('[data-is="problems"]');
      this.hint = element.querySelector('[data-is="hint"]');
      this.open = new Set();
      this.planStep = null;
      this.redraw = VLAW.steady(element, () => this.draw());
      for (const node of element.querySelectorAll("[data-run]")) node.onclick = () => VLAW.run?.(node.dataset.run);
      this.hand = element.querySelector('[data-run="run_trace"]');
      this.hand.onclick = () => this.handOver();
      VLAW.withSocket((socket) => {
        socket.on("hello", (m) => { this.show(m.drawing); this.mark(m.status); });
        socket.on("drawing", (m) => this.show(m));
        socket.on("status", (m) => this.mark(m));
      });
    }

    send(name, args) { return VLAW.socket.command(name, args); }
    /* Changes the newest drawing, which may be newer than the one that is shown: strokes go by id. */
    commit(change) {
      const sketch = structuredClone(this.drawing.sketch);
      change(sketch.strokes);
      this.send("commit_sketch", { document: sketch });
    }
    edit(change) {
      const plan = structuredClone(this.drawing.plan);
      change(plan.steps);
      plan.source = "human";
      this.send("edit_plan", { document: plan });
    }

    /* A trace tells one step; the next press tells the next one. */
    async handOver() {
      const step = this.handed ?? 0;
      const done = await VLAW.socket.command("run_trace", { step });
      if (done) this.offer(done.num_steps > step + 1 ? step + 1 : 0, done.num_steps);
    }
    offer(step, count) {
      this.handed = step;
      this.hand.textContent = count > 1 ? `Let the bench VLA do step ${step + 1}` : "Let the bench VLA do it";
    }

    show(drawing) {
      this.drawing = drawing;
      this.redraw();
    }

    draw() {
      const { drawing } = this;
      const { sketch, plan } = drawing;
      if (plan?.id !== this.offered) this.offer(0, plan?.steps.length ?? 0);
      this.offered = plan?.id;
      const focused = document.activeElement?.closest?.("[data-key]")?.dataset.key;
      this.strokes.replaceChildren(...sketch.strokes.map((s, i) => this.strokeRow(s, i, sketch)));
      this.steps.replaceChildren(...(plan?.steps ?? []).map((s, i) => this.stepRow(s, i, plan, drawing.sentences[i])));
      this.calls.textContent = drawing.calls.map((call, i) => `${i + 1}  ${call}`).join("\n");
      this.calls.parentElement.hidden = drawing.calls.length === 0;
      const notes = drawing.problems.map((p) => `Step ${p.step + 1}: ${p.message}`);
      if (drawing.error) notes.unshift(drawing.error);
      this.notes.replaceChildren(...notes.map((text) => make("li", { textContent: text })));
      this.hint.hidden = sketch.strokes.length > 0;
      for (const list of [this.strokes, this.steps]) list.previousElementSibling.hidden = list.children.length === 0;
      this.element.dataset.strokes = sketch.strokes.length;
      this.element.dataset.steps = plan?.steps.length ?? 0;
      for (const [name, isOn] of [["run_plan", plan?.steps.length > 0], ["run_trace", plan?.steps.length > 0], ["undo", drawing.can_undo], ["redo", drawing.can_redo], ["clear", sketch.strokes.length > 0]])
        this.element.querySelector(`[data-run="${name}"]`).disabled = !isOn;
      if (focused) this.element.querySelector(`[data-key="${CSS.escape(focused)}"] input, [data-key="${CSS.escape(focused)}"] select`)?.focus({ preventScroll: true });
      this.mark({ plan_step: this.planStep });
    }

    mark(status) {
      this.planStep = status.plan_step ?? null;
      [...this.steps.children].forEach((row, i) => row.classList.toggle("current", i === this.planStep));
    }

    strokeRow(stroke, i, sketch) {
      const last = sketch.strokes.length - 1;
      const size = [sketch.width, sketch.height];
      const change = (edit) => this.commit((all) => {
        const at = all.findIndex((s) => s.id === stroke.id);
        if (at >= 0) edit(all, at);
      });
      const row = make("li", { data: { key: "stroke-" + stroke.id } },
        make("span", { className: "chip", style: `background:${hex(stroke.colour)}`, title: `Colour of step ${1 + Math.max(0, COLOURS.indexOf(hex(stroke.colour)))}` }),
        number(stroke.order ?? "", "Step number; empty: by colour", (n) => change((all, at) => { all[at].order = n; }), { min: 1, max: 99, step: 1, placeholder: "·", isEmptyAllowed: true }),
        make("b", { textContent: stroke.kind }),
        verbSelect(stroke.verb, true, (verb) => change((all, at) => { all[at].verb = verb; })),
        make("span", { className: "spring" }),
        this.expander("stroke-" + stroke.id),
        button("↑", "Earlier", () => change((all, at) => swap(all, at, Math.max(0, at - 1))), i === 0),
        button("↓", "Later", () => change((all, at) => swap(all, at, Math.min(all.length - 1, at + 1))), i === last),
        button("✕", "Delete this stroke", () => change((all, at) => all.splice(at, 1))));
      if (this.open.has("stroke-" + stroke.id))
        row.append(this.points(stroke.points, (k, axis, value) => change((all, at) => { all[at].points[k][axis] = value / size[axis]; all[at].raw = []; }), size));
      return row;
    }

    stepRow(step, i, plan, sentence) {
      const last = plan.steps.length - 1;
      const row = make("li", { data: { key: "step-" + i } },
        make("span", { className: "sentence", textContent: sentence ?? step.verb }),
        make("span", { className: "tools" },
          verbSelect(step.verb, false, (verb) => this.edit((all) => { all[i].verb = verb; if (verb === "rotate" && all[i].angle_rad === null) all[i].angle_rad = Math.PI / 2; if (verb !== "rotate") { all[i].angle_rad = null; all[i].arc = []; } })),
          step.angle_rad === null ? null : number(round(step.angle_rad * DEGREES), "Angle in degrees, clockwise on the screen is positive", (n) => this.edit((all) => { all[i].angle_rad = n / DEGREES; all[i].arc = []; }), { step: "any" }),
          make("span", { className: "spring" }),
          this.expander("step-" + i),
          button("↑", "Earlier", () => this.edit((all) => swap(all, i, i - 1)), i === 0),
          button("↓", "Later", () => this.edit((all) => swap(all, i, i + 1)), i === last),
          button("✕", "Delete this step", () => this.edit((all) => all.splice(i, 1)))));
      if (this.open.has("step-" + i))
        row.append(this.points(step.keypoints.map(([u, v]) => [u / plan.width, v / plan.height]), (k, axis, value) => this.edit((all) => { all[i].keypoints[k][axis] = value; }), [plan.width, plan.height]));
      return row;
    }

    expander(key) {
      const isOpen = this.open.has(key);
      const node = button("x, y", isOpen ? "Hide the coordinates" : "Coordinates in pixels", () => {
        if (isOpen) this.open.delete(key); else this.open.add(key);
        this.redraw();
      });
      node.ariaExpanded = isOpen;
      return node;
    }

    points(points, onchange, size) {
      return make("div", { className: "points" }, ...points.map((point, k) =>
        make("span", {}, make("i", { textContent: k + 1 }), ...[0, 1].map((axis) =>
          number(round(point[axis] * size[axis]), `Point ${k + 1}, ${"xy"[axis]} in pixels`, (value) => onchange(k, axis, value), { min: 0, max: size[axis], step: "any" })))));
    }
  }

  /* Exchanges two entries; strokes exchange their step numbers too, which an explicit number states from then on. */
  function swap(list, i, j) {
    const [a, b] = [list[i], list[j]];
    if ("order" in a) {
      const numbers = [a, b].map((stroke) => stroke.order ?? 1 + Math.max(0, COLOURS.indexOf(hex(stroke.colour))));
      if (numbers[0] !== numbers[1]) [a.order, b.order] = [numbers[1], numbers[0]];
    }
    [list[i], list[j]] = [b, a];
  }

  VLAW.mountPlan = (element) => { VLAW.planEditor = new PlanEditor(element); };
})();
