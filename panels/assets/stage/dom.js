/** Making elements. Text is always set as text, never as markup. */

/**
 * @param {string} tag
 * @param {Record<string, any>} attributes `class`, `text`, `on…` handlers, `dataset`, other attributes
 * @param {(Node | string)[]} children
 */
export function h(tag, attributes = {}, children = []) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "text") node.textContent = value;
    else if (key === "dataset") Object.assign(node.dataset, value);
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

const SVG = "http://www.w3.org/2000/svg";

/** Shapes of 20x20 icons: strokes unless the path starts with "!", which is filled. */
const ICONS = {
  tool_select: ["M5 3l10 7-4.6 1.1L8 16z"],
  tool_arrow: ["M4 16L15 5", "M8.5 4.5H15.5V11.5"],
  tool_path: ["M3.5 15.5l4-7 4.5 3.5 4-7", "!M3.5 14a1.5 1.5 0 100 3 1.5 1.5 0 000-3z", "!M7.5 7a1.5 1.5 0 100 3 1.5 1.5 0 000-3z", "!M12 10.5a1.5 1.5 0 100 3 1.5 1.5 0 000-3z", "!M16 3.5a1.5 1.5 0 100 3 1.5 1.5 0 000-3z"],
  tool_circle: ["M10 3.5a6.5 6.5 0 100 13 6.5 6.5 0 000-13z", "!M10 9a1 1 0 100 2 1 1 0 000-2z"],
  tool_pen: ["M4 16l.8-3.4L13 4.4a1.6 1.6 0 012.3 0l.3.3a1.6 1.6 0 010 2.3l-8.2 8.2z", "M11.6 5.8l2.6 2.6"],
  tool_erase: ["M8 16l-4-4a1.4 1.4 0 010-2l6-6a1.4 1.4 0 012 0l4 4a1.4 1.4 0 010 2l-6 6z", "M7 7l6 6", "M8 16h8"],
  tool_trace: ["M4 15.5C6.5 15.5 6 9 10 9s3.5-4.5 6-4.5", "!M4 13.8a1.7 1.7 0 100 3.4 1.7 1.7 0 000-3.4z", "!M10 7.3a1.7 1.7 0 100 3.4 1.7 1.7 0 000-3.4z", "!M16 2.8a1.7 1.7 0 100 3.4 1.7 1.7 0 000-3.4z"],
  tool_mask: ["M10 3.2C14 3.2 17 6 17 9.6S14 16.8 10 16.8 3 14 3 10 6 3.2 10 3.2z", "M10 7.2v5.6M7.2 10h5.6"],
  tool_hand: ["M6 10V5.2a1.1 1.1 0 012.2 0V9M8.2 9V4a1.1 1.1 0 012.2 0v5M10.4 9V4.7a1.1 1.1 0 012.2 0V10M12.6 9.5V6.7a1.1 1.1 0 012.2 0V12c0 3-2 5-4.5 5-2.2 0-3.3-1-4.3-3L4.2 11a1.1 1.1 0 011.8-1.2l1.2 1.4"],
  undo: ["M7 4L3.5 7.5 7 11", "M4 7.5h7.5a4.3 4.3 0 010 8.6H8"],
  redo: ["M13 4l3.5 3.5L13 11", "M16 7.5H8.5a4.3 4.3 0 000 8.6H12"],
  clear: ["M4.5 6h11", "M8 6V4.2h4V6", "M6 6l.7 10h6.6L14 6", "M8.8 8.8v4.5M11.2 8.8v4.5"],
  toggle_snap: ["M5 4v6a5 5 0 0010 0V4", "M5 7.2h3M12 7.2h3", "M8 4v6a2 2 0 004 0V4"],
  toggle_style: ["M3 13c2-6 4-6 5-2s3 3 4-1 3-4 5-1"],
  play: ["!M6 4l10 6-10 6z"],
  pause: ["!M5.5 4h3v12h-3zM11.5 4h3v12h-3z"],
  step_back: ["!M14 4.5v11L7 10z", "M5.5 4.5v11"],
  step_forward: ["!M6 4.5v11l7-5.5z", "M14.5 4.5v11"],
  first_step: ["!M16 4.5v11L10 10z", "!M10 4.5v11L4.5 10z", "M3.5 4.5v11"],
  follow_live: ["!M10 7.2a2.8 2.8 0 100 5.6 2.8 2.8 0 000-5.6z", "M5.3 5.3a6.6 6.6 0 000 9.4M14.7 5.3a6.6 6.6 0 010 9.4"],
  reset: ["M15.5 10a5.5 5.5 0 11-1.7-4", "M14.5 2.8v3.5H11"],
  branch: ["M6 4.5v11", "M6 11c0-3.5 8-1.5 8-5", "!M6 2.5a1.7 1.7 0 100 3.4 1.7 1.7 0 000-3.4z", "!M6 14a1.7 1.7 0 100 3.4A1.7 1.7 0 006 14z", "!M14 3.5a1.7 1.7 0 100 3.4 1.7 1.7 0 000-3.4z"],
  hand: ["M6 10V5.2a1.1 1.1 0 012.2 0V9M8.2 9V4a1.1 1.1 0 012.2 0v5M10.4 9V4.7a1.1 1.1 0 012.2 0V10M12.6 9.5V6.7a1.1 1.1 0 012.2 0V12c0 3-2 5-4.5 5-2.2 0-3.3-1-4.3-3L4.2 11a1.1 1.1 0 011.8-1.2l1.2 1.4"],
  policy: ["M6.5 6.5h7v7h-7z", "M8.5 3.5v3M11.5 3.5v3M8.5 13.5v3M11.5 13.5v3M3.5 8.5h3M3.5 11.5h3M13.5 8.5h3M13.5 11.5h3"],
  halted: ["!M7 3h6l4 4v6l-4 4H7l-4-4V7z"],
  history: ["M4 10a6 6 0 106-6 6 6 0 00-4.6 2.2", "M5 3v3.4h3.4", "M10 7v3.3l2.2 1.4"],
  idle: ["M10 4a6 6 0 100 12 6 6 0 000-12z"],
  camera: ["M3 6.5h3L7.4 4.5h5.2L14 6.5h3v9H3z", "M10 8a2.7 2.7 0 100 5.4A2.7 2.7 0 0010 8z"],
  toggle_pip: ["M3 4.5h14v11H3z", "!M10 10h5.5v4H10z"],
  toggle_intention: ["M3.5 15.5c2.5-1 2-6.5 5-7.5s4 3.5 6.5 1", "!M16 6.2a2 2 0 100 4 2 2 0 000-4z", "!M3.5 14a1.5 1.5 0 100 3 1.5 1.5 0 000-3z"],
  toggle_heat: ["M10 3.5a6.5 6.5 0 100 13 6.5 6.5 0 000-13z", "M10 6.8a3.2 3.2 0 100 6.4 3.2 3.2 0 000-6.4z", "!M10 9a1 1 0 100 2 1 1 0 000-2z"],
  close: ["M5 5l10 10M15 5L5 15"],
  swap: ["M4 7.5h11l-3-3M16 12.5H5l3 3"],
  fit: ["M4 8V4h4M12 4h4v4M16 12v4h-4M8 16H4v-4"],
  warn: ["M10 3.5l7 12.5H3z", "M10 8v4M10 13.8v.4"],
  check: ["M4.5 10.5l3.5 3.5 7.5-8"],
  copy: ["M7 7h8v9H7z", "M5 13V4h8"],
};

/** @param {string} name a name in ICONS */
export function icon(name) {
  const node = document.createElementNS(SVG, "svg");
  node.setAttribute("viewBox", "0 0 20 20");
  node.setAttribute("aria-hidden", "true");
  node.setAttribute("class", "icon");
  for (const shape of ICONS[name] ?? []) {
    const part = document.createElementNS(SVG, "path");
    const isFilled = shape.startsWith("!");
    part.setAttribute("d", isFilled ? shape.slice(1) : shape);
    if (isFilled) part.setAttribute("class", "filled");
    node.append(part);
  }
  return node;
}

const KEY_NAMES = { " ": "Space", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc" };

/** "Ctrl+Shift+z" as a person reads it. */
export function keyLabel(key) {
  if (key === "Shift++") return "Shift +";
  const parts = key === "+" ? ["+"] : key.split("+");
  return parts.map((part) => KEY_NAMES[part] ?? (part.length === 1 ? part.toUpperCase() : part)).join(" ");
}

/** Name, keys and effect of a command in one tooltip. */
export function tooltip(command) {
  const keys = command.keys.map(keyLabel).join(" or ");
  return `${command.title}${keys ? ` (${keys})` : ""}\n${command.tooltip}`;
}
