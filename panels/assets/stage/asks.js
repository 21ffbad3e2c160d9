/** What the robot asks before it goes on, on the picture, where the person looks; whichever tab is open. */

import { h } from "./dom.js";

export class Asks {
  /** @param {{element: HTMLElement, socket: object}} stage */
  constructor(stage) {
    this.stage = stage;
    this.id = null;
  }

  /** @param {{id: string, text: string, timeout_s: number} | null} question */
  show(question) {
    const id = question?.id ?? null;
    if (this.id === id) return;
    this.id = id;
    const picture = this.stage.element.querySelector(".picture");
    picture.querySelector(".asks")?.remove();
    if (!question) return;
    const answer = (isAllowed) => () => this.stage.socket.command("answer", { is_allowed: isAllowed });
    picture.append(
      h("div", { class: "asks", role: "alertdialog" }, [
        h("p", { text: `${question.text} Shall it?` }),
        h("small", { text: `Without an answer it stays paused after ${Math.round(question.timeout_s)} s.` }),
        h("div", {}, [
          h("button", { type: "button", class: "yes", text: "Let it", title: "The robot does this, and does not ask again until it applies anew", onclick: answer(true) }),
          h("button", { type: "button", text: "No, stay", title: "The robot stays paused", onclick: answer(false) }),
        ]),
      ]),
    );
  }
}
