/* The Judge tab: who has judged how much, how well people agree, what ranking follows, and files of it all. */
(() => {
  "use strict";
  const VLAW = (window.VLAW = window.VLAW || {});
  const NAMES = { is_success: "Success", progress: "Progress", quality: "Quality", is_safe: "Safety", preference: "Which is better" };
  const SVG = "http://www.w3.org/2000/svg";

  const make = (tag, properties = {}, ...children) => {
    const node = Object.assign(document.createElement(tag), properties);
    node.append(...children.filter((c) => c !== null && c !== undefined));
    return node;
  };
  const cell = (text, isNumber = true) => make("td", { textContent: text ?? "–", className: isNumber ? "n" : "" });
  const head = (names) => make("tr", {}, ...names.map((name, i) => make("th", { textContent: name, className: i ? "n" : "" })));
  const two = (x) => (x === null || x === undefined ? "–" : x.toFixed(2));
  const meant = (alpha) => (alpha === null ? "" : alpha >= 0.8 ? "reliable" : alpha >= 0.667 ? "for tentative conclusions" : "not reliable");

  class JudgeTab {
    constructor(element) {
      this.element = element;
      this.part = (name) => element.querySelector(`[data-is="${name}"]`);
      element.querySelector('[data-do="refresh"]').onclick = () => this.read();
      VLAW.withSocket((socket) => {
        socket.on("hello", () => this.read());
        socket.on("end", () => this.read());
      });
      document.addEventListener("visibilitychange", () => { if (!document.hidden) this.read(); });
    }

    async read() {
      const answer = await fetch("/api/feedback/summary");
      if (answer.ok) this.draw(await answer.json());
    }

    draw({ raters, agreement, ranking, quality, num_episodes: episodes, num_pairs: pairs }) {
      this.element.dataset.raters = String(raters.length);
      this.part("empty").hidden = raters.length > 0;
      this.part("body").hidden = raters.length === 0;
      this.part("count").textContent = `${episodes} ${episodes === 1 ? "episode" : "episodes"} rated, ${pairs} ${pairs === 1 ? "pair" : "pairs"} compared.`;
      this.part("raters").replaceChildren(head(["Rater", "Ratings", "Comparisons"]), ...raters.map((r) => make("tr", {}, cell(r.name, false), cell(String(r.num_ratings)), cell(String(r.num_preferences)))));
      this.part("agreement").replaceChildren(head(["Answer", "Judged twice", "Alpha", "Kappa", "Meaning"]), ...agreement.map((a) => make("tr", {}, cell(NAMES[a.name] ?? a.name, false), cell(String(a.num_items)), cell(two(a.alpha)), cell(two(a.cohen ?? a.fleiss)), cell(meant(a.alpha)))));
      this.part("no-ranking").hidden = ranking.length > 0;
      this.part("ranking").replaceChildren(...(ranking.length ? [head(["Policy", "Wins", "Against an average one", "95 % interval"]), ...ranking.map((r) => make("tr", {}, cell(r.name, false), cell(`${r.num_wins} of ${r.num_comparisons}`), cell(`${Math.round(100 * r.win_share)} %`), make("td", {}, this.interval(r))))] : []));
      this.part("quality").replaceChildren(...(quality.length ? [head(["Policy", "Ratings", "Quality, 1 to 5", "Seen as success"]), ...quality.map((q) => make("tr", {}, cell(q.policy, false), cell(String(q.num_ratings)), cell(two(q.quality)), cell(q.success === null ? "–" : `${Math.round(100 * q.success)} %`)))] : []));
    }

    interval(r) {
      const svg = document.createElementNS(SVG, "svg");
      svg.setAttribute("viewBox", "0 0 150 16");
      svg.setAttribute("role", "img");
      svg.setAttribute("aria-label", `${Math.round(100 * r.win_low)} to ${Math.round(100 * r.win_high)} %`);
      const x = (share) => 4 + 142 * share;
      for (const [name, attributes] of [["line", { class: "zero", x1: x(0.5), x2: x(0.5), y1: 0, y2: 16 }], ["line", { x1: x(r.win_low), x2: x(r.win_high), y1: 8, y2: 8 }], ["circle", { cx: x(r.win_share), cy: 8, r: 4 }], ["title", {}]]) {
        const node = document.createElementNS(SVG, name);
        for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
        if (name === "title") node.textContent = svg.getAttribute("aria-label");
        svg.append(node);
      }
      return svg;
    }
  }

  VLAW.mountJudge = (element) => new JudgeTab(element);
})();
