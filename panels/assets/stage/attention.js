/** A map over the picture: where the action tokens look, or what the action depends on, as the Steering tab asks for it. */

import { h } from "./dom.js";
import { svg } from "./overlay.js";

const COLOURS = { attention: [255, 196, 60], occlusion: [255, 90, 160] };
const CAPTIONS = {
  attention: "attention (not attribution)",
  occlusion: "occlusion: the action depends on this",
};

export class AttentionLayer {
  /** @param {{overlay: {root: SVGElement}, viewport: object}} parts */
  constructor({ overlay, viewport }) {
    this.viewport = viewport;
    this.group = svg("g", { class: "layer-attention" });
    overlay.root.prepend(this.group);
    this.map = null;
    this.camera = "";
    viewport.onChange(() => this.refresh());
  }

  /** @param {object | null} map `camera`, `what`, `width`, `height`, `levels` (bytes in base64), `regions` with `at` in 0..1 */
  take(map) {
    this.map = map;
    this.href = map && this.paint(map);
    this.refresh();
  }

  setCamera(name) {
    if (name === this.camera) return;
    this.camera = name;
    this.refresh();
  }

  refresh() {
    if (this.isWanted) return;
    this.isWanted = true;
    requestAnimationFrame(() => {
      this.isWanted = false;
      this.draw();
    });
  }

  paint({ width, height, levels, what }) {
    const canvas = h("canvas", { width, height });
    const context = canvas.getContext("2d");
    const image = context.createImageData(width, height);
    const rgb = COLOURS[what] ?? COLOURS.attention;
    Uint8Array.from(atob(levels), (c) => c.charCodeAt(0)).forEach((level, i) => image.data.set([...rgb, Math.round(0.62 * level)], 4 * i));
    context.putImageData(image, 0, 0);
    return canvas.toDataURL();
  }

  draw() {
    if (!this.map || this.map.camera !== this.camera) {
      this.group.replaceChildren();
      return;
    }
    const [x, y] = this.viewport.toScreen([0, 0]), [right, bottom] = this.viewport.toScreen([1, 1]);
    const text = svg("text", { x: 10, y: this.viewport.height - 46, class: "intention-label" });
    text.textContent = CAPTIONS[this.map.what] ?? this.map.what;
    this.group.replaceChildren(
      svg("image", { x, y, width: right - x, height: bottom - y, href: this.href, preserveAspectRatio: "none" }),
      ...this.map.regions.map(({ at }, i) => {
        const [u, v] = this.viewport.toScreen(at);
        return svg("circle", { cx: u, cy: v, r: i ? 4 : 7, fill: "none", stroke: "#fff", "stroke-width": i ? 1.4 : 2.2 });
      }),
      text,
    );
  }
}
