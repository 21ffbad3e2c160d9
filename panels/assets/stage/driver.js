/** Driving the arm by keys while a human is in control: the arrows follow the picture that is shown. */

const STEP_M = 0.008;
const STEP_RAD = 0.06;
/** A place above the middle of the table [m], where screen directions are measured. */
const CENTRE = [0.5, 0, 0.1];
const DIRECTIONS = { jog_left: [-1, 0], jog_right: [1, 0], jog_forward: [0, -1], jog_back: [0, 1] };

export class Driver {
  /** @param {{socket: object, projection: Float32Array, camera: string}} stage */
  constructor(stage) {
    this.stage = stage;
    this.gripper = 1;
    this.isTold = false;
    this.hasDriven = false;
  }

  /** Another one has driven: the gripper is as it was told by that one. */
  forget() {
    this.isTold = false;
    this.hasDriven = false;
  }

  /** The person drives: how to do that need not be said any more. */
  begin() {
    if (this.hasDriven) return;
    this.hasDriven = true;
    this.stage.showHint();
  }

  /** The horizontal world axis that runs most nearly along a direction on the screen. */
  worldAxis([du, dv]) {
    const m = this.stage.projection;
    const project = ([x, y, z]) => {
      const w = m[8] * x + m[9] * y + m[10] * z + m[11];
      return [(m[0] * x + m[1] * y + m[2] * z + m[3]) / w, (m[4] * x + m[5] * y + m[6] * z + m[7]) / w];
    };
    const origin = project(CENTRE);
    let best = [0, 0, 0], bestCosine = -Infinity;
    for (const axis of [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]]) {
      const end = project(CENTRE.map((c, i) => c + 0.02 * axis[i]));
      const d = [end[0] - origin[0], end[1] - origin[1]];
      const cosine = (d[0] * du + d[1] * dv) / (Math.hypot(...d) || 1);
      if (cosine > bestCosine) [best, bestCosine] = [axis, cosine];
    }
    return best;
  }

  /** Moves by a vector of six: metres and radians of one control step; the gripper stays as it is told. */
  drive(move) {
    this.begin();
    if (!this.isTold) this.gripper = this.stage.status?.gripper ?? 1;
    return this.stage.socket.command("jog", { action: [...move, this.gripper] });
  }

  /** Opens (1) or closes (0) the gripper. */
  grip(opening) {
    this.gripper = opening;
    this.isTold = true;
    if (this.stage.status?.mode === "correcting") this.drive([0, 0, 0, 0, 0, 0]);
  }

  /** @param {string} name `jog_gripper`, `jog_keys` with the held keys, or one jog command */
  run(name, held) {
    this.begin();
    // What the gripper was last told, so that taking over drops nothing.
    if (!this.isTold) this.gripper = this.stage.status?.gripper ?? 1;
    if (name === "jog_gripper") {
      this.gripper = this.gripper > 0.5 ? 0 : 1;
      this.isTold = true;
    }
    const keys = name === "jog_keys" ? held : name === "jog_gripper" ? [] : [{ name, isLarge: false }];
    const action = [0, 0, 0, 0, 0, 0, this.gripper];
    for (const { name: key, isLarge } of keys) {
      const scale = isLarge ? 2.5 : 1;
      if (key in DIRECTIONS && this.stage.projection) this.worldAxis(DIRECTIONS[key]).forEach((v, i) => { action[i] += v * STEP_M * scale; });
      if (key === "jog_up") action[2] += STEP_M * scale;
      if (key === "jog_down") action[2] -= STEP_M * scale;
      if (key === "jog_turn_left") action[5] += STEP_RAD * scale;
      if (key === "jog_turn_right") action[5] -= STEP_RAD * scale;
    }
    return this.stage.socket.command("jog", { action });
  }
}
