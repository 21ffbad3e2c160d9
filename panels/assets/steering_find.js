/* Finding neurons by what they say and which way they push, and keeping them as concepts. */
(() => {
  "use strict";
  const VLAW = (window.VLAW = window.VLAW || {});
  const { make, button, field, select, round } = VLAW.steer;
  const SHOWN_TOKENS = 6;

  class Neurons {
    page = "neurons";
    constructor(board) {
      this.board = board;
      this.part = (name) => board.part(`n-${name}`);
      this.set = new Map();
      this.found = null;
      this.ranking = null;
      VLAW.steeringNorms = () => this.found?.norms ?? [];
      this.word = make("input", { type: "search", placeholder: "a word, e.g. slowly, high, red", ariaLabel: "Word", name: "word" });
      this.word.onkeydown = (e) => { if (e.key === "Enter") this.search(); };
      this.changed();
    }

    changed() {
      const stack = this.board.stack;
      this.found = this.ranking = null;
      this.set.clear();
      this.part("rows").replaceChildren();
      this.part("shares").replaceChildren();
      this.drawSet();
      if (!stack) return;
      this.stackBox = select(this.board.state.stacks.map((s) => [s.name, s.name]), stack.name, () => this.search());
      this.how = select([["", "their first words"], ["meaning", "nearest meaning"]], "", () => this.search());
      this.how.title = "Nearest in meaning: the first words of each neuron, weighed, against the meaning of this one word of the policy";
      const layers = Array.from({ length: stack.num_layers }, (_, i) => [i, `layer ${i}`]);
      this.layer = select([["", "every layer"], ...layers], "", () => this.search());
      this.push = select([["", "the word's weight"], ...stack.dimensions.flatMap((d) => [[`+${d}`, `pushes +${d}`], [`-${d}`, `pushes −${d}`]])], "", () => this.search());
      this.part("form").replaceChildren(
        field("Neurons that say", this.word), field("matched by", this.how), field("in", this.layer), field("ordered by", this.push),
        this.board.state.stacks.length > 1 ? field("part of the network", this.stackBox) : "",
        button("Find", "Search all neurons (Enter)", () => this.search(), "primary"),
        button("Measure activity", "Run the policy on stored steps and measure how every neuron behaves there", () => this.board.ask("start_steering_job", { kind: "activity", args: { stack: this.stackBox.value } })));
    }

    shown(isShown) { if (isShown && this.board.isOpen && !this.found) this.search(); }

    get query() {
      const push = this.push.value;
      return { stack: this.stackBox.value, word: this.word.value.trim(), layers: this.layer.value === "" ? [] : [Number(this.layer.value)], dimension: push.slice(1), sign: push.startsWith("-") ? -1 : 1, is_by_meaning: this.how.value === "meaning" };
    }

    get isByMeaning() { return this.query.is_by_meaning && Boolean(this.query.word); }

    async search() {
      const found = await this.board.ask("find_neurons", this.query);
      if (!found) return;
      this.found = found;
      this.ranking = null;
      this.draw();
    }
    job(message) {
      if (!message.result) return;
      if (message.result.kind === "activity") this.search();
      if (message.result.kind === "ranking") { this.ranking = message.result; this.draw(); }
    }

    draw() {
      const { found, ranking } = this;
      const rows = ranking ? ranking.effects : found.rows;
      const dimension = ranking?.dimension || this.query.dimension;
      const hasActivity = rows.some((r) => r.activity);
      this.part("count").textContent = ranking
        ? `Measured on ${ranking.n} stored steps at ${ranking.alpha}: mean change of ${ranking.dimension} when one neuron alone is held there. 95 % of random neurons lie between ${fine(ranking.band[0])} and ${fine(ranking.band[1])}.`
        : rows.length && this.isByMeaning ? `The ${rows.length} of ${found.num_neurons} neurons nearest in meaning to “${this.query.word}”, nearest first.`
        : rows.length ? `${rows.length} of ${found.num_neurons} neurons${found.num_calls ? `, activity over ${found.num_calls} calls` : ""}.` : "No neuron says that among its first tokens. Try a part of the word, or order by what is pushed.";
      const heads = ["", "neuron", "what it says", dimension ? `push ${dimension}` : "strongest push", "length", ...(hasActivity ? ["activity"] : []), ...(ranking ? ["effect"] : [])];
      this.part("rows").replaceChildren(
        rows.length ? make("table", {}, make("thead", {}, make("tr", {}, heads.map((h) => make("th", { textContent: h })))), make("tbody", {}, rows.map((row) => this.row(row, dimension, hasActivity)))) : "");
      this.drawShares();
    }

    row(row, dimension, hasActivity) {
      const pushes = Object.entries(row.pushes).sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]));
      const [name, value] = dimension ? [dimension, row.pushes[dimension]] : pushes[0] ?? ["", 0];
      const box = make("input", { type: "checkbox", checked: this.set.has(row.flat), ariaLabel: `Collect neuron ${row.layer}.${row.unit}` });
      box.onchange = () => { if (box.checked) this.set.set(row.flat, row); else this.set.delete(row.flat); this.drawSet(); };
      const word = this.word.value.trim().toLowerCase();
      const ordered = word ? [...row.tokens].sort((a, b) => b[0].toLowerCase().includes(word) - a[0].toLowerCase().includes(word)) : row.tokens;
      const says = make("td", { className: "says", title: row.tokens.map(([t, s]) => `${t}  ${s}`).join("\n") }, ordered.slice(0, SHOWN_TOKENS).map(([text]) => make("span", { textContent: text, className: word && text.toLowerCase().includes(word) ? "hit" : "" })));
      return make("tr", { data: { flat: row.flat } },
        make("td", {}, box),
        make("td", { className: "id" }, `${row.layer}.${row.unit}`, button("+ desk", "Hold this neuron at a fixed value, now", () => this.clamp([row], `neuron ${row.layer}.${row.unit}`), "small")),
        says,
        make("td", { className: "num", title: pushes.map(([n, v]) => `${n} ${round(v, 4)}`).join("\n"), textContent: `${dimension ? "" : name + " "}${round(value, 3)}` }),
        make("td", { className: "num", textContent: round(row.norm, 2) }),
        hasActivity ? make("td", { className: "num", title: row.activity ? `largest ${row.activity.largest}, above 0 on ${Math.round(100 * row.activity.active)} % of tokens` : "", textContent: row.activity ? `${round(row.activity.mean, 2)} ± ${round(row.activity.spread, 2)}` : "" }) : null,
        row.effect === undefined ? null : make("td", { className: "num", textContent: `${fine(row.effect)}${row.error === null ? "" : ` ± ${fine(row.error)}`}` }));
    }

    drawShares() {
      const shares = this.found?.shares ?? [];
      this.part("shares").replaceChildren(...(shares.length ? [
        make("p", { className: "hint-line", textContent: "Share of action tokens among what the neurons of each layer say:" }),
        make("div", { className: "bars", role: "img", ariaLabel: shares.map((s, i) => `layer ${i}: ${Math.round(100 * s)} %`).join(", ") }, shares.map((s, i) => make("div", { title: `layer ${i}: ${(100 * s).toFixed(1)} %` }, make("i", { style: `height:${Math.max(2, 44 * s)}px` }), make("span", { textContent: i }))))] : []));
    }

    drawSet() {
      const rows = [...this.set.values()];
      this.part("set").hidden = !rows.length;
      if (!rows.length) return;
      const name = make("input", { type: "text", placeholder: "a name, e.g. slow", maxLength: 100, ariaLabel: "Name of the concept", value: this.name ?? "", name: "concept" });
      name.oninput = () => { this.name = name.value; };
      const chips = rows.map((row) => button(`${row.layer}.${row.unit} ✕`, `Leave out ${row.tokens.slice(0, 3).map(([t]) => t).join(", ")}`, () => { this.set.delete(row.flat); this.drawSet(); this.draw(); }, "chip"));
      this.part("set").replaceChildren(make("div", { className: "chips" }, chips), make("div", { className: "line" }, name,
        button("Put on the desk", "Hold all of them at a fixed value, now", () => this.clamp(rows, name.value.trim() || "neurons"), "primary"),
        button("Save as a concept", "Keep them under this name, for this policy", () => this.save(rows, name.value.trim())),
        button("Try one by one", "Hold each of them alone on stored steps and measure what the action does, beside random neurons", () => this.rank(rows))));
    }

    clamp(rows, name) {
      const stack = this.board.state.stacks.find((s) => s.name === this.stackBox.value);
      const edit = { kind: "clamp_neurons", stack: stack.name, neurons: rows.map((r) => r.flat), alpha: stack.default_alpha, scope: { tokens: "all" } };
      this.board.put(name, { ...edit, scope: fullScope });
    }
    async save(rows, name) {
      if (!name) { this.board.say("Give the concept a name first."); return; }
      const kept = await this.board.ask("save_concept", { name, stack: this.stackBox.value, neurons: rows.map((r) => r.flat), method: this.query.word ? `says "${this.query.word}"` : this.push.value ? `pushes ${this.push.value}` : "by hand" });
      if (kept) { await this.board.read(); this.board.choose("concepts"); }
    }
    rank(rows) {
      const dimension = this.query.dimension || "dz";
      const stack = this.board.state.stacks.find((s) => s.name === this.stackBox.value);
      this.board.ask("start_steering_job", { kind: "ranking", args: { stack: stack.name, neurons: rows.map((r) => r.flat).slice(0, 60), dimension, sign: this.query.sign, alpha: stack.default_alpha, count: 16 } });
    }
  }

  class Concepts {
    page = "concepts";
    constructor(board) {
      this.board = board;
      this.list = board.part("c-rows");
      this.stocked();
    }
    stocked() {
      const concepts = this.board.library.concepts;
      this.board.part("c-empty").hidden = concepts.length > 0;
      this.list.replaceChildren(...concepts.map((c) => this.row(c)));
    }
    row(concept) {
      const what = concept.kind === "neurons" ? `${concept.neurons.length} neuron${concept.neurons.length > 1 ? "s" : ""}` : concept.kind;
      const which = { name: concept.name, policy: concept.policy };
      const use = button("Use", concept.is_mine ? "Put it on the desk" : `It was found in other weights (${concept.policy}) and means nothing here`, () => this.board.put(concept.name, concept.edit), "primary");
      use.disabled = !concept.is_mine;
      return make("li", { data: { concept: concept.name } },
        make("b", { textContent: concept.name }),
        make("span", { className: "what", textContent: `${what}, ${concept.method}, version ${concept.version}${concept.is_mine ? "" : `, of another policy (${concept.policy})`}` }),
        make("span", { className: "spring" }), use,
        button("Export", "Save it as a file that another workbench imports", () => this.save(which)),
        button("✕", "Delete", async () => { if (await this.board.ask("delete_concept", which)) this.board.read(); }, "flag"));
    }
    async save(which) {
      const found = await this.board.ask("export_concept", which);
      if (!found) return;
      const url = URL.createObjectURL(new Blob([JSON.stringify(found.document, null, 1)], { type: "application/json" }));
      make("a", { href: url, download: `concept-${which.name.replace(/[^\w-]+/g, "_")}.json` }).click();
      setTimeout(() => URL.revokeObjectURL(url), 10_000);
    }
  }

  const fine = (x) => (Math.abs(x) < 0.01 ? Number(x).toExponential(1) : round(x, 3));
  const fullScope = { tokens: "all", first_pass: 0, last_pass: null, start_s: 0, stop_s: null, gate: null };
  VLAW.steer.fullScope = fullScope;
  VLAW.steeringTools.push(Neurons, Concepts);
})();
