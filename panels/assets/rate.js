/* The rater's page: two films of the same start side by side, or one film to rate. Works alone, by mouse, touch and keys.
   Text is written as text; what was not sent yet is kept in the browser until it is. */
(() => {
  "use strict";
  const NAME = "vla-workbench.rater", KIND = "vla-workbench.rate-kind", DRAFT = "vla-workbench.draft.";
  const main = document.querySelector("main");
  const session = new URLSearchParams(location.search).get("session") ?? "";

  const make = (tag, properties = {}, ...children) => {
    const { data, ...rest } = properties;
    const node = Object.assign(document.createElement(tag), rest);
    for (const [name, value] of Object.entries(data || {})) node.dataset[name] = value;
    node.append(...children.filter((c) => c !== null && c !== undefined));
    return node;
  };
  const button = (text, title, onclick, className = "") => make("button", { type: "button", textContent: text, title, onclick, className });

  class Page {
    constructor() {
      this.rater = localStorage.getItem(NAME) ?? "";
      this.kind = localStorage.getItem(KIND) ?? "pair";
      this.history = [];
      document.addEventListener("keydown", (e) => this.key(e));
      if (this.rater) this.next();
      else this.askName();
    }

    askName() {
      const input = make("input", { maxLength: 60, placeholder: "Your name", value: this.rater, ariaLabel: "Your name" });
      const go = () => {
        if (!input.value.trim()) return input.focus();
        this.rater = input.value.trim();
        localStorage.setItem(NAME, this.rater);
        return this.next();
      };
      input.addEventListener("keydown", (e) => { e.stopPropagation(); if (e.key === "Enter") go(); });
      main.replaceChildren(make("div", { className: "card" }, make("h1", { textContent: "Judge episodes" }),
        make("p", { textContent: "You see what a robot did, and say how well. Whose work it is stays hidden. Say who you are, so that agreement between people can be told." }),
        input, button("Begin", "", go, "primary")));
      input.focus();
    }

    async fetchJson(address, options) {
      const answer = await fetch(address, options);
      const document = await answer.json().catch(() => ({}));
      if (!answer.ok) throw new Error(document.error ?? `The server answered ${answer.status}.`);
      return document;
    }

    async next() {
      try {
        const query = new URLSearchParams({ rater: this.rater, kind: this.kind, session });
        const found = await this.fetchJson(`/api/feedback/next?${query}`);
        this.show(found);
      } catch (error) {
        this.fail(error, () => this.next());
      }
    }

    fail(error, again) {
      main.querySelector(".error")?.remove();
      main.append(make("div", { className: "error" }, make("p", { textContent: `${error.message} Nothing you wrote is lost.` }), button("Try again", "", again)));
    }

    head(done, all) {
      const kinds = make("div", { className: "kinds" }, ...[["pair", "Compare two"], ["episode", "Rate one"]].map(([kind, text]) => {
        const tab = button(text, "", () => { this.kind = kind; localStorage.setItem(KIND, kind); this.next(); });
        tab.ariaPressed = String(kind === this.kind);
        return tab;
      }));
      const bar = make("progress", { max: Math.max(1, all), value: done, ariaLabel: "How much you have judged" });
      const back = button("Change the last one", "Judge it again", () => this.back());
      back.disabled = !this.history.length;
      return make("header", {}, kinds, bar, make("span", { className: "count", textContent: `${done} of ${all}` }), back, button(this.rater, "Another person judges", () => this.askName(), "who"));
    }

    show(found) {
      this.found = found;
      this.item = found.item;
      document.body.dataset.item = this.item?.id ?? "";
      document.body.dataset.done = String(found.done);
      const head = this.head(found.done, found.all);
      if (!this.item) {
        const text = found.all ? "You have judged everything here. Thank you." : this.kind === "pair"
          ? "There is nothing to compare yet: run the same scene twice, with two policies or two instructions, then come back."
          : "There is nothing to rate yet: run an episode in the workbench, then come back.";
        main.replaceChildren(head, make("div", { className: "card" }, make("p", { textContent: text }), button("Look again", "", () => this.next(), "primary")));
        return;
      }
      const asked = make("p", { className: "asked" }, "Asked for: ", make("b", { textContent: this.item.instruction || "nothing in words" }));
      if (this.item.kind === "pair") this.showPair(head, asked);
      else this.showEpisode(head, asked);
    }

    film(address, label) {
      const video = make("video", { src: address, controls: true, muted: true, loop: true, playsInline: true, autoplay: true, preload: "auto" });
      const wait = make("p", { className: "wait", textContent: "The film is being made …" });
      video.addEventListener("loadeddata", () => { wait.remove(); document.body.dataset.films = String(document.querySelectorAll("video").length - document.querySelectorAll(".wait").length); });
      video.addEventListener("error", () => { wait.textContent = "This film cannot be shown. Skip it."; });
      return make("figure", {}, make("figcaption", { textContent: label }), make("div", { className: "screen" }, video, wait));
    }

    // --- two ---

    showPair(head, asked) {
      const { id } = this.item;
      const address = (side) => `/api/feedback/pairs/${id}/${side}.mp4?${new URLSearchParams({ rater: this.rater })}`;
      const draft = this.draft();
      const why = make("input", { maxLength: 1000, placeholder: "Why? (may stay empty)", value: draft.reason ?? "", ariaLabel: "Why" });
      why.addEventListener("keydown", (e) => e.stopPropagation());
      why.addEventListener("input", () => this.keep({ reason: why.value }));
      const choose = (choice) => this.prefer(choice, why.value);
      this.choose = choose;
      main.replaceChildren(head, asked, make("div", { className: "films" }, this.film(address("a"), "A"), this.film(address("b"), "B")),
        make("div", { className: "choices" }, button("A is better", "Key A or ←", () => choose("a"), "primary"), button("Equal", "Key T", () => choose("tie")), button("B is better", "Key B or →", () => choose("b"), "primary")),
        make("div", { className: "line" }, why, button("Replay", "From the start (R)", () => this.replay()), button("Skip", "You cannot say (S)", () => choose("skip"))),
        make("p", { className: "keys", textContent: "Keys: A or ← · B or → · T equal · R replay · S skip" }));
      this.replay();
    }

    async prefer(choice, reason) {
      if (this.isSending) return;
      const { item } = this;
      await this.send("/api/feedback/preferences", { rater: this.rater, pair: item.id, choice, reason }, item);
    }

    // --- one ---

    showEpisode(head, asked) {
      const draft = { reasons: [], notes: [], text: "", ...this.draft() };
      this.rating = draft;
      const pick = (name, options) => make("div", { className: "picks", role: "group", ariaLabel: name }, ...options.map(([value, text, title]) => {
        const node = button(text, title, () => { this.set(name, this.rating[name] === value ? null : value); });
        node.dataset.name = name;
        node.dataset.value = String(value);
        return node;
      }));
      const progress = make("input", { type: "range", min: 0, max: 100, step: 5, value: draft.progress ?? 0, ariaLabel: "Progress" });
      const shown = make("output", { textContent: draft.progress === undefined || draft.progress === null ? "not said" : `${draft.progress} %` });
      progress.addEventListener("input", () => { shown.textContent = `${progress.value} %`; this.set("progress", Number(progress.value)); });
      const text = make("textarea", { maxLength: 4000, placeholder: "What else? (may stay empty)", value: draft.text, ariaLabel: "Comment" });
      const note = make("input", { maxLength: 1000, placeholder: "Note at this time, then Enter", ariaLabel: "Note at this time" });
      text.addEventListener("input", () => this.set("text", text.value));
      for (const node of [text, note, progress]) node.addEventListener("keydown", (e) => e.stopPropagation());
      note.addEventListener("keydown", (e) => {
        if (e.key !== "Enter" || !note.value.trim()) return;
        this.set("notes", [...this.rating.notes, { time_s: main.querySelector("video")?.currentTime ?? 0, text: note.value.trim() }]);
        note.value = "";
      });
      const reasons = make("div", { className: "picks", role: "group", ariaLabel: "Reasons" }, ...this.found.reasons.map((reason) => {
        const node = button(reason, "", () => this.set("reasons", this.rating.reasons.includes(reason) ? this.rating.reasons.filter((r) => r !== reason) : [...this.rating.reasons, reason]), "chip");
        node.dataset.reason = reason;
        return node;
      }));
      const field = (label, ...nodes) => make("div", { className: "field" }, make("span", { textContent: label }), ...nodes);
      main.replaceChildren(head, asked, make("div", { className: "one" }, this.film(`/api/feedback/films/${this.item.id}.mp4`, ""),
        make("div", { className: "form" },
          field("Did it do what was asked?", pick("is_success", [[true, "Yes", "Key Y"], [false, "No", "Key N"]])),
          field("How far did it come?", progress, shown),
          field("How well?", pick("quality", [1, 2, 3, 4, 5].map((n) => [n, String(n), `Key ${n}: ${["poor", "weak", "fair", "good", "excellent"][n - 1]}`]))),
          field("Was it safe?", pick("is_safe", [[true, "Safe", "Key G"], [false, "Not safe", "Key U"]])),
          field("What went wrong?", reasons), note, make("ul", { className: "notes" }), text,
          make("div", { className: "choices" }, button("Keep and next", "Enter", () => this.rate(), "primary")))),
        make("p", { className: "keys", textContent: "Keys: Y worked · N did not · 1 to 5 quality · G safe · U not safe · R replay · Enter keep" }));
      this.showRating();
    }

    set(name, value) {
      this.rating[name] = value;
      this.keep(this.rating);
      this.showRating();
    }

    showRating() {
      for (const node of main.querySelectorAll("[data-name]")) node.ariaPressed = String(String(this.rating[node.dataset.name]) === node.dataset.value);
      for (const node of main.querySelectorAll("[data-reason]")) node.ariaPressed = String(this.rating.reasons.includes(node.dataset.reason));
      main.querySelector(".notes").replaceChildren(...this.rating.notes.map((n, i) => make("li", {}, `${n.time_s.toFixed(1)} s: ${n.text}`, button("×", "Remove this note", () => this.set("notes", this.rating.notes.filter((_, j) => j !== i))))));
    }

    async rate() {
      if (this.isSending) return;
      const { item, rating } = this;
      await this.send("/api/feedback/ratings", { rater: this.rater, episode_id: item.id, rating }, item);
    }

    // --- both ---

    async send(address, body, item) {
      this.isSending = true;
      try {
        await this.fetchJson(address, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
        localStorage.removeItem(this.draftKey(item));
        this.history.push({ item, answer: body.rating ?? { reason: body.reason } });
        await this.next();
      } catch (error) {
        this.fail(error, () => this.send(address, body, item));
      } finally {
        this.isSending = false;
      }
    }

    back() {
      const last = this.history.pop();
      if (!last) return;
      this.kind = last.item.kind;
      localStorage.setItem(this.draftKey(last.item), JSON.stringify(last.answer));
      this.show({ ...this.found, item: last.item });
    }

    draftKey(item = this.item) { return `${DRAFT}${this.rater}.${item.id}`; }
    draft() { try { return JSON.parse(localStorage.getItem(this.draftKey())) ?? {}; } catch { return {}; } }
    keep(values) { localStorage.setItem(this.draftKey(), JSON.stringify(values)); }

    replay() {
      for (const video of main.querySelectorAll("video")) { video.currentTime = 0; video.play().catch(() => {}); }
    }

    key(event) {
      if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || !this.item) return;
      const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
      const pair = { a: "a", ArrowLeft: "a", b: "b", ArrowRight: "b", t: "tie", s: "skip" };
      const one = { y: ["is_success", true], n: ["is_success", false], g: ["is_safe", true], u: ["is_safe", false], ...Object.fromEntries([1, 2, 3, 4, 5].map((n) => [String(n), ["quality", n]])) };
      if (key === "r") this.replay();
      else if (this.item.kind === "pair" && pair[key]) this.choose(pair[key]);
      else if (this.item.kind === "episode" && one[key]) this.set(...one[key]);
      else if (this.item.kind === "episode" && key === "Enter" && event.target.tagName !== "BUTTON") this.rate();
      else return;
      event.preventDefault();
    }
  }

  new Page();
})();
