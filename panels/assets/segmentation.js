/* Masked objects as a list, what shall be done with them, and what is asked when one is lost.
   Everything comes from the tab's socket and goes back as commands; text is written as text. */
(() => {
  "use strict";
  const VLAW = (window.VLAW = window.VLAW || {});
  const COLOURS = ["#ffd60a", "#38bdf8", "#ff5fa2", "#4ade80", "#b78bff", "#ff9f43", "#2dd4bf", "#f87171"];
  const COLOUR_NAMES = ["yellow", "blue", "pink", "green", "violet", "orange", "teal", "red"];
  const INTERACTIONS = { approach: "approach", grasp: "grasp", place_on: "place on it", push: "push", press: "press", open: "open", close: "close", turn: "turn" };
  const DRIVERS = { "bench-vla": "Bench VLA", "mask-follower": "Mask follower (no learning)", remote: "Remote policy" };
  const SIGHTS = { visible: "seen", low: "hard to see", lost: "lost" };
  const STATES = { idle: "", running: "running", done: "done", doubtful: "not sure", stopped: "stopped" };
  const THUMB_PX = 40;

  const make = (tag, properties = {}, ...children) => {
    const { data, ...rest } = properties;
    const node = Object.assign(document.createElement(tag), rest);
    for (const [name, value] of Object.entries(data || {})) node.dataset[name] = value;
    node.append(...children.filter((c) => c !== null && c !== undefined));
    return node;
  };
  const button = (text, title, onclick, options = {}) => make("button", { type: "button", textContent: text, title, ariaLabel: options.label ?? title, onclick, ...options });
  const select = (entries, value, label, onchange) => {
    const node = make("select", { ariaLabel: label, title: label });
    for (const [key, text] of Object.entries(entries)) node.append(make("option", { value: key, textContent: text }));
    node.value = value;
    node.onchange = () => onchange(node.value);
    return node;
  };

  class ObjectPanel {
    constructor(element) {
      this.element = element;
      this.part = (name) => element.querySelector(`[data-is="${name}"]`);
      this.state = { objects: [], segmenters: [], selected: null, program: null };
      this.steps = [];
      this.interaction = "grasp";
      this.driver = "bench-vla";
      this.status = {};
      this.redraw = VLAW.steady(element, () => this.draw());
      this.part("driver").append(select(DRIVERS, this.driver, "Who acts on the masks", (v) => { this.driver = v; }));
      this.part("what").append(select(INTERACTIONS, this.interaction, "What shall be done with it", (v) => { this.interaction = v; }));
      const on = (name, fn) => { this.part(name).onclick = fn; };
      on("tool", () => VLAW.run("tool_mask"));
      on("new", () => { VLAW.run("tool_mask"); VLAW.run("mask_new"); });
      on("undo", () => this.send("mask_undo"));
      on("redo", () => this.send("mask_redo"));
      on("act", () => this.run([this.present()], 0));
      on("add", () => this.setSteps([...this.steps, this.present()]));
      on("run", () => this.run(this.steps, 0));
      on("find", () => this.find("mask_find"));
      on("active", () => this.find("mask_active"));
      for (const name of ["pauses", "patience"]) this.part(name).onchange = () => this.setUp();
      this.part("segmenter").onchange = async ({ target }) => {
        await this.send("mask_segmenter", { name: target.value });
        target.blur(); // one that cannot be loaded is taken back
        this.redraw();
      };
      for (const input of element.querySelectorAll("input")) input.addEventListener("keydown", (e) => { e.stopPropagation(); if (e.key === "Enter" && input === this.part("words")) this.find("mask_find"); });
      VLAW.withSocket((socket) => {
        socket.on("hello", (m) => { this.take(m.masks); this.note(m.status); });
        socket.on("masks", (m) => this.take(m));
        socket.on("status", (m) => this.note(m));
      });
    }

    send(name, args) { return VLAW.socket.command(name, args); }
    get selected() { return this.state.objects.find((o) => o.id === this.state.selected); }
    present() { return { object: this.state.selected, interaction: this.interaction }; }

    note(status) {
      this.status = status;
      this.part("lag").textContent = this.lagText();
    }

    take(state) {
      if (!state) return;
      this.state = state;
      if (state.program) this.steps = state.program.steps;
      this.steps = this.steps.filter((s) => state.objects.some((o) => o.id === s.object));
      this.redraw();
    }

    lagText() {
      const { objects, lag, track_ms: ms, trouble } = this.state;
      if (trouble) return trouble;
      if (!objects.length) return "";
      return `tracking ${lag} step${lag === 1 ? "" : "s"} behind · ${Math.round(ms ?? 0)} ms a frame`;
    }

    setSteps(steps) {
      this.steps = steps;
      this.redraw();
      this.send("mask_plan", { steps, policy: this.driver });
    }

    run(steps, index) {
      if (!steps.length || !steps[0].object) return;
      this.send("mask_run", { steps, index, policy: this.driver });
    }

    setUp() {
      const patience = Number(this.part("patience").value);
      this.send("mask_settings", { pauses: this.part("pauses").checked, lost_after_s: patience >= 0.1 && patience <= 60 ? patience : 1 });
    }

    /* Masks what is called so, or tells which objects an action is about. */
    async find(command) {
      const text = this.part("words").value.trim();
      const answer = this.part("answer");
      if (!text) return;
      answer.hidden = false;
      answer.replaceChildren(make("p", { textContent: "Looking …" }));
      try {
        const found = await VLAW.socket.request(command, { text, camera: VLAW.masks?.camera || "front" });
        answer.replaceChildren(...(found.rows ?? []).map((row) => make("p", {}, make("strong", { textContent: row.name }), ` ${row.text}`)));
      } catch (error) {
        answer.replaceChildren(make("p", { textContent: error.message }));
      }
    }

    draw() {
      const { objects, selected, can_undo: canUndo, can_redo: canRedo, program } = this.state;
      this.part("undo").disabled = !canUndo;
      this.part("redo").disabled = !canRedo;
      this.part("empty").hidden = objects.length > 0;
      this.part("objects").replaceChildren(...objects.map((o) => this.row(o, o.id === selected)));
      this.part("lag").textContent = this.lagText();
      this.drawSegmenters();
      const isChosen = Boolean(this.selected);
      for (const name of ["act", "add"]) this.part(name).disabled = !isChosen;
      this.part("on").textContent = isChosen ? this.selected.name : "select an object first";
      this.part("steps").replaceChildren(...this.steps.map((s, i) => this.step(s, i)));
      this.part("program").hidden = !this.steps.length;
      this.part("run").disabled = !this.steps.length;
      const state = program ? STATES[program.state] : "";
      this.part("state").textContent = state;
      this.part("state").dataset.state = program?.state ?? "";
      this.part("program-note").textContent = program?.note ?? "";
      if (document.activeElement !== this.part("patience") && this.state.lost_after_s) this.part("patience").value = this.state.lost_after_s;
      if (this.state.pauses !== undefined) this.part("pauses").checked = this.state.pauses;
      this.element.dataset.program = program?.state ?? "";
    }

    drawSegmenters() {
      const node = this.part("segmenter");
      const key = this.state.segmenters.map((s) => s.name).join();
      if (node.dataset.key !== key) {
        node.dataset.key = key;
        node.replaceChildren(...this.state.segmenters.map((s) => make("option", { value: s.name, textContent: s.name })));
      }
      if (document.activeElement !== node) node.value = this.state.segmenter;
      const about = this.state.segmenters.find((s) => s.name === this.state.segmenter)?.description ?? "";
      this.part("about").textContent = this.state.is_live === false ? `${about}. Too slow for live tracking without a GPU: use it on stills.` : about;
      this.part("about").dataset.privileged = String(this.state.segmenter === "oracle");
    }

    row(object, isSelected) {
      const change = (changes) => this.send("mask_change", { object: object.id, ...changes });
      const chip = button("", `Colour: ${COLOUR_NAMES[object.colour]}; click for the next`, () => change({ colour: (object.colour + 1) % COLOURS.length }), { className: "chip" });
      chip.style.background = COLOURS[object.colour];
      const name = make("input", { value: object.name, ariaLabel: "Name", maxLength: 60, className: "name" });
      name.onkeydown = (e) => { e.stopPropagation(); if (e.key === "Enter") name.blur(); };
      name.onchange = () => change({ name: name.value });
      name.onfocus = () => { if (!isSelected) this.send("mask_select", { object: object.id }); };
      const sure = `${SIGHTS[object.sight]} · ${Math.round(100 * object.confidence)} %`;
      const sight = make("span", { className: "sight", textContent: sure, title: `Camera ${object.camera}, masked by ${object.segmenter}${object.is_privileged ? " (the simulator's truth)" : ""}`, data: { sight: object.sight } });
      const row = make("li", { data: { id: object.id }, className: isSelected ? "is-selected" : "" },
        this.thumb(object), chip, name, object.is_privileged ? make("span", { className: "oracle", textContent: "oracle" }) : null, sight,
        button(object.is_locked ? "Locked" : "Lock", "A locked object is changed by no click", () => change({ is_locked: !object.is_locked }), { ariaPressed: String(object.is_locked) }),
        button(object.is_hidden ? "Hidden" : "Hide", "A hidden object is not drawn, but tracked", () => change({ is_hidden: !object.is_hidden }), { ariaPressed: String(object.is_hidden) }),
        button("×", `Forget ${object.name}; undo brings it back`, () => this.send("mask_remove", { object: object.id }), { className: "remove" }));
      row.onclick = (e) => { if (e.target === row || e.target.tagName === "CANVAS" || e.target.tagName === "SPAN") this.send("mask_select", { object: object.id }); };
      return row;
    }

    /* The picture around an object, cut out of what the stage shows when that is the object's camera. */
    thumb(object) {
      const canvas = make("canvas", { width: THUMB_PX, height: THUMB_PX, ariaHidden: "true" });
      const frame = document.querySelector("#stage canvas.frame"), layer = document.querySelector("#stage canvas.masks");
      const pixels = VLAW.masks?.pixels.get(object.id);
      if (!frame || !pixels || VLAW.masks.camera !== object.camera) return canvas;
      let [left, top, right, bottom] = [object.width, object.height, -1, -1];
      pixels.forEach((isOn, i) => {
        if (!isOn) return;
        const x = i % object.width, y = (i / object.width) | 0;
        left = Math.min(left, x); right = Math.max(right, x); top = Math.min(top, y); bottom = Math.max(bottom, y);
      });
      if (right < left) return canvas;
      const side = 1.3 * Math.max(right - left, bottom - top, 8);
      const box = [((left + right - side) / 2) / object.width, ((top + bottom - side) / 2) / object.height, side / object.width, side / object.height];
      const context = canvas.getContext("2d");
      for (const source of [frame, layer]) {
        if (source) context.drawImage(source, box[0] * source.width, box[1] * source.height, box[2] * source.width, box[3] * source.height, 0, 0, THUMB_PX, THUMB_PX);
      }
      return canvas;
    }

    step(step, index) {
      const object = this.state.objects.find((o) => o.id === step.object);
      const program = this.state.program;
      const isNow = program?.state === "running" && program.index === index;
      const isDone = program && (program.state === "done" || index < program.index) && program.steps.length === this.steps.length;
      const move = (offset) => {
        const steps = [...this.steps];
        const [taken] = steps.splice(index, 1);
        steps.splice(index + offset, 0, taken);
        this.setSteps(steps);
      };
      return make("li", { className: isNow ? "is-now" : isDone ? "is-done" : "" },
        make("span", { className: "number", textContent: isDone ? "✓" : String(index + 1) }),
        select(INTERACTIONS, step.interaction, "What shall be done", (v) => this.setSteps(this.steps.map((s, i) => (i === index ? { ...s, interaction: v } : s)))),
        make("span", { className: "of", textContent: object?.name ?? "?" }),
        button("↑", "Earlier", () => move(-1), { disabled: index === 0 }),
        button("↓", "Later", () => move(1), { disabled: index === this.steps.length - 1 }),
        button("From here", "Run from this step on", () => this.run(this.steps, index)),
        button("×", "Take it off the list", () => this.setSteps(this.steps.filter((_, i) => i !== index)), { className: "remove" }));
    }
  }

  VLAW.mountObjects = (element) => new ObjectPanel(element);
})();
