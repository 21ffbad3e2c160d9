/** The path that a person edits: points in the world [m]. Drags happen here at once; the server hears of them when the pointer is let go. */

const newId = () => crypto.randomUUID?.().slice(-12) ?? Math.random().toString(36).slice(2, 14);
export const distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
/** Where the end-effector may be sent [m]. */
const BOX = [[0.15, 0.85], [-0.55, 0.55], [0.005, 0.6]];

const NOTHING = { version: 0, path: { points: [], source: "human", note: "" }, old: [], what: "", is_own: false, repair: null, report: null, can_undo: false, can_redo: false, drive: null };

export class PathModel {
  /** @param {(name: string, args: object) => Promise<object>} request asks the server */
  constructor(request) {
    this.request = request;
    this.state = NOTHING;
    this.points = [];
    this.drive = null;
    this.ghost = null;
    this.score = null;
    this.selectedId = null;
    this.hoverId = null;
    /** What a pressed pointer is changing: news from the server waits until it is let go. @type {object | null} */
    this.held = null;
    this.numSent = 0;
    this.waiting = null;
    /** A path of an earlier moment that is looked at; read only. */
    this.past = null;
    this.isSnapping = false;
    this.listeners = new Set();
  }

  onChange(fn) {
    this.listeners.add(fn);
  }

  changed() {
    for (const fn of this.listeners) fn(this);
  }

  // --- news ---

  /** Takes the truth of the server; while a point is held or an edit is on its way, the newest of it waits. */
  take(message) {
    if (this.held || this.numSent > 0) {
      this.waiting = message;
      this.state = { ...this.state, report: message.version === this.state.version ? message.report : this.state.report };
      return;
    }
    this.state = message;
    this.points = message.path.points;
    this.drive = message.drive;
    if (!this.points.some((p) => p.id === this.selectedId)) this.selectedId = null;
    this.changed();
  }

  takeDrive(message) {
    this.drive = message;
    this.changed();
  }

  /** @param {object[] | null} points of an earlier moment */
  showPast(points) {
    if (points === this.past) return;
    this.past = points;
    this.changed();
  }

  // --- reading ---

  get shown() {
    return this.past ?? this.points;
  }

  get undoing() {
    return { canUndo: this.state.can_undo, canRedo: this.state.can_redo };
  }

  get isEmpty() {
    return this.points.length === 0;
  }

  /** Points that were travelled cannot be edited any more. */
  get numPassed() {
    return this.drive && !this.past ? Math.min(this.drive.num_passed, this.points.length) : 0;
  }

  get selected() {
    return this.points.find((p) => p.id === this.selectedId) ?? null;
  }

  isEditable(id) {
    return !this.past && this.points.findIndex((p) => p.id === id) >= this.numPassed;
  }

  /** Whether there are checks of exactly what is shown. */
  get report() {
    return this.held || this.numSent || this.past ? null : this.state.report;
  }

  get length() {
    return this.points.slice(1).reduce((sum, p, i) => sum + distance(p.position, this.points[i].position), 0);
  }

  /** Length of the path up to each point [m]. */
  get arcs() {
    let sum = 0;
    return this.shown.map((p, i, all) => (sum += i ? distance(p.position, all[i - 1].position) : 0));
  }

  // --- edits ---

  select(id) {
    if (id === this.selectedId) return;
    this.selectedId = id;
    this.changed();
  }

  hover(id) {
    if (id === this.hoverId) return;
    this.hoverId = id;
    this.changed();
  }

  hold(id, what) {
    this.held = { id, what, before: this.points, isMoved: false };
    this.select(id);
  }

  /** Moves the held point; nothing is sent yet. */
  moveHeld(position) {
    if (!this.held) return;
    const place = position.map((c, i) => Math.min(Math.max(c, BOX[i][0]), BOX[i][1]));
    this.held.isMoved = true;
    this.points = this.points.map((p) => (p.id === this.held.id ? { ...p, position: place } : p));
    this.changed();
  }

  /** Lets go: what was moved is sent. @param {object} [more] further arguments of the command */
  release(more) {
    const held = this.held;
    this.held = null;
    if (held?.isMoved) return this.send(held.what, more);
    this.catchUp();
    return undefined;
  }

  /** Puts the held point back. @returns {boolean} whether one was held */
  cancel() {
    if (!this.held) return false;
    this.points = this.held.before;
    this.held = null;
    this.catchUp();
    this.changed();
    return true;
  }

  catchUp() {
    const message = this.waiting;
    if (!message || this.held || this.numSent) return;
    this.waiting = null;
    this.take(message);
  }

  change(points, what) {
    this.points = points;
    this.changed();
    return this.send(what);
  }

  number(id) {
    return this.points.findIndex((p) => p.id === id) + 1;
  }

  /** Adds a point behind point `index`, and returns its id; it is sent when it is let go. */
  insert(index, position) {
    const point = { id: newId(), position, gripper: null, speed: null };
    const before = this.points;
    this.points = [...before.slice(0, index + 1), point, ...before.slice(index + 1)];
    this.hold(point.id, `added point ${index + 2}`);
    Object.assign(this.held, { before, isMoved: true });
    this.changed();
    return point.id;
  }

  remove(id) {
    if (!this.isEditable(id) || this.points.length <= 2) return false;
    const number = this.number(id);
    this.selectedId = this.points[number]?.id ?? this.points[number - 2]?.id ?? null;
    this.change(this.points.filter((p) => p.id !== id), `deleted point ${number}`);
    return true;
  }

  set(id, fields, what) {
    if (!this.isEditable(id)) return false;
    this.change(this.points.map((p) => (p.id === id ? { ...p, ...fields } : p)), what ?? `changed point ${this.number(id)}`);
    return true;
  }

  setAll(fields, what) {
    const first = this.numPassed;
    this.change(this.points.map((p, i) => (i < first ? p : { ...p, ...fields })), what);
  }

  moveBy(id, offset) {
    const point = this.points.find((p) => p.id === id);
    if (!point || !this.isEditable(id)) return;
    this.hold(id, `moved point ${this.number(id)}`);
    this.moveHeld(point.position.map((c, i) => c + offset[i]));
    this.release();
  }

  get document() {
    return { version: 1, source: "human", note: "", points: this.points };
  }

  send(what, more = {}) {
    return this.ask("trajectory_edit", { document: this.document, what, ...more });
  }

  /** Asks the server for something that changes the path; its answer is the new truth. A refusal brings back what was. */
  async ask(name, args = {}) {
    this.numSent += 1;
    const before = this.state;
    let answer = null;
    try {
      answer = await this.request(name, args);
      return answer;
    } catch {
      return undefined; // the stage shows why
    } finally {
      this.numSent -= 1;
      const isNewer = !this.waiting || (answer?.version ?? -1) >= this.waiting.version;
      if (isNewer) this.waiting = answer?.path ? answer : (this.waiting ?? before);
      this.catchUp();
    }
  }
}
