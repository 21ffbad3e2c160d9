/** Ghost paths of compared episodes over the picture, with their names in a corner; on every camera, as they are paths in the world. */

import { h, icon } from "./dom.js";
import { svg } from "./overlay.js";
import { Lens } from "./path_layer.js";

const HALO = "rgba(255,255,255,0.8)";

export class ComparedLayer {
  /** @param {{overlay: {root: SVGElement}, viewport: object, element: HTMLElement}} stage */
  constructor(stage) {
    this.stage = stage;
    this.lens = new Lens();
    this.paths = [];
    this.group = svg("g", { class: "layer-compared" });
    stage.overlay.root.prepend(this.group);
    this.names = h("ul");
    const close = h("button", { type: "button", title: "Take the compared paths off the picture", "aria-label": "Hide the compared paths", onclick: () => this.take([]) }, [icon("close")]);
    this.element = h("div", { class: "compared", hidden: true }, [h("div", { class: "compared-title" }, [h("span", { text: "compared" }), close]), this.names]);
    stage.picture.append(this.element);
    stage.viewport.onChange(() => this.draw());
  }

  connect(socket) {
    socket.on("compared", (m) => this.take(m.paths));
    socket.on("episode", (m) => { if (!m.parent_id) this.take([]); }); // another scene begins, where they lead past nothing
  }

  setProjection(projection) {
    if (this.lens.set(projection)) this.draw();
  }

  /** @param {{label: string, colour: string, points: number[][]}[]} paths points in the world [m] */
  take(paths) {
    this.paths = paths;
    this.element.hidden = !paths.length;
    this.names.replaceChildren(...paths.map((p) => {
      const mark = h("i");
      mark.style.background = p.colour;
      return h("li", { title: p.label }, [mark, h("span", { text: p.label })]);
    }));
    this.draw();
  }

  draw() {
    this.stage.element.dataset.compared = String(this.paths.length);
    if (this.lens.m) this.group.replaceChildren(...this.paths.map((p) => this.ghost(p)).filter(Boolean));
  }

  ghost({ colour, points }) {
    const places = points.map((p) => this.lens.project(p)).filter(Boolean).map((uv) => this.stage.viewport.toScreen(uv));
    if (!places.length) return null; // of an arm that stood still there is one place
    const d = places.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
    const shape = { d, fill: "none", "stroke-linecap": "round", "stroke-linejoin": "round" }, [x, y] = places.at(-1);
    return svg("g", { class: "compared-path" }, [
      svg("path", { ...shape, stroke: HALO, "stroke-width": 4.6 }),
      svg("path", { ...shape, stroke: colour, "stroke-width": 2.6 }),
      svg("circle", { cx: x, cy: y, r: 4.5, fill: colour, stroke: HALO, "stroke-width": 1.6 }),
    ]);
  }
}
