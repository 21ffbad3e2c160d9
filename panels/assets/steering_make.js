/* Making directions, probes and autoencoders from stored steps, and putting them on the desk. */
(() => {
  "use strict";
  const VLAW = (window.VLAW = window.VLAW || {});
  const { make, button, field, select, number, round } = VLAW.steer;
  const METHODS = ["mean difference", "principal component of pairs", "logistic regression"];
  const LABELS = { height: "height of the hand [m]", x: "x, away from the robot [m]", y: "y, to its left [m]", speed: "speed [m/s]", gripper: "gripper open, yes or no", distance: "distance of the hand to the thing [m]", contact: "gripper touches the thing, yes or no", success: "episode solved, yes or no" };

  class Making {
    page = "make";
    constructor(board) {
      this.board = board;
      this.part = (name) => board.part(`m-${name}`);
      this.sides = [new Set(), new Set()];
      this.kind = "words";
      this.changed();
    }

    changed() {
      const stack = this.board.stack;
      this.part("form").replaceChildren();
      this.part("assets").replaceChildren();
      if (!stack) return;
      const layers = Array.from({ length: stack.num_layers }, (_, i) => [i, `layer ${i}`]);
      this.stackBox = select(this.board.state.stacks.map((s) => [s.name, s.name]), stack.name);
      this.layer = select(layers, Math.floor(stack.num_layers / 2));
      this.tokens = select(stack.groups.map((g) => [g, g]), "all");
      this.name = make("input", { type: "text", maxLength: 100, placeholder: "a name", name: "asset" });
      this.count = number(48, null, { min: 8, max: 2000, step: 1 });
      this.positive = make("input", { type: "text", maxLength: 500, placeholder: "quickly pick up the red cube" });
      this.negative = make("input", { type: "text", maxLength: 500, placeholder: "slowly pick up the red cube" });
      this.method = select(METHODS.map((m) => [m, m]), METHODS[0]);
      this.label = select(Object.entries(LABELS), "height");
      this.active = number(16, null, { min: 1, max: 256, step: 1 });
      this.what = select([["words", "a direction from two instructions"], ["episodes", "a direction from two sets of episodes"], ["conceptor", "a conceptor from two sets of episodes (experimental)"], ["probe", "a probe of a measured quantity"], ["sae", "an autoencoder with sparse features"]], this.kind, (v) => { this.kind = v; this.layout(); });
      this.layout();
      this.stocked();
    }

    layout() {
      const sets = this.kind === "episodes" || this.kind === "conceptor";
      const fields = {
        words: [field("with", this.positive), field("less", this.negative), field("by", this.method)],
        episodes: [field("by", this.method)],
        conceptor: [],
        probe: [field("of", this.label)],
        sae: [field("features active at once", this.active)],
      }[this.kind];
      this.part("form").replaceChildren(field("Make", this.what), ...fields, field("at", this.layer), field("on tokens", this.tokens), field("from how many steps", this.count),
        this.board.state.stacks.length > 1 ? field("part of the network", this.stackBox) : "", field("called", this.name),
        button("Make it", "On stored steps, in the background, on a copy of the policy", () => this.start(), "primary"));
      this.part("episodes").hidden = false;
      this.part("which").textContent = sets ? "Choose the episodes that show it (A) and those that do not (B):" : "From these episodes (none chosen: the newest that are stored):";
      this.part("episodes").dataset.sets = sets ? "2" : "1";
      if (this.isShown) this.listEpisodes();
    }

    shown(isShown) {
      this.isShown = isShown;
      if (isShown && this.board.isOpen) this.listEpisodes();
    }
    async listEpisodes() {
      const answer = await fetch("/api/episodes?limit=30").catch(() => null);
      const { episodes = [] } = answer?.ok ? await answer.json() : {};
      const usable = episodes.filter((e) => e.num_steps > 0);
      const box = (side, id) => {
        const node = make("input", { type: "checkbox", checked: this.sides[side].has(id), ariaLabel: side ? "in B" : "in A" });
        node.onchange = () => { if (node.checked) this.sides[side].add(id); else this.sides[side].delete(id); };
        return node;
      };
      this.part("list").replaceChildren(...(usable.length
        ? usable.map((e) => make("li", {}, make("label", { className: "side" }, box(0, e.id), "A"), make("label", { className: "side b" }, box(1, e.id), "B"), make("span", { textContent: e.title }), make("span", { className: "what", textContent: `${e.outcome}, ${e.num_steps} steps, ${e.policy}` })))
        : [make("li", { className: "hint-line", textContent: "Nothing is stored yet. Let the robot do something first (Space)." })]));
    }

    start() {
      const name = this.name.value.trim();
      if (!name) { this.name.focus(); this.board.say("Give it a name first."); return; }
      const base = { stack: this.stackBox.value, name, layer: Number(this.layer.value), tokens: this.tokens.value, count: Number(this.count.value) || 48, episodes: [...this.sides[0]] };
      const kind = this.kind === "conceptor" ? "episodes" : this.kind;
      const more = {
        words: { positive: this.positive.value.trim(), negative: this.negative.value.trim(), method: this.method.value },
        episodes: { others: [...this.sides[1]], method: this.method.value, is_conceptor: this.kind === "conceptor" },
        probe: { label: this.label.value },
        sae: { num_active: Number(this.active.value) || 16 },
      }[kind];
      this.board.ask("start_steering_job", { kind, args: { ...base, ...more } });
    }

    stocked() {
      const assets = this.board.library.assets;
      this.part("empty").hidden = assets.length > 0;
      this.part("assets").replaceChildren(...assets.map((a) => this.row(a)));
    }

    row(asset) {
      const { place } = asset, scope = VLAW.steer.fullScope;
      const one = { stack: place.stack, layers: [place.layer], scope: { ...scope, tokens: place.tokens }, part: place.part };
      const put = (edit) => this.board.put(asset.name, edit);
      const actions = {
        direction: () => [
          button("Add", "Add it to every token, in units of the layer's median norm", () => put({ kind: "add_direction", ...one, direction: asset.id, norms: [asset.norm], dose: 0.5 }), "primary"),
          button("Take away", "Remove what lies along it", () => put({ kind: "remove_direction", ...one, direction: asset.id, share: 1 })),
          button("Save as a concept", "Keep it under its name", () => this.concept(asset, { kind: "direction", layers: [place.layer], norms: [asset.norm], part: place.part, strength: 0.5 })),
        ],
        probe: () => [button("Keep in range", "Push the network by as little as possible so that this reading stays in a range", () => put({ kind: "clamp_reading", stack: place.stack, probe: asset.id, low: null, high: null, scope: { ...scope, tokens: place.tokens } }), "primary")],
        sae: () => {
          const feature = number(0, null, { min: 0, step: 1, ariaLabel: "Feature" });
          return [field("feature", feature), button("Change it", "Add to one feature; what the autoencoder cannot explain is kept", () => put({ kind: "steer_feature", stack: place.stack, sae: asset.id, feature: Number(feature.value) || 0, mode: "add", value: 1, scope: { ...scope, tokens: place.tokens } }), "primary"),
            button("Save as a concept", "Keep this feature under the autoencoder's name", () => this.concept(asset, { kind: "feature", feature: Number(feature.value) || 0, strength: 1 }, ` ${feature.value}`))];
        },
        conceptor: () => [button("Blend in", "Experimental: an outside group found no effect", () => put({ kind: "apply_conceptor", stack: place.stack, conceptor: asset.id, beta: 0.2, scope: { ...scope, tokens: place.tokens } }), "primary")],
      }[asset.kind];
      return make("li", { data: { asset: asset.id } },
        make("b", { textContent: asset.name }),
        make("span", { className: "what", textContent: `${asset.kind} at ${place.stack} layer ${place.layer}, tokens ${place.tokens}${asset.source ? `; ${asset.source}` : ""}` }),
        make("span", { className: "what", textContent: measures(asset) }),
        make("div", { className: "line" }, actions?.() ?? [], make("span", { className: "spring" }), button("✕", "Take it off this list; stored episodes keep it", async () => { if (await this.board.ask("delete_asset", { name: asset.id })) this.board.read(); }, "flag")));
    }
    async concept(asset, document, suffix = "") {
      const { place } = asset;
      const kept = await this.board.ask("save_concept", { name: `${asset.name}${suffix}`, document: { stack: place.stack, asset: asset.id, tokens: place.tokens, method: asset.source || "uploaded", ...document } });
      if (kept) { await this.board.read(); this.board.choose("concepts"); }
    }
  }

  /* How good it is, in words with numbers. */
  function measures(asset) {
    const m = asset.measures ?? {};
    if (m.auc !== undefined) return `parts held-out steps with AUC ${round(m.auc, 2)}; a random direction ${round(m.random_auc ?? 0.5, 2)} (0.5 says nothing); ${m.n_positive} and ${m.n_negative} steps`;
    if (m.score !== undefined) return `held-out ${m.accuracy === undefined ? "R²" : "AUC"} ${round(m.score, 2)}; on shuffled labels ${round(m.shuffled_score, 2)}; ${m.n_train} steps to fit, ${m.n_test} to test`;
    if (m.explained !== undefined) return `explains ${Math.round(100 * m.explained)} % of held-out variance, ${Math.round(100 * m.dead_share)} % dead features, ${m.n_tokens} tokens`;
    return Object.entries(m).map(([k, v]) => `${k} ${round(v, 2)}`).join(", ");
  }

  VLAW.steeringTools.push(Making);
})();
