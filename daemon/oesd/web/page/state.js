// One plain state for the whole daemon: measuring, waiting, or needs you and why.
import { $, clockText, counted, element, holding, showOnce, thousands } from "/words.js";

const WELL = ["measuring", "idle", "waiting for plasma", "waiting for trigger", "paused"];
const LISTED = () => (innerHeight < 900 ? 3 : 5);   // the spectrum stays in sight on a tablet
const BEHIND = 100;   // spectra that wait for the engine before it is said
const levelOf = (unit) => unit.level ?? (WELL.includes(unit.state) ? (unit.state === "measuring" ? "good" : "wait") : "bad");

// What needs a hand (bad) or is worth knowing (wait), the worst first: [{ level, text, view }].
// alarms: those that this page knows to be on; what the state tells counts while it knows of none.
export function reasons(status, alarms) {
  const found = [];
  const say = (level, text, view = "devices", alarm = "") => found.push({ level, text, view, alarm });
  if (status.store) say("bad", `Spectra cannot be stored: ${status.store}`);
  if (status.disk?.level && status.disk.level !== "good") say(status.disk.level, `Disk: ${status.disk.line}`);
  for (const [where, why] of Object.entries(status.problems ?? {})) say("bad", `${where}: ${why}`);
  for (const name of status.late ?? []) say("bad", `${name} does not answer`);
  for (const unit of status.spectrometers ?? []) ofUnit(unit, say);
  if (status.tally?.waiting > BEHIND) say("wait", `${thousands(status.tally.waiting)} spectra wait to be analysed: what is shown is older; none is lost`);
  upload(status, say);
  const standing = (status.alarms?.standing ?? []).filter((one) => one.needs_acknowledge);
  for (const alarm of alarms.length ? alarms : standing) if (alarm.level !== "good" && alarm.state) ofAlarm(alarm, say);
  for (const action of status.alarms?.failed ?? []) say(action.level, `Action ${action.name} failed: ${action.text}`, "alarms");
  if (status.healthy === false && !found.some((one) => one.level === "bad")) say("bad", "The daemon is not well: look at its log");
  return found.sort((a, b) => (a.level === "bad" ? 0 : 1) - (b.level === "bad" ? 0 : 1));
}

// What ails a spectrometer and what to do about it, in one line.
function ofUnit(unit, say) {
  const ill = levelOf(unit) === "bad", notes = (unit.notes ?? []).filter((note) => note.level);
  const todo = ill ? notes.filter((note) => note.level === "bad") : [];
  if (ill) say("bad", `${unit.name}: ${[unit.line ?? [unit.state, unit.detail].filter(Boolean).join(": "), ...todo.map(textOf)].join("; ")}`);
  for (const note of notes) if (!todo.includes(note)) say(note.level, `${unit.name}: ${textOf(note)}`);
}

function ofAlarm(alarm, say) {
  const over = alarm.state === "cleared" ? " is over, and nobody has acknowledged it" : "";
  say(alarm.level, `Alarm ${alarm.name}${alarm.device ? ` (${alarm.device})` : ""}${over}: ${alarm.text}`, "alarms", alarm.name);
}

const textOf = (note) => note.text.replace(/^to do: /, "");

function upload(status, say) {
  const { state = "off", blocked, last_error: error, last_success_at: success, remote } = status.upload ?? {};
  const since = success ? `, last success ${clockText(success)}` : "";
  if (!["ok", "off"].includes(state)) say("bad", `Upload ${state}: ${blocked || error || "no reason known"}${since}; spectra wait here and are kept`);
  if (status.tally?.quarantined) say("bad", `${counted(status.tally.quarantined, "spectrum is", "spectra are")} set aside: the API refuses what is in it; nothing is thrown away`);
  if (remote?.conflicting) say("wait", `${thousands(remote.conflicting)} choices by hand differ from the API's: see Devices`);
}

// { level, word, note }
export function bigState(status, found) {
  const units = status.spectrometers ?? [];
  const measuring = units.filter((unit) => (unit.word ?? unit.state) === "measuring").length;
  const count = units.length ? `${measuring} of ${units.length} spectrometer${units.length > 1 ? "s" : ""} measuring` : "";
  if (found.some((one) => one.level === "bad")) return { level: "bad", word: `Needs you${whichAlarm(found)}`, note: count };
  if (measuring) return { level: "good", word: "Measuring", note: [count, labels(units)].filter(Boolean).join(", ") };
  const waits = [...new Set(units.map((unit) => unit.word ?? unit.state))].join(", ");
  return { level: "wait", word: "Waiting", note: units.length ? waits : "no spectrometer is plugged in" };
}

// ": alarm leak", for who walks up to the chamber.
function whichAlarm(found) {
  const names = [...new Set(found.filter((one) => one.level === "bad" && one.alarm).map((one) => one.alarm))];
  return names.length ? `: alarm ${names[0]}${names.length > 1 ? ` and ${names.length - 1} more` : ""}` : "";
}

function labels(units) {
  const told = units.map((unit) => Object.entries(unit.run_labels ?? {}).map(([name, text]) => `${name}=${text}`).join(", ")).filter(Boolean);
  return [...new Set(told)].join("; ");
}

function linkTo(view, text) {
  const made = element("a", "", text);
  made.href = `#${view}`;
  return made;
}

export function showState({ level, word, note }, found) {
  $("state").dataset.level = level;
  if ($("word").textContent !== word) $("word").textContent = word;
  if ($("note").textContent !== note) $("note").textContent = note;
  document.title = `${word} · oesd`;
  showOnce($("reasons"), found, () => {
    const listed = LISTED(), items = found.slice(0, listed).map((one) => {
      const item = holding("li", "", element("b", "", one.level === "bad" ? "To do" : "Note"), linkTo(one.view, one.text));
      item.dataset.level = one.level;
      return item;
    });
    if (found.length > listed) {
      items.push(holding("li", "", linkTo(found[listed].view, `and ${found.length - listed} more`)));
    }
    return items;
  });
  $("reasons").hidden = found.length === 0;
}
