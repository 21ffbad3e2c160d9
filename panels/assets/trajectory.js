/* The Trajectory tab: height profile and side view of the path, its points, checks, preview, run and blend.
   The path itself lives in the stage's path tool (VLAW.path); text is written as text. */
(() => {
  "use strict";
  const VLAW = (window.VLAW = window.VLAW || {});
  const KINDS = { policy: "the policy's own", actions: "the policy's next actions", sketch: "the drawing", file: "a file", episode: "a recorded episode", plan: "planned", repair: "made feasible", human: "yours" };

  const make = (tag, properties = {}, ...children) => {
    const { data, ...rest } = properties;
    const node = Object.assign(document.createElement(tag), rest);
    for (const [name, value] of Object.entries(data || {})) node.dataset[name] = value;
    node.append(...children.filter((c) => c !== null && c !== undefined));
    return node;
  };
  const cm = (metres) => `${(100 * metres).toFixed(1)} cm`;
  const set = (node, text) => { if (node.textContent !== text) node.textContent = text; };

  const padded = ([a, b], least) => {
    const room = Math.max(least - (b - a), 0) / 2 + 0.03;
    return [a - room, b + room];
  };

  class TrajectoryPanel {
    constructor(element) {
      this.element = element;
      this.part = (name) => element.querySelector(`[data-is="${name}"]`);
      this.driver = "trace-follower";
      this.tolerance = 5;
      this.profile = new VLAW.HeightPlot(this.part("profile"), "height [cm] along the way →", {
        across: (p, i, arcs) => arcs[i],
        spread: (model) => [0, Math.max(model.arcs.at(-1) ?? 0, 0.05)],
        move: (position, _, height) => [position[0], position[1], height],
      });
      this.side = new VLAW.HeightPlot(this.part("side"), "height [cm], robot → camera", {
        across: (p) => p.position[0],
        spread: (model) => padded([Math.min(...model.shown.map((p) => p.position[0]), 0.45), Math.max(...model.shown.map((p) => p.position[0]), 0.5)], 0.3),
        move: (position, across, height) => [across, position[1], height],
      });
      this.side.foot = (box) => [box.x - box.depth / 2, box.x + box.depth / 2];
      this.redraw = VLAW.steady(this.part("controls"), () => this.draw());
      this.bind();
      VLAW.withSocket((socket) => {
        this.use(VLAW.path);
        socket.on("status", (m) => { this.status = m; });
        socket.on("trajectory_ghost", (m) => this.play(m));
        socket.on("trajectory_score", (m) => { this.path.model.score = m.score; this.path.model.changed(); });
      });
    }

    use(path) {
      if (this.path === path) return;
      this.path = path;
      path.go = () => this.run();
      this.profile.use(path);
      this.side.use(path);
      path.model.onChange(() => this.refresh());
      this.refresh();
    }

    /* Plots before the next paint; what is clicked only when no pointer is pressed on it. */
    refresh() {
      if (this.isWanted) return;
      this.isWanted = true;
      requestAnimationFrame(() => {
        this.isWanted = false;
        this.profile.draw();
        this.side.draw();
        this.redraw();
      });
    }

    ask(name, args) { return this.path.model.ask(name, args); }

    bind() {
      const on = (name, fn) => this.element.querySelectorAll(`[data-do="${name}"]`).forEach((node) => node.addEventListener("click", () => fn(node)));
      on("tool", () => VLAW.run("tool_trace"));
      on("own", () => { VLAW.run("tool_trace"); this.ask("trajectory_own"); });
      on("drawing", () => this.ask("trajectory_take", { source: "sketch" }));
      on("episode", () => { VLAW.run("tool_trace"); this.ask("trajectory_take", { source: "episode" }); });
      on("undo", () => VLAW.run("trajectory_undo"));
      on("redo", () => VLAW.run("trajectory_redo"));
      on("smooth", () => this.ask("trajectory_smooth", { tolerance_mm: this.tolerance }));
      on("repair", () => this.ask("trajectory_repair"));
      on("preview", () => VLAW.socket.command("trajectory_preview"));
      on("run", () => this.run());
      on("grip-close", () => this.grip(0));
      on("grip-open", () => this.grip(1));
      on("grip-none", () => this.grip(null));
      on("delete", () => VLAW.run("waypoint_delete"));
      on("snap", (node) => { this.path.model.isSnapping = !this.path.model.isSnapping; node.ariaPressed = String(this.path.model.isSnapping); });
      on("plan", () => this.plan());
      on("box", () => this.pickBox());
      on("unbox", () => this.boxes());
      for (const input of this.element.querySelectorAll("input, select")) input.addEventListener("keydown", (e) => e.stopPropagation());
      const tolerance = this.part("tolerance");
      tolerance.addEventListener("input", () => { this.tolerance = Number(tolerance.value); this.draw(); });
      const weight = this.part("weight");
      weight.addEventListener("input", () => this.showWeight());
      weight.addEventListener("change", () => {
        this.driver = "trace-blend";
        this.draw();
        if (this.path.model.drive?.driver === "trace-blend") VLAW.socket.command("trajectory_weight", { weight: Number(weight.value) / 100 });
      });
      const speed = this.part("speed");
      speed.addEventListener("change", () => {
        const value = Number(speed.value) / 100;
        if (!(value >= 0.01 && value <= 0.6)) return;
        const { model } = this.path;
        if (model.selected) model.set(model.selectedId, { speed: value }, `speed to point ${model.number(model.selectedId)}: ${speed.value} cm/s`);
        else model.setAll({ speed: value }, `speed: ${speed.value} cm/s`);
      });
      this.part("drivers").addEventListener("change", (e) => { this.driver = e.target.value; this.draw(); });
      const file = this.part("file");
      file.addEventListener("change", async () => {
        if (file.files[0]) await this.load(file.files[0]);
        file.value = "";
      });
    }

    grip(opening) {
      const { model } = this.path;
      const words = opening === null ? "no gripper event at" : opening ? "open the gripper at" : "close the gripper at";
      model.set(model.selectedId, { gripper: opening }, `${words} point ${model.number(model.selectedId)}`);
    }

    async load(file) {
      if (file.size > 900_000) return void this.say(`${file.name} has ${Math.round(file.size / 1000)} kB; at most 900 kB are read.`, true);
      const text = await file.text();
      await this.ask("trajectory_load", { text, name: file.name.slice(0, 100) });
    }

    async run() {
      const weight = this.driver === "trace-blend" ? Number(this.part("weight").value) / 100 : 1;
      this.path.model.score = null;
      this.path.model.ghost = null;
      this.say("");
      await this.ask("trajectory_run", { driver: this.driver, weight });
    }

    /* What the next click on the picture is for; null: nothing any more. */
    pick(what) {
      this.path.picking = what;
      this.path.model.changed();
    }

    /* The next clicks on the picture: where the plan shall start and end. */
    plan() {
      const sampler = this.part("sampler").value, marks = [];
      VLAW.run("tool_trace");
      this.say("Click on the picture where the path shall begin (Esc: leave it).");
      this.pick({
        take: (uv, camera) => {
          marks.push(uv);
          if (marks.length === 1) return void this.say("Now click where it shall end.");
          this.pick(null);
          this.say("Planning …");
          this.ask("trajectory_plan", { camera, start: marks[0], goal: marks[1], sampler }).then((answer) => this.say(answer?.path ? "" : "No plan was made."));
        },
      });
    }

    pickBox() {
      VLAW.run("tool_trace");
      this.say("Click on the table where the obstacle shall stand (Esc: leave it). The episode goes on with it from this moment, on a branch.");
      this.pick({
        take: (uv) => {
          this.pick(null);
          this.say("");
          const [width, depth, height] = ["box-width", "box-depth", "box-height"].map((name) => Number(this.part(name).value) / 100);
          const place = this.path.lens.onPlane(uv, [0, 0, 0], [0, 0, 1]);
          if (place) VLAW.socket.command("trajectory_obstacle", { x: place[0], y: place[1], width, depth, height });
        },
      });
    }

    boxes() { VLAW.socket.command("trajectory_unblock"); }

    say(words, isBad = false) {
      const node = this.part("say");
      node.hidden = !words;
      node.classList.toggle("is-bad", isBad);
      set(node, words);
    }

    showWeight() {
      const share = Number(this.part("weight").value);
      set(this.part("weight-text"), share === 0 ? "policy alone" : share === 100 ? "path alone" : `${100 - share} % policy, ${share} % path`);
    }

    /* Plays a preview on the picture, faster than it will be. */
    play(ghost) {
      const { model } = this.path;
      cancelAnimationFrame(this.playing);
      model.ghost = { ...ghost, now: ghost.joints[0] };
      const begun = performance.now(), speed = Math.max(4, ghost.duration_s / 6);
      const frame = () => {
        if (model.ghost?.id !== ghost.id) return;
        const index = Math.min(ghost.joints.length - 1, Math.floor((((performance.now() - begun) / 1000) * speed * ghost.joints.length) / Math.max(ghost.duration_s, 0.1)));
        model.ghost.now = index >= ghost.joints.length - 1 ? null : ghost.joints[index];
        model.changed();
        if (model.ghost.now) this.playing = requestAnimationFrame(frame);
      };
      this.say(ghost.trouble || `Previewed ${ghost.duration_s.toFixed(1)} s in ${ghost.wall_s.toFixed(1)} s (${Math.round(ghost.speed_ratio)}× real time); it ends ${cm(ghost.end_gap_m)} from the path's end.`, Boolean(ghost.trouble));
      this.element.dataset.ghosts = String(1 + Number(this.element.dataset.ghosts ?? 0));
      frame();
    }

    draw() {
      const model = this.path?.model;
      if (!model) return;
      const { state } = model, count = model.points.length, selected = model.selected;
      this.element.dataset.points = count;
      this.element.dataset.state = model.report?.state ?? "";
      this.element.dataset.version = state.version;
      this.part("empty").hidden = count > 0;
      this.part("body").hidden = count === 0;
      set(this.part("source"), count ? `${KINDS[state.path.source] ?? state.path.source}, ${count} points, ${cm(model.length)}` : "");
      set(this.part("note"), state.path.note);
      this.part("note").hidden = !state.path.note;
      this.drawReport(model);
      this.drawPoint(model, selected);
      const kept = this.keptBy(model, this.tolerance / 1000);
      set(this.part("tolerance-text"), `${this.tolerance} mm: ${kept} of ${count} points stay`);
      const isOn = { undo: state.can_undo, redo: state.can_redo, smooth: kept < count, repair: model.report?.state === "bad", run: count > 1, preview: count > 1, unbox: (state.obstacles ?? []).length > 0 };
      for (const [name, can] of Object.entries(isOn)) this.element.querySelectorAll(`[data-do="${name}"]`).forEach((node) => { node.disabled = !can; });
      for (const radio of this.part("drivers").querySelectorAll("input")) radio.checked = radio.value === this.driver;
      this.part("blend").hidden = this.driver !== "trace-blend";
      this.showWeight();
      const drive = model.drive;
      set(this.part("progress"), drive && this.status?.mode === "autonomous" ? `${Math.round(100 * drive.share)} % travelled; drag what lies ahead` : "");
      const score = model.score;
      this.part("score").hidden = !score;
      if (score) this.part("score").replaceChildren(...score.lines.map((text) => make("li", { textContent: text })));
    }

    drawReport(model) {
      const report = model.report, node = this.part("report");
      const state = report?.state ?? "none";
      node.dataset.state = state;
      const words = { none: "Not checked yet", checking: "Checking …", ok: `Feasible: ${report?.duration_s?.toFixed(1)} s, nothing in the way`, bad: `${report?.problems?.length} in the way of running it`, failed: report?.message ?? "" };
      set(node.querySelector(".verdict"), words[state] ?? state);
      node.querySelector("ul").replaceChildren(...(report?.problems ?? []).slice(0, 6).map((p) => {
        const item = make("li", {}, make("button", { type: "button", textContent: `Point ${p.point + 1}: ${p.message}`, title: "Select this point", onclick: () => model.select(model.points[p.point]?.id ?? null) }));
        return item;
      }));
      const repair = model.state.repair;
      this.part("repair").hidden = !repair;
      if (repair) this.part("repair").replaceChildren(...repair.notes.map((text) => make("li", { textContent: text })));
    }

    drawPoint(model, selected) {
      const number = selected ? model.number(selected.id) : 0;
      set(this.part("point"), selected ? `Point ${number}: ${cm(selected.position[2])} high, x ${cm(selected.position[0])}, y ${cm(selected.position[1])}` : "No point selected: click one on the picture or in the profile");
      const canEdit = Boolean(selected) && model.isEditable(selected.id);
      for (const [name, value] of [["grip-close", 0], ["grip-open", 1], ["grip-none", null]]) {
        const node = this.element.querySelector(`[data-do="${name}"]`);
        node.disabled = !canEdit;
        node.ariaPressed = String(canEdit && selected.gripper === value);
      }
      this.element.querySelector('[data-do="delete"]').disabled = !canEdit || model.points.length < 3;
      const speed = this.part("speed");
      if (document.activeElement !== speed) speed.value = Math.round(100 * (selected?.speed ?? model.points.at(-1)?.speed ?? 0.15));
    }

    /* How many points a smoothing leaves: Ramer, Douglas and Peucker, as the server does it. */
    keptBy(model, tolerance) {
      const points = model.points.map((p) => p.position), fixed = model.points.map((p) => p.gripper !== null);
      const sub = (a, b) => a.map((c, k) => c - b[k]), dot = (a, b) => a.reduce((s, c, k) => s + c * b[k], 0);
      const count = (first, last) => {
        const chord = sub(points[last], points[first]), length2 = dot(chord, chord);
        let worst = tolerance, at = -1;
        for (let i = first + 1; i < last; i++) {
          const inner = sub(points[i], points[first]), t = length2 > 0 ? Math.min(1, Math.max(0, dot(inner, chord) / length2)) : 0;
          const gap = Math.hypot(...inner.map((c, k) => c - t * chord[k]));
          if (gap > worst) [worst, at] = [gap, i];
        }
        return at < 0 ? 0 : 1 + count(first, at) + count(at, last);
      };
      const ends = points.map((_, i) => i).filter((i) => i === 0 || i === points.length - 1 || fixed[i]);
      return ends.length + ends.slice(1).reduce((sum, end, k) => sum + count(ends[k], end), 0);
    }
  }

  VLAW.mountTrajectory = (element) => { VLAW.trajectoryPanel = new TrajectoryPanel(element); };
})();
