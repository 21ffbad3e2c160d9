/** The stage: puts picture, drawing, tools, status and keys together, and connects them to the live session of this tab. */

import { Asks } from "./asks.js";
import { AttentionLayer } from "./attention.js";
import { CandidateLayer } from "./candidates.js";
import { ComparedLayer } from "./compared.js";
import { Curtain } from "./curtain.js";
import { Dialogs } from "./dialogs.js";
import { Drawing } from "./document.js";
import { h } from "./dom.js";
import { HandTool } from "./hand.js";
import { Hint } from "./hint.js";
import { Hud } from "./hud.js";
import { Driver } from "./driver.js";
import { IntentionView } from "./intention.js";
import { Keymap } from "./keymap.js";
import { FRAME_SIZE, Layout } from "./layout.js";
import { Overlay, svg } from "./overlay.js";
import { commandOfPage, needsArgs } from "./page_commands.js";
import { Picture } from "./picture.js";
import { PictureInPicture, StrokeList } from "./side.js";
import { LiveSocket } from "./socket.js";
import { MaskTool } from "./masks.js";
import { Tools } from "./tools.js";
import { TraceTool } from "./trace.js";
import { Viewport } from "./viewport.js";

const TAB_KEY = "vla-workbench.tab";
const NO_DRAWING = { idle: "Start an episode first (Scene tab).", correcting: "You are driving. Hand back (Tab) to draw, or correct by hand (C)." };

class Stage {
  constructor(root, { props, trigger }) {
    Object.assign(this, { root, props, trigger });
    this.viewport = new Viewport();
    this.drawing = new Drawing();
    this.cameras = [];
    this.camera = "";
    this.inFlight = 0;
    this.commits = 0;
    /** Whether the drawing has changed since it was run. */
    this.isFresh = false;
    this.status = null;
    this.build();
  }

  build() {
    this.canvas = h("canvas", { class: "frame", width: FRAME_SIZE, height: FRAME_SIZE });
    this.svg = svg("svg", { class: "overlay", "aria-hidden": "true" });
    this.notes = h("div", { class: "notes" });
    this.surface = h("div", {
      class: "surface",
      tabindex: "0",
      role: "application",
      "aria-label": "Live camera picture. Draw on it; press question mark for keys. Shift Tab leaves it.",
    });
    this.hint = new Hint();
    this.curtain = new Curtain();
    this.picture = h("div", { class: "picture" }, [this.canvas, this.svg, this.notes, this.surface, this.hint.element, this.curtain.element]);
    this.centre = h("div", { class: "centre" }, [this.picture]);
    this.side = h("div", { class: "side" });
    this.main = h("div", { class: "main" }, [this.centre, this.side]);
    this.element = h("div", { class: "stage", dataset: { seq: "0", mode: "", connection: "connecting" } }, [this.main]);
    this.root.replaceChildren(this.element);
    this.overlay = new Overlay(this.svg, this.notes, this.viewport, this.drawing);
    this.viewport.onChange(() => { this.canvas.style.transform = this.viewport.css; });
    this.intention = new IntentionView({
      overlay: this.overlay,
      viewport: this.viewport,
      send: (wish) => this.socket?.command("show_intention", wish),
      onChange: () => this.hud?.showViews(this.intention.wish),
    });
    this.attention = new AttentionLayer(this);
    this.candidates = new CandidateLayer(this);
    this.compared = new ComparedLayer(this);
    this.asks = new Asks(this);
    this.tools = new Tools(this.surface, {
      viewport: this.viewport,
      drawing: this.drawing,
      overlay: this.overlay,
      commit: (kind, isSnapped) => this.commit(kind, isSnapped),
      canDraw: () => this.refuseDrawing(),
      onChange: () => this.showTools(),
    });
    this.path = new TraceTool(this);
    this.tools.hands.set("trace", this.path);
    this.hand = new HandTool(this);
    this.tools.hands.set("hand", this.hand);
    this.masks = new MaskTool(this);
    this.tools.hands.set("mask", this.masks);
    this.tools.currentStep = () => this.status?.shown_step ?? this.status?.step ?? 0;
    this.drawing.onChange(() => this.changed());
    this.layout = new Layout(this);
  }

