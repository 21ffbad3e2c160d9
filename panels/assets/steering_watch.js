/* Instruments: what happens inside while the policy acts, drawn from the very calls that act; off by default and free while hidden. */
(() => {
  "use strict";
  const VLAW = (window.VLAW = window.VLAW || {});
  const { make, button, field, select, picture, round } = VLAW.steer;
  const HOLD_MS = 400;
  const OFF = { stack: "", has_strip: false, has_lens: false, attention_to: "", attention_layers: [], contributions_to: "" };

  class Instruments {
    page = "watch";
    constructor(board) {
      this.board = board;
      this.part = (name) => board.part(`w-${name}`);
      this.wish = { ...OFF };
      this.sent = JSON.stringify(OFF);
      this.changed();
    }
    listen(socket) {
      socket.on("insight", (m) => this.take(m));
      socket.on("connection", (m) => { if (m.state === "live") { this.sent = ""; this.tell(); } });
    }

    changed() {
      const stack = this.board.stack;
      this.wish = { ...OFF };
      this.take({ strip: null, lens: null, attention: null, contributions: null });
      this.part("form").replaceChildren();
      if (!stack) return;
      const check = (label, title, key) => {
        const box = make("input", { type: "checkbox", name: key, checked: this.wish[key] });
        box.onchange = () => { this.wish[key] = box.checked; this.tell(); };
        return make("label", { className: "check", title }, box, label);
      };
      const stacks = this.board.state.stacks;
      this.stackBox = select(stacks.map((s) => [s.name, s.name]), stack.name, (v) => { this.wish.stack = v; this.tell(); });
      this.part("form").replaceChildren(
        stacks.length > 1 ? field("part of the network", this.stackBox) : "",
        check("Activity", "How much each layer's neurons add to each token", "has_strip"),
        check("What each layer would do", "The action as it would be if the network ended after each layer, with how sure it is", "has_lens"),
        field("attention over the picture", select([["", "off"], ...stack.cameras.map((c) => [c, c])], "", (v) => { this.wish.attention_to = v; this.tell(); })),
        field("neurons behind", select([["", "off"], ...stack.dimensions.map((d) => [d, d])], "", (v) => { this.wish.contributions_to = v; this.tell(); })),
        stack.cameras.length ? field("on demand", button("What does the action depend on?", "Covers one part of the picture after another, on a copy of the policy, and measures how far the action moves", () => this.explain())) : "");
    }

    shown(isShown) { this.isShown = isShown; setTimeout(() => this.tell(), HOLD_MS); }
    /* What is not on the screen is not read: hidden instruments cost nothing. */
    tell() {
      const wish = this.isShown && this.board.isOpen ? this.wish : OFF;
      const key = JSON.stringify(wish);
      if (key === this.sent || (!this.board.isOpen && this.sent === JSON.stringify(OFF))) return;
      this.sent = key;
      this.board.ask("show_instruments", wish);
    }

    explain() {
      const camera = this.wish.attention_to || this.board.stack.cameras[0];
      this.board.ask("explain_action", { camera, cells: 8 });
    }
    job(message) {
      if (message.result?.kind !== "occlusion") return;
      VLAW.socket.emit("insight_map", message.result.map);
      this.part("occlusion").textContent = `Occlusion over the ${message.result.map.camera} picture: covering the brightest part moves the next action by ${round(message.result.map.peak, 3)} of the largest possible step. Measured without memory of the episode.`;
    }

    take(message) {
      if (!this.isShown && message.strip !== null) return;
      this.strip(message.strip);
      this.lens(message.lens);
      this.contributions(message.contributions);
      this.part("attention").textContent = message.attention ? `Attention from the action tokens to the ${message.attention.camera} picture: ${round(100 * message.attention.total, 1)} % of all their attention. Attention is not attribution: it says where the network reads from, not what the action depends on.` : "";
      VLAW.socket?.emit("insight_map", message.attention ?? null);
      const isOn = Boolean(message.strip || message.lens || message.contributions || message.attention);
      this.part("empty").hidden = isOn;
      this.board.element.dataset.insight = isOn ? String(message.step) : "";
    }

    strip(strip) {
      const box = this.part("strip");
      box.hidden = !strip;
      if (!strip) return;
      const canvas = picture(strip, [46, 230, 192]);
      canvas.setAttribute("role", "img");
      canvas.title = `Norm of what each layer's neurons add, layers downwards, tokens along; brightest ${strip.peak}`;
      box.replaceChildren(make("h4", { textContent: "Activity, layer by token" }), canvas,
        make("div", { className: "ruler" }, strip.spans.map((s) => make("span", { style: `flex:${s.stop - s.start}`, textContent: s.name, title: `${s.name}: tokens ${s.start} to ${s.stop - 1}` }))));
    }

    lens(lens) {
      const box = this.part("lens");
      box.hidden = !lens;
      if (!lens) return;
      const peak = lens.dimensions.map((_, d) => Math.max(...lens.values.map((row) => Math.abs(row[d])), 1e-9));
      const last = lens.values.length - 1;
      const cell = (v, d) => make("td", { style: `--share:${Math.abs(v) / peak[d]}`, className: v < 0 ? "minus" : "plus", textContent: shortened(v), title: `${v} ${lens.units[d] ?? ""}` });
      const line = (name, title, values, text) => values && make("tr", { className: "sum", title }, make("th", { textContent: name }), values[last].map((v) => make("td", { textContent: text(v) })));
      box.replaceChildren(make("h4", { textContent: "The next action as each layer has it" }),
        make("table", {}, make("thead", {}, make("tr", {}, make("th", { textContent: "after" }), lens.dimensions.map((d, i) => make("th", { textContent: d, title: lens.units[i] ?? "" })))),
          make("tbody", {}, lens.values.map((row, i) => make("tr", {}, make("th", { textContent: i === last ? `${i} (acts)` : String(i) }), row.map(cell))),
            line("sure", "Probability of the likeliest value", lens.sure, (v) => `${Math.round(100 * v)} %`), line("entropy", "Of the values' probabilities [nat]; 0 is certain", lens.entropies, (v) => round(v, 1)))));
    }

    contributions(rows) {
      const box = this.part("contributions");
      box.hidden = !rows;
      if (!rows) return;
      const dimension = this.wish.contributions_to;
      box.replaceChildren(make("h4", { textContent: `Neurons that argue for ${dimension}, by activation times push (direct effect only)` }),
        make("ol", {}, rows.map((r) => make("li", {}, make("b", { textContent: `${r.layer}.${r.unit}` }), make("span", { textContent: `${r.push > 0 ? "+" : "−"}${dimension} ${round(Math.abs(r.push), 3)} nat, activation ${round(r.activation, 2)}` }), make("span", { className: "spring" }), button("+ desk", "Hold this neuron at 0: what happens without it?", () => this.board.put(`without ${r.layer}.${r.unit}`, { kind: "clamp_neurons", stack: this.wish.stack || this.board.stack.name, neurons: [r.flat], alpha: 0, scope: VLAW.steer.fullScope }), "small")))));
    }
  }

  class Recording {
    page = "record";
    constructor(board) {
      this.board = board;
      this.part = (name) => board.part(`r-${name}`);
      this.changed();
      setInterval(() => { if (this.isShown && board.library.recording?.is_on) this.refresh(); }, 2000);
    }
    shown(isShown) { this.isShown = isShown; if (isShown && this.board.isOpen) this.refresh(); }
    async refresh() {
      const found = await this.board.ask("steering_library");
      if (found) { this.board.library = found; this.stocked(); }
    }
    changed() {
      const stack = this.board.stack;
      this.part("form").replaceChildren();
      if (!stack) return;
      this.parts = new Map([["residual", "residual stream"], ["neurons", "neurons"], ["ffn", "what neurons add"], ["attention", "what attention adds"]].map(([name, text]) => [name, Object.assign(make("input", { type: "checkbox", checked: name === "residual" }), { label: text })]));
      this.layers = make("input", { type: "text", placeholder: "all", title: "For example 0, 2" });
      this.tokens = select(stack.groups.map((g) => [g, g]), stack.groups.includes("action") ? "action" : "all");
      this.toggle = button("Record", "From the next call of the policy on, this and later episodes of this tab", () => this.switch(), "primary");
      this.part("form").replaceChildren(...[...this.parts].map(([, box]) => make("label", { className: "check" }, box, box.label)), field("layers", this.layers), field("tokens", this.tokens), this.toggle,
        button("Delete all recordings", "Removes the files", async () => { const done = await this.board.ask("delete_recordings"); if (done) { this.board.library.recording = done.recording; this.stocked(); } }));
      this.stocked();
    }
    async switch() {
      const isOn = !this.board.library.recording?.is_on;
      const layers = this.layers.value.split(",").map((t) => parseInt(t, 10)).filter((n) => n >= 0);
      const parts = [...this.parts].filter(([, box]) => box.checked).map(([name]) => name);
      const state = await this.board.ask("record_activations", { is_on: isOn, parts, layers, tokens: this.tokens.value });
      if (state) { this.board.library.recording = state; this.stocked(); }
    }
    stocked() {
      const state = this.board.library.recording ?? {};
      if (this.toggle) { this.toggle.textContent = state.is_on ? "Stop recording" : "Record"; this.toggle.classList.toggle("is-on", Boolean(state.is_on)); }
      const mb = ((state.num_bytes ?? 0) / 1e6).toFixed(1);
      this.part("state").textContent = `${state.is_on ? `Recording: ${state.num_calls} calls written. ` : ""}${mb} MB on the disk${state.quota_bytes ? ` of ${Math.round(state.quota_bytes / 1e6)} MB allowed` : ""}.${state.trouble ? ` ${state.trouble}` : ""}`;
    }
  }

  const shortened = (v) => (Math.abs(v) < 0.0005 ? "0" : Math.abs(v) < 1 ? v.toFixed(3).replace("0.", ".") : v.toFixed(2));
  VLAW.steeringTools.push(Instruments, Recording);
})();
