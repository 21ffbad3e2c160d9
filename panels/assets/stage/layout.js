/** How large the picture is on the screen, how large its frames are, and where the second camera goes. */

/** Frames while something moves, and the frame that drawings refer to [px]. */
export const FRAME_SIZE = 480;
const LARGEST_STILL = 960;
const QUIET_MS = 500;
const SIDE_PX = 120;
const GAP_PX = 8;

export class Layout {
  /** @param {object} stage its element, main, picture, side, hud, pip, viewport and showFrames(size) */
  constructor(stage) {
    this.stage = stage;
    this.size = FRAME_SIZE;
    this.frameSize = FRAME_SIZE;
    this.timer = 0;
    this.key = "";
    new ResizeObserver(() => this.arrange()).observe(stage.element);
  }

  arrange() {
    const { element, main, hud, picture, viewport } = this.stage;
    const rail = hud ? hud.rail.offsetWidth + GAP_PX : 0;
    const width = element.clientWidth;
    const height = element.clientHeight - (hud ? hud.transport.offsetHeight + GAP_PX : 0);
    if (width < 50 || height < 50) return;
    const space = Math.floor(Math.min(height, width - rail));
    // One frame pixel to one screen pixel is the sharpest picture, and the cheapest to paint.
    this.size = space >= FRAME_SIZE && space < 1.12 * FRAME_SIZE ? FRAME_SIZE : space;
    main.style.height = picture.style.width = picture.style.height = `${this.size}px`;
    viewport.resize(this.size, this.size);
    const isRoomy = width - rail - this.size - GAP_PX >= SIDE_PX;
    element.classList.toggle("has-side", isRoomy);
    this.placePip(isRoomy);
  }

  placePip(isDocked) {
    const { pip, side, picture } = this.stage;
    if (!pip) return;
    const home = isDocked ? side : picture;
    if (pip.element.parentElement === home) return;
    pip.element.classList.toggle("is-floating", !isDocked);
    pip.element.removeAttribute("style");
    if (isDocked) home.prepend(pip.element);
    else home.append(pip.element);
  }

  /** Small frames while anything changes; when all is quiet, one as sharp as the screen. @param {object} status */
  follow(status) {
    const isMoving = ["autonomous", "correcting"].includes(status.mode);
    const key = [isMoving, status.step, status.shown_step, status.stored_id, status.episode_id].join();
    if (key === this.key) return;
    this.key = key;
    clearTimeout(this.timer);
    this.ask(FRAME_SIZE);
    const sharp = Math.min(LARGEST_STILL, 16 * Math.round((this.size * (window.devicePixelRatio || 1)) / 16));
    if (!isMoving && sharp > 1.2 * FRAME_SIZE) this.timer = setTimeout(() => this.ask(sharp), QUIET_MS);
  }

  ask(size) {
    if (size === this.frameSize) return;
    this.frameSize = size;
    this.stage.requestFrames();
  }
}