  /** Connects to a live session, also to another one than before. */
  connect(tab) {
    if (!tab?.tab_id || this.socket?.tab.tab_id === tab.tab_id) return;
    this.socket?.close();
    sessionStorage.setItem(TAB_KEY, JSON.stringify({ tab_id: tab.tab_id, token: tab.token }));
    const socket = (this.socket = new LiveSocket({ tab_id: tab.tab_id, token: tab.token }));
    const VLAW = (window.VLAW = window.VLAW || {});
    this.path.connect(socket);
    VLAW.path = this.path;
    this.candidates.connect(socket);
    this.compared.connect(socket);
    VLAW.candidates = this.candidates;
    this.masks.connect(socket);
    VLAW.masks = this.masks;
    VLAW.socket = socket;
    VLAW.run = (name, args) => this.run(name, args);
    this.frames = new Picture(this.canvas, socket, 0, (frame) => this.shown(frame));
    socket.on("hello", (m) => this.welcome(m));
    socket.on("status", (m) => this.showStatus(m));
    socket.on("drawing", (m) => this.load(m));
    socket.on("trail", (m) => this.extendTrail(m));
    socket.on("intention", (m) => this.showIntention(m));
    socket.on("insight_map", (m) => this.attention.take(m));
    socket.on("loading", (m) => this.showLoading(m.title, m.policy));
    socket.on("changed", (m) => this.trigger("changed", { what: m.what }));
    socket.on("refused", (m) => this.dialogs?.toast(m.error));
    socket.on("error", (m) => this.dialogs?.toast(m.error));
    socket.on("connection", (m) => this.showConnection(m));
    this.rates = setInterval(() => this.showRates(), 250);
  }

  welcome(message) {
    this.cameras = message.cameras;
    if (!this.hud) this.furnish(message.commands);
    this.overlay.clearTrail();
    this.showStatus(message.status);
    this.drawing.load(message.drawing);
    const stored = this.drawing.strokes.length ? this.drawing.doc.camera : this.camera;
    const wanted = this.camera || stored;
    if (this.cameras.length) this.showCamera(this.cameras.includes(wanted) ? wanted : this.cameras[0]);
    this.intention.ask();
    this.trigger("changed", { what: "episode" }); // panels missed what happened before this connection
  }

  /** Builds what depends on the table of commands; once. */
  furnish(table) {
    const commands = new Map(table.map((c) => [c.name, c]));
    const run = (name, args, options) => this.run(name, args, options);
    this.commands = commands;
    this.hud = new Hud({ commands, run, tools: this.tools, drawing: this.drawing, path: this.path.model, focusPicture: () => this.focusPicture() });
    this.dialogs = new Dialogs(table, table.filter((c) => c.context !== "correcting" && !needsArgs(c)), run);
    this.pip = new PictureInPicture({ socket: this.socket, onSwap: (name) => this.swap(name), onClose: () => run("toggle_pip"), next: (n) => this.neighbour(n, 1) });
    this.intention.attach(this.pip);
    this.path.attach(this.pip);
    this.masks.attach(this.picture);
    this.hud.showViews(this.intention.wish);
    this.list = new StrokeList(this.drawing, (id) => { this.drawing.select(id); run("delete"); });
    this.driver = new Driver(this);
    this.keymap = new Keymap(table, {
      root: this.root,
      surface: this.surface,
      run,
      contexts: () => [...this.masks.contexts, ...this.path.contexts, ...(this.drawing.selected ? ["selection"] : []), ...(this.status?.mode === "correcting" ? ["correcting"] : []), "stage"],
      isDialogOpen: () => this.dialogs.isOpen,
      cancel: () => this.cancel(),
      setHidden: (isHidden) => this.element.classList.toggle("is-bare", isHidden),
    });
    this.main.prepend(this.hud.rail);
    this.picture.append(this.hud.top, this.intention.strip.element, this.hud.bottom, this.dialogs.toasts);
    this.side.append(this.list.element);
    this.element.append(this.hud.transport, this.dialogs.dialog);
    this.tools.choose(this.tools.tool);
    this.layout.arrange();
  }

  /** Unless somebody is in a dialog that the button opened. */
  focusPicture() {
    if (!this.dialogs.isOpen) this.surface.focus({ preventScroll: true });
  }

  // --- what is shown ---

  shown(frame) {
    const name = this.cameras[frame.camera] ?? "";
    for (const part of [this.overlay, this.intention, this.attention, this.masks]) part.setCamera(name);
    this.projection = frame.projection;
    for (const part of [this.overlay, this.path, this.candidates, this.compared, this.hand]) part.setProjection(frame.projection);
    const { dataset } = this.element;
    dataset.seq = String(frame.seq);
    if (dataset.step !== String(frame.step)) dataset.step = String(frame.step);
    if (dataset.camera !== name) dataset.camera = name;
    this.socket.release();
  }

  showStatus(status) {
    this.asks.show(status.question);
    if (this.status?.episode_id !== status.episode_id) this.overlay.clearTrail();
    const before = this.status;
    this.status = status;
    this.hud?.showStatus(status);
    if (this.hud) this.hand.follow(status, before);
    if (before?.mode !== status.mode) this.driver?.forget();
    this.layout.follow(status);
    this.intention.refresh();
    this.overlay.setPlanStep(status.mode === "autonomous" ? status.plan_step : null);
    this.list?.setPlanStep(status.mode === "autonomous" ? status.plan_step : null);
    if (status.error && status.error !== this.lastError) this.dialogs?.toast(status.error);
    this.lastError = status.error;
    if (this.loading && (status.policy === this.awaited || status.error)) this.showLoading("", "");
    const key = [status.mode, status.plan_step, status.shown_step, status.episode_id, status.step > 0, status.policy, status.is_success].join();
    if (key === this.statusKey) return;
    this.statusKey = key;
    Object.assign(this.element.dataset, { mode: status.mode, planStep: String(status.plan_step ?? ""), shownStep: String(status.shown_step ?? ""), episode: status.episode_id });
    this.hud?.showTools();
    this.showHint();
  }

