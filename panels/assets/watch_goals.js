/* The Sub-goals part of the Watch tab: planning, the list with its states, and who leads the hand after a change of the instruction.
   Everything goes through the tab's socket; text is written as text. */
(() => {
  "use strict";
  const VLAW = (window.VLAW = window.VLAW || {});
  const STATES = { waiting: "waits", now: "now", done: "done", failed: "failed", asked: "asks you", skipped: "skipped" };
  const OPEN = new Set(["waiting", "now", "asked"]);
  const LED = { rollback: "Undoing", advance: "Going to the start", recovery: "Recovering" };
  const FLAGS = ["is_verifying", "is_recovering", "is_switching"], NUMBERS = ["verify_every", "max_attempts"];

  const make = (tag, properties = {}, ...children) => {
    const { data, ...rest } = properties;
    const node = Object.assign(document.createElement(tag), rest);
    for (const [name, value] of Object.entries(data || {})) node.dataset[name] = value;
    node.append(...children.filter((c) => c !== null && c !== undefined));
    return node;
  };
  const button = (text, title, onclick, disabled = false) => make("button", { type: "button", textContent: text, title, onclick, disabled });

  class GoalsPart {
    constructor(element) {
      this.element = element;
      this.part = (name) => element.querySelector(`[data-is="${name}"]`);
      this.status = {};
      this.state = null;
      this.editing = null;
      const on = (name, fn) => { element.querySelector(`[data-do="${name}"]`).onclick = fn; };
      on("plan", () => this.plan());
      on("run", () => { if (this.state?.is_running) VLAW.socket?.command("resume"); else this.run("goals_run"); });
      on("stop", () => this.run("goals_stop"));
      on("scene", () => this.scene());
      for (const node of element.querySelectorAll("textarea, input")) {
        node.addEventListener("keydown", (e) => {
          e.stopPropagation();
          if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) this.plan();
        });
      }
      for (const name of FLAGS) this.part(name).onchange = (e) => this.run("goals_set", { [name]: e.target.checked });
      for (const name of NUMBERS) this.part(name).onchange = (e) => { if (e.target.value) this.run("goals_set", { [name]: Number(e.target.value) }); };
      this.redraw = VLAW.steady(this.part("list"), () => this.drawList());
      VLAW.withSocket((socket) => {
        socket.on("hello", (m) => { this.showStatus(m.status); this.ask(); });
        socket.on("status", (m) => this.showStatus(m));
        socket.on("changed", (m) => { if (m.what === "goals") this.ask(); });
      });
    }

    ask() {
      clearTimeout(this.asking);
      this.asking = setTimeout(async () => this.show(await VLAW.socket?.command("goals_state")), 60);
    }

    async run(name, args = {}) {
      const state = await VLAW.socket?.command(name, args);
      if (state) this.show(state);
      else this.ask();
      return state;
    }

    plan() {
      const box = this.part("text");
      if (!box.value.trim()) box.value = this.status.instruction ?? "";
      if (box.value.trim()) this.run("goals_plan", { text: box.value, address: this.part("address").value, model: this.part("model").value });
    }

    async scene() {
      const state = await this.run("goals_scene", { steps: 3 });
      if (state?.instruction) { this.part("text").value = state.instruction; this.plan(); }
    }

    /* Who leads the hand is in every status, so that it shows at once. */
    showStatus(status) {
      this.status = status;
      const led = status.led, line = this.part("led");
      line.hidden = !led;
      if (led) line.textContent = `${LED[led.by] ?? led.by}: ${led.why}.`;
      this.showButtons();
    }

    show(state) {
      if (!state) return;
      this.state = state;
      this.showButtons();
      for (const name of FLAGS) this.part(name).checked = state.settings[name];
      for (const name of NUMBERS) if (document.activeElement !== this.part(name)) this.part(name).value = state.settings[name];
      this.part("empty").hidden = state.goals.length > 0;
      const trouble = this.part("trouble");
      trouble.hidden = state.is_read || !state.goals.length;
      trouble.textContent = `${state.policy} drives and reads no words. Choose the bench VLA in the Scene tab.`;
      this.redraw();
    }

    showButtons() {
      const state = this.state, mode = this.status.mode;
      const hasGoals = Boolean(state?.goals.length), isRunning = Boolean(state?.is_running);
      this.element.querySelector('[data-do="plan"]').disabled = mode === undefined || mode === "idle";
      this.element.querySelector('[data-do="scene"]').disabled = mode === undefined;
      const run = this.element.querySelector('[data-do="run"]');
      run.disabled = !hasGoals || mode === "idle" || (isRunning && mode !== "paused");
      run.textContent = isRunning ? "Go on" : hasGoals && state.current === null ? "Run again" : "Run";
      this.element.querySelector('[data-do="stop"]').disabled = !isRunning;
    }

    drawList() {
      if (this.editing !== null && this.part("list").contains(document.activeElement)) return;
      this.part("list").replaceChildren(...this.state.goals.map((goal, i) => this.item(goal, i)));
    }

    item(goal, i) {
      const isOpen = OPEN.has(goal.state), goals = this.state.goals;
      const words = isOpen
        ? button(goal.text, "Other words for this step", () => this.edit(i, goal))
        : make("span", { textContent: goal.text });
      words.classList.add("words");
      const neighbour = (j) => goals[j] && OPEN.has(goals[j].state);
      const tools = make("div", { className: "tools" });
      if (isOpen) {
        tools.append(button("↑", "Do it earlier", () => this.run("goals_move", { index: i, to: i - 1 }), !neighbour(i - 1)));
        tools.append(button("↓", "Do it later", () => this.run("goals_move", { index: i, to: i + 1 }), !neighbour(i + 1)));
        tools.append(button("Skip", "Leave this step out", () => this.run("goals_skip", { index: i })));
      }
      if (goal.state !== "waiting" && goal.state !== "now") tools.append(button("Do it again", "With all attempts before it", () => this.run("goals_retry", { index: i })));
      return make("li", { data: { state: goal.state } },
        make("span", { className: "number", textContent: `${i + 1}` }), words, make("span", { className: "state", textContent: STATES[goal.state] ?? goal.state }),
        ...this.about(goal), tools);
    }

    about(goal) {
      const lines = [];
      if (!goal.instruction && OPEN.has(goal.state)) lines.push(`Not understood. ${goal.reason} ${goal.suggestions.length ? `Possible here: ${goal.suggestions.join("; ")}.` : ""}`);
      else if (goal.instruction && goal.instruction !== goal.text.toLowerCase()) lines.push(`It is told: ${goal.instruction}`);
      if (goal.attempts > 1) lines.push(`Attempt ${goal.attempts}${goal.note && goal.state !== "done" ? ` (${goal.note})` : ""}`);
      else if (goal.note && goal.state !== "done") lines.push(goal.note);
      if (goal.state === "done") lines.push(`Step ${goal.at_step}, ${goal.note}`);
      return lines.map((line) => make("span", { className: "about", textContent: line }));
    }

    edit(i, goal) {
      const item = this.part("list").children[i];
      const input = make("input", { className: "words", value: goal.text, maxLength: 400, ariaLabel: `Step ${i + 1}` });
      const end = (isKept) => {
        if (this.editing !== i) return;
        this.editing = null;
        if (isKept && input.value.trim() && input.value.trim() !== goal.text) this.run("goals_edit", { index: i, text: input.value.trim() });
        else this.redraw();
      };
      input.addEventListener("keydown", (e) => {
        e.stopPropagation();
        if (e.key === "Enter" && !e.isComposing) end(true);
        if (e.key === "Escape") end(false);
      });
      input.addEventListener("blur", () => end(true));
      this.editing = i;
      item.querySelector(".words").replaceWith(input);
      input.focus();
    }
  }

  VLAW.mountGoals = (element) => new GoalsPart(element);
})();
