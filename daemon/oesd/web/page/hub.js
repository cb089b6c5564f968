// The hub's page: the newest spectrum as it comes, uploads by keyword and state, spectra by element, and the one that is chosen.
// Foreign text (file names, samples, errors) goes through textContent only. The key stays in this tab.
import { colourOf, startTheme } from "/colours.js";
import { headOf, listed, rowOf } from "/hub_lists.js";
import { Spectrum } from "/spectrum.js";
import { Stream } from "/stream.js";
import { $, button, chance, counted, element, holding, labelOf, showOnce, thousands, whenText } from "/words.js";

const PATIENCE_MS = 10000;
const KEPT = "oesd-hub-key";
const SETTLED_MS = 1500;   // between two looks at the list while uploads come
const HEADERS = () => ({ "X-API-KEY": sessionStorage.getItem(KEPT) ?? "" });
const DEVICES = 64;
let followed = null;
let next = "", asked = null, chosen = null, following = false, pages = 0, due = null, waiting = 0;

startTheme();
const spectrum = new Spectrum($("plot"), { peak: (peak) => tell(peak) });

function say(level, word, note) {
  $("state").dataset.level = level;
  $("word").textContent = word;
  $("note").textContent = note;
  document.title = `${word} · oesd hub`;
}

async function ask(path) {
  const answer = await fetch(path, { cache: "no-store", headers: HEADERS(), signal: AbortSignal.timeout(PATIENCE_MS) });
  const document = await answer.json();
  if (!answer.ok) throw new Error(typeof document.detail === "string" ? document.detail : `answered with ${answer.status}`);
  return [document, answer.headers.get("link") ?? ""];
}

// One that is not read yet, or cannot be, is no fault of the hub.
async function open(entry) {
  try {
    await show(entry);
  } catch (problem) {
    $("about").textContent = `${entry.raw_name} cannot be shown: ${entry.pipeline_error || problem.message}`;
  }
}

async function show(entry) {
  const [result] = await ask(`/oes/${entry.data_id}`);
  chosen = entry;
  $("newest").hidden = false;
  draw(entry.raw_name, { ...result, x: result.wavelengths, y: result.scope_corrected, peaks: result.detected_peaks });
}

// What just came, as long as nobody has chosen another.
function live(document) {
  if (document.wavelengths_nm.length && heard(document.device) && !chosen) {
    draw(`${document.device || "a spectrometer"}, newest`, { ...document, x: document.wavelengths_nm, y: document.scope_corrected });
    $("about").textContent += document.taken_at_utc ? `; taken ${whenText(document.taken_at_utc)}` : "";
  }
  again();
}

// Of many spectrometers one is followed: the first that is heard of, or the one that is chosen.
function heard(device) {
  const known = [...$("follow").options].map((one) => one.value);
  if (!known.includes(device) && known.length < DEVICES) $("follow").replaceChildren(...[...known, device].sort().map((name) => new Option(name || "unnamed", name, false, name === followed)));
  followed ??= device;
  $("follow").value = followed;
  $("following").hidden = $("follow").options.length < 2;
  return device === followed;
}

function draw(title, result) {
  $("title").textContent = title;
  document.body.classList.add("chosen");
  const found = [...result.elements, ...(result.molecules ?? [])];
  $("elements").replaceChildren(...found.map((one) => {
    const chip = holding("span", "chip", element("b", "", one.element), element("span", "", chance(one.probability)));
    chip.style.color = colourOf(one.element);
    return chip;
  }));
  $("about").textContent = `${thousands(result.peaks.length)} peaks${found.length ? "" : ", no element named"}`;
  $("plot").querySelector(".nothing").hidden = true;
  if ($("title").dataset.shown !== title) spectrum.zoom = null;   // a zoom stays while the same goes on
  $("title").dataset.shown = title;
  spectrum.show({ x: result.x, y: result.y, peaks: result.peaks, unit: "counts", log: false });
}

// The list is looked at again soon, once for many uploads; not under a person who has gone further down.
function again() {
  if (!due && asked && pages === 1) due = setTimeout(() => { due = null; attempt(() => list(asked.path, true)); }, SETTLED_MS);
}

const stream = new Stream(() => "/events?points=2400", HEADERS, {
  spectrum: live,
  change: ({ data_id }) => { if (chosen?.data_id === data_id) open(chosen); again(); },
  state: (document) => { waiting = document.waiting ?? 0; connected(); again(); },
}, (up, refused) => {
  following = up;
  document.body.classList.toggle("stale", !up);
  if (up) connected(); else say("bad", refused ? "Refused" : "No answer", refused || "The hub does not answer. What is shown is from before; trying again.");
});

function connected() {
  if (following) say("good", "Connected", `oesd hub: spectra of all daemons at this site${waiting ? `; ${counted(waiting, "upload waits", "uploads wait")} for the engine` : ""}`);
}

function tell(peak) {
  const keys = (peak.candidates ?? []).map((one) => `${one.candidate_key} ${chance(one.probability)}`).join(", ");
  $("about").textContent = `${labelOf(peak)} nm, SNR ${peak.snr.toFixed(0)}${keys ? `; candidates: ${keys}` : ""}`;
}

async function list(path, anew = false) {
  const kind = asked;
  const [entries, following] = kind.page(await ask(path));
  if (kind !== asked) return;   // another one was asked for meanwhile
  const rows = () => entries.map((entry) => rowOf(kind, entry, open));
  showOnce($("head"), kind.columns, () => headOf(kind));
  $("list").firstChild.data = `${kind.title} `;
  if (anew) showOnce($("rows"), [kind.path, entries], rows); else { $("rows").append(...rows()); pages += 1; }
  next = following;
  $("none").textContent = $("rows").children.length ? "" : kind.nothing(next);
  $("more").hidden = !next;
  connected();
  if (!document.body.classList.contains("chosen")) $("about").textContent = $("rows").children.length ? "Choose one below." : "";
}

async function attempt(action) {
  try {
    await action();
  } catch (problem) {
    say("bad", "Refused", problem.message);
  }
}

$("search").addEventListener("submit", (event) => {
  event.preventDefault();
  if ($("key").value) sessionStorage.setItem(KEPT, $("key").value);
  stream.open();
  $("key").value = "";
  asked = listed({ words: $("words").value, status: $("status").value, elements: $("named").value });
  pages = 1;
  attempt(() => list(asked.path, true));
});
// Words and states are of uploads; elements of spectra, which have neither.
$("named").addEventListener("input", () => { for (const other of [$("words"), $("status")]) other.disabled = Boolean($("named").value.trim()); });
$("newest").addEventListener("click", () => { chosen = null; $("newest").hidden = true; stream.open(); });
$("follow").addEventListener("change", () => { followed = $("follow").value; chosen = null; $("newest").hidden = true; stream.open(); });
document.addEventListener("visibilitychange", () => { if (document.visibilityState !== "visible") stream.close(); else if (asked) { stream.open(); again(); } });
$("more").addEventListener("click", () => attempt(() => list(next)));
if (sessionStorage.getItem(KEPT)) $("search").requestSubmit();
