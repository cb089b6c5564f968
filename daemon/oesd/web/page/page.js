// The page: one connection to the daemon, what it tells shown in the view that is open.
// Foreign text (serial numbers, names, labels, errors) goes through textContent only.
import { Alarms } from "/alarms.js";
import { tokenLiesIn } from "/calls.js";
import { redraw } from "/chart.js";
import { dark, setTheme, startTheme } from "/colours.js";
import { Devices } from "/devices.js";
import { Feed } from "/feed.js";
import { askGolden, takeGolden } from "/golden.js";
import { History } from "/history.js";
import { showLedger } from "/ledger.js";
import { Panel } from "/panel.js";
import { Runs } from "/runs.js";
import { bigState, reasons, showState } from "/state.js";
import { $, clockText, hereText, lengthText } from "/words.js";

const VIEWS = ["live", "history", "runs", "alarms", "devices"];
const EVERYTHING = 0;   // points: none left out
const POINTS = 2400;
const panels = new Map();
const closer = new Set();
let status = null;
let open = "live";
let away = null;

const detail = { detail: (name, close) => {
  if (close) closer.add(name); else closer.delete(name);
  feed.detail(closer.size ? EVERYTHING : POINTS);
} };
const views = { history: new History({ units, look }), runs: new Runs({ units, look }), alarms: new Alarms({ units, changed: () => retell() }), devices: new Devices({ look }) };
const feed = new Feed({
  state: (document) => told(document),
  spectrum: (document) => measured(document),
  change: ({ data_id }) => panels.forEach((panel) => panel.changedElsewhere(data_id)),
  alarm: (document) => { views.alarms.take(document); retell(); },
  golden: takeGolden,
  run: () => views.runs.changed(),
}, (up, since, next) => linked(up, since, next));

function units() { return [...new Set([...panels.keys(), ...(status?.spectrometers ?? []).map((unit) => unit.name)])]; }

function panelOf(name) {
  if (!panels.has(name)) {
    panels.set(name, new Panel(name, detail));
    panels.get(name).about((status?.spectrometers ?? []).find((unit) => unit.name === name));
    $("panels").append(...[...panels.keys()].sort().map((known) => panels.get(known).root));
  }
  return panels.get(name);
}

function measured(document) {
  views.devices.measured(document);
  if (document.wavelengths_nm?.length) panelOf(document.device).take(document);
  empty();
}

// Shows a stored spectrum where it was measured.
function look(device, data_id) {
  location.hash = "live";
  const panel = panelOf(device);
  panel.hold(data_id).catch((problem) => panel.say(`This spectrum cannot be shown: ${problem.message}`));
  panel.root.scrollIntoView({ block: "start" });
}

function told(document) {
  status = document;
  tokenLiesIn(status.data_dir);
  for (const unit of status.spectrometers ?? []) panelOf(unit.name);
  const known = new Map((status.spectrometers ?? []).map((unit) => [unit.name, unit]));
  panels.forEach((panel, name) => panel.about(known.get(name)));
  $("simulated").hidden = !(status.simulated || (status.spectrometers ?? []).some((unit) => unit.simulated));
  $("version").textContent = status.version ? `oesd ${status.version}` : "";
  showLedger(status);
  views.devices.take(status);
  if (open === "history") views.history.known();
  const { raised, unacknowledged } = status.alarms ?? {};
  if (status.alarms && (raised !== views.alarms.on() || unacknowledged !== views.alarms.unseen())) askAlarms();
  empty();
  retell();
}

function retell() {
  if (!status) return;
  const found = reasons(status, views.alarms.raised());
  $("badge").textContent = views.alarms.waiting() || "";
  if (away) showState({ level: "bad", word: "No answer", note: away }, []);
  else showState(bigState(status, found), found);
}

function linked(up, since, next) {
  const from = since ? `since ${clockText(since)}` : "yet";
  away = up ? null : `The daemon has not answered ${from}. ${since ? "What is shown is from before. " : ""}Trying again in ${lengthText(Math.max(1, next / 1000))}.`;
  document.body.classList.toggle("stale", !up);
  if (up) { retell(); askGolden(); askAlarms(); panels.forEach((panel) => panel.missed()); }
  else showState({ level: "bad", word: "No answer", note: away }, []);
}

// Again with the next state that counts others than are known here: one that could not be asked for is not forgotten.
function askAlarms() {
  if (askAlarms.asked) return;
  askAlarms.asked = true;
  views.alarms.ask().catch(() => {}).finally(() => { askAlarms.asked = false; });
}

function empty() {
  const none = units().length === 0;
  $("empty").hidden = !none || !status;
  $("panels").hidden = none;
}

function go(view) { location.hash = view; }

function route() {
  const wanted = location.hash.slice(1);
  open = VIEWS.includes(wanted) ? wanted : "live";
  for (const view of VIEWS) $(`view-${view}`).hidden = view !== open;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${open}`) link.setAttribute("aria-current", "page"); else link.removeAttribute("aria-current");
  }
  views[open]?.open();
  redraw();
  panels.forEach((panel) => panel.spectrum.later());
}

function keys(event) {
  if (event.target.matches("input, textarea, select") || event.ctrlKey || event.metaKey || event.altKey) return;
  const at = Number(event.key) - 1;
  if (VIEWS[at]) go(VIEWS[at]);
}

// A tab that nobody sees keeps no connection; it looks again when it is seen.
function seen() {
  if (document.visibilityState === "visible") feed.open(); else feed.close();
}

startTheme();
$("theme").addEventListener("click", () => setTheme(dark() ? "light" : "dark"));
addEventListener("hashchange", route);
addEventListener("keydown", keys);
document.addEventListener("visibilitychange", seen);
setInterval(() => { $("clock").textContent = hereText(new Date()); panels.forEach((panel) => panel.footer()); }, 1000);
feed.open();
route();
