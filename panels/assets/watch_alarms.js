/* The alarms of the Watch tab: the score of every call of the policy beside the bound where an alarm is raised, and what follows one.
   Everything goes through the tab's socket; text is written as text. */
(() => {
  "use strict";
  const VLAW = (window.VLAW = window.VLAW || {});
  const NS = "http://www.w3.org/2000/svg";
  const WIDTH = 480, HEIGHT = 120, LEFT = 30, RIGHT = 6, TOP = 8, BOTTOM = 16, STRIDE = 4, WARM = 0.6;
  const DONE = { note: "noted", ask: "paused, asked", resample: "tried another answer", retreat: "lifted the hand" };
  const clamp = (x, low, high) => Math.min(Math.max(x, low), high);

  const make = (tag, properties = {}, ...children) => {
    const node = Object.assign(document.createElement(tag), properties);
    node.append(...children);
    return node;
  };
  const draw = (tag, attributes) => {
    const node = document.createElementNS(NS, tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  };

  class Alarms {
    constructor(element) {
      this.element = element;
      this.part = (name) => element.querySelector(`[data-is="${name}"]`);
      this.points = [];
      this.state = null;
      const set = (changes) => this.change(changes);
      this.part("on").onchange = (e) => set({ is_on: e.target.checked });
      this.part("action").onchange = (e) => set({ action: e.target.value });
      this.part("detector").onchange = (e) => set({ detector: e.target.value });
      this.part("alpha").onchange = (e) => set({ alpha: Number(e.target.value) / 100 });
      element.querySelectorAll("input").forEach((node) => node.addEventListener("keydown", (e) => e.stopPropagation()));
      this.render = VLAW.steady ? VLAW.steady(element, () => this.show()) : () => this.show();
      VLAW.withSocket((socket) => {
        this.socket = socket;
        socket.on("hello", () => this.ask());
        socket.on("episode", () => this.ask());
        socket.on("changed", (m) => { if (m.what === "watch" || m.what === "branch") this.ask(); });
        socket.on("risk", (m) => this.add(m));
      });
    }

    ask() {
      clearTimeout(this.asking);
      this.asking = setTimeout(async () => this.take(await this.socket.command("watch_state")), 60);
    }

    async change(changes) {
      const state = await this.socket.command("set_watch", changes);
      if (state) this.take(state);
      else this.ask();
    }

    take(state) {
      if (!state) return;
      this.state = state;
      this.points = state.readings;
      this.ahead = state.ahead;
      this.render();
      VLAW.timeline?.draw();
    }

    /* One more score; when some are missing here, all are asked for. */
    add({ point, count }) {
      if (this.points.length && this.points.at(-1)[0] === point[0]) this.points.pop();
      this.points.push(point);
      if (this.points.length !== count) { this.ask(); return; }
      this.ahead = (this.ahead || []).slice(1);
      if (!this.waiting) this.waiting = requestAnimationFrame(() => { this.waiting = 0; this.render(); });
      VLAW.timeline?.draw();
    }

    show() {
      const state = this.state;
      if (!state) return;
      const { element } = this;
      element.dataset.state = state.is_watching ? "watching" : state.is_on ? "idle" : "off";
      element.dataset.points = this.points.length;
      element.dataset.alarms = state.alarms.length;
      this.part("on").checked = state.is_on;
      if (document.activeElement !== this.part("action")) this.part("action").value = state.action;
      this.part("trouble").textContent = state.trouble;
      this.part("trouble").hidden = !state.trouble;
      const hint = this.hint(state);
      this.part("empty").textContent = hint;
      this.part("empty").hidden = !hint;
      this.part("body").hidden = !state.is_watching;
      if (!state.is_watching) return;
      this.plot();
      this.showNow();
      this.showAlarms(state);
      this.showDetectors(state);
    }

    hint(state) {
      if (!state.is_on) return "Nothing watches the policy. While something does, every call of it is scored, and an alarm is raised when the score leaves what good episodes look like.";
      if (state.trouble) return "";
      if (!state.has_inside) return "What drives now does not show its inside, so nothing can be read there. Let the bench VLA drive (Scene tab): every call of it is then scored.";
      return this.points.length || !state.is_watching ? "" : "Let the robot run (Space) or step (.): the score of every call appears here, beside the bound where an alarm is raised.";
    }

    showNow() {
      const last = this.points.at(-1);
      if (!last) { this.part("now").textContent = ""; return; }
      const share = last[2] > 0 ? last[1] / last[2] : NaN;
      const told = Number.isFinite(share) ? `${Math.round(100 * share)} % of the way to an alarm` : "";
      this.part("now").textContent = last[1] >= last[2] ? `Step ${last[0]}: outside of what good episodes look like.` : `Step ${last[0]}: like a good episode${told ? `, ${told}` : ""}.`;
    }

    showAlarms(state) {
      this.part("alarms").replaceChildren(...state.alarms.map((alarm) => {
        const look = make("button", { type: "button", textContent: "Show", title: "Look at that moment", onclick: () => this.socket.command("seek", { step: alarm.step }) });
        return make("li", {}, make("b", { textContent: "Alarm" }), `step ${alarm.step}, score ${alarm.score.toFixed(2)} of ${alarm.upper.toFixed(2)}: ${DONE[alarm.action] ?? alarm.action}`, make("span", { className: "spring" }), look);
      }));
    }

    showDetectors(state) {
      const select = this.part("detector");
      if (select.options.length !== state.detectors.length) select.replaceChildren(...state.detectors.map((d) => new Option(d.about, d.name)));
      if (document.activeElement !== select) select.value = state.detector;
      if (document.activeElement !== this.part("alpha")) this.part("alpha").value = Math.round(100 * state.alpha);
      this.part("promise").textContent = `Calibrated on ${state.num_curves} successful episodes. That share holds for tasks like these: ${state.seen_tasks.join(", ").replaceAll("_", " ")}. For other tasks there is no promise, and alarms may be more frequent.`;
      const number = (value) => make("td", { className: "n", textContent: value === null || value === undefined ? "–" : value.toFixed(2) });
      const head = make("tr", {}, make("th", { textContent: "Detector" }), make("th", { className: "n", textContent: "Seen tasks" }), make("th", { className: "n", textContent: "Other tasks" }));
      this.part("aucs").replaceChildren(head, ...state.detectors.map((d) => make("tr", {}, make("td", { textContent: d.about }), number(d.seen), number(d.unseen))));
    }

    /* Score and bound over steps; the bound of calls to come is dashed. */
    plot() {
      const { points } = this, ahead = this.ahead || [];
      const stride = points.length > 1 ? (points.at(-1)[0] - points[0][0]) / (points.length - 1) : STRIDE;
      const first = points[0]?.[0] ?? 0, now = points.at(-1)?.[0] ?? 0;
      const begin = points.length ? now + stride : 0;
      const coming = ahead.map((upper, i) => [begin + i * stride, upper]);
      const last = Math.max(first + 20 * stride, now + 6 * stride);
      const bounds = [...points.map((p) => [p[0], p[2]]), ...coming.filter(([step]) => step <= last)];
      const values = [...points.map((p) => p[1]), ...bounds.map((b) => b[1])].filter(Number.isFinite);
      const low = Math.min(0, ...values), high = Math.max(...values, low + 1e-6);
      const x = (step) => LEFT + ((step - first) / (last - first || 1)) * (WIDTH - LEFT - RIGHT);
      const y = (value) => TOP + (1 - (value - low) / (high - low)) * (HEIGHT - TOP - BOTTOM);
      const line = (list) => list.map(([a, b]) => `${x(a).toFixed(1)},${y(b).toFixed(1)}`).join(" ");
      const svg = draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
      svg.append(make("title"));
      svg.firstChild.textContent = `Score of ${points.length} calls beside the bound of the alarm`;
      if (bounds.length) {
        const floor = [[bounds.at(-1)[0], low], [bounds[0][0], low]];
        svg.append(draw("polygon", { class: "good", points: line([...bounds, ...floor]) }));
        svg.append(draw("polyline", { class: "bound", points: line(bounds) }));
      }
      if (points.length) {
        svg.append(draw("polyline", { class: "score", points: line(points) }));
        for (const [step, score, upper] of points) if (score >= upper) svg.append(draw("circle", { class: "outside", cx: x(step), cy: y(score), r: 2.6 }));
        const end = points.at(-1);
        svg.append(draw("circle", { class: end[1] >= end[2] ? "outside" : "now", cx: x(end[0]), cy: y(end[1]), r: 4 }));
      }
      const label = (text, at, anchor, height) => { const node = draw("text", { x: at, y: height, "text-anchor": anchor }); node.textContent = text; svg.append(node); };
      label(String(Math.round(first)), LEFT, "start", HEIGHT - 3);
      label(`step ${Math.round(last)}`, WIDTH - RIGHT, "end", HEIGHT - 3);
      label(high.toFixed(high < 10 ? 2 : 0), LEFT - 4, "end", TOP + 6);
      if (bounds.length) label("alarm above this line", WIDTH - RIGHT, "end", clamp(y(bounds.at(-1)[1]) + 14, TOP + 6, HEIGHT - BOTTOM - 4));
      this.part("plot").replaceChildren(svg);
    }
  }

  /* A thin strip under who acted: how near the score is to an alarm, step by step; red is outside. */
  VLAW.paintRisk = (c, timeline, top) => {
    const points = timeline.isStored ? timeline.risk : VLAW.alarms?.points;
    timeline.element.dataset.risk = points?.length ?? 0;
    if (!points?.length) return;
    points.forEach(([step, score, upper], i) => {
      const share = upper > 0 ? clamp(score / upper, 0, 1) : score >= upper ? 1 : 0;
      const x = timeline.x(step), end = timeline.x(points[i + 1]?.[0] ?? Math.max(timeline.live.numSteps, step));
      c.fillStyle = share >= 1 ? "#dc2626" : share >= WARM ? "#d97706" : "#12b094";
      c.globalAlpha = share >= 1 ? 1 : 0.25 + 0.65 * share;
      c.fillRect(x, top, Math.max(end - x, 1), share >= 1 ? 5 : 4);
    });
    c.globalAlpha = 1;
  };

  VLAW.mountAlarms = (element) => { VLAW.alarms = new Alarms(element); };
})();
