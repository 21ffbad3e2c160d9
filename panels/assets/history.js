/* The list of stored episodes: search, filters, thumbnails, choice and comparison. Reads /api/episodes; text is written as text. */
(() => {
  "use strict";
  const VLAW = (window.VLAW = window.VLAW || {});
  const PAGE = 40, REFRESH_MS = 900;
  const OUTCOMES = { success: "✓ success", failure: "✕ failure", stopped: "■ stopped", running: "● open", interrupted: "⚡ interrupted", error: "! error" };

  const make = (tag, properties = {}, ...children) => {
    const { data, ...rest } = properties;
    const node = Object.assign(document.createElement(tag), rest);
    for (const [name, value] of Object.entries(data || {})) node.dataset[name] = value;
    node.append(...children.filter((c) => c !== null && c !== undefined));
    return node;
  };
  const ago = (unix) => {
    const s = Math.max(0, Date.now() / 1000 - unix);
    if (s < 60) return "just now";
    if (s < 3600) return `${Math.floor(s / 60)} min ago`;
    if (s < 86400) return `${Math.floor(s / 3600)} h ago`;
    return new Date(unix * 1000).toLocaleDateString();
  };

  const NO_PICTURE = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7";

  /* What is on the stage, small; of an episode that is open elsewhere, nothing. */
  const openPicture = (isOnStage) => {
    const frame = isOnStage && document.querySelector("#stage canvas.frame");
    if (!frame) return NO_PICTURE;
    const small = make("canvas", { width: 56, height: 56 });
    small.getContext("2d").drawImage(frame, 0, 0, 56, 56);
    return small.toDataURL("image/jpeg", 0.8);
  };

  class EpisodeList {
    constructor(element, props, trigger, watch) {
      Object.assign(this, { element, props, trigger });
      this.list = element.querySelector("ol");
      this.more = element.querySelector('[data-do="more"]');
      this.total = element.querySelector('[data-is="total"]');
      this.fields = Object.fromEntries([...element.querySelectorAll("[name]")].map((f) => [f.name, f]));
      this.limit = PAGE;
      this.serial = 0;
      this.chosen = "";
      this.compared = [];
      this.rows = new Map();
      this.drawRows = VLAW.steady(this.list, (episodes) => this.draw(episodes));
      for (const field of Object.values(this.fields)) {
        field.addEventListener("input", () => this.later(field.name === "q" ? 200 : 0));
        field.addEventListener("keydown", (e) => e.stopPropagation());
      }
      this.more.onclick = () => { this.limit += PAGE; this.later(0); };
      element.querySelector('[data-do="reset"]').onclick = () => {
        for (const field of Object.values(this.fields)) field.value = field.name === "scope" ? "all" : "";
        this.later(0);
      };
      watch("value", () => { this.keepChoice(); if ((this.props.value?.serial ?? 0) !== this.serial) { this.serial = this.props.value.serial; this.later(0); } });
      VLAW.withSocket((socket) => {
        const soon = () => this.later(REFRESH_MS);
        for (const type of ["episode", "end"]) socket.on(type, soon);
        socket.on("hello", (m) => { this.session = m.status?.session_id ?? this.session; soon(); });
        socket.on("status", (m) => { this.status = m; });
        socket.on("event", (m) => { if (["success", "rating", "note", "branch"].includes(m.event.kind)) soon(); });
      });
      new IntersectionObserver((entries) => { if (entries.some((e) => e.isIntersecting)) this.later(0); }).observe(element);
      this.later(0);
    }

    /* What is chosen and compared is the page's own: an answer of the server to an earlier question must not undo it. */
    get value() { return { serial: 0, session: "", ...(this.props.value || {}), chosen: this.chosen, compared: this.compared }; }

    keepChoice() {
      const { chosen, compared } = this.props.value || {};
      if (chosen !== this.chosen || String(compared) !== String(this.compared)) this.props.value = this.value;
    }

    later(wait) {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.refresh(), wait);
    }

    query() {
      const { q, task, outcome, policy, rating, scope } = Object.fromEntries(Object.entries(this.fields).map(([k, f]) => [k, f.value]));
      const query = new URLSearchParams({ limit: this.limit });
      for (const [name, value] of Object.entries({ q: q.trim(), task, outcome, policy, rating })) if (value) query.set(name, value);
      if (scope === "deleted") query.set("deleted", "true");
      if (scope === "session" && this.value.session) query.set("session", this.value.session);
      return query;
    }

    async refresh() {
      const ticket = (this.ticket = (this.ticket || 0) + 1);
      try {
        const [answer, facets] = await Promise.all([fetch(`/api/episodes?${this.query()}`), fetch("/api/facets")]);
        if (!answer.ok || !facets.ok || ticket !== this.ticket) return;
        this.showFacets(await facets.json());
        this.show(await answer.json());
      } catch (error) {
        this.total.textContent = "The server does not answer.";
      }
    }

    showFacets(facets) {
      for (const [name, counts] of [["task", facets.tasks], ["outcome", facets.outcomes], ["policy", facets.policies]]) {
        const select = this.fields[name], kept = select.value, key = JSON.stringify(counts);
        if (select.dataset.counts === key) continue; // it may hang open under somebody's hand
        select.dataset.counts = key;
        select.replaceChildren(select.options[0], ...Object.entries(counts).map(([key, n]) => make("option", { value: key, textContent: `${key} (${n})` })));
        select.value = kept in counts ? kept : "";
      }
    }

    show(found) {
      /* An episode in which nothing happened yet is not worth a row, unless it is the one that waits on the stage. */
      const episodes = found.episodes.filter((e) => e.num_steps > 0 || e.outcome === "running" || e.name || e.num_notes);
      const total = found.total - (found.episodes.length - episodes.length);
      this.episodes = episodes;
      this.total.textContent = total === 1 ? "1 episode" : `${total} episodes`;
      this.more.hidden = found.episodes.length >= found.total;
      this.element.dataset.total = total;
      this.element.querySelector('[data-is="empty"]').hidden = total > 0;
      this.drawRows(episodes);
    }

    /* A row that says the same as before stays the same element. */
    draw(episodes) {
      const focused = document.activeElement?.closest?.("li")?.dataset.id;
      const old = this.rows;
      this.rows = new Map(episodes.map((e) => {
        const key = JSON.stringify([this.isOnStage(e) && this.isSolved, e.num_steps, e.outcome, e.rating, e.title, e.has_thumbnail, e.num_branches, e.num_notes, e.deleted_at, ago(e.started)]);
        const kept = old.get(e.id);
        return [e.id, kept?.key === key ? kept : { key, node: this.row(e) }];
      }));
      const nodes = [...this.rows.values()].map((row) => row.node);
      for (const node of [...this.list.children]) if (!nodes.includes(node)) node.remove();
      nodes.forEach((node, i) => { if (this.list.children[i] !== node) this.list.insertBefore(node, this.list.children[i] ?? null); });
      this.mark();
      if (focused && document.activeElement?.closest?.("li")?.dataset.id !== focused) this.rows.get(focused)?.node.focus({ preventScroll: true });
    }

    /* The live episode of this tab: its outcome and its picture are written when it ends. */
    isOnStage(e) { return e.outcome === "running" && e.id === this.status?.episode_id; }

    get isSolved() { return Boolean(this.status?.is_success); }

    row(e) {
      const isOpen = e.outcome === "running";
      const src = isOpen ? openPicture(this.isOnStage(e)) : `/api/episodes/${encodeURIComponent(e.id)}/thumbnail.jpg?${e.outcome}`;
      const picture = make("img", { src, alt: "", loading: "lazy", width: 56, height: 56 });
      const box = make("input", { type: "checkbox", title: "Compare", ariaLabel: "Compare this episode" });
      box.onclick = (event) => event.stopPropagation();
      box.onchange = () => this.compare(e.id, box.checked);
      const facts = [e.task, e.policy, `${e.num_steps} steps`, `${e.duration_s.toFixed(1)} s`, ago(e.started)];
      if (e.parent_id) facts.push(`branch from step ${e.branch_step}`);
      if (e.num_branches) facts.push(`${e.num_branches} ${e.num_branches === 1 ? "branch" : "branches"}`);
      if (e.num_notes) facts.push(`${e.num_notes} ${e.num_notes === 1 ? "note" : "notes"}`);
      const row = make("li", { tabIndex: 0, data: { id: e.id, outcome: e.outcome } }, picture,
        make("div", { className: "what" },
          make("div", { className: "title", textContent: e.title }),
          make("div", { className: "facts", textContent: facts.join(" · ") })),
        make("div", { className: "side" },
          make("span", { className: "outcome", textContent: this.outcomeOf(e), title: isOpen ? "Its outcome is written when it ends: with the next episode, or when its tab is closed" : "" }),
          e.rating ? make("span", { className: "stars", textContent: "★".repeat(e.rating), title: `Rated ${e.rating} of 5` }) : null),
        box);
      row.onclick = () => this.choose(e.id);
      row.ondblclick = () => { this.choose(e.id); this.trigger("open"); };
      row.onkeydown = (event) => {
        if (event.key === "Enter") this.choose(e.id);
        else if (event.key === "ArrowDown") row.nextElementSibling?.focus();
        else if (event.key === "ArrowUp") row.previousElementSibling?.focus();
        else return;
        event.preventDefault(); event.stopPropagation();
      };
      return row;
    }

    outcomeOf(e) {
      if (!this.isOnStage(e)) return OUTCOMES[e.outcome] || e.outcome;
      return this.isSolved ? "✓ solved, on the stage" : "● on the stage";
    }

    copyLink(step) {
      const episode = this.episodes.find((e) => e.id === this.chosen);
      if (episode) VLAW.copyLink(new URLSearchParams({ session: episode.session_id, episode: episode.id, step: step ?? 0 }));
    }

    choose(id) {
      this.chosen = id;
      this.props.value = this.value;
      this.mark();
      this.trigger("choose");
    }

    compare(id, isIn) {
      const others = this.compared.filter((other) => other !== id);
      this.compared = isIn ? [...others, id] : others;
      this.props.value = this.value;
      this.mark();
      this.trigger("compare");
    }

    mark() {
      for (const row of this.list.children) {
        row.classList.toggle("chosen", row.dataset.id === this.chosen);
        row.setAttribute("aria-current", row.dataset.id === this.chosen);
        row.querySelector("input").checked = this.compared.includes(row.dataset.id);
      }
    }
  }

  VLAW.mountHistory = (element, props, trigger, watch) => { VLAW.history = new EpisodeList(element.querySelector(".episodes"), props, trigger, watch); };

  /* Copies the address of a moment; without the clipboard permission it is shown for copying by hand. */
  VLAW.copyLink = async (query) => {
    const link = `${location.origin}/?${query}`;
    try { await navigator.clipboard.writeText(link); } catch (error) { window.prompt("Copy this link", link); }
  };
})();
