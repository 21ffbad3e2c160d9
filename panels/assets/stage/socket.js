/**
 * The one connection of this tab: frames and messages down, commands and acknowledgements up. See docs/protocol.md.
 * Reconnects by itself; what it cannot mend (a closed tab, a wrong token) it says once, as state "gone".
 */

const HEADER_BYTES = 80;
const SILENCE_MS = 5000;
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 5000;
/** News that may wait for the next frame, while frames come: the page is then laid out and painted once for both. */
const HELD = new Set(["status", "trail"]);
const HOLD_MS = 70;
/** Close codes after which the same tab will never answer again. */
const FINAL_CODES = new Set([4401, 4403, 4404]);

/**
 * @typedef {object} Frame
 * @property {number} channel
 * @property {number} camera index into the cameras of the hello message
 * @property {number} flags
 * @property {number} seq
 * @property {number} step
 * @property {number} width
 * @property {number} height
 * @property {number} time simulated time [s]
 * @property {number} wallTime server clock when the frame was made [s]
 * @property {Float32Array} projection 3x4 row-major: world [m] to 0..1 image coordinates times depth
 * @property {Uint8Array} jpeg
 */

/**
 * @param {ArrayBuffer} buffer
 * @returns {Frame}
 */
export function parseFrame(buffer) {
  const view = new DataView(buffer);
  if (view.getUint8(0) !== 1) throw new Error(`frame version ${view.getUint8(0)} is not known`);
  const projection = new Float32Array(12);
  for (let i = 0; i < 12; i++) projection[i] = view.getFloat32(32 + 4 * i, true);
  return {
    channel: view.getUint8(1),
    camera: view.getUint8(2),
    flags: view.getUint8(3),
    seq: view.getUint32(4, true),
    step: view.getUint32(8, true),
    width: view.getUint16(12, true),
    height: view.getUint16(14, true),
    time: view.getFloat64(16, true),
    wallTime: view.getFloat64(24, true),
    projection,
    jpeg: new Uint8Array(buffer, HEADER_BYTES),
  };
}

export class LiveSocket {
  /** @param {{tab_id: string, token: string}} tab */
  constructor(tab) {
    this.tab = tab;
    /** @type {Map<string, Set<Function>>} */
    this.listeners = new Map();
    /** @type {Map<number, {resolve: Function, reject: Function}>} */
    this.waiting = new Map();
    /** @type {Map<number, object>} what each channel shows, asked for again after a reconnect */
    this.channels = new Map();
    /** @type {object[]} news that waits for the next frame */
    this.held = [];
    this.framesAt = -Infinity;
    this.seq = 0;
    this.attempt = 0;
    this.isClosed = false;
    this.state = "connecting";
    /** Server clock minus ours [s], from the quickest round trip. */
    this.clockOffset = 0;
    this.bestRoundTrip = Infinity;
    this.timer = setInterval(() => this.watch(), 1000);
    this.connect();
  }

  /**
   * Calls fn for each message of a type; "frame" and "connection" are types as well.
   * @returns {Function} stops it
   */
  on(type, fn) {
    if (!this.listeners.has(type)) this.listeners.set(type, new Set());
    this.listeners.get(type).add(fn);
    return () => this.listeners.get(type).delete(fn);
  }

  emit(type, message) {
    for (const fn of this.listeners.get(type) ?? []) {
      try { fn(message); } catch (error) { console.error(`listener of ${type} failed`, error); }
    }
  }

  setState(state, detail = {}) {
    this.state = state;
    this.emit("connection", { state, ...detail });
  }

  connect() {
    if (this.isClosed) return;
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const query = new URLSearchParams({ token: this.tab.token });
    const socket = new WebSocket(`${scheme}://${location.host}/live/${encodeURIComponent(this.tab.tab_id)}?${query}`);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.lastHeard = performance.now();
    socket.onmessage = (event) => this.receive(event.data);
    socket.onclose = (event) => this.lost(socket, event.code);
  }

