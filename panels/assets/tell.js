/* Telling the robot something in words: what was understood, what would do instead, how it shall be done, and who listens.
   Everything goes through the tab's socket; text is written as text. */
(() => {
  "use strict";
  const VLAW = (window.VLAW = window.VLAW || {});
  const MANNERS = { slow: "slowly", quick: "quickly", careful: "carefully", high: "keep high", low: "keep low" };
  const SAID = { slow: /\bslowly\b/i, quick: /\bquickly\b/i, careful: /\bcarefully\b/i, high: /\b(keep|stay) high\b/i, low: /\b(keep|stay) low\b/i };
  const READER = "bench-vla";

  const make = (tag, properties = {}, ...children) => {
    const { data, ...rest } = properties;
    const node = Object.assign(document.createElement(tag), rest);
    for (const [name, value] of Object.entries(data || {})) node.dataset[name] = value;
    node.append(...children.filter(Boolean));
    return node;
  };
  const button = (text, title, onclick, className = "") => make("button", { type: "button", textContent: text, title, onclick, className });
  const listed = (words) => (words.length > 1 ? `${words.slice(0, -1).join(", ")} and ${words.at(-1)}` : (words[0] ?? ""));

  /** Opens the model card below. */
  const openCard = (event) => {
    event.preventDefault();
    const box = document.querySelector("#scene-card");
    const head = box?.querySelector("button.label-wrap:not(.open)");
    head?.click();
    box?.scrollIntoView({ block: "nearest", behavior: "smooth" });
  };

  class TellBox {
    constructor(element, props, watch) {
      Object.assign(this, { element, props });
      this.part = (name) => element.querySelector(`[data-is="${name}"]`);
      this.text = element.querySelector("textarea");
      this.answer = this.part("answer");
      this.status = {};
      this.text.addEventListener("keydown", (e) => {
        e.stopPropagation();
        if (e.key === "Enter" && !e.shiftKey && !e.isComposing) { e.preventDefault(); this.tell(); }
      });
      this.text.addEventListener("input", () => this.keep());
      element.querySelector('[data-do="tell"]').onclick = () => this.tell();
      this.chips = new Map(Object.entries(MANNERS).map(([name, words]) => [name, button(words, `Do the same ${words}; again takes it back`, () => this.manner(name), "chip")]));
      this.part("chips").append(...this.chips.values());
      watch("value", () => { if ((props.value?.text ?? "") !== this.text.value) this.text.value = props.value?.text ?? ""; });
      VLAW.withSocket((socket) => {
        socket.on("hello", (m) => this.show(m.status));
        socket.on("status", (m) => this.show(m));
      });
    }

    keep() { this.props.value = { text: this.text.value }; }

    async tell(text = this.text.value) {
      this.text.value = text;
      this.keep();
      await this.ask("set_instruction", { text });
    }

    manner(name) { return this.ask("set_manner", { name }); }

    async ask(name, args) {
      try {
        this.report(await VLAW.socket.request(name, args));
      } catch (error) {
        this.answer.hidden = false;
        this.answer.dataset.state = "refused";
        this.answer.replaceChildren(make("p", { textContent: error.message }));
      }
    }

    /* Says what became of the words. */
    report(result) {
      const lines = [];
      if (!result.is_told) {
        lines.push(make("p", {}, make("strong", { textContent: "Not told. " }), result.reason));
        if (result.suggestions.length) {
          const offers = result.suggestions.map((s) => button(s, "Tell it this", () => this.tell(s), "offer"));
          lines.push(make("p", { className: "label", textContent: "What it could do here:" }), make("div", { className: "offers" }, ...offers));
        }
      } else if (!result.is_read) {
        const name = this.status.driver?.name || this.status.policy || "What drives now";
        lines.push(make("p", { textContent: `${name[0].toUpperCase()}${name.slice(1)} does not read words.` }));
        lines.push(make("div", { className: "offers" }, button("Let the bench VLA do it", "It takes over as the driver and is told this", () => this.hire(result.text), "offer")));
      } else {
        lines.push(make("p", {}, result.is_changed ? "Understood as: " : "Told: ", make("strong", { textContent: result.instruction || "nothing in words" })));
        if (this.status.mode === "paused") lines.push(make("div", { className: "offers" }, button("Let it go", "The policy runs until you pause it (Space)", () => VLAW.run("resume"), "offer go")));
      }
      this.answer.dataset.state = result.is_told ? (result.is_changed ? "changed" : "told") : "refused";
      this.answer.hidden = false;
      this.answer.replaceChildren(...lines);
    }

    /* Another driver takes a while to get ready; it is told when it is there, see show(). */
    async hire(text) {
      const offer = this.answer.querySelector(".offer");
      offer.disabled = true;
      offer.textContent = "The bench VLA is getting ready …";
      const done = await VLAW.socket.command("set_policy", { name: READER });
      this.waiting = done ? { text, error: this.status.error } : null;
    }

    hired(status) {
      const { text, error } = this.waiting;
      if (status.driver?.name === READER) {
        this.waiting = null;
        this.tell(text);
      } else if (status.error && status.error !== error) {
        this.waiting = null;
        this.answer.dataset.state = "refused";
        this.answer.replaceChildren(make("p", { textContent: status.error }));
      }
    }

    show(status) {
      const isNew = status.episode_id !== this.status.episode_id;
      const isGoing = this.status.mode === "paused" && status.mode === "autonomous";
      this.status = status;
      if (this.waiting) this.hired(status);
      if (isNew) this.answer.hidden = true;
      if (isGoing) this.answer.querySelector(".go")?.remove();
      const placeholder = status.instruction || "Say what to do, for example: put the red cube on the white plate";
      if (this.text.placeholder !== placeholder) this.text.placeholder = placeholder;
      const driver = status.driver;
      this.part("chips").hidden = !driver?.has_manners;
      for (const [name, chip] of this.chips) {
        const isOn = SAID[name].test(status.instruction);
        if ((chip.ariaPressed === "true") !== isOn) chip.ariaPressed = String(isOn);
      }
      const key = JSON.stringify(driver);
      if (key !== this.driverKey) { this.driverKey = key; this.tellFacts(driver); }
    }

    tellFacts(driver) {
      const facts = this.part("facts");
      if (!driver) { facts.replaceChildren(); return; }
      const reads = { text: "words", sketch: "drawings", trace: "traces", mask: "masks" };
      const names = ["text", "sketch", "trace", "mask"].filter((r) => driver.reads.includes(r)).map((r) => reads[r]);
      const items = [
        make("span", { className: "fact", textContent: names.length ? `understands ${listed(names)}` : "takes no instructions" }),
        make("span", { className: driver.is_privileged ? "fact is-privileged" : "fact", textContent: driver.is_privileged ? "privileged: reads the simulator's truth" : "sees only what a robot would" }),
        driver.card ? make("a", { className: "fact", href: "#scene-card", onclick: openCard, textContent: "model card" }) : null,
      ];
      facts.title = driver.description;
      facts.replaceChildren(...items.filter(Boolean));
    }
  }

  VLAW.mountTell = (element, props, watch) => new TellBox(element, props, watch);
})();
