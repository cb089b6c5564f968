// What happened and what to do, in the daemon's own words. Foreign text goes through textContent only.
import { thousands } from "/plot.js";

export function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

// The daemon's notes on a spectrometer, and what became of the last order.
export function notesOf(unit, said) {
  const notes = [...(unit?.notes ?? []), ...(said ? [{ level: "said", text: said }] : [])];
  return notes.map(({ level, text }) => {
    const note = element("span", "", text);
    note.dataset.level = level;
    return note;
  });
}

// Slots lost in the last 24 hours by reason, each with what can be done; those that a full disk keeps out of the ledger too.
export function showLosses(status) {
  const list = document.getElementById("losses");
  const lost = { ...status.day?.lost };
  for (const [reason, slots] of Object.entries(status.unrecorded ?? {})) lost[reason] = (lost[reason] ?? 0) + slots;
  const items = Object.entries(lost).sort((a, b) => b[1] - a[1]).map(([reason, slots]) => {
    const item = element("li");
    const advice = status.advice?.[reason];
    item.append(element("b", "", `${thousands(slots)} ${reason}`), advice ? `: ${advice}` : "");
    return item;
  });
  if (items.length) items.unshift(element("li", "head", "lost in 24 h"));
  list.replaceChildren(...items);
  list.hidden = items.length === 0;
}