  receive(data) {
    this.lastHeard = performance.now();
    if (data instanceof ArrayBuffer) {
      this.framesAt = this.lastHeard;
      this.emit("frame", parseFrame(data));
      return;
    }
    const message = JSON.parse(data);
    if (HELD.has(message.type) && this.lastHeard - this.framesAt < HOLD_MS) {
      this.held.push(message);
      this.holdTimer ??= setTimeout(() => this.release(), HOLD_MS);
      return;
    }
    this.release();
    if (message.type === "hello") this.welcome();
    if (message.type === "pong") this.measure(message);
    if (message.type === "ack") this.answer(message);
    this.emit(message.type, message);
  }

  /** Tells what was held back: called when a frame is drawn, and before anything that came later is told. */
  release() {
    clearTimeout(this.holdTimer);
    this.holdTimer = null;
    const held = this.held;
    this.held = [];
    const last = held.findLast((m) => m.type === "status");
    for (const message of held) if (message.type !== "status" || message === last) this.emit(message.type, message);
  }

  welcome() {
    this.attempt = 0;
    for (const request of this.channels.values()) this.send(request);
    this.setState("live");
    this.ping();
  }

  answer(message) {
    const call = this.waiting.get(message.seq);
    this.waiting.delete(message.seq);
    if (!message.ok) this.emit("refused", message);
    if (!call) return;
    if (message.ok) call.resolve(message.result);
    else call.reject(Object.assign(new Error(message.error), { kind: message.kind }));
  }

  ping() {
    this.send({ type: "ping", sent: performance.now() });
  }

  measure(message) {
    const roundTrip = performance.now() - message.sent;
    if (roundTrip > this.bestRoundTrip * 1.2) return;
    this.bestRoundTrip = Math.min(roundTrip, this.bestRoundTrip);
    this.clockOffset = message.time - (Date.now() - roundTrip / 2) / 1000;
  }

  watch() {
    if (this.state !== "live") return;
    if (performance.now() - this.lastHeard > SILENCE_MS) this.lost(this.socket, 4000);
    else this.ping();
  }

  lost(socket, code) {
    if (socket !== this.socket || this.isClosed) return;
    socket.onclose = socket.onmessage = null;
    socket.close();
    this.socket = null;
    if (this.waiting.size) {
      const error = this.refuse("The connection was lost before the answer came: look whether this was done.");
      for (const call of this.waiting.values()) call.reject(error);
      this.waiting.clear();
    }
    if (FINAL_CODES.has(code)) {
      this.setState("gone", { code });
      return;
    }
    this.setState("reconnecting", { attempt: this.attempt });
    const wait = Math.min(FIRST_WAIT_MS * 1.7 ** this.attempt, LONGEST_WAIT_MS) * (0.8 + 0.4 * Math.random());
    this.attempt += 1;
    setTimeout(() => this.connect(), wait);
  }

  send(message) {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  /**
   * Runs a server command by its name in the table of commands.
   * @returns {Promise<object>} its result; rejects with the server's message
   */
  request(name, args = {}) {
    const seq = ++this.seq;
    if (!this.send({ type: "command", name, args, seq })) {
      return Promise.reject(this.refuse("Not connected: this was not done. Try again in a moment."));
    }
    return new Promise((resolve, reject) => this.waiting.set(seq, { resolve, reject }));
  }

  /** Tells that something a person asked for got no answer, and returns the error of it. */
  refuse(error) {
    this.emit("refused", { error, kind: "Disconnected" });
    return Object.assign(new Error(error), { kind: "Disconnected" });
  }

  /** As request, for callers that need no answer: a refusal is shown by the stage. */
  command(name, args = {}) {
    return this.request(name, args).catch(() => undefined);
  }

  /** Shows a camera on a channel; null closes the channel. */
  showCamera(channel, name, width, height) {
    const request = { type: "camera", channel, name, ...(name ? { width, height } : {}) };
    if (name) this.channels.set(channel, request);
    else this.channels.delete(channel);
    this.send(request);
  }

  /** Tells the server that a frame, and so every earlier one, was shown. */
  acknowledge(frame) {
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    const view = new DataView(new ArrayBuffer(5));
    view.setUint8(0, frame.channel);
    view.setUint32(1, frame.seq, true);
    this.socket.send(view.buffer);
  }

  close() {
    this.isClosed = true;
    clearInterval(this.timer);
    this.socket?.close();
  }
}
