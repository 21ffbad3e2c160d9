/** Keys to commands, from the server's table; no key but HALT's acts while somebody types. */

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

/** What Escape closes before it means anything to the robot, beside fields. */
const POPUPS = "ul[role=listbox], [role=menu], dialog[open]";

/** Whether a key does something in a field or a control. */
function isTyped(event) {
  return CONTROL_KEYS.has(event.key) || (event.key.length === 1 && !event.ctrlKey && !event.altKey && !event.metaKey);
}

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
    this.wasGiven = false;
    this.jogs = new Set();
    this.onDown = (e) => this.down(e);
    this.onUp = (e) => this.up(e);
    this.onFirst = (e) => this.first(e);
    this.onPress = () => { this.wasGiven = false; };
    document.addEventListener("keydown", this.onFirst, true);
    document.addEventListener("pointerdown", this.onPress, true);
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

  /** Hears keys before anything else does: HALT counts wherever the focus is, and Escape has an order of its own. */
  first(event) {
    if (!document.body.contains(this.root)) return this.remove();
    if (event.isComposing) return;
    const name = this.find(keyName(event))?.name;
    if (name === "escape") return this.escape(event);
    this.wasGiven = false;
    if (name !== "halt" || isTyped(event)) return;
    event.preventDefault();
    event.stopPropagation();
    if (!event.repeat) this.run("halt");
  }

  down(event) {
    if (!document.body.contains(this.root)) return this.remove();
    if (event.defaultPrevented || event.isComposing || isTextField(event.target) || this.isDialogOpen()) return;
    const isOnStage = event.target === this.surface;
    const isOnControl = !isOnStage && event.target !== document.body && event.target.closest?.("button, a, [role], input, summary, [tabindex]");
    if (isOnControl && CONTROL_KEYS.has(event.key) && !event.ctrlKey && !event.altKey) return;
    if (event.key === "Tab" && !isOnStage) return;
    const command = this.find(keyName(event));
    if (!command || command.name === "escape") return;
    event.preventDefault();
    event.stopPropagation();
    if (command.name === "hide_overlays") this.hide(event.key);
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

  /**
   * Closes what is open, a list, a field or a dialog; else cancels the tool, then deselects, then halts. What is open gets it never twice
   * in a row, and twice in half a second halts at once, wherever the focus is: nothing can keep HALT away.
   */
  escape(event) {
    if (event.repeat) return;
    const isTwice = event.timeStamp - this.lastEscape < DOUBLE_MS;
    this.lastEscape = event.timeStamp;
    this.wasGiven = !isTwice && !this.wasGiven && this.isOpen(event.target);
    if (this.wasGiven) return void setTimeout(() => event.target.blur()); // when it has been heard there
    if (!this.isDialogOpen()) event.preventDefault();
    if (isTwice || !this.cancel()) this.run("halt");
  }

  /** Whether the person is in a field, or something is open that Escape closes. */
  isOpen(target) {
    return isTextField(target) || this.isDialogOpen() || [...document.querySelectorAll(POPUPS)].some((popup) => popup.checkVisibility());
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
    document.removeEventListener("keydown", this.onFirst, true);
    document.removeEventListener("pointerdown", this.onPress, true);
    document.removeEventListener("keydown", this.onDown);
    document.removeEventListener("keyup", this.onUp);
    this.release();
  }
}
