/* The Steering tab: the desk with everything that turns the policy now, and the tools below it that put things on the desk.
   Everything comes from the tab's socket and goes back as commands; text of people and of the model is written as text. */
(() => {
  "use strict";
  const VLAW = (window.VLAW = window.VLAW || {});
  const SEND_MS = 90;
  /* kind -> [what it does, field of its strength, slider from, to, step] */
  const KINDS = {
    clamp_neurons: ["held at", "alpha", -20, 20, 0.1],
    add_direction: ["added, dose", "dose", -1.5, 1.5, 0.01],
    remove_direction: ["taken away, share", "share", 0, 1, 0.01],
    clamp_reading: ["kept in range", "", 0, 0, 0],
    steer_feature: ["changed by", "value", -15, 15, 0.1],
    apply_conceptor: ["blended in (experimental), share", "beta", 0, 1, 0.01],
  };
  const QUANTITIES = { height: "height [m]", x: "x, away from the robot [m]", y: "y, to its left [m]", speed: "speed [m/s]", gripper: "gripper opening 0..1", gripper_command: "gripper command 0..1" };
  const TARGETS = { height: [0, 0.6, 0.005, "m"], speed: [0, 0.4, 0.005, "m/s"] };

  const make = (tag, properties = {}, ...children) => {
    const { data, ...rest } = properties;
    const node = Object.assign(document.createElement(tag), rest);
    for (const [name, value] of Object.entries(data || {})) node.dataset[name] = value;
    node.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
    return node;
  };
  const button = (text, title, onclick, className = "") => make("button", { type: "button", textContent: text, title, ariaLabel: title, onclick, className });
  const field = (label, node) => make("label", { className: "field" }, make("span", { textContent: label }), node);
  const select = (options, value, onchange) => {
    const node = make("select", {}, options.map(([key, text]) => make("option", { value: key, textContent: text })));
    node.value = String(value ?? "");
    if (onchange) node.onchange = () => onchange(node.value);
    return node;
  };
  const number = (value, onchange, options = {}) => {
    const node = make("input", { type: "number", step: "any", value: value ?? "", ...options });
    if (onchange) node.onchange = () => onchange(node.value === "" ? null : Number(node.value));
    return node;
  };
  const quiet = (root) => root.addEventListener("keydown", (e) => { if (e.target.matches("input, select, textarea")) e.stopPropagation(); });
  const round = (x, digits = 3) => Number(Number(x).toFixed(digits));

  /* Bytes in base64 as a canvas of one colour; `frame` rows by columns. */
  const picture = ({ width, height, levels }, rgb) => {
    const bytes = Uint8Array.from(atob(levels), (c) => c.charCodeAt(0));
    const canvas = make("canvas", { width, height });
    const image = canvas.getContext("2d").createImageData(width, height);
    bytes.forEach((level, i) => image.data.set([...rgb, level], 4 * i));
    canvas.getContext("2d").putImageData(image, 0, 0);
    return canvas;
  };

  class Board {
    constructor(element) {
      this.element = element;
      this.state = { mix: { version: 1, slots: [] }, stacks: [], fingerprint: "", policy: "" };
      this.library = { concepts: [], presets: [], assets: [], recording: {} };
      this.open = new Set();
      this.history = new Map();
      this.part = (name) => element.querySelector(`[data-is="${name}"]`);
      quiet(element);
      this.redraw = VLAW.steady(element, () => this.draw());
      for (const tab of element.querySelectorAll("[data-open]")) tab.onclick = () => this.choose(tab.dataset.open);
      this.part("reset").onclick = () => this.ask("reset_steering");
      this.part("hire").onclick = () => { this.part("hire").disabled = true; this.ask("set_policy", { name: "bench-vla" }); };
      this.part("keep").onclick = () => this.keepPreset();
      this.part("presets").onchange = () => this.usePreset(this.part("presets").value);
      this.part("forget").onclick = () => this.forgetPreset();
      this.tools = VLAW.steeringTools.map((Tool) => new Tool(this));
      this.choose("neurons");
      new IntersectionObserver(([entry]) => this.seen(entry.isIntersecting)).observe(element);
      VLAW.withSocket((socket) => {
        socket.on("hello", (m) => { if (m.steering) this.take(m.steering); });
        socket.on("steering", (m) => this.take(m));
        socket.on("steering_loop", (m) => this.plot(m));
        socket.on("steering_job", (m) => this.job(m));
        socket.on("episode", () => this.history.clear());
        for (const tool of this.tools) tool.listen?.(socket);
      });
    }

    /* Runs a command; a refusal is shown by the stage and here. */
    async ask(name, args = {}) {
      try {
        const result = await VLAW.socket.request(name, args);
        this.say("");
        return result ?? {};
      } catch (error) {
        this.say(error.message);
        return null;
      }
    }
    say(text) { const note = this.part("trouble"); note.textContent = text; note.hidden = !text; }

    choose(name) {
      this.chosen = name;
      for (const tab of this.element.querySelectorAll("[data-open]")) tab.setAttribute("aria-selected", String(tab.dataset.open === name));
      for (const page of this.element.querySelectorAll("[data-page]")) page.hidden = page.dataset.page !== name;
      for (const tool of this.tools ?? []) tool.shown?.(tool.page === name && this.isSeen);
    }
    seen(isSeen) {
      this.isSeen = isSeen;
      if (isSeen && this.state.fingerprint && !this.isRead) this.read();
      for (const tool of this.tools) tool.shown?.(tool.page === this.chosen && isSeen);
    }

    get isOpen() { return this.state.stacks.length > 0; }
    get stack() { return this.state.stacks[0]; }

    take(told) {
      // What was just moved here and is still on its way counts more than what the server says of the time before.
      const message = this.isPending ? { ...told, mix: this.state.mix } : told;
      if (!this.isPending) this.agreed = told.mix;
      const isOther = message.fingerprint !== this.state.fingerprint || message.policy !== this.state.policy;
      this.state = message;
      this.part("hire").disabled = false;
      if (isOther) {
        this.isRead = false;
        for (const tool of this.tools) tool.changed?.();
        if (this.isSeen && this.isOpen) { this.read(); this.choose(this.chosen); }
      }
      this.redraw();
    }

    /* Reads what is stored: concepts, presets, directions. */
    async read() {
      this.isRead = true;
      const found = await this.ask("steering_library");
      if (!found) return;
      this.library = found;
      if (found.job) this.job(found.job);
      for (const tool of this.tools) tool.stocked?.();
      this.drawPresets();
    }

    job(message) {
      for (const tool of this.tools) tool.job?.(message);
      const bar = this.part("job");
      bar.hidden = !message.is_running && !message.error;
      bar.replaceChildren(...(message.is_running
        ? [make("span", { textContent: `${message.title}: ${message.note}` }), make("progress", { value: message.share, max: 1 }), button("Cancel", "End this job", () => this.ask("cancel_steering_job"))]
        : message.error ? [make("span", { className: "bad", textContent: message.error }), button("✕", "Close", () => { bar.hidden = true; })] : []));
      if (message.result) this.read();
    }

    // --- the desk ---

    send(slots) {
      this.state = { ...this.state, mix: { version: 1, slots } };
      this.isPending = true;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.flush(), SEND_MS);
    }
    async flush() {
      const sent = this.state.mix;
      const done = await this.ask("set_steering", { mix: sent });
      if (this.state.mix !== sent) return;
      this.isPending = false;
      if (done) this.agreed = sent;
      else this.state = { ...this.state, mix: this.agreed ?? { version: 1, slots: [] } };
      this.redraw();
    }
    put(name, edit, more = {}) {
      const taken = new Set(this.state.mix.slots.map((s) => s.name));
      let unique = name.slice(0, 90) || "edit";
      for (let i = 2; taken.has(unique); i++) unique = `${name.slice(0, 90)} ${i}`;
      this.send([...this.state.mix.slots, { name: unique, edit, is_muted: false, is_solo: false, loop: null, ...more }]);
      this.flushNow();
    }
    flushNow() { clearTimeout(this.timer); return this.flush(); }
    change(name, edit) {
      this.send(this.state.mix.slots.map((slot) => (slot.name === name ? edit(structuredClone(slot)) : slot)));
    }

    draw() {
      const { slots } = this.state.mix;
      this.element.dataset.state = this.isOpen ? "open" : "closed";
      this.element.dataset.slots = slots.length;
      this.part("closed").hidden = this.isOpen;
      this.part("opened").hidden = !this.isOpen;
      const name = this.state.policy || "What drives now";
      this.part("sentence").textContent = `${name[0].toUpperCase()}${name.slice(1)} does not expose its inside, so there is nothing here to see or to turn. A policy whose network runs in this process does: the bench VLA, or pi0 from a checkpoint of yours.`;
      const acting = slots.some((s) => s.is_solo) ? slots.filter((s) => s.is_solo && !s.is_muted) : slots.filter((s) => !s.is_muted);
      const state = this.part("state");
      state.textContent = acting.length ? `STEERING ON, ${acting.length} of ${slots.length}` : slots.length ? "silent: all muted" : "off";
      state.classList.toggle("is-on", acting.length > 0);
      this.part("reset").disabled = !slots.length;
      this.part("keep").disabled = !slots.length;
      this.part("empty").hidden = slots.length > 0;
      this.part("slots").replaceChildren(...slots.map((slot) => this.row(slot, acting.includes(slot))));
      for (const key of [...this.history.keys()]) if (!slots.some((s) => s.name === key && s.loop)) this.history.delete(key);
    }

    row(slot, isActing) {
      const [what, strength, low, high, step] = KINDS[slot.edit.kind] ?? ["", "", 0, 0, 0];
      const count = slot.edit.neurons?.length;
      const text = count ? `${count} neuron${count > 1 ? "s" : ""} ${what}` : slot.edit.kind === "steer_feature" ? `feature ${slot.edit.feature} ${what}` : what;
      const toggle = (flag, label, title) => {
        const node = button(label, title, () => { this.change(slot.name, (s) => ({ ...s, [flag]: !s[flag] })); this.flushNow(); }, "flag");
        node.ariaPressed = String(slot[flag]);
        return node;
      };
      const isMore = this.open.has(slot.name);
      const more = button("…", isMore ? "Less" : "Where, when and how it acts", () => { if (isMore) this.open.delete(slot.name); else this.open.add(slot.name); this.redraw(); }, "flag");
      more.ariaExpanded = String(isMore);
      return make("li", { data: { slot: slot.name }, className: isActing ? "is-acting" : "" },
        make("div", { className: "slot-head" },
          make("b", { textContent: slot.name, title: slot.name }), make("span", { className: "what", textContent: text }),
          toggle("is_muted", "M", "Mute: keep it on the desk without effect"), toggle("is_solo", "S", "Solo: only what is on solo acts"), more,
          button("✕", "Take it off the desk", () => { this.send(this.state.mix.slots.filter((s) => s.name !== slot.name)); this.flushNow(); }, "flag")),
        slot.edit.kind === "clamp_reading" ? this.bounds(slot) : this.slider(slot, strength, low, high, step),
        isMore ? this.scope(slot) : null,
        slot.loop ? make("canvas", { className: "loop", width: 460, height: 96, data: { loop: slot.name } }) : null);
    }

    slider(slot, strength, low, high, step) {
      const value = slot.edit[strength];
      const set = (v) => this.change(slot.name, (s) => ({ ...s, edit: { ...s.edit, [strength]: v } }));
      const range = make("input", { type: "range", min: Math.min(low, value), max: Math.max(high, value), step, value, ariaLabel: `Strength of ${slot.name}`, disabled: Boolean(slot.loop) });
      const box = number(value, (v) => { if (v !== null) { set(v); this.flushNow(); } }, { ariaLabel: `Strength of ${slot.name} as a number`, disabled: Boolean(slot.loop) });
      range.oninput = () => {
        let v = Number(range.value);
        if (low < 0 && Math.abs(v) < (high - low) / 80) { v = 0; range.value = 0; }
        box.value = v;
        set(v);
      };
      range.ondblclick = () => { range.value = box.value = 0; set(0); this.flushNow(); };
      range.title = "Drag; double click sets 0";
      return make("div", { className: "slider" }, range, box, slot.loop ? make("span", { className: "what", textContent: "set by the controller" }) : null);
    }

    bounds(slot) {
      const set = (key) => (v) => { this.change(slot.name, (s) => ({ ...s, edit: { ...s.edit, [key]: v } })); this.flushNow(); };
      return make("div", { className: "slider" }, field("at least", number(slot.edit.low, set("low"), { placeholder: "no limit" })), field("at most", number(slot.edit.high, set("high"), { placeholder: "no limit" })));
    }

    /* Where, when and how an edit acts. */
    scope(slot) {
      const { scope } = slot.edit;
      const set = (changes) => { this.change(slot.name, (s) => ({ ...s, edit: { ...s.edit, scope: { ...s.edit.scope, ...changes } } })); this.flushNow(); };
      const setLoop = (loop) => { this.change(slot.name, (s) => ({ ...s, loop })); this.flushNow(); };
      const stack = this.state.stacks.find((s) => s.name === slot.edit.stack) ?? this.stack;
      const gate = scope.gate;
      const layers = slot.edit.layers;
      const setLayers = (text) => {
        const wanted = [...new Set(text.split(",").map((t) => parseInt(t, 10)).filter((n) => n >= 0 && n < stack.num_layers))].sort((a, b) => a - b);
        if (!wanted.length) return;
        const norms = VLAW.steeringNorms?.() ?? [];
        this.change(slot.name, (s) => {
          const known = new Map(s.edit.layers.map((layer, i) => [layer, s.edit.norms?.[i]]));
          const edit = { ...s.edit, layers: wanted };
          if (s.edit.norms) edit.norms = wanted.map((layer) => known.get(layer) ?? norms[layer] ?? s.edit.norms[0]);
          return { ...s, edit };
        });
        this.flushNow();
      };
      const loop = slot.loop;
      const [low, high, step, unit] = TARGETS[loop?.quantity ?? "height"] ?? [0, 1, 0.01, ""];
      const target = loop ? make("input", { type: "range", min: low, max: high, step, value: loop.target, ariaLabel: "Target" }) : null;
      const shown = loop ? make("output", { textContent: `${round(loop.target)} ${unit}` }) : null;
      if (target) target.oninput = () => { shown.textContent = `${round(target.value)} ${unit}`; this.change(slot.name, (s) => ({ ...s, loop: { ...s.loop, target: Number(target.value) } })); };
      return make("div", { className: "scope" },
        field("acts on tokens", select((stack?.groups ?? ["all"]).map((g) => [g, g]), scope.tokens, (v) => set({ tokens: v }))),
        layers ? field(`in layers (0 to ${stack.num_layers - 1})`, Object.assign(make("input", { type: "text", value: layers.join(", ") }), { onchange: (e) => setLayers(e.target.value) })) : null,
        field("from [s]", number(scope.start_s, (v) => set({ start_s: v ?? 0 }), { min: 0 })),
        field("until [s]", number(scope.stop_s, (v) => set({ stop_s: v }), { placeholder: "the end" })),
        field("only while", select([["", "always"], ...Object.entries(QUANTITIES), ["alarm", "alarm (1 when it rings)"]], gate?.quantity ?? "", (v) => set({ gate: v ? { quantity: v, compare: gate?.compare ?? ">", bound: gate?.bound ?? 0.5 } : null }))),
        gate ? field("is", select([[">", "above"], ["<", "below"]], gate.compare.startsWith(">") ? ">" : "<", (v) => set({ gate: { ...gate, compare: v } }))) : null,
        gate ? field("bound", number(gate.bound, (v) => set({ gate: { ...gate, bound: v ?? 0 } }))) : null,
        this.state.architecture === "bench-vla" ? null : field("forward passes", number(scope.first_pass, (v) => set({ first_pass: v ?? 0 }), { min: 0, step: 1 })),
        this.state.architecture === "bench-vla" ? null : field("to", number(scope.last_pass, (v) => set({ last_pass: v }), { min: 0, step: 1, placeholder: "last" })),
        slot.edit.kind === "clamp_reading" ? null : field("strength", select([["", "by the slider"], ["height", "controlled: hold a height"], ["speed", "controlled: hold a speed"]], loop?.quantity ?? "", (v) => setLoop(v ? this.newLoop(slot, v) : null))),
        loop ? make("label", { className: "field wide" }, make("span", { textContent: `target ${loop.quantity}` }), make("span", { className: "slider" }, target, shown)) : null,
        loop ? field("more strength makes it", select([["no", "larger"], ["yes", "smaller"]], loop.is_inverted ? "yes" : "no", (v) => setLoop({ ...loop, is_inverted: v === "yes" }))) : null);
    }
    newLoop(slot, quantity) {
      const isDirection = slot.edit.kind !== "clamp_neurons" && slot.edit.kind !== "steer_feature";
      const gains = isDirection ? { proportional: 0.2, integral: 0.025, derivative: 0.05, low: 0, high: 1 } : { proportional: 4, integral: 0.5, derivative: 1, low: 0, high: 20 };
      return { quantity, target: quantity === "height" ? 0.25 : 0.1, gains, is_inverted: false };
    }

    /* Target, measured and strength of each controller over the calls so far. */
    plot(message) {
      for (const loop of message.loops) {
        if (!this.history.has(loop.name)) this.history.set(loop.name, []);
        const points = this.history.get(loop.name);
        points.push([message.time_s, loop.target, loop.measured, loop.strength]);
        if (points.length > 400) points.shift();
        const canvas = [...this.element.querySelectorAll("canvas.loop")].find((c) => c.dataset.loop === loop.name);
        if (canvas && this.isSeen) drawLoop(canvas, points);
      }
    }

    // --- presets ---

    drawPresets() {
      const box = this.part("presets");
      box.replaceChildren(make("option", { value: "", textContent: this.library.presets.length ? "Presets …" : "No presets yet" }), ...this.library.presets.map((p) => make("option", { value: p.name, textContent: p.name })));
      this.part("forget").hidden = true;
    }
    usePreset(name) {
      const preset = this.library.presets.find((p) => p.name === name);
      this.part("forget").hidden = !preset;
      if (preset) { this.send(preset.mix.slots); this.flushNow(); }
    }
    async keepPreset() {
      const box = this.part("preset-name"), name = box.value.trim();
      if (!name) { box.focus(); this.say("Give the preset a name first."); return; }
      if (await this.ask("save_preset", { name })) { box.value = ""; this.read(); }
    }
    async forgetPreset() {
      if (await this.ask("delete_preset", { name: this.part("presets").value })) this.read();
    }
  }

  const LINES = [["target", "#d97706", [5, 4]], ["measured", "#12b094", []], ["strength", "#8b5cf6", [1, 2]]];
  function drawLoop(canvas, points) {
    const context = canvas.getContext("2d"), { width, height } = canvas;
    context.clearRect(0, 0, width, height);
    const ink = getComputedStyle(canvas).color;
    const [first, last] = [points[0][0], Math.max(points.at(-1)[0], points[0][0] + 2)];
    const x = (t) => 4 + ((t - first) / (last - first)) * (width - 104);
    const scaled = (columns) => {
      const all = points.flatMap((p) => columns.map((c) => p[c]));
      const low = Math.min(...all), high = Math.max(...all, low + 1e-3);
      return (v) => height - 8 - ((v - low) / (high - low)) * (height - 20);
    };
    const scales = [null, scaled([1, 2]), null, scaled([3])];
    scales[2] = scales[1];
    LINES.forEach(([name, colour, dash], i) => {
      context.strokeStyle = colour;
      context.setLineDash(dash);
      context.lineWidth = 1.6;
      context.beginPath();
      points.forEach((p, k) => context[k ? "lineTo" : "moveTo"](x(p[0]), scales[i + 1](p[i + 1])));
      context.stroke();
      context.fillStyle = colour;
      context.font = "11px system-ui";
      context.fillText(`${name} ${round(points.at(-1)[i + 1])}`, width - 98, 16 + 18 * i);
    });
    context.setLineDash([]);
    context.fillStyle = ink;
    canvas.title = "Target, measured and strength over the policy's calls";
  }

  VLAW.steeringTools = VLAW.steeringTools || [];
  VLAW.steer = { make, button, field, select, number, picture, round };
  VLAW.mountSteering = (element) => { VLAW.steering = new Board(element); };
})();
