/* What belongs to the page and to no tool: the line on top, theme, small pieces that panels share. */
(() => {
  "use strict";
  const VLAW = (window.VLAW = window.VLAW || {});
  const THEME_KEY = "vla-workbench.theme";

  const applyTheme = (name) => document.body.classList.toggle("dark", name === "dark");
  const storedTheme = () => localStorage.getItem(THEME_KEY);
  const systemTheme = () => (window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  if (storedTheme()) document.addEventListener("DOMContentLoaded", () => applyTheme(storedTheme()));

  /* The stage sets VLAW.socket. use(socket) is called for that one and each later one. Whoever comes late is told the newest state again:
     hello, and the newest message of each kind that hello brings with it. */
  let socket = null;
  let said = {};
  const uses = [];
  const take = (made) => {
    socket = made;
    said = {};
    const kept = new Set();
    const keep = (type) => {
      if (kept.has(type)) return;
      kept.add(type);
      made.on(type, (message) => { said[type] = message; });
    };
    made.on("hello", (hello) => {
      said = { hello };
      for (const [name, state] of Object.entries(hello)) if (state && typeof state === "object" && !Array.isArray(state)) keep(name);
    });
    for (const use of uses) use(made);
  };
  const early = VLAW.socket;
  Object.defineProperty(VLAW, "socket", { get: () => socket, set: take });
  if (early) take(early);
  VLAW.withSocket = (use) => {
    uses.push(use);
    if (!socket) return;
    use(socket);
    for (const [type, message] of Object.entries(said)) socket.emit(type, message);
  };

  /* Wraps what redraws a part of the page, so that it never redraws under a pressed pointer: a click needs the same element at press
     and at release, or the browser drops it. The newest call waits until shortly after the release (a touch clicks a little later). */
  const CLICK_MS = 80, LONGEST_PRESS_MS = 5000;
  VLAW.steady = (element, draw) => {
    let pressedAt = -Infinity, waiting = null, timer = 0;
    const isPressed = () => performance.now() - pressedAt < LONGEST_PRESS_MS;
    const catchUp = () => {
      const args = waiting;
      waiting = null;
      if (args) draw(...args);
    };
    element.addEventListener("pointerdown", () => { pressedAt = performance.now(); clearTimeout(timer); }, true);
    for (const type of ["pointerup", "pointercancel"]) {
      window.addEventListener(type, () => {
        if (!isPressed()) return;
        timer = setTimeout(() => { pressedAt = -Infinity; catchUp(); }, CLICK_MS);
      }, true);
    }
    return (...args) => {
      waiting = args;
      if (!isPressed()) catchUp();
    };
  };

  /* Gradio measures its tabs when the page is made and when the window changes: again, once our style and the fonts are there. */
  const measureAgain = () => window.dispatchEvent(new Event("resize"));
  window.addEventListener("load", measureAgain);
  document.fonts?.ready.then(measureAgain);

  VLAW.mountTopbar = (element, props, trigger, watch) => {
    setTimeout(measureAgain, 1000);
    const name = element.querySelector('[data-is="name"]');
    const connection = element.querySelector('[data-is="connection"]');
    const show = () => { if (document.activeElement !== name) name.value = props.value?.name ?? ""; };
    watch("value", show);
    show();
    name.addEventListener("keydown", (e) => { e.stopPropagation(); if (e.key === "Enter") name.blur(); });
    name.addEventListener("change", () => { props.value = { name: name.value }; trigger("rename"); });
    if (storedTheme()) applyTheme(storedTheme());
    element.querySelector('[data-do="theme"]').addEventListener("click", () => {
      const next = document.body.classList.contains("dark") ? "light" : "dark";
      localStorage.setItem(THEME_KEY, next);
      applyTheme(next);
      window.dispatchEvent(new Event("vlaw-theme"));
    });
    for (const command of ["palette", "help"])
      element.querySelector(`[data-do="${command}"]`).addEventListener("click", () => VLAW.run?.(command));
    const setConnection = (state) => { connection.dataset.state = state; connection.textContent = state; };
    VLAW.withSocket((live) => {
      live.on("connection", (m) => setConnection(m.state));
      setConnection(live.state);
    });
  };
})();
