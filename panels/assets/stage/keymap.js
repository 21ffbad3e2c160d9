/** Keys to commands, from the server's table; a key never acts while somebody types. */

const DOUBLE_MS = 500;
const JOG_MS = 80;

/** "Ctrl+Shift+z" of a keyboard event: modifiers in this order, then the key, letters in lower case. */
export function keyName(event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  return `${event.ctrlKey || event.metaKey ? "Ctrl+" : ""}${event.altKey ? "Alt+" : ""}${event.shiftKey ? "Shift+" : ""}${key}`;
}

/** Whether the element takes text, so that keys belong to it. */
export function isTextField(element) {
  if (!element) return false;
  if (element.isContentEditable || element.tagName === "TEXTAREA" || element.tagName === "SELECT") return true;
  return element.tagName === "INPUT" && !["button", "checkbox", "radio", "range", "submit", "color"].includes(element.type);
}

/** Keys that a focused control of the page needs for itself. */
const CONTROL_KEYS = new Set([" ", "Enter", "ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "Tab", "PageUp", "PageDown"]);

export class Keymap {
  /**
   * @param {object[]} commands the table
   * @param {{root: HTMLElement, surface: HTMLElement, run: Function, contexts: () => string[], isDialogOpen: () => boolean,
   *   cancel: () => boolean, setHidden: (isHidden: boolean) => void}} parts
   */
  constructor(commands, parts) {
    Object.assign(this, parts);
    /** @type {Map<string, Map<string, object>>} */
    this.byContext = new Map();
    for (const command of commands) {
      if (!this.byContext.has(command.context)) this.byContext.set(command.context, new Map());
      for (const key of command.keys) this.byContext.get(command.context).set(key, command);
    }
    this.lastEscape = -Infinity;
    this.jogs = new Set();
    this.onDown = (e) => this.down(e);
    this.onUp = (e) => this.up(e);
    document.addEventListener("keydown", this.onDown);
    document.addEventListener("keyup", this.onUp);
    window.addEventListener("blur", () => this.release());
  }

  /** The command of a key in the most specific context; Shift makes nudges and jogs larger, so those are found with it as well. */
  find(key) {
    for (const context of this.contexts()) {
      const keys = this.byContext.get(context);
      const command = keys?.get(key) ?? (context !== "stage" && key.startsWith("Shift+") ? keys?.get(key.slice(6)) : undefined);
      if (command) return command;
    }
    return null;
  }

  down(event) {
    if (!document.body.contains(this.root)) return this.remove();
    if (event.defaultPrevented || event.isComposing || isTextField(event.target) || this.isDialogOpen()) return;
    const isOnStage = event.target === this.surface;
    const isOnControl = !isOnStage && event.target !== document.body && event.target.closest?.("button, a, [role], input, summary, [tabindex]");
    if (isOnControl && CONTROL_KEYS.has(event.key) && !event.ctrlKey && !event.altKey) return;
    if (event.key === "Tab" && !isOnStage) return;
    const command = this.find(keyName(event));
    if (!command) return;
    event.preventDefault();
    event.stopPropagation();
    if (command.name === "escape") this.escape(event);
    else if (command.name === "hide_overlays") this.hide(event.key);
    else if (command.name.startsWith("jog_")) this.startJog(command.name, event);
    else if (!event.repeat || /^(step_|nudge_|undo|redo)/.test(command.name)) this.run(command.name, undefined, { isLarge: event.shiftKey });
  }

  up(event) {
    if (this.hidingKey && event.key.toLowerCase() === this.hidingKey.toLowerCase()) this.show();
    for (const jog of this.jogs) if (jog.key === event.key) this.jogs.delete(jog);
    if (!this.jogs.size) clearInterval(this.jogTimer);
  }

  /** Hides the overlays while a key is held. */
  hide(key) {
    this.hidingKey = key;
    this.setHidden(true);
  }

  show() {
    this.hidingKey = null;
    this.setHidden(false);
  }

  release() {
    this.show();
    this.jogs.clear();
    clearInterval(this.jogTimer);
  }

  /** Cancels the tool, then deselects, then halts; twice in half a second halts at once. */
  escape(event) {
    if (event.repeat) return;
    const isTwice = event.timeStamp - this.lastEscape < DOUBLE_MS;
    this.lastEscape = event.timeStamp;
    if (isTwice || !this.cancel()) this.run("halt");
  }

  /** Drives while the key is held; several keys add up. */
  startJog(name, event) {
    if ([...this.jogs].some((jog) => jog.name === name)) return;
    const jog = { name, key: event.key, isLarge: event.shiftKey };
    if (name === "jog_gripper") return void this.run("jog_gripper");
    this.jogs.add(jog);
    const drive = () => this.run("jog_keys", [...this.jogs].map((j) => ({ name: j.name, isLarge: j.isLarge })));
    drive();
    clearInterval(this.jogTimer);
    this.jogTimer = setInterval(drive, JOG_MS);
  }

  remove() {
    document.removeEventListener("keydown", this.onDown);
    document.removeEventListener("keyup", this.onUp);
    this.release();
  }
}
