/* How events and actors look and read on the timeline. */
(() => {
  "use strict";
  const VLAW = (window.VLAW = window.VLAW || {});

  /* kind -> [icon path in a 16 x 16 box, colour, what it is called] */
  const KINDS = {
    start: ["M4 3 L13 8 L4 13 Z", "#6b7588", "Start"],
    instruction: ["M3 4 H13 M8 4 V13", "#3b82f6", "Instruction"],
    sketch: ["M3 13 L5 9 L11 3 L13 5 L7 11 Z", "#12b094", "Sketch"],
    plan: ["M3 4 H13 M3 8 H13 M3 12 H9", "#12b094", "Plan"],
    plan_step: ["M5 3 L11 8 L5 13", "#12b094", "Plan step"],
    mask: ["M8 2 A6 6 0 1 0 8.01 2 Z", "#8b5cf6", "Mask"],
    object: ["M3 5 V3 H5 M11 3 H13 V5 M13 11 V13 H11 M5 13 H3 V11 M8 6 A2 2 0 1 0 8.01 6 Z", "#8b5cf6", "Object"],
    trace: ["M2 12 C5 2 10 14 14 4", "#8b5cf6", "Trace"],
    path: ["M2 12 C5 2 10 14 14 4 M8 7.5 v2", "#d97706", "Path"],
    steering: ["M3 5 H13 M3 11 H13 M6 3 V7 M10 9 V13", "#8b5cf6", "Steering"],
    policy: ["M3 5 H13 V12 H3 Z M8 5 V2", "#3b82f6", "Policy"],
    pause: ["M5 3 V13 M11 3 V13", "#6b7588", "Pause"],
    resume: ["M4 3 L13 8 L4 13 Z", "#0b8d78", "Resume"],
    step: ["M4 3 L10 8 L4 13 M12 3 V13", "#6b7588", "Single step"],
    speed: ["M2 4 L8 8 L2 12 M8 4 L14 8 L8 12", "#6b7588", "Speed"],
    takeover: ["M5 13 V6 M8 13 V3 M11 13 V5 M5 13 H11", "#d97706", "Take over"],
    handback: ["M13 8 H4 M8 4 L4 8 L8 12", "#d97706", "Hand back"],
    intervention: ["M5 13 V6 M8 13 V3 M11 13 V5 M5 13 H11", "#f59e0b", "Correction"],
    discard: ["M4 5 H12 M6 5 V3 H10 V5 M5 5 L6 13 H10 L11 5", "#d97706", "Discarded correction"],
    keep: ["M4 2 H12 V14 L8 11 L4 14 Z", "#3b82f6", "Kept"],
    say: ["M3 3 H13 V10 H8 L5 13 V10 H3 Z M6 6 H10", "#3b82f6", "Said"],
    confirm: ["M6 6 A2 2 0 1 1 8 8 V10 M8 12 V12.4", "#d97706", "Asks first"],
    procedure: ["M3 4 L4.5 5.5 L7 3 M9 4 H13 M3 9 L4.5 10.5 L7 8 M9 9 H13", "#12b094", "Procedure"],
    subgoal: ["M8 2 A6 6 0 1 0 8.01 2 Z M8 6 A2 2 0 1 0 8.01 6 Z", "#12b094", "Sub-goal"],
    switch: ["M3 5 H12 L9 2 M13 11 H4 L7 14", "#d97706", "Change of course"],
    candidate: ["M3 13 C5 8 8 6 13 5 M3 13 C6 11 9 11 13 10 M3 13 C3 8 6 4 9 3", "#3b82f6", "Candidates"],
    halt: ["M5 2 H11 L14 5 V11 L11 14 H5 L2 11 V5 Z", "#dc2626", "HALT"],
    reset: ["M12 4 A6 6 0 1 0 14 9 M12 1 V5 H8", "#6b7588", "Reset"],
    alarm: ["M8 2 L14 13 H2 Z M8 6 V9", "#dc2626", "Alarm"],
    perturbation: ["M2 8 L5 4 L8 12 L11 4 L14 8", "#d97706", "Disturbance"],
    rating: ["M8 2 L10 6 L14 6.5 L11 9.5 L12 14 L8 11.5 L4 14 L5 9.5 L2 6.5 L6 6 Z", "#d97706", "Rating"],
    note: ["M3 3 H13 V10 H8 L5 13 V10 H3 Z", "#3b82f6", "Note"],
    branch: ["M5 2 V14 M5 9 C5 6 11 8 11 3", "#8b5cf6", "Branch"],
    success: ["M3 8 L7 12 L13 4", "#15803d", "Success"],
    error: ["M4 4 L12 12 M12 4 L4 12", "#dc2626", "Error"],
    end: ["M4 4 H12 V12 H4 Z", "#6b7588", "End"],
  };
  const ACTORS = { policy: ["#12b094", "policy"], human: ["#f59e0b", "human"], hold: ["#97a0b0", "hold"] };

  function brief(event) {
    const p = event.payload || {};
    if (event.kind === "candidate") return p.settings || p.handling ? "Candidates: settings changed" : `Candidates: number ${p.chosen} of ${p.count}${p.is_picked ? " picked by hand" : ""}, by ${p.verifier}`;
    const text = p.text ?? p.instruction ?? p.message ?? p.name ?? p.policy ?? p.outcome ?? p.stars ?? p.speed ?? "";
    const kind = (KINDS[event.kind] || [0, 0, event.kind])[2];
    return `${kind}${text !== "" && typeof text !== "object" ? ": " + String(text).slice(0, 120) : ""}`;
  }

  /* Of several events in one place the weightiest gives the icon. */
  const weight = (event) => ({ halt: 9, error: 9, success: 8, alarm: 8, takeover: 7, branch: 6, rating: 5, note: 5, sketch: 4, path: 4, plan_step: 3 })[event.kind] ?? 1;

  VLAW.events = { KINDS, ACTORS, brief, weight };
})();
