/** What lies over the picture while the live session cannot be reached. */

import { h } from "./dom.js";

const TEXTS = { gone: "This live session has ended.", reconnecting: "Disconnected, reconnecting …" };

export class Curtain {
  constructor() {
    this.text = h("p", { text: "Connecting …" });
    this.element = h("div", { class: "curtain" }, [h("div", { class: "spinner" }), this.text]);
  }

  /** @param {string} state of the connection: `live` opens the curtain, `gone` offers a new session */
  show(state) {
    this.element.hidden = state === "live";
    this.element.classList.toggle("is-gone", state === "gone");
    this.text.textContent = TEXTS[state] ?? "Connecting …";
    this.element.querySelector("button")?.remove();
    if (state === "gone") this.element.append(h("button", { type: "button", class: "stage-button reload", onclick: () => location.reload() }, ["Start a new one"]));
  }
}
