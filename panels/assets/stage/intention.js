/** What the policy is about to do, over the pictures: its trace, its targets, on wish their maps, and how sure it is of each action. */

import { h } from "./dom.js";
import { svg } from "./overlay.js";

const WISH_KEY = "vla-workbench.intention";
const ROLES = { target: { colour: "#ff5fa2", text: "target" }, goal: { colour: "#ffc533", text: "goal" } };
const OWN = "#2ee6c0";
const TOLD = "#ffb454";
const HALO = "rgba(6,9,14,0.72)";
const NOTHING = { trace: null, targets: [], names: [], confidences: null };

const path = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

/** A picture of a heat map, bright where the policy looks: `{width, height, levels}` with bytes in base64. */
function heatUrl({ width, height, levels }, colour) {
  const bytes = Uint8Array.from(atob(levels), (c) => c.charCodeAt(0));
  const canvas = h("canvas", { width, height });
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const rgb = [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
  bytes.forEach((level, i) => image.data.set([...rgb, level], 4 * i));
  context.putImageData(image, 0, 0);
  return canvas.toDataURL();
}

/** Draws an intention on one picture. */
class IntentionLayer {
  /** @param {SVGGElement} group @param {(p: number[]) => number[]} toScreen 0..1 of the picture to px @param {number} scale of marks */
  constructor(group, toScreen, scale) {
    Object.assign(this, { group, toScreen, scale });
  }

  draw(message, camera) {
    const targets = message.targets.filter((t) => t.camera === camera);
    const trace = message.trace?.camera === camera ? message.trace : null;
    this.group.replaceChildren(
      ...targets.filter((t) => t.heat).map((t) => this.heat(t)),
      ...(trace && trace.points.length > 1 ? [this.trace(trace)] : []),
      ...targets.map((t) => this.target(t)),
    );
  }

  heat(target) {
    const [x, y] = this.toScreen([0, 0]), [right, bottom] = this.toScreen([1, 1]);
    const href = heatUrl(target.heat, ROLES[target.role]?.colour ?? OWN);
    return svg("image", { x, y, width: right - x, height: bottom - y, href, preserveAspectRatio: "none", class: "intention-heat" });
  }

  trace(trace) {
    const points = trace.points.map(this.toScreen);
    const colour = trace.source === "model" ? OWN : TOLD;
    const k = this.scale, line = { d: path(points), fill: "none", "stroke-linejoin": "round", "stroke-linecap": "round" };
    const group = svg("g", { class: `intention-trace is-${trace.source === "model" ? "own" : "told"}` }, [
      svg("path", { ...line, stroke: HALO, "stroke-width": 5.5 * k }),
      svg("path", { ...line, stroke: colour, "stroke-width": 2.6 * k }),
    ]);
    points.forEach(([x, y], i) => {
      const isEnd = i === points.length - 1;
      if (i > 0) group.append(svg("circle", { cx: x, cy: y, r: (isEnd ? 5.5 : 2.4) * k, fill: isEnd ? HALO : colour, stroke: colour, "stroke-width": 2 * k }));
    });
    (trace.gripper ?? []).forEach((opening, i) => {
      const before = trace.gripper[i - 1] ?? opening;
      if (opening > 0.5 !== before > 0.5) group.append(this.gripper(points[i], opening > 0.5));
    });
    return group;
  }

  /** Two fingers, shut or apart. */
  gripper([x, y], isOpen) {
    const k = this.scale, gap = (isOpen ? 6 : 2.2) * k, tall = 6 * k;
    const d = `M${x - gap} ${y - tall}v${2 * tall}M${x + gap} ${y - tall}v${2 * tall}`;
    const mark = svg("g", { class: "intention-grip" }, [
      svg("path", { d, stroke: HALO, "stroke-width": 5.5 * k, "stroke-linecap": "round" }),
      svg("path", { d, stroke: "#fff", "stroke-width": 2.6 * k, "stroke-linecap": "round" }),
    ]);
    mark.append(svg("title"));
    mark.lastChild.textContent = isOpen ? "opens the gripper here" : "closes the gripper here";
    return mark;
  }

  target(target) {
    const [x, y] = this.toScreen(target.point);
    const { colour, text } = ROLES[target.role] ?? { colour: OWN, text: target.role };
    const k = this.scale, r = 15 * k, share = Math.max(0.02, Math.min(1, target.confidence));
    const arc = 2 * Math.PI * r;
    const label = svg("text", { x: x + r + 5 * k, y: y + 4 * k, class: "intention-label" });
    label.textContent = `${text} ${Math.round(100 * target.confidence)} %`;
    return svg("g", { class: `intention-target role-${target.role}`, "data-role": target.role }, [
      svg("circle", { cx: x, cy: y, r, fill: "none", stroke: HALO, "stroke-width": 6 * k }),
      svg("circle", { cx: x, cy: y, r, fill: "none", stroke: colour, "stroke-opacity": 0.35, "stroke-width": 3 * k }),
      svg("circle", { cx: x, cy: y, r, fill: "none", stroke: colour, "stroke-width": 3 * k, "stroke-dasharray": `${share * arc} ${arc}`, transform: `rotate(-90 ${x} ${y})` }),
      svg("circle", { cx: x, cy: y, r: 2.2 * k, fill: colour, stroke: HALO }),
      ...(k > 0.7 ? [label] : []),
    ]);
  }
}

/** How sure the policy is of each action of its chunk: one column a dimension, time downwards, bright is sure. */
class SureStrip {
  constructor() {
    this.cells = h("div", { class: "sure-cells" });
    this.element = h("div", { class: "sure", hidden: true, role: "img" }, [h("div", { class: "sure-title", text: "how sure of each move" }), this.cells]);
    this.key = "";
  }

  draw({ names, confidences }) {
    this.element.hidden = !confidences;
    if (!confidences) return;
    const key = `${confidences.length}x${names.length}`;
    if (key !== this.key) {
      this.key = key;
      this.cells.style.gridTemplateColumns = `repeat(${names.length}, 1fr)`;
      this.cells.replaceChildren(
        ...confidences.flatMap((row) => row.map(() => h("i"))),
        ...names.map((name) => h("span", { text: { droll: "↺x", dpitch: "↺y", dyaw: "↺z", gripper: "grip" }[name] ?? name.slice(1) })),
      );
    }
    const flat = confidences.flat();
    flat.forEach((share, i) => this.cells.children[i].style.setProperty("--sure", share));
    const means = names.map((name, d) => `${name} ${Math.round((100 / confidences.length) * confidences.reduce((sum, row) => sum + row[d], 0))} %`);
    this.element.title = `How probable the chosen bin of each action is: columns are dimensions, rows the next ${confidences.length} steps.\nMean: ${means.join(", ")}`;
    this.element.setAttribute("aria-label", `Action confidence: ${means.join(", ")}`);
  }
}

export class IntentionView {
  /** @param {object} parts `overlay`, `viewport`, `send(wish)`, `onChange()` */
  constructor({ overlay, viewport, send, onChange }) {
    Object.assign(this, { viewport, send, onChange });
    this.wish = { is_on: true, has_heat: false, ...JSON.parse(localStorage.getItem(WISH_KEY) || "{}") };
    this.message = NOTHING;
    this.camera = "";
    this.isWanted = false;
    const group = svg("g", { class: "layer-intention" });
    overlay.root.prepend(group);
    this.layer = new IntentionLayer(group, (p) => viewport.toScreen(p), 1);
    this.strip = new SureStrip();
    viewport.onChange(() => this.refresh());
  }

  /** Draws on the second camera as well. @param {{element: HTMLElement, name: string}} pip */
  attach(pip) {
    const root = svg("svg", { class: "pip-intention", viewBox: "0 0 240 240", "aria-hidden": "true" });
    const group = svg("g");
    root.append(group);
    pip.element.querySelector("canvas").after(root);
    this.pip = { view: pip, layer: new IntentionLayer(group, ([u, v]) => [240 * u, 240 * v], 0.7) };
  }

  /** Asks the server for what is wished; after each connection. */
  ask() {
    this.send(this.wish);
  }

  take(message) {
    this.message = this.wish.is_on ? message : NOTHING;
    this.refresh();
  }

  setCamera(name) {
    if (name === this.camera) return;
    this.camera = name;
    this.refresh();
  }

  toggle(part) {
    this.wish = { ...this.wish, [part]: !this.wish[part] };
    if (part === "has_heat" && this.wish.has_heat) this.wish.is_on = true;
    localStorage.setItem(WISH_KEY, JSON.stringify(this.wish));
    if (!this.wish.is_on) this.take(NOTHING);
    this.ask();
    this.onChange();
  }

  refresh() {
    if (this.isWanted) return;
    this.isWanted = true;
    requestAnimationFrame(() => {
      this.isWanted = false;
      this.layer.draw(this.message, this.camera);
      this.pip?.layer.draw(this.message, this.pip.view.name);
      this.strip.draw(this.message);
    });
  }

  /** What is shown, for whoever cannot see it. */
  get summary() {
    const { trace, targets } = this.message;
    return `${trace ? trace.points.length : 0} points, ${targets.map((t) => t.role).join(" ")}`.trim();
  }
}