  /** Another tool is in the hand, or another thing can be done with it. */
  showTools() {
    this.path?.setActive(this.tools.tool === "trace");
    this.masks?.setActive(this.tools.tool === "mask");
    this.hud?.showTools();
    this.showHint();
  }

  showRates() {
    if (!this.hud || !this.frames) return;
    const isMoving = ["autonomous", "correcting"].includes(this.status?.mode);
    this.hud.showRates(this.frames.fps, this.frames.latency, isMoving);
    Object.assign(this.element.dataset, { fps: this.frames.fps.toFixed(1), latency: String(Math.round(this.frames.latency ?? -1)), frames: String(this.frames.numShown) });
  }

  showConnection({ state }) {
    this.element.dataset.connection = state;
    this.curtain.show(state);
    if (state === "gone") sessionStorage.removeItem(TAB_KEY);
  }

  showHint() {
    this.hint.show(this);
  }

  /** A driver that takes its time to come: said until it acts, or does not come at all. */
  showLoading(title, policy) {
    Object.assign(this, { loading: title, awaited: policy });
    this.showHint();
  }

  showIntention(message) {
    this.intention.take(message);
    this.element.dataset.intention = this.intention.summary;
  }

  extendTrail(message) {
    if (message.from === 0) this.overlay.clearTrail();
    this.overlay.extendTrail(message.points);
  }

  changed() {
    this.hud?.showTools();
    this.element.dataset.strokes = String(this.drawing.strokes.length);
    this.showHint();
  }

  // --- cameras ---

  neighbour(name, offset) {
    const i = this.cameras.indexOf(name);
    return this.cameras[(i + offset + this.cameras.length) % this.cameras.length];
  }

  showCamera(name) {
    if (name !== this.camera) this.viewport.fit();
    this.camera = name;
    this.tools.cancel();
    this.requestFrames();
    this.hud.showCameras(this.cameras, name);
  }

  requestFrames() {
    if (this.camera) this.socket.showCamera(0, this.camera, this.layout.frameSize, this.layout.frameSize);
  }

  swap(name) {
    const large = this.camera;
    this.showCamera(name);
    this.pip.show(large);
  }

  // --- the drawing ---

  refuseDrawing() {
    const reason = NO_DRAWING[this.status?.mode];
    if (reason) this.dialogs?.toast(reason, "info");
    return reason;
  }

  commit(kind, isSnapped = false) {
    this.inFlight += 1;
    this.commits += 1;
    this.isFresh = true;
    const document = this.drawing.doc;
    this.socket
      .request("commit_sketch", { document, snap: isSnapped })
      .then((reading) => {
        this.props.value = { ...this.props.value, sketch: reading.sketch, seq: this.commits };
        this.element.dataset.commits = String(this.commits);
        this.trigger("commit", { kind, seq: this.commits });
      })
      .catch(() => this.restore?.())
      .finally(() => { this.inFlight -= 1; });
  }

  load(message) {
    // A newer change of ours is on its way: its own answer will bring the whole truth.
    if (this.inFlight > 1 || this.tools.isBusy) this.drawing.reading = { ...this.drawing.reading, ghosts: message.ghosts, problems: message.problems };
    else this.drawing.load(message);
    this.restore = () => this.drawing.load(message);
  }

  /** @returns {boolean} whether there was something to cancel or deselect */
  cancel() {
    if (this.tools.cancel() || this.path.deselect()) return true;
    if (!this.drawing.selected) return false;
    this.drawing.select(null);
    return true;
  }

  // --- commands ---

  /** Runs a command of the table by name: in the page when it is the page's, else on the server. */
  run(name, args, options = {}) {
    const local = commandOfPage(this, name, args, options);
    if (local) return local();
    if (name === "run_plan") {
      if (this.tools.finish()) return undefined;
      this.isFresh = false;
    }
    return this.socket.command(name, args ?? {});
  }
}

/**
 * Mounts the stage in a Gradio HTML component.
 * @param {{element: HTMLElement, props: object, trigger: Function, watch: Function}} host
 */
export function mountStage({ element, props, trigger, watch }) {
  const root = element.querySelector(".stage-root") ?? element;
  const stage = new Stage(root, { props, trigger });
  watch("value", () => stage.connect(props.value));
  stage.connect(props.value);
  return stage;
}
