/** Draws the frames of one channel on a canvas: newest wins, decoding off the main thread, rate and latency measured. */

const WINDOW = 40;
/** Frames that are decoded at the same time: decoding waits for other threads, and the next frame need not. */
const MAX_DECODING = 2;
const JPEG = "image/jpeg";
/**
 * A paint is waited for no longer than this. Waiting shows more frames, but later: without it 21 of 30 frames a second were seen, with it
 * 26, and with paints waited for to their end 29, of which every twentieth was 10 ms older. A hidden page paints nothing at all.
 */
const LONGEST_PAINT_MS = 10;

/** Resolves when what is drawn now has been painted. */
const painted = () => new Promise((resolve) => {
  requestAnimationFrame(() => setTimeout(resolve, 0)); // the paint follows the callback
  setTimeout(resolve, LONGEST_PAINT_MS);
});

/**
 * Decodes a JPEG off the main thread. Where the browser has a decoder for bytes in memory that is used: a blob is read back from another
 * process first, which takes longer than decoding it.
 * @param {Uint8Array} bytes
 * @returns {Promise<{picture: ImageBitmap | VideoFrame, width: number, height: number}>}
 */
async function decode(bytes) {
  if (!("ImageDecoder" in window)) {
    const picture = await createImageBitmap(new Blob([bytes], { type: JPEG }));
    return { picture, width: picture.width, height: picture.height };
  }
  const decoder = new ImageDecoder({ data: bytes, type: JPEG });
  try {
    const { image } = await decoder.decode();
    return { picture: image, width: image.displayWidth, height: image.displayHeight };
  } finally {
    decoder.close();
  }
}

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
    this.numDecoding = 0;
    this.numTaken = 0;
    /** Number, in the order of arrival, of the newest frame that is decoded. */
    this.newestDecoded = 0;
    this.numShown = 0;
    /** @type {Promise<void> | null} until the newest one is painted */
    this.painting = null;
    /** @type {{at: number, latency: number}[]} */
    this.samples = [];
    socket.on("frame", (frame) => { if (frame.channel === channel) this.take(frame); });
    socket.on("connection", () => { this.pending = null; });
  }

  take(frame) {
    this.pending = frame;
    if (this.numDecoding < MAX_DECODING) this.work();
  }

  /** Shows the newest frame that waits, and the next one, until none waits. */
  async work() {
    this.numDecoding += 1;
    while (this.pending) {
      const frame = this.pending;
      this.pending = null;
      try {
        await this.show(frame, ++this.numTaken);
      } catch (error) {
        console.warn("a frame could not be decoded", error);
      }
      this.socket.acknowledge(frame);
    }
    this.numDecoding -= 1;
  }

  async show(frame, number) {
    const { picture, width, height } = await decode(frame.jpeg);
    this.newestDecoded = Math.max(this.newestDecoded, number);
    // Frames come in bursts: of two between two paints the first would never be seen. Of two that wait for a paint the older is too old.
    while (this.painting) await this.painting;
    if (number === this.newestDecoded) {
      if (this.canvas.width !== width || this.canvas.height !== height) {
        this.canvas.width = width;
        this.canvas.height = height;
      }
      this.context.drawImage(picture, 0, 0);
      this.painting = painted().then(() => { this.painting = null; });
      this.note(frame);
      this.onShown(frame);
    }
    picture.close();
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
