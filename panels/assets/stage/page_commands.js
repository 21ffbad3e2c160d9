/** Commands of the table that act in the page: choosing tools, zooming, moving what is selected. */

const WITH_ARGS = new Set(["set_speed", "change_speed", "seek", "commit_sketch", "edit_plan", "jog", "set_instruction", "set_manner", "set_policy", "show_intention", "rate", "status", "escape"]);

/** Commands that make no sense without arguments stay out of the palette. */
export function needsArgs(command) {
  return WITH_ARGS.has(command.name) || (/^(trajectory|mask)_/.test(command.name) && command.has_args) || (command.group === "Human" && command.has_args) || (command.group === "Steer" && command.name !== "reset_steering");
}

/**
 * What a command of the page does; undefined for one of the server.
 * @param {object} stage @param {string} name of the command @param {object} [args] @param {{isLarge?: boolean}} [options]
 */
export function commandOfPage(stage, name, args, { isLarge = false } = {}) {
  const nudge = (du, dv) => () => stage.tools.nudge(du * (isLarge ? 10 : 1), dv * (isLarge ? 10 : 1));
  const tool = name.startsWith("tool_") ? name.slice(5) : "";
  if (tool) return () => stage.tools.choose(tool === "sketch" ? stage.tools.lastDrawingTool : tool);
  if (name.startsWith("colour_")) return () => stage.tools.setStep(Number(name.slice(7)));
  const ofHand = stage.masks.local(name) ?? stage.path.local(name, isLarge);
  if (ofHand) return ofHand;
  if (name.startsWith("jog_")) return () => stage.driver.run(name, args);
  return {
    escape: () => stage.cancel() || stage.run("halt"),
    toggle_snap: () => { stage.tools.isSnapping = !stage.tools.isSnapping; stage.hud.showTools(); },
    toggle_style: () => stage.tools.toggleStyle(),
    clear: () => { stage.drawing.doc = { ...stage.drawing.doc, strokes: [] }; stage.drawing.changed(); stage.commit("clear"); },
    delete: () => stage.tools.changeSelected(() => null, "delete"),
    nudge_left: nudge(-1, 0),
    nudge_right: nudge(1, 0),
    nudge_up: nudge(0, -1),
    nudge_down: nudge(0, 1),
    slower: () => stage.run("change_speed", { offset: -1 }),
    faster: () => stage.run("change_speed", { offset: 1 }),
    step_back_10: () => stage.run("step_back", { n: 10 }),
    step_forward_10: () => stage.run("step_forward", { n: 10 }),
    previous_event: () => window.VLAW.timeline?.toEvent(-1),
    next_event: () => window.VLAW.timeline?.toEvent(1),
    show_camera: () => stage.showCamera(args.name),
    next_camera: () => stage.showCamera(stage.neighbour(stage.camera, 1)),
    previous_camera: () => stage.showCamera(stage.neighbour(stage.camera, -1)),
    toggle_pip: () => (stage.pip.isOpen ? stage.pip.hide() : stage.pip.show(stage.neighbour(stage.camera, 1))),
    toggle_intention: () => stage.intention.toggle("is_on"),
    toggle_heat: () => stage.intention.toggle("has_heat"),
    fit: () => stage.viewport.fit(),
    hide_overlays: () => stage.element.classList.toggle("is-bare"),
    palette: () => stage.dialogs.showPalette(),
    help: () => stage.dialogs.showKeys(),
    note: args ? undefined : () => stage.dialogs.askNote((text) => stage.run("note", { text })),
  }[name];
}
