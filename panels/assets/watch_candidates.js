/* The Candidates part of the Watch tab: when answers are weighed and by what, all candidates with their scores, and how chunks are executed.
   Everything goes through the tab's socket; text is written as text. */
(() => {
  "use strict";
  const VLAW = (window.VLAW = window.VLAW || {});
  const STILL = new Set(["paused"]);
  const NOTES = {
    receding: "The policy looks again when the first part of its answer is executed.",
    "open loop": "A whole answer is executed before the policy looks again.",
    temporal: "Each action is a mean of what the last answers foretold for this moment; an older one counts more by its age.",
    adaptive: "Each action is a mean of what the last answers foretold for this moment; those that point where the newest points count more.",
  };
  const ENSEMBLES = new Set(["temporal", "adaptive"]);

  const make = (tag, properties = {}, ...children) => {
    const { data, ...rest } = properties;
    const node = Object.assign(document.createElement(tag), rest);
    for (const [name, value] of Object.entries(data || {})) node.dataset[name] = value;
    node.append(...children.filter((c) => c !== null && c !== undefined));
    return node;
  };

  class CandidatesPart {
    constructor(element) {
      this.element = element;
      this.part = (name) => element.querySelector(`[data-is="${name}"]`);
      this.status = {};
      this.state = null;
      this.bind();
      this.redraw = VLAW.steady(this.part("list"), () => this.drawList());
      VLAW.withSocket((socket) => {
        socket.on("hello", (m) => { this.showStatus(m.status); this.ask(); });
        socket.on("status", (m) => this.showStatus(m));
        socket.on("candidates", (m) => this.take(m.candidates));
        socket.on("chunk_shares", (m) => this.drawShares(m.shares));
        socket.on("episode", () => this.take(null));
      });
    }

    bind() {
      const tell = (name, read) => this.part(name).addEventListener("change", (e) => { if (e.target.value !== "") this.send({ [name]: read(e.target.value) }); });
      for (const name of ["when", "draw", "verifier"]) tell(name, String);
      for (const name of ["count", "beta"]) tell(name, Number);
      this.part("asking").addEventListener("change", (e) => this.send({ is_asking: e.target.checked }));
      this.element.querySelector('[data-do="now"]').addEventListener("click", () => this.run("candidates_now"));
      const chunks = () => this.run("chunks_set", { mode: this.part("mode").value, horizon: Number(this.part("horizon").value || 0), num_kept: Number(this.part("kept").value || 8), alpha: Number(this.part("alpha").value || 0), decay: Number(this.part("decay").value || 0) });
      for (const name of ["mode", "horizon", "kept", "alpha", "decay"]) this.part(name).addEventListener("change", chunks);
      for (const input of this.element.querySelectorAll("input, select")) input.addEventListener("keydown", (e) => e.stopPropagation());
      this.element.addEventListener("pointerleave", () => VLAW.candidates?.hover(null));
    }

    send(changes) { this.run("candidates_set", changes); }

    async run(name, args = {}) {
      const state = await VLAW.socket?.command(name, args);
      if (state) this.show(state);
      else this.ask();
    }

    async ask() {
      const state = await VLAW.socket?.command("candidates_state");
      if (state) this.show(state);
    }

    show(state) {
      this.state = state;
      const { settings, handling, verifiers } = state;
      const choice = this.part("verifier");
      const names = verifiers.map((v) => v.name).join();
      if (choice.dataset.names !== names) {
        choice.dataset.names = names;
        choice.replaceChildren(...verifiers.map((v) => make("option", { value: v.name, textContent: v.is_privileged ? `${v.name} (privileged)` : v.name })));
      }
      const values = { when: settings.when, draw: settings.draw, verifier: settings.verifier, count: settings.count, beta: settings.beta, mode: handling.mode, horizon: handling.horizon ?? "", kept: handling.num_kept, alpha: handling.alpha, decay: handling.decay };
      for (const [name, value] of Object.entries(values)) if (document.activeElement !== this.part(name)) this.part(name).value = value;
      this.part("asking").checked = settings.is_asking;
      const judge = verifiers.find((v) => v.name === settings.verifier);
      this.part("about").textContent = judge ? `${judge.name}: ${judge.description}.${judge.is_privileged ? " No real robot has it." : ""}` : "";
      for (const node of this.element.querySelectorAll("[data-for]")) node.hidden = !(node.dataset.for === handling.mode || (node.dataset.for === "ensemble" && ENSEMBLES.has(handling.mode)));
      this.part("shares").hidden = true;
      this.part("chunk-note").textContent = NOTES[handling.mode];
      this.element.dataset.when = settings.when;
      this.element.dataset.mode = handling.mode;
      this.found = state.candidates;
      this.redraw();
    }

    take(found) {
      this.found = found;
      this.redraw();
    }

    showStatus(status) {
      const before = this.isPickable;
      this.status = status;
      this.element.querySelector('[data-do="now"]').disabled = status.mode === "idle" || status.mode === "halted" || status.mode === "correcting";
      if (before !== this.isPickable) this.redraw();
    }

    /* Whether the candidates belong to the step that comes next, and nothing moves. */
    get isPickable() {
      return Boolean(this.found && STILL.has(this.status.mode) && this.status.step === this.found.step && this.status.shown_step === null);
    }

    drawList() {
      const found = this.found;
      this.part("empty").hidden = Boolean(found);
      this.part("found").hidden = !found;
      this.part("trouble").hidden = !found?.trouble;
      this.part("trouble").textContent = found?.trouble ?? "";
      this.element.dataset.count = String(found?.scores.length ?? 0);
      this.element.dataset.chosen = String(found?.chosen ?? "");
      if (!found) return;
      const refused = Object.keys(found.refused).length;
      const who = found.is_picked ? "picked by hand" : found.chosen === 0 ? "the policy's own" : `by ${found.verifier}`;
      this.part("summary").textContent = `Before step ${found.step}: number ${found.chosen} of 0 to ${found.count - 1} is chosen, ${who}${refused ? `; ${refused} refused` : ""}.${this.isPickable ? " Pick another, or go on (Space)." : ""}`;
      const standing = VLAW.candidates?.standings(found) ?? found.scores.map(() => 0);
      const order = found.scores.map((_, i) => i).sort((a, b) => (standing[b] ?? -1) - (standing[a] ?? -1) || a - b);
      this.part("list").replaceChildren(...order.map((i) => this.row(i, standing[i])));
    }

    row(index, standing) {
      const { found } = this, score = found.scores[index], reason = found.refused[index];
      const isChosen = index === found.chosen;
      const swatch = make("i", { className: "swatch" });
      swatch.style.background = standing === null ? "transparent" : VLAW.candidates?.shade(standing) ?? "";
      const bar = make("span", { className: "bar" });
      bar.style.setProperty("--share", standing ?? 0);
      const about = index === 0 ? "the policy's own" : `${found.reach_cm[index].toFixed(1)} cm aside`;
      const item = make("li", { className: `${isChosen ? "chosen" : ""}${reason ? " refused" : ""}`, data: { index } }, swatch, make("b", { textContent: String(index) }), make("span", { className: "facts", textContent: reason || `${about}, ${found.grips[index] > 0.5 ? "open" : "shut"}` }), make("span", { className: "spring" }), reason ? null : bar, make("span", { className: "score", textContent: reason ? "refused" : score === null ? "no score" : score.toFixed(3) }));
      const pick = () => make("button", { type: "button", textContent: "Pick", title: "Execute this one next", onclick: () => this.run("candidates_pick", { index }) });
      const isOffered = !isChosen && this.isPickable && !reason;
      item.append(make("span", { className: "mark" }, isChosen ? "chosen" : isOffered ? pick() : ""));
      item.addEventListener("pointerenter", () => VLAW.candidates?.hover(index));
      return item;
    }

    /* How much each of the last chunks counted in the action that was just executed: newest left. */
    drawShares(shares) {
      const box = this.part("shares");
      box.hidden = !ENSEMBLES.has(this.state?.handling.mode);
      const rows = [...shares].reverse();
      box.replaceChildren(...rows.map((s) => {
        const bar = make("span", { title: `${s.age ? `given ${s.age} steps before` : "the newest"}: ${(100 * s.weight).toFixed(1)} %` }, make("i"), make("small", { textContent: s.age ? `−${s.age}` : "now" }));
        bar.style.setProperty("--share", s.weight);
        return bar;
      }));
      box.dataset.count = String(rows.length);
      box.setAttribute("aria-label", `Weights of the last ${rows.length} chunks, newest first: ${rows.map((s) => `${(100 * s.weight).toFixed(0)} %`).join(", ")}`);
    }
  }

  VLAW.mountCandidates = (element) => new CandidatesPart(element);
})();
