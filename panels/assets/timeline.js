/* The timeline under the stage: one axis of steps with who acted, events, branches and the cursor.
   Data comes from the tab's socket and from /api; every text is written as text, never as markup. */
(() => {
  "use strict";
  const VLAW = (window.VLAW = window.VLAW || {});
  const LEFT = 14, RIGHT = 14, RULER_Y = 14, BAND_Y = 22, BAND_H = 14, EVENT_Y = 52, BRANCH_Y = 74, ROW_H = 15, LABEL_PX = 130;
  const MIN_SPAN = 10, DRAG_PX = 3, SEEK_MS = 25;
  /* After a seek of ours, older news of the cursor is ignored for this long. */
  const SETTLE_MS = 500;

  /* What happens to a masked object often, and is told by its lane alone. */
  const QUIET = new Set(["visible", "low"]);
  const LANE_PX = 6, LANE_COLOURS = ["#d9a800", "#38bdf8", "#ff5fa2", "#22c55e", "#8b5cf6", "#f97316", "#14b8a6", "#ef4444"];
  const SIGHTS = { new: "seen", visible: "seen", corrected: "corrected", low: "hard to see", lost: "lost", removed: "" };
  const isChoice = ({ kind, payload }) => kind === "candidate" && !payload?.is_picked && !payload?.trouble && !payload?.settings && !payload?.handling;
  const isQuiet = (event) => isChoice(event) || (event.kind === "mask" && event.payload?.is_tracked) || (event.kind === "object" && QUIET.has(event.payload?.state));

  const clamp = (x, low, high) => Math.min(Math.max(x, low), high);

  class Timeline {
    constructor(element) {
      this.element = element;
      this.canvas = element.querySelector("canvas");
      this.tip = element.querySelector(".tl-tip");
      this.context = this.canvas.getContext("2d");
      this.clear();
      this.live = { numSteps: 0, shown: null };
      new ResizeObserver(() => this.draw()).observe(this.canvas);
      const scheme = window.matchMedia("(prefers-color-scheme: dark)");
      scheme.addEventListener("change", () => this.draw());
      window.addEventListener("vlaw-theme", () => this.draw());
      this.bindPointer();
      this.bindKeys();
      element.querySelector('[data-do="follow"]').addEventListener("click", () => this.follow());
      element.querySelector('[data-do="branch"]').addEventListener("click", () => this.branch());
      element.querySelector('[data-do="play"]').addEventListener("click", () => this.togglePlay());
      element.querySelector('[data-do="fit"]').addEventListener("click", () => this.fit());
      this.draw();
    }

    clear() {
      this.episode = null;
      this.events = [];
      this.actors = [];
      this.branches = [];
      this.risk = [];
      this.parent = null;
      /* A lane for each masked object: how well it was seen from which step on. */
      this.lanes = new Map();
      this.view = null;
      this.seen = new Set();
    }

    /* document: {episode_id, num_steps, control_hz, parent, events, actors: [[first step, actor]...], branches} */
    load(document) {
      this.clear();
      this.episode = document.episode_id;
      this.controlHz = document.control_hz || 20;
      this.parent = document.parent || null;
      this.branches = document.branches || [];
      this.actors = document.actors || [];
      this.risk = document.risk || [];
      this.live.numSteps = Math.max(this.live.numSteps, document.num_steps || 0);
      for (const event of document.events || []) this.add(event);
      VLAW.path?.showMoment();
      this.draw();
    }

    add(event) {
      if (this.seen.has(event.id)) return;
      this.seen.add(event.id);
      if (event.kind === "object") this.addSight(event);
      if (isQuiet(event)) return this.draw();
      this.events.push(event);
      this.element.dataset.events = this.events.length;
      this.draw();
    }

    addSight({ step, payload }) {
      const lane = this.lanes.get(payload.object) ?? { sights: [] };
      this.lanes.set(payload.object, Object.assign(lane, { name: payload.name, colour: LANE_COLOURS[payload.colour % LANE_COLOURS.length] }));
      lane.sights.push([step, payload.state]);
    }

    /* Takes the status of the tab; a stored episode that is looked at has its own timeline. */
    status(status) {
      const shown = status.stored_id || status.episode_id;
      if (!(performance.now() - this.soughtAt < SETTLE_MS)) this.live.shown = status.shown_step ?? null;
      if (shown !== this.episode) {
        if (shown !== this.wanted) this.fetch((this.wanted = shown), Boolean(status.stored_id));
        return;
      }
      this.isStored = Boolean(status.stored_id);
      const live = this.live;
      const known = live.numSteps;
      live.numSteps = status.num_steps;
      if (status.num_steps > known && !this.isStored) {
        const last = this.actors[this.actors.length - 1];
        if (!["autonomous", "correcting"].includes(status.mode)) this.fetch(shown, false); // who acted in them is not who acts now
        else if (!last || last[1] !== status.actor) this.actors.push([known, status.actor]);
      }
      this.draw();
    }

    /* --- the axis --- */

    get total() { return Math.max(this.live.numSteps, MIN_SPAN); }
    get span() { return this.view || [0, Math.max(this.total * 1.02, 40)]; }
    get width() { return this.canvas.clientWidth; }
    get height() { return this.canvas.clientHeight; }
    x(step) { const [a, b] = this.span; return LEFT + ((step - a) / (b - a)) * (this.width - LEFT - RIGHT); }
    stepAt(x) { const [a, b] = this.span; return a + ((x - LEFT) / (this.width - LEFT - RIGHT)) * (b - a); }
    get cursor() { return this.live.shown ?? this.live.numSteps; }
    fit() { this.view = null; this.draw(); }

    zoom(factor, at) {
      const [a, b] = this.span, full = Math.max(this.total * 1.02, 40);
      const width = clamp((b - a) * factor, MIN_SPAN, full);
      const centre = this.stepAt(at), share = (centre - a) / (b - a);
      const start = clamp(centre - share * width, 0, full - width);
      this.view = width >= full ? null : [start, start + width];
      this.draw();
    }

    /* --- what the person does --- */

    send(name, args) { VLAW.socket?.command(name, args); }
    /* Shows a step at once and asks the server for it, at most 40 times a second while the cursor is dragged. */
    seek(step) {
      const wanted = clamp(Math.round(step), 0, this.live.numSteps);
      this.live.shown = wanted >= this.live.numSteps && !this.isStored ? null : wanted;
      this.soughtStep = this.live.shown;
      this.soughtAt = performance.now();
      this.draw();
      this.seekTimer ??= setTimeout(() => { this.seekTimer = null; this.send("seek", { step: this.soughtStep }); }, SEEK_MS);
    }
    togglePlay() {
      clearInterval(this.playTimer);
      if (this.playTimer) { this.playTimer = 0; this.draw(); return; }
      if (this.cursor >= this.live.numSteps) this.seek(0);
      this.playTimer = setInterval(() => {
        if (this.live.shown === null || this.live.shown + 1 >= this.live.numSteps) return this.togglePlay();
        this.seek(this.live.shown + 1);
      }, 1000 / this.controlHz);
      this.draw();
    }
    follow() { if (this.playTimer) this.togglePlay(); this.live.shown = null; this.soughtAt = performance.now(); this.draw(); this.send("seek", { step: null }); }
    branch() {
      if (this.isStored) this.element.dispatchEvent(new CustomEvent("branch-stored", { detail: { episode_id: this.episode, step: this.cursor }, bubbles: true }));
      else this.send("branch", { step: this.cursor });
    }

    bindPointer() {
      const canvas = this.canvas;
      let start = null, isScrubbing = false;
      canvas.addEventListener("pointerdown", (e) => {
        if (e.button !== 0 || !this.episode) return;
        this.element.focus({ preventScroll: true });
        canvas.setPointerCapture(e.pointerId);
        start = e.offsetX; isScrubbing = false;
      });
      canvas.addEventListener("pointermove", (e) => {
        if (start !== null && (isScrubbing || Math.abs(e.offsetX - start) > DRAG_PX)) {
          isScrubbing = true;
          this.seek(this.stepAt(e.offsetX));
        }
        this.hover(e.offsetX, e.offsetY);
      });
      canvas.addEventListener("pointerup", (e) => {
        if (start === null) return;
        if (!isScrubbing) this.click(e.offsetX, e.offsetY);
        start = null;
      });
      canvas.addEventListener("pointercancel", () => { start = null; });
      canvas.addEventListener("pointerleave", () => { this.tip.hidden = true; });
      canvas.addEventListener("dblclick", () => this.fit());
      canvas.addEventListener("wheel", (e) => {
        e.preventDefault();
        if (e.shiftKey || Math.abs(e.deltaX) > Math.abs(e.deltaY)) this.pan((e.deltaX || e.deltaY) / this.width);
        else this.zoom(e.deltaY > 0 ? 1.2 : 1 / 1.2, e.offsetX);
      }, { passive: false });
    }

    pan(share) {
      if (!this.view) return;
      const [a, b] = this.view, full = Math.max(this.total * 1.02, 40);
      const start = clamp(a + share * (b - a), 0, full - (b - a));
      this.view = [start, start + (b - a)];
      this.draw();
    }

    bindKeys() {
      this.element.addEventListener("keydown", (e) => {
        const stride = e.shiftKey ? 10 : 1;
        const moves = { ArrowLeft: () => this.seek(this.cursor - stride), ArrowRight: () => this.seek(this.cursor + stride),
          Home: () => this.seek(0), End: () => this.follow() };
        if (e.ctrlKey && (e.key === "ArrowLeft" || e.key === "ArrowRight")) this.toEvent(e.key === "ArrowRight" ? 1 : -1);
        else if (moves[e.key] && !e.altKey && !e.ctrlKey && !e.metaKey) moves[e.key]();
        else return;
        e.preventDefault(); e.stopPropagation();
      });
    }

    toEvent(direction) {
      const steps = [...new Set(this.events.map((e) => e.step))].sort((a, b) => a - b);
      const next = direction > 0 ? steps.find((s) => s > this.cursor) : steps.reverse().find((s) => s < this.cursor);
      if (next !== undefined) this.seek(next);
    }

    click(x, y) {
      const hit = this.hits(x, y)[0];
      if (hit && hit.branch) this.element.dispatchEvent(new CustomEvent("open-episode", { detail: { episode_id: hit.branch.episode_id, step: 0 }, bubbles: true }));
      else this.seek(hit && hit.events ? hit.events[0].step : this.stepAt(x));
    }

    hits(x, y) {
      const found = [];
      for (const mark of this.marks || []) if (Math.hypot(mark.x - x, mark.y - y) < 10) found.push(mark);
      return found;
    }

    hover(x, y) {
      const hit = this.hits(x, y)[0], lane = this.laneAt(y);
      const step = clamp(Math.round(this.stepAt(x)), 0, this.live.numSteps);
      const lines = !hit && lane && this.sightAt(lane, step) ? [`${lane.name}: ${SIGHTS[this.sightAt(lane, step)]} · step ${step}`] : !hit ? [`step ${step} · ${(step / this.controlHz).toFixed(2)} s${this.actorAt(step)}`]
        : hit.branch ? [`Branch at step ${hit.branch.step}${hit.branch.label ? ": " + hit.branch.label : ""}`, hit.branch.outcome || "", "Click to open it"]
        : hit.parent ? [`Branched from another episode at its step ${this.parent.step}`]
        : hit.events.map((e) => `${VLAW.events.brief(e)} · step ${e.step} · ${e.actor}`);
      this.tip.replaceChildren(...lines.filter(Boolean).slice(0, 8).map((line) => {
        const row = document.createElement("div");
        row.textContent = line;
        return row;
      }));
      this.tip.hidden = !this.episode;
      const width = this.tip.offsetWidth;
      this.tip.style.left = `${clamp(x - width / 2, 0, this.width - width)}px`;
    }

    actorAt(step) {
      let actor = "";
      for (const [first, name] of this.actors) if (first <= step) actor = name;
      return actor ? ` · ${(VLAW.events.ACTORS[actor] || ["", actor])[1]}` : "";
    }

    /* --- drawing --- */

    draw() {
      if (this.pending) return;
      this.pending = requestAnimationFrame(() => { this.pending = 0; this.paint(); });
    }

    paint() {
      const ratio = window.devicePixelRatio || 1, width = this.width;
      if (!width) return;
      const pixels = [Math.round(width * ratio), Math.round(this.height * ratio)];
      if (this.canvas.width !== pixels[0] || this.canvas.height !== pixels[1]) [this.canvas.width, this.canvas.height] = pixels;
      const c = this.context, style = getComputedStyle(this.element);
      this.ink = style.getPropertyValue("--body-text-color") || "#333";
      this.soft = style.getPropertyValue("--body-text-color-subdued") || "#888";
      this.line = style.getPropertyValue("--border-color-primary") || "#ccc";
      this.paper = style.getPropertyValue("--background-fill-primary") || "#fff";
      c.setTransform(ratio, 0, 0, ratio, 0, 0);
      c.clearRect(0, 0, width, this.height);
      c.font = `11px ${style.fontFamily}`;
      this.marks = [];
      c.save();
      c.beginPath(); c.rect(LEFT - 10, 0, width - LEFT - RIGHT + 20, this.height); c.clip();
      this.paintRuler(c);
      this.paintBand(c);
      VLAW.paintRisk?.(c, this, BAND_Y + BAND_H + 2);
      this.paintEvents(c);
      this.paintLanes(c);
      this.paintBranches(c);
      this.paintCursor(c);
      c.restore();
      if (!this.episode) { c.fillStyle = this.soft; c.textAlign = "center"; c.fillText("Steps, events and branches of the episode appear here.", width / 2, EVENT_Y); }
      const e = this.element;
      e.dataset.steps = this.live.numSteps;
      e.dataset.cursor = this.cursor;
      e.setAttribute("aria-valuemax", this.live.numSteps);
      e.setAttribute("aria-valuenow", this.cursor);
      e.setAttribute("aria-valuetext", `step ${this.cursor} of ${this.live.numSteps}`);
      e.querySelector(".tl-position").textContent = this.episode ? `${this.cursor} / ${this.live.numSteps}` : "";
      e.querySelector('[data-do="follow"]').disabled = this.live.shown === null;
      e.querySelector('[data-do="branch"]').disabled = !this.episode;
      const play = e.querySelector('[data-do="play"]');
      play.disabled = this.live.numSteps === 0;
      play.textContent = this.playTimer ? "Stop" : "Replay";
      e.querySelector('[data-do="follow"]').textContent = this.isStored ? "Back to live" : "Follow live";
    }

    paintRuler(c) {
      const [a, b] = this.span, wide = this.width / 80;
      const raw = (b - a) / wide, power = 10 ** Math.floor(Math.log10(raw));
      const stride = Math.max(1, [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw));
      c.textAlign = "center"; c.lineWidth = 1;
      for (let step = Math.ceil(a / stride) * stride; step <= b; step += stride) {
        const x = Math.round(this.x(step)) + 0.5;
        c.strokeStyle = this.line; c.beginPath(); c.moveTo(x, BAND_Y - 4); c.lineTo(x, this.height - 6); c.stroke();
        c.fillStyle = this.soft; c.fillText(String(step), x, RULER_Y - 1);
      }
    }

    paintBand(c) {
      const end = this.live.numSteps;
      c.fillStyle = this.line;
      c.fillRect(this.x(0), BAND_Y + BAND_H / 2 - 1, Math.max(0, this.x(this.span[1]) - this.x(0)), 2);
      this.actors.forEach(([first, actor], i) => {
        const last = i + 1 < this.actors.length ? this.actors[i + 1][0] : end;
        const x = this.x(first), w = Math.max(this.x(last) - x, 1);
        c.fillStyle = (VLAW.events.ACTORS[actor] || VLAW.events.ACTORS.hold)[0];
        c.globalAlpha = actor === "hold" ? 0.35 : 0.8;
        c.beginPath(); c.roundRect(x, BAND_Y, w, BAND_H, 3); c.fill();
        c.globalAlpha = 1;
        if (w > 46) { c.fillStyle = actor === "hold" ? this.ink : "#08110f"; c.textAlign = "left"; c.fillText((VLAW.events.ACTORS[actor] || ["", actor])[1], x + 5, BAND_Y + 11); }
      });
    }

    paintEvents(c) {
      const groups = [];
      for (const event of [...this.events].sort((a, b) => a.step - b.step)) {
        const x = this.x(event.step), last = groups[groups.length - 1];
        if (last && x - last.x < 16) last.events.push(event);
        else groups.push({ x, y: EVENT_Y, events: [event] });
      }
      for (const group of groups) {
        const event = group.events.reduce((best, e) => (VLAW.events.weight(e) >= VLAW.events.weight(best) ? e : best));
        this.icon(c, event.kind, group.x, EVENT_Y, group.events.length);
        this.marks.push(group);
      }
    }

    icon(c, kind, x, y, count) {
      const [path, colour] = VLAW.events.KINDS[kind] || VLAW.events.KINDS.note;
      c.save();
      c.translate(x, y);
      c.fillStyle = this.paper; c.strokeStyle = colour; c.lineWidth = 1.5;
      c.beginPath(); c.arc(0, 0, 9, 0, 2 * Math.PI); c.fill(); c.stroke();
      c.save(); c.translate(-5.2, -5.2); c.scale(0.65, 0.65); c.lineWidth = 2.4; c.lineCap = c.lineJoin = "round";
      c.stroke(new Path2D(path)); c.restore();
      if (count > 1) {
        c.fillStyle = colour; c.beginPath(); c.arc(8, -7, 6, 0, 2 * Math.PI); c.fill();
        c.fillStyle = "#fff"; c.textAlign = "center"; c.font = "9px sans-serif"; c.fillText(String(Math.min(count, 99)), 8, -4);
      }
      c.restore();
    }

    laneY(index) { return this.height - 9 - (LANE_PX + 2) * index; }
    laneAt(y) { return [...this.lanes.values()].find((_, i) => Math.abs(this.laneY(i) + LANE_PX / 2 - y) < LANE_PX / 2 + 1); }
    sightAt(lane, step) { return lane.sights.findLast(([first]) => first <= step)?.[1]; }

    /* One line for each masked object: full where it was seen, faint where badly, red where it was lost; a notch where it was corrected. */
    paintLanes(c) {
      [...this.lanes.values()].forEach((lane, i) => {
        const y = this.laneY(i);
        lane.sights.forEach(([first, state], k) => {
          const last = lane.sights[k + 1]?.[0] ?? Math.max(this.live.numSteps, first);
          if (state === "removed") return;
          const x = this.x(first), width = Math.max(this.x(last) - x, 2);
          c.fillStyle = state === "lost" ? "#dc2626" : lane.colour;
          c.globalAlpha = state === "low" ? 0.4 : 0.95;
          c.fillRect(x, state === "lost" ? y + 2 : y, width, state === "lost" ? LANE_PX - 4 : LANE_PX);
          c.globalAlpha = 1;
          if (state === "corrected") { c.fillStyle = this.ink; c.fillRect(x - 1, y - 2, 2, LANE_PX + 4); }
        });
      });
      this.element.dataset.lanes = this.lanes.size;
      this.element.dataset.sights = [...this.lanes.values()].map((lane) => lane.sights.map(([, s]) => s).join(",")).join(" ");
    }

    /* Branches fork off downwards; those whose labels would overlap go to further rows. */
    paintBranches(c) {
      c.lineWidth = 2;
      const numRows = Math.max(1, Math.floor((this.height - BRANCH_Y - 4) / ROW_H) + 1);
      const ends = new Array(numRows).fill(-Infinity);
      for (const branch of [...this.branches].sort((a, b) => a.step - b.step)) {
        const x = this.x(branch.step);
        const free = ends.findIndex((end) => x > end);
        const row = free < 0 ? numRows - 1 : free;
        ends[row] = x + LABEL_PX;
        const y = BRANCH_Y + row * ROW_H;
        c.strokeStyle = c.fillStyle = "#8b5cf6";
        c.beginPath(); c.moveTo(x, BAND_Y + BAND_H); c.bezierCurveTo(x, y, x + 4, y, x + 20, y); c.stroke();
        c.beginPath(); c.arc(x + 22, y, 5, 0, 2 * Math.PI); c.fill();
        c.fillStyle = this.ink; c.textAlign = "left"; c.fillText((branch.label || "branch").slice(0, 16), x + 31, y + 4);
        this.marks.push({ x: x + 22, y, branch });
      }
      if (!this.parent) return;
      const x = this.x(0), y = this.height - 6;
      c.strokeStyle = "#8b5cf6"; c.beginPath(); c.moveTo(x, y + 2); c.lineTo(x, BAND_Y + BAND_H); c.stroke();
      c.fillStyle = this.soft; c.textAlign = "left"; c.fillText(`from step ${this.parent.step}`, x + 6, y);
      this.marks.push({ x, y, parent: this.parent });
    }

    paintCursor(c) {
      if (!this.episode) return;
      const x = Math.round(this.x(this.cursor)) + 0.5, isLive = this.live.shown === null;
      c.strokeStyle = c.fillStyle = isLive ? "#12b094" : this.ink;
      c.lineWidth = 1.5;
      c.beginPath(); c.moveTo(x, RULER_Y + 4); c.lineTo(x, this.height - 4); c.stroke();
      c.beginPath(); c.moveTo(x - 5, RULER_Y); c.lineTo(x + 5, RULER_Y); c.lineTo(x, RULER_Y + 7); c.closePath(); c.fill();
    }
  }

  VLAW.mountTimeline = (element) => {
    const timeline = (VLAW.timeline = new Timeline(element));
    VLAW.withSocket((socket) => {
      timeline.fetch = async (id, isStored) => {
        const path = isStored ? `/api/episodes/${encodeURIComponent(id)}/timeline` : `/api/live/${encodeURIComponent(socket.tab.tab_id)}/timeline`;
        const answer = await fetch(path, { headers: { "X-Live-Token": socket.tab.token } });
        if (!answer.ok) return;
        timeline.live.numSteps = 0;
        timeline.isStored = isStored;
        timeline.load(await answer.json());
        timeline.wanted = timeline.episode;
      };
      socket.on("hello", (m) => timeline.status(m.status));
      socket.on("status", (m) => timeline.status(m));
      socket.on("event", (m) => { if (m.episode_id === timeline.episode && !timeline.isStored) timeline.add(m.event); });
      socket.on("changed", (m) => { if (m.what === "branch" && timeline.episode) timeline.fetch(timeline.episode, timeline.isStored); });
    });
  };
})();
