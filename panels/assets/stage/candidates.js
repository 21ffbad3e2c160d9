/** Ghost paths of the candidates over the picture: all of them, the chosen one bright, what the checks refuse dashed. */

import { svg } from "./overlay.js";
import { Lens } from "./path_layer.js";

const HALO = "rgba(6,9,14,0.7)";
const CHOSEN = "#ffffff";
const REFUSED = "#ff4d4d";

/** From poor to good: violet over teal to yellow, which differ in lightness as well. */
export function shade(share) {
  const stops = [[110, 86, 207], [46, 190, 192], [255, 224, 92]];
  const at = Math.max(0, Math.min(1, share)) * (stops.length - 1), low = Math.min(Math.floor(at), stops.length - 2), t = at - low;
  return `rgb(${stops[low].map((c, k) => Math.round(c + t * (stops[low + 1][k] - c))).join(",")})`;
}

/** The place of each candidate among the scores that pass, 0 poor to 1 good; null for what has none. */
export function standings({ scores, refused }) {
  const usable = scores.filter((s, i) => s !== null && !refused[i]);
  const low = Math.min(...usable), high = Math.max(...usable);
  return scores.map((s, i) => (s === null || refused[i] ? null : high > low ? (s - low) / (high - low) : 1));
}

export class CandidateLayer {
  /** @param {{overlay: {root: SVGElement}, viewport: object}} stage */
  constructor(stage) {
    this.stage = stage;
    this.lens = new Lens();
    this.found = null;
    this.hovered = null;
    this.group = svg("g", { class: "layer-candidates" });
    stage.overlay.root.append(this.group);
    stage.viewport.onChange(() => this.refresh());
  }

  connect(socket) {
    socket.on("candidates", (m) => { this.found = m.candidates; this.refresh(); });
    socket.on("status", () => this.refresh());
    socket.on("episode", () => { this.found = null; this.refresh(); });
  }

  setProjection(projection) {
    if (this.lens.set(projection)) this.refresh();
  }

  /** For the list beside the picture. */
  shade = shade;
  standings = standings;

  /** Makes one of them stand out, as the list says. */
  hover(index) {
    this.hovered = index;
    this.refresh();
  }

  /** Whether they belong to what is seen now. */
  get isShown() {
    const { status } = this.stage, found = this.found;
    return Boolean(found && this.lens.m && status && status.shown_step === null && !status.stored_id && status.step >= found.step && status.step < found.step + found.num_executed);
  }

  refresh() {
    if (this.isWanted) return;
    this.isWanted = true;
    requestAnimationFrame(() => {
      this.isWanted = false;
      this.draw();
    });
  }

  draw() {
    this.stage.element.dataset.candidates = this.isShown ? String(this.found.paths.length) : "0";
    if (!this.isShown) return void this.group.replaceChildren();
    const standing = standings(this.found), { chosen } = this.found;
    const order = this.found.paths.map((_, i) => i).sort((a, b) => this.height(a, standing) - this.height(b, standing));
    this.group.replaceChildren(...order.map((i) => this.ghost(i, standing[i], i === chosen)).filter(Boolean));
  }

  /** What is drawn last lies on top. */
  height(i, standing) {
    return i === this.hovered ? 3 : i === this.found.chosen ? 2 : (standing[i] ?? -1);
  }

  ghost(index, standing, isChosen) {
    const places = this.found.paths[index].map((p) => this.lens.project(p)).filter(Boolean).map((uv) => this.stage.viewport.toScreen(uv));
    if (places.length < 2) return null;
    const isRefused = standing === null, isHot = index === this.hovered;
    const colour = isRefused ? REFUSED : shade(standing);
    const d = places.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
    const shape = { d, fill: "none", "stroke-linecap": "round", "stroke-linejoin": "round" };
    const width = isHot ? 4.5 : isChosen ? 3.6 : 1.8, [x, y] = places.at(-1);
    return svg("g", { class: `candidate${isChosen ? " is-chosen" : ""}${isRefused ? " is-refused" : ""}`, "data-index": index, opacity: isHot || isChosen ? 1 : 0.8 }, [
      svg("path", { ...shape, stroke: isChosen ? CHOSEN : HALO, "stroke-width": width + (isChosen ? 3.4 : 2) }),
      svg("path", { ...shape, stroke: colour, "stroke-width": width, "stroke-dasharray": isRefused ? "3 4" : undefined }),
      svg("circle", { cx: x, cy: y, r: isChosen || isHot ? 5 : 2.6, fill: colour, stroke: isChosen ? CHOSEN : HALO, "stroke-width": 1.6 }),
    ]);
  }
}
