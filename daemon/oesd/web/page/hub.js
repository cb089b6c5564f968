// The hub's page: uploads by keyword and state, and the spectrum of the one that is chosen.
// Foreign text (file names, samples, errors) goes through textContent only. The key stays in this tab.
import { Plot } from "/plot.js";

const PATIENCE_MS = 10000;
const PAGE = 50;
const $ = (id) => document.getElementById(id);
const plot = new Plot($("plot"), () => {});
let next = "";

function say(level, word, more = "") {
  $("state").dataset.level = level;
  $("state").querySelector("b").textContent = word;
  $("alert").textContent = more;
  $("alert").hidden = !more;
}

async function ask(path) {
  const key = sessionStorage.getItem("oesd-hub-key") ?? "";
  const answer = await fetch(path, { cache: "no-store", headers: { "X-API-KEY": key }, signal: AbortSignal.timeout(PATIENCE_MS) });
  const document = await answer.json();
  if (!answer.ok) throw new Error(typeof document.detail === "string" ? document.detail : `answered with ${answer.status}`);
  return [document, answer.headers.get("link") ?? ""];
}

function row(entry) {
  const line = document.createElement("tr");
  const texts = [entry.upload_datetime.slice(0, 19).replace("T", " "), entry.raw_name, entry.physical_sample_name ?? "",
    entry.pipeline_error || entry.pipeline_status];
  for (const text of texts) {
    const cell = document.createElement("td");
    cell.textContent = text;
    line.append(cell);
  }
  line.tabIndex = 0;
  line.addEventListener("click", () => attempt(() => show(entry)));
  line.addEventListener("keydown", (event) => { if (event.key === "Enter") attempt(() => show(entry)); });
  return line;
}

async function show(entry) {
  const [result] = await ask(`/oes/${entry.data_id}`);
  $("title").textContent = entry.raw_name;
  const names = result.elements.map((found) => `${found.element} ${Math.round(found.probability * 100)} %`);
  $("about").textContent = `${result.detected_peaks.length} peaks. ${names.join(", ") || "No element named"}`;
  plot.show({ x: result.wavelengths, y: result.scope_corrected, dark: null, peaks: result.detected_peaks, unit: "counts", log: false });
}

async function list(path) {
  const [entries, link] = await ask(path);
  $("rows").append(...entries.map(row));
  next = /<([^>]*)>; rel="next"/.exec(link)?.[1] ?? "";
  $("more").hidden = !next;
  say("good", "Connected");
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
  if ($("key").value) sessionStorage.setItem("oesd-hub-key", $("key").value);
  const query = new URLSearchParams({ limit: PAGE, status: $("status").value });
  if ($("words").value.trim()) query.set("keywords", $("words").value.trim());
  $("rows").replaceChildren();
  attempt(() => list(`/data_entries/?${query}`));
});
$("more").addEventListener("click", () => attempt(() => list(next)));
if (sessionStorage.getItem("oesd-hub-key")) $("search").requestSubmit();
