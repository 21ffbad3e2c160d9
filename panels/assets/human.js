/* The Human tab: who drives, corrections and why, outcomes, talking with the robot, when it asks, procedures, how much it was helped.
   Everything goes through the tab's socket; text is written as text. */
(() => {
  "use strict";
  const VLAW = (window.VLAW = window.VLAW || {});
  const JOG_MS = 80;
  const WHO = { idle: "No episode", autonomous: "The policy drives", correcting: "You drive", paused: "Paused: nothing is recorded", halted: "Halted" };
  const TOKENS = { RES: "", ACT: "acts", INST: "told", HALT: "HALT", END: "" };
  const PAD = [["", ""], ["jog_forward", "↑"], ["", ""], ["jog_up", "⇧"], ["jog_turn_left", "↺"], ["jog_left", "←"], ["jog_gripper", "✊"], ["jog_right", "→"], ["", ""], ["jog_turn_right", "↻"], ["", ""], ["jog_back", "↓"], ["", ""], ["jog_down", "⇩"], ["", ""]];

  const make = (tag, properties = {}, ...children) => {
    const { data, ...rest } = properties;
    const node = Object.assign(document.createElement(tag), rest);
    for (const [name, value] of Object.entries(data || {})) node.dataset[name] = value;
    node.append(...children.filter((c) => c !== null && c !== undefined));
    return node;
  };
  const button = (text, title, onclick, className = "") => make("button", { type: "button", textContent: text, title, onclick, className });

  class HumanTab {
    constructor(element) {
      this.element = element;
      this.status = {};
      this.state = null;
      this.part = (name) => element.querySelector(`[data-is="${name}"]`);
      const on = (name, fn) => element.querySelectorAll(`[data-do="${name}"]`).forEach((node) => { node.onclick = fn; });
      const send = (name, args) => VLAW.socket?.command(name, args);
      this.send = send;
      on("drive", () => send(...(this.status.mode === "correcting" ? ["hand_back"] : ["drive", { via: "button" }])));
      on("tool", () => VLAW.run?.("tool_hand"));
      on("halt", () => send("halt"));
      on("segment", () => send("segment", {}));
      on("discard", () => send("discard"));
      on("success", () => send("mark_success"));
      on("failure", () => send("mark_failure"));
      on("reset", () => send("reset"));
      on("keep", () => send("keep"));
      on("rule-add", () => this.addRule());
      on("procedure-start", () => this.startProcedure());
      on("procedure-stop", () => send("procedure_stop"));
      this.part("after").onchange = (e) => send("set_after", { after: e.target.value });
      this.part("rule-kind").onchange = () => this.showRuleForm();
      const typed = this.part("reason");
      typed.addEventListener("keydown", (e) => { e.stopPropagation(); if (e.key === "Enter" && typed.value.trim()) this.giveReason(typed.value.trim()); });
      const box = this.part("say");
      box.addEventListener("keydown", (e) => { e.stopPropagation(); if (e.key === "Enter" && !e.isComposing) this.say(); });
      on("say", () => this.say());
      element.querySelectorAll("textarea, input").forEach((node) => node.addEventListener("keydown", (e) => e.stopPropagation()));
      this.makePad();
      this.showRuleForm();
      this.render = VLAW.steady ? VLAW.steady(element, (state) => this.draw(state)) : (state) => this.draw(state);
      VLAW.withSocket((socket) => {
        socket.on("hello", (m) => { this.show(m.status); this.ask(); this.askHelp(); });
        socket.on("status", (m) => this.show(m));
        socket.on("changed", (m) => { if (m.what === "human") this.ask(); if (m.what === "episode") this.askHelp(); });
        socket.on("said", (m) => this.hear(m));
      });
    }

    ask() {
      clearTimeout(this.asking);
      this.asking = setTimeout(async () => {
        const state = await VLAW.socket?.command("human_state");
        if (state) { this.state = state; this.render(state); }
      }, 60);
    }

    async askHelp() {
      clearTimeout(this.askingHelp);
      this.askingHelp = setTimeout(async () => {
        const answer = await fetch("/api/interventions");
        if (answer.ok) this.drawHelp(await answer.json());
      }, 900);
    }

    // --- driving ---

    makePad() {
      const held = new Set();
      let timer = 0;
      const drive = () => VLAW.run?.("jog_keys", [...held].map((name) => ({ name, isLarge: false })));
      const stop = (name) => { held.delete(name); if (!held.size) clearInterval(timer); };
      this.part("pad").append(...PAD.map(([name, sign]) => {
        if (!name) return make("span");
        const key = button(sign, name === "jog_gripper" ? "Open or close the gripper" : "Hold to drive", null);
        key.setAttribute("aria-label", name.replace(/_/g, " "));
        key.addEventListener("pointerdown", (e) => {
          e.preventDefault();
          if (this.status.mode !== "correcting") this.send("drive", { via: e.pointerType === "touch" ? "touch" : "button" });
          if (name === "jog_gripper") { VLAW.run?.("jog_gripper"); return; }
          key.setPointerCapture(e.pointerId);
          held.add(name);
          drive();
          clearInterval(timer);
          timer = setInterval(drive, JOG_MS);
        });
        for (const type of ["pointerup", "pointercancel", "lostpointercapture"]) key.addEventListener(type, () => stop(name));
        return key;
      }));
    }

    giveReason(reason) {
      // Before a take-over it waits in the box, and goes with it.
      const hasCorrection = this.status.mode === "correcting" || this.state?.interventions.length;
      this.part("reason").value = hasCorrection ? "" : reason;
      if (!hasCorrection) return;
      this.send("set_reason", { reason });
    }

    show(status) {
      const isNew = status.episode_id !== this.status.episode_id;
      const isOther = status.mode !== this.status.mode;
      this.status = status;
      if (!isNew && !isOther) return;
      this.element.dataset.mode = status.mode;
      this.part("who").textContent = WHO[status.mode] ?? status.mode;
      const isDriving = status.mode === "correcting";
      if (isDriving && isOther && this.part("reason").value.trim()) this.giveReason(this.part("reason").value.trim());
      for (const node of this.element.querySelectorAll('[data-do="drive"]')) node.textContent = isDriving ? "Hand back" : "Take over";
      this.element.querySelector('[data-do="segment"]').disabled = !isDriving;
      for (const name of ["success", "failure", "keep"]) this.element.querySelector(`[data-do="${name}"]`).disabled = status.mode === "idle";
      if (isNew) { this.ask(); this.askHelp(); }
    }

    // --- what is shown ---

    draw(state) {
      this.element.dataset.ready = "yes";
      this.element.dataset.corrections = String(state.interventions.length);
      this.part("empty").hidden = state.interventions.length > 0;
      this.part("corrections").replaceChildren(...state.interventions.map((i, n) => this.correction(i, n)));
      const segment = this.element.querySelector('[data-do="segment"]');
      segment.textContent = state.segment === "recovery" ? "Now: recovering" : "Now: correcting";
      this.element.querySelector('[data-do="discard"]').disabled = !state.interventions.some((i) => !i.is_discarded && i.stop > i.start);
      const last = state.interventions.at(-1);
      this.part("reasons").replaceChildren(...state.reasons.map((reason) => {
        const chip = button(reason, "Say that this was why", () => this.giveReason(reason), "chip");
        chip.ariaPressed = String(last?.reason === reason);
        return chip;
      }));
      if (document.activeElement !== this.part("after")) this.part("after").value = state.after_outcome;
      this.part("kept").replaceChildren(...state.kept.map((k) => make("li", {}, `Steps ${k.start} to ${k.stop}`, make("span", { className: "spring" }), button("Show", "Look at its first step", () => this.send("seek", { step: k.start })))));
      if (!this.hasTalk) { this.hasTalk = true; this.part("talk").replaceChildren(...state.talk.flatMap((m) => this.lines(m))); }
      this.drawRules(state.rules);
      this.drawProcedure(state.procedure);
    }

    correction(i, number) {
      const parts = i.segments.map((s) => `${s.stop - s.start} of ${s.kind}`).join(", ");
      const count = i.stop - i.start;
      const about = `from step ${i.start}: ${count} step${count === 1 ? "" : "s"}${parts ? `, ${parts}` : ""}`;
      const item = make("li", { className: i.is_discarded ? "is-discarded" : "" }, make("b", { textContent: `${number + 1}` }), about);
      if (i.reason) item.append(make("span", { className: "facts", textContent: i.reason }));
      item.append(make("span", { className: "spring" }), button("Show", "Look at its first step", () => this.send("seek", { step: i.start })));
      return item;
    }

    drawHelp(rows) {
      this.element.dataset.help = String(rows.length);
      this.part("no-help").hidden = rows.length > 0;
      const body = rows.map((r) => make("tr", {}, make("td", { textContent: r.policy }), ...[r.num_episodes, r.num_interventions, `${Math.round(100 * r.share)} %`].map((t) => make("td", { className: "n", textContent: String(t) })), make("td", {}, this.trend(r.trend))));
      this.part("help").replaceChildren(...(rows.length ? [make("tr", {}, ...["Policy", "Episodes", "Corrections", "Driven by you", "Trend"].map((t, i) => make("th", { textContent: t, className: i && i < 4 ? "n" : "" }))), ...body] : []));
    }

    trend(shares) {
      const NS = "http://www.w3.org/2000/svg";
      const svg = document.createElementNS(NS, "svg");
      svg.setAttribute("viewBox", "0 0 96 24");
      svg.setAttribute("class", "trend");
      svg.setAttribute("role", "img");
      svg.setAttribute("aria-label", `Share of steps by hand, oldest to newest: ${shares.map((s) => `${Math.round(100 * s)} %`).join(", ")}`);
      const line = document.createElementNS(NS, "polyline");
      const xs = shares.length > 1 ? shares : [...shares, ...shares];
      line.setAttribute("points", xs.map((s, i) => `${2 + (92 * i) / Math.max(1, xs.length - 1)},${22 - 20 * s}`).join(" "));
      const title = document.createElementNS(NS, "title");
      title.textContent = svg.getAttribute("aria-label");
      svg.append(title, line);
      return svg;
    }

    // --- talking ---

    say() {
      const box = this.part("say");
      const text = box.value.trim();
      if (!text) return;
      box.value = "";
      this.send("say", { text });
    }

    hear(message) {
      const talk = this.part("talk");
      talk.append(...this.lines(message));
      while (talk.childElementCount > 60) talk.firstElementChild.remove();
      talk.scrollTop = talk.scrollHeight;
      this.hasTalk = true;
    }

    lines({ text, events }) {
      const answer = make("p", { className: "theirs" });
      for (const event of events) {
        if (TOKENS[event.token]) answer.append(make("span", { className: "token", textContent: `[${TOKENS[event.token]}]` }));
        if (event.token === "RES") answer.append(`${event.text} `);
      }
      answer.dataset.tokens = events.map((e) => e.token).join(" ");
      return [make("p", { className: "mine", textContent: text }), answer];
    }

    // --- when the robot asks ---

    showRuleForm() {
      const kind = this.part("rule-kind").value;
      for (const node of this.element.querySelectorAll("[data-for]")) node.hidden = node.dataset.for !== kind;
    }

    addRule() {
      const kind = this.part("rule-kind").value;
      const value = (name) => { const v = this.part(name).value; return v === "" ? null : Number(v); };
      const rule = { kind };
      if (kind === "region") Object.assign(rule, { low: ["x0", "y0", "z0"].map(value).map((v) => (v === null ? null : v / 100)), high: ["x1", "y1", "z1"].map(value).map((v) => (v === null ? null : v / 100)) });
      if (kind === "object") Object.assign(rule, { thing: this.part("thing").value.trim(), limit: (value("near") ?? 0) / 100 });
      if (kind === "speed") rule.limit = (value("speed") ?? 0) / 100;
      if (kind === "confidence") rule.limit = (value("sure") ?? 0) / 100;
      this.send("set_rules", { rules: [...this.rules(), rule] });
    }

    rules() { return (this.state?.rules ?? []).map(({ text, ...rule }) => rule); }

    drawRules(rules) {
      this.part("rules").replaceChildren(...rules.map((rule, i) => make("li", {}, rule.text, make("span", { className: "spring" }), button("Remove", "Ask for this no more", () => this.send("set_rules", { rules: this.rules().filter((_, j) => j !== i) })))));
    }

    // --- procedures ---

    startProcedure() {
      this.send("procedure_start", { text: this.part("procedure-text").value });
    }

    drawProcedure(procedure) {
      this.element.dataset.procedure = procedure.is_running ? "running" : "";
      this.part("procedure-note").textContent = procedure.note;
      this.part("procedure-note").hidden = !procedure.note;
      this.element.querySelector('[data-do="procedure-stop"]').disabled = !procedure.is_running;
      this.part("procedure").replaceChildren(...procedure.steps.map((step, i) => {
        const box = make("input", { type: "checkbox", checked: step.is_done, ariaLabel: step.text });
        box.onchange = () => this.send("procedure_tick", { index: i, is_done: box.checked });
        const by = { goal: "measured", policy: "the policy says so", human: "ticked by hand" }[step.by];
        return make("li", { className: i === procedure.current && procedure.is_running ? "current" : "" }, box, step.text, by ? make("span", { className: "facts", textContent: `step ${step.at_step}, ${by}` }) : null);
      }));
    }
  }

  VLAW.mountHuman = (element) => new HumanTab(element);
})();
