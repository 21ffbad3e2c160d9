/** Command palette, key sheet, note field and messages: all made from the table of commands. */

import { h, icon, keyLabel } from "./dom.js";

const CONTEXT_TITLES = { stage: "", selection: "with a stroke selected", correcting: "while you drive" };
const TOAST_MS = 6000;

export class Dialogs {
  /** @param {object[]} commands the table @param {object[]} choices what the palette offers @param {Function} run */
  constructor(commands, choices, run) {
    this.commands = commands;
    this.choices = choices;
    this.run = run;
    this.dialog = h("dialog", { class: "stage-dialog" });
    this.dialog.addEventListener("click", (e) => { if (e.target === this.dialog) this.dialog.close(); });
    this.dialog.addEventListener("keydown", (e) => e.stopPropagation());
    this.toasts = h("div", { class: "toasts", role: "alert", "aria-live": "assertive" });
  }

  get isOpen() {
    return this.dialog.open;
  }

  open(children, className, label) {
    this.dialog.className = `stage-dialog ${className}`;
    this.dialog.setAttribute("aria-label", label);
    this.dialog.replaceChildren(...children);
    this.dialog.showModal();
  }

  showKeys() {
    const groups = new Map();
    const one = this.commands.find((c) => c.name === "colour_1");
    const digits = { ...one, title: "Colour of that step", keys: ["1", "…", "8"] };
    const areDigits = !this.commands.some((c) => c.is_own && c.name.startsWith("colour_"));
    const shown = this.commands.filter((c) => c.keys.length && !(areDigits && /^colour_[2-8]$/.test(c.name)));
    for (const command of shown.map((c) => (areDigits && c === one ? digits : c))) {
      const title = [command.group, CONTEXT_TITLES[command.context]].filter(Boolean).join(", ");
      if (!groups.has(title)) groups.set(title, []);
      groups.get(title).push(command);
    }
    const sections = [...groups].map(([title, commands]) =>
      h("section", {}, [
        h("h3", { text: title }),
        h("dl", {}, commands.flatMap((c) => [h("dt", {}, c.keys.filter((key) => key !== "Shift+?").map((key) => h("kbd", { class: c.is_own ? "own" : "", text: keyLabel(key) }))), h("dd", { text: c.title, title: c.tooltip })])),
      ]),
    );
    const own = this.commands.some((c) => c.is_own) ? [h("p", { class: "own-keys", text: "Underlined keys come from keys.json in the root folder." })] : [];
    const close = h("button", { type: "button", class: "stage-button", "aria-label": "Close", onclick: () => this.dialog.close() }, [icon("close")]);
    this.open([h("header", {}, [h("h2", { text: "Keys" }), close]), h("div", { class: "key-sheet" }, sections), ...own], "keys", "Keys");
  }

  showPalette() {
    const input = h("input", { type: "text", class: "palette-input", placeholder: "Type a command", "aria-label": "Command", autocomplete: "off", spellcheck: "false" });
    const list = h("ul", { class: "palette-list", role: "listbox" });
    let shown = [], index = 0;
    const choose = (command) => {
      this.dialog.close();
      this.run(command.name);
    };
    const refresh = () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      const text = (c) => `${c.title} ${c.group} ${c.tooltip}`.toLowerCase();
      shown = this.choices.filter((c) => words.every((w) => text(c).includes(w)));
      index = Math.min(index, Math.max(0, shown.length - 1));
      list.replaceChildren(
        ...shown.map((c, i) =>
          h("li", { role: "option", "aria-selected": String(i === index), onclick: () => choose(c), onpointermove: () => { if (i !== index) { index = i; mark(); } } }, [
            h("span", { class: "palette-title", text: c.title }),
            h("span", { class: "palette-group", text: c.group }),
            ...c.keys.map((key) => h("kbd", { class: c.is_own ? "own" : "", text: keyLabel(key) })),
          ]),
        ),
      );
    };
    const mark = () => [...list.children].forEach((item, i) => item.setAttribute("aria-selected", String(i === index)));
    input.addEventListener("input", () => { index = 0; refresh(); });
    input.addEventListener("keydown", (e) => {
      const move = { ArrowDown: 1, ArrowUp: -1 }[e.key];
      if (move) {
        e.preventDefault();
        index = (index + move + shown.length) % Math.max(1, shown.length);
        mark();
        list.children[index]?.scrollIntoView({ block: "nearest" });
      } else if (e.key === "Enter" && shown[index]) {
        e.preventDefault();
        choose(shown[index]);
      }
    });
    refresh();
    this.open([input, list], "palette", "Command palette");
    input.focus();
  }

  /** @param {(text: string) => void} onText */
  askNote(onText) {
    const input = h("input", { type: "text", maxlength: "2000", class: "palette-input", placeholder: "What did you see? Enter saves, Esc closes", "aria-label": "Note" });
    input.addEventListener("keydown", (e) => {
      if (e.key !== "Enter" || !input.value.trim()) return;
      e.preventDefault();
      this.dialog.close();
      onText(input.value);
    });
    this.open([input], "note", "Note at this time");
    input.focus();
  }

  /** Shows a message for some seconds, with a copy button. @param {"error" | "info"} kind */
  toast(text, kind = "error") {
    const last = this.toasts.lastElementChild;
    if (last?.dataset.text === text) last.remove();
    const copy = h("button", { type: "button", class: "toast-button", title: "Copy this message", "aria-label": "Copy", onclick: () => navigator.clipboard?.writeText(text) }, [icon("copy")]);
    const close = h("button", { type: "button", class: "toast-button", title: "Close", "aria-label": "Close", onclick: () => toast.remove() }, [icon("close")]);
    const toast = h("div", { class: `toast is-${kind}`, dataset: { text } }, [h("span", { text }), ...(kind === "error" ? [copy] : []), close]);
    this.toasts.append(toast);
    while (this.toasts.children.length > 3) this.toasts.firstElementChild.remove();
    setTimeout(() => toast.remove(), TOAST_MS);
  }
}
