// The hub's page: uploads by keyword and state, and the spectrum of the one that is chosen.
// Foreign text (file names, samples, errors) goes through textContent only. The key stays in this tab.
import { colourOf, startTheme } from "/colours.js";
import { Spectrum } from "/spectrum.js";
import { $, button, chance, element, holding, labelOf, thousands } from "/words.js";

const PATIENCE_MS = 10000;
const PAGE = 50;
const KEPT = "oesd-hub-key";
let next = "";

startTheme();
const spectrum = new Spectrum($("plot"), { peak: (peak) => tell(peak) });

function say(level, word, note) {
  $("state").dataset.level = level;
  $("word").textContent = word;
  $("note").textContent = note;
  document.title = `${word} · oesd hub`;
}

async function ask(path) {
  const key = sessionStorage.getItem(KEPT) ?? "";
  const answer = await fetch(path, { cache: "no-store", headers: { "X-API-KEY": key }, signal: AbortSignal.timeout(PATIENCE_MS) });
  const document = await answer.json();
  if (!answer.ok) throw new Error(typeof document.detail === "string" ? document.detail : `answered with ${answer.status}`);
  return [document, answer.headers.get("link") ?? ""];
}

function row(entry) {
  const name = button(entry.raw_name, (event) => { event.stopPropagation(); open(entry); }, "small");
  const state = element("td", entry.pipeline_error ? "bad" : "", entry.pipeline_error || entry.pipeline_status);
  const line = holding("tr", "", element("td", "", entry.upload_datetime.slice(0, 19).replace("T", " ")), holding("td", "", name), element("td", "", entry.physical_sample_name ?? ""), state);
  line.addEventListener("click", () => open(entry));
  return line;
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
  $("title").textContent = entry.raw_name;
  document.body.classList.add("chosen");
  const found = [...result.elements, ...(result.molecules ?? [])];
  $("elements").replaceChildren(...found.map((one) => {
    const chip = holding("span", "chip", element("b", "", one.element), element("span", "", chance(one.probability)));
    chip.style.color = colourOf(one.element);
    return chip;
  }));
  $("about").textContent = `${thousands(result.detected_peaks.length)} peaks${found.length ? "" : ", no element named"}`;
  $("plot").querySelector(".nothing").hidden = true;
  spectrum.zoom = null;
  spectrum.show({ x: result.wavelengths, y: result.scope_corrected, peaks: result.detected_peaks, unit: "counts", log: false });
}

function tell(peak) {
  const keys = (peak.candidates ?? []).map((one) => `${one.candidate_key} ${chance(one.probability)}`).join(", ");
  $("about").textContent = `${labelOf(peak)} nm, SNR ${peak.snr.toFixed(0)}${keys ? `; candidates: ${keys}` : ""}`;
}

async function list(path) {
  const [entries, link] = await ask(path);
  $("rows").append(...entries.map(row));
  $("none").textContent = $("rows").children.length ? "" : "Nothing was uploaded that fits. A daemon sends here when [upload] endpoint names this hub.";
  next = /<([^>]*)>; rel="next"/.exec(link)?.[1] ?? "";
  $("more").hidden = !next;
  say("good", "Connected", "oesd hub: spectra of all daemons at this site");
  if (!document.body.classList.contains("chosen")) $("about").textContent = $("rows").children.length ? "Choose an upload below." : "";
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
  $("key").value = "";
  const query = new URLSearchParams({ limit: PAGE, status: $("status").value });
  if ($("words").value.trim()) query.set("keywords", $("words").value.trim());
  $("rows").replaceChildren();
  attempt(() => list(`/data_entries/?${query}`));
});
$("more").addEventListener("click", () => attempt(() => list(next)));
if (sessionStorage.getItem(KEPT)) $("search").requestSubmit();
