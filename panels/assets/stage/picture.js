/** Draws the frames of one channel on a canvas: newest wins, decoding off the main thread, rate and latency measured. */

const WINDOW = 40;

export class Picture {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {import("./socket.js").LiveSocket} socket
   * @param {number} channel
   * @param {(frame: import("./socket.js").Frame) => void} onShown called after each drawn frame
   */
  constructor(canvas, socket, channel, onShown) {
    this.canvas = canvas;
    this.socket = socket;
    this.channel = channel;
    this.onShown = onShown;
    this.context = canvas.getContext("2d", { alpha: false });
    this.pending = null;
    this.isBusy = false;
    this.numShown = 0;
    /** @type {{at: number, latency: number}[]} */
    this.samples = [];
    socket.on("frame", (frame) => { if (frame.channel === channel) this.take(frame); });
    socket.on("connection", () => { this.pending = null; });
  }

  take(frame) {
    this.pending = frame;
    if (!this.isBusy) this.show();
  }

  async show() {
    this.isBusy = true;
    while (this.pending) {
      const frame = this.pending;
      this.pending = null;
      try {
        const bitmap = await createImageBitmap(frame.jpeg);
        if (this.canvas.width !== bitmap.width || this.canvas.height !== bitmap.height) {
          this.canvas.width = bitmap.width;
          this.canvas.height = bitmap.height;
        }
        this.context.drawImage(bitmap, 0, 0);
        bitmap.close();
        this.note(frame);
        this.onShown(frame);
      } catch (error) {
        console.warn("a frame could not be decoded", error);
      }
      this.socket.acknowledge(frame);
    }
    this.isBusy = false;
  }

  note(frame) {
    this.numShown += 1;
    const now = performance.now();
    this.samples.push({ at: now, latency: 1000 * (Date.now() / 1000 + this.socket.clockOffset - frame.wallTime) });
    if (this.samples.length > WINDOW) this.samples.shift();
  }

  /** Frames per second over the last second or so; 0 when nothing has come for a second. */
  get fps() {
    const now = performance.now();
    const recent = this.samples.filter((s) => now - s.at < 1200);
    if (recent.length < 3) return 0;
    return (1000 * (recent.length - 1)) / (recent.at(-1).at - recent[0].at);
  }

  /** Median time from frame made to frame drawn [ms], or null. */
  get latency() {
    const sorted = this.samples.slice(-15).map((s) => s.latency).sort((a, b) => a - b);
    return sorted.length ? Math.max(0, sorted[sorted.length >> 1]) : null;
  }
}
