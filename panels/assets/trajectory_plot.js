/* A plot of heights in the Trajectory tab: the path from the side, or along its way, with points that are dragged. */
(() => {
  "use strict";
  const VLAW = (window.VLAW = window.VLAW || {});
  const SVG = "http://www.w3.org/2000/svg";
  const HIT_PX = 15, PAD = { left: 34, right: 10, top: 10, bottom: 18 };
  const COLOURS = { ok: "#22b26b", bad: "#e5383b", none: "#d99a00", own: "#12b094", behind: "#97a0b0", old: "#97a0b0", ghost: "#8f6ff0" };

  const svg = (tag, attributes = {}, ...children) => {
    const node = document.createElementNS(SVG, tag);
    for (const [key, value] of Object.entries(attributes)) if (value !== undefined && value !== null) node.setAttribute(key, value);
    node.append(...children.filter(Boolean));
    return node;
  };
  const line = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

  /* A plot of heights in which points are dragged up and down, and along where the axis is a direction of the world. */
  class Plot {
    /* across(point, i, arcs) -> metres on the axis; spread(model) -> [from, to]; move(point, across, height) -> position or null */
    constructor(element, label, { across, spread, move }) {
      Object.assign(this, { element, label, across, spread, move });
      this.svg = svg("svg", { class: "plot", role: "img", "aria-label": label });
      element.append(this.svg);
      this.held = null;
      new ResizeObserver(() => this.draw()).observe(element);
      this.svg.addEventListener("pointerdown", (e) => this.down(e));
      this.svg.addEventListener("pointermove", (e) => this.drag(e));
      this.svg.addEventListener("pointerup", (e) => this.up(e));
      this.svg.addEventListener("pointercancel", () => { this.held = null; this.path?.model.cancel(); });
      this.svg.addEventListener("pointerleave", () => { if (!this.held) this.path?.model.hover(null); });
    }

    use(path) { this.path = path; this.draw(); }
    get width() { return this.element.clientWidth; }
    get height() { return this.element.clientHeight; }
    x(value) { const [a, b] = this.range; return PAD.left + ((value - a) / (b - a || 1)) * (this.width - PAD.left - PAD.right); }
    y(value) { return this.height - PAD.bottom - (value / this.top) * (this.height - PAD.top - PAD.bottom); }
    valueAt(x) { const [a, b] = this.range; return a + ((x - PAD.left) / (this.width - PAD.left - PAD.right)) * (b - a); }
    heightAt(y) { return ((this.height - PAD.bottom - y) / (this.height - PAD.top - PAD.bottom)) * this.top; }
    at(e) { const box = this.svg.getBoundingClientRect(); return [e.clientX - box.left, e.clientY - box.top]; }
    places(model) { const { arcs } = model; return model.shown.map((p, i) => [this.x(this.across(p, i, arcs)), this.y(p.position[2])]); }

    hit(at) {
      const { model } = this.path;
      let best = { gap: HIT_PX, id: null };
      this.places(model).forEach(([x, y], i) => {
        const gap = Math.hypot(x - at[0], y - at[1]);
        if (i >= model.numPassed && gap < best.gap) best = { gap, id: model.points[i].id };
      });
      return best.id;
    }

    down(e) {
      if (e.button !== 0 || !this.path || this.path.model.past) return;
      const at = this.at(e), id = this.hit(at);
      e.preventDefault();
      if (!id) return void this.path.model.select(null);
      this.svg.setPointerCapture(e.pointerId);
      const { model } = this.path;
      const i = model.points.findIndex((p) => p.id === id), place = this.places(model)[i];
      model.hold(id, `raised point ${model.number(id)}`);
      this.held = { id, by: [place[0] - at[0], place[1] - at[1]] };
    }

    drag(e) {
      if (!this.path) return;
      const { model } = this.path, at = this.at(e);
      if (!this.held) {
        const id = model.past ? null : this.hit(at);
        model.hover(id);
        this.svg.style.cursor = id ? "grab" : "";
        return;
      }
      const point = model.points.find((p) => p.id === this.held.id);
      if (!point) return;
      const height = Math.max(0.005, this.heightAt(at[1] + this.held.by[1]));
      model.moveHeld(this.move(point.position, this.valueAt(at[0] + this.held.by[0]), height));
    }

    up() {
      if (!this.held) return;
      this.held = null;
      this.path.model.release();
    }

    draw() {
      const model = this.path?.model;
      if (!model || this.width < 40) return;
      // The scale stays while a point is held: what is dragged must not run away under the pointer.
      if (!this.held) {
        const highest = Math.max(0.12, ...model.shown.map((p) => p.position[2]), ...model.state.old.map((p) => p[2]));
        this.top = Math.min(0.62, 1.15 * highest);
        this.range = this.spread(model);
      }
      this.svg.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
      const places = this.places(model);
      const bad = new Set((model.report?.state === "bad" ? model.report.problems : []).map((p) => p.point));
      const colour = model.past ? COLOURS.old : !model.report || model.report.state === "checking" ? (model.state.is_own ? COLOURS.own : COLOURS.none) : bad.size ? COLOURS.bad : COLOURS.ok;
      const parts = [...this.grid(), ...this.boxes(model)];
      const old = this.others(model.state.old.map((p) => ({ position: p })));
      if (old.length > 1) parts.push(svg("path", { d: line(old), class: "old" }));
      if (model.ghost) parts.push(svg("path", { d: line(this.others(model.ghost.positions.map((p) => ({ position: p })))), class: "ghost" }));
      if (places.length > 1) parts.push(svg("path", { d: line(places), fill: "none", stroke: colour, "stroke-width": 2.5, "stroke-linejoin": "round" }));
      places.forEach(([x, y], i) => {
        const p = model.shown[i], isBehind = i < model.numPassed;
        const isHot = p.id === model.selectedId || p.id === model.hoverId;
        parts.push(svg("line", { x1: x, y1: y, x2: x, y2: this.y(0), class: "drop" }));
        parts.push(svg("circle", { cx: x, cy: y, r: isHot ? 7 : 5, class: `point${isBehind ? " behind" : ""}${p.id === model.selectedId ? " selected" : ""}${bad.has(i) ? " bad" : ""}`, "data-index": i }));
        if (p.gripper !== null) parts.push(this.text(x, y - 10, p.gripper > 0.5 ? "open" : "close", "middle"));
      });
      this.svg.replaceChildren(...parts);
    }

    others(points) {
      const arcs = points.reduce((all, p, i) => [...all, i ? all[i - 1] + Math.hypot(...[0, 1, 2].map((k) => p.position[k] - points[i - 1].position[k])) : 0], []);
      return points.map((p, i) => [this.x(this.across(p, i, arcs)), this.y(p.position[2])]);
    }

    boxes(model) {
      if (!this.foot) return [];
      return (model.state.obstacles ?? []).map((box) => {
        const [from, to] = this.foot(box), [a, b] = [this.x(from), this.x(to)];
        return svg("rect", { x: Math.min(a, b), y: this.y(box.height), width: Math.abs(b - a), height: this.y(0) - this.y(box.height), class: "box" });
      });
    }

    grid() {
      const parts = [], step = this.top > 0.3 ? 0.1 : 0.05;
      for (let z = 0; z <= this.top + 1e-9; z += step) {
        parts.push(svg("line", { x1: PAD.left, x2: this.width - PAD.right, y1: this.y(z), y2: this.y(z), class: z === 0 ? "ground" : "rule" }));
        parts.push(this.text(PAD.left - 5, this.y(z) + 3.5, `${Math.round(100 * z)}`, "end"));
      }
      parts.push(this.text(this.width - PAD.right, this.height - 4, this.label, "end"));
      return parts;
    }

    text(x, y, words, anchor) {
      const node = svg("text", { x, y, "text-anchor": anchor });
      node.textContent = words;
      return node;
    }
  }

  VLAW.HeightPlot = Plot;
})();
