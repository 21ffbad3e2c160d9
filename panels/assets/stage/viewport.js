/** Zoom and pan: maps 0..1 image coordinates to CSS pixels of the picture box and back. */

const MAX_SCALE = 12;

export class Viewport {
  constructor() {
    this.scale = 1;
    this.x = 0;
    this.y = 0;
    this.width = 1;
    this.height = 1;
    this.listeners = new Set();
  }

  /** @param {() => void} fn called after every change */
  onChange(fn) {
    this.listeners.add(fn);
  }

  changed() {
    this.clamp();
    for (const fn of this.listeners) fn();
  }

  resize(width, height) {
    if (width < 1 || height < 1 || (width === this.width && height === this.height)) return;
    this.x *= width / this.width;
    this.y *= height / this.height;
    this.width = width;
    this.height = height;
    this.changed();
  }

  /** @param {[number, number]} point 0..1 @returns {[number, number]} CSS px */
  toScreen([u, v]) {
    return [u * this.width * this.scale + this.x, v * this.height * this.scale + this.y];
  }

  /** @param {[number, number]} point CSS px @returns {[number, number]} 0..1, may lie outside */
  toImage([x, y]) {
    return [(x - this.x) / (this.width * this.scale), (y - this.y) / (this.height * this.scale)];
  }

  zoomAt([x, y], factor) {
    const scale = Math.min(Math.max(this.scale * factor, 1), MAX_SCALE);
    const ratio = scale / this.scale;
    this.x = x - (x - this.x) * ratio;
    this.y = y - (y - this.y) * ratio;
    this.scale = scale;
    this.changed();
  }

  panBy(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.changed();
  }

  fit() {
    this.scale = 1;
    this.x = this.y = 0;
    this.changed();
  }

  clamp() {
    this.x = Math.min(0, Math.max(this.x, this.width * (1 - this.scale)));
    this.y = Math.min(0, Math.max(this.y, this.height * (1 - this.scale)));
  }

  /** CSS transform of the frame canvas, whose origin is its top left corner. */
  get css() {
    return `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
  }
}
