// The live page: asks /live once a second, fetches a spectrum when another one is there, shows it.
// Foreign text (serial numbers, names, errors) goes through textContent only.
import { element, notesOf, showLosses } from "/notes.js";
import { ask as askFor } from "/orders.js";
import { Plot, colourOf, thousands } from "/plot.js";
import { Why, chance } from "/why.js";

const EVERY_MS = 1000;
const PATIENCE_MS = 5000;
const ROMAN = ["", "I", "II", "III", "IV", "V", "VI"];
const MARKS = [
  ["manual", "by hand", "assigned by a person"],
  ["saturated", "sat", "the detector was saturated here"],
  ["blended", "blend", "more than one line"],
  ["ambiguous", "?", "several elements could be it, and nothing tells which"],
];
const $ = (id) => document.getElementById(id);
const WELL = ["measuring", "idle", "waiting for plasma", "waiting for trigger", "paused"];
const panels = new Map();
let lastAnswer = null;
let directory = null;

const clockText = (moment) => moment.toLocaleTimeString([], { hour12: false });

function ageText(seconds) {
  if (seconds < 1.5) return "now";
  if (seconds < 120) return `${Math.round(seconds)} s ago`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min ago`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h ago` : `${Math.round(seconds / 86400)} days ago`;
}

async function ask(path) {
  const answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
  if (!answer.ok) throw new Error(`${path} was answered with ${answer.status}`);
  return answer.json();
}

class Panel {
  constructor(name) {
    this.name = name;
    this.root = $("panel").content.firstElementChild.cloneNode(true);
    this.part = (selector) => this.root.querySelector(selector);
    this.part("h2").textContent = name;
    this.raw = this.log = false;
    this.plot = new Plot(this.part(".plot"), (peak) => this.light(peak), (peak) => this.ask({ peak: peak.peak_id }));
    this.why = new Why(this.part(".why"), ask, (document, one) => this.explain(document, one));
    for (const button of this.root.querySelectorAll("[data-choice]")) {
      button.addEventListener("click", () => this.choose(button.dataset.choice));
    }
    for (const button of this.root.querySelectorAll("[data-order]")) {
      button.addEventListener("click", () => askFor(button.dataset.order, name, directory, (words) => this.say(words)));
    }
    $("panels").append(this.root);
  }

  // What became of an order, until the next one.
  say(words) {
    this.said = `${clockText(new Date())} ${words}`;
  }

  choose(choice) {
    if (choice === "log") this.log = !this.log; else this.raw = choice === "raw";
    for (const button of this.root.querySelectorAll("[data-choice]")) {
      const on = { log: this.log, raw: this.raw, corrected: !this.raw }[button.dataset.choice];
      button.setAttribute("aria-pressed", String(on));
    }
    this.draw();
  }

  ask(what) {
    this.why.choose(what).catch((problem) => this.say(`no evidence: ${problem.message}`));
  }

  // What the evidence adds to the plot: the baseline, and where the chosen element's missing lines would be.
  explain(document, one) {
    const { wavelength_correction: off } = this.result ?? {};
    const seenAt = (nm) => (off ? (nm + off.shift_nm - off.stretch * off.pivot_nm) / (1 - off.stretch) : nm);
    this.baseline = document?.baseline ?? null;
    this.missing = (one?.missing ?? []).map((line) => ({ nm: seenAt(line.wavelength_nm), height: line.expected, element: one.element }));
    this.draw();
  }

  async update(device, unit, now) {
    const shown = device.shown;
    this.about(device, unit, now);
    this.doing(unit);
    if (!shown) return;
    const wanted = `${shown.data_id}/${shown.revision}`;
    if (wanted === this.have) return;
    this.result = await ask(`/oes/${shown.data_id}`);
    this.have = wanted;
    this.baseline = this.missing = null;
    this.list();
    this.draw();
    await this.why.show(this.result).catch((problem) => this.say(`no evidence: ${problem.message}`));
  }

  about(device, unit, now) {
    const entry = device.shown ?? device.newest;
    const simulated = entry?.simulated || unit?.simulated;
    this.part(".model").textContent = [entry?.model ?? unit?.model, unit?.serial, simulated ? "simulated" : ""].filter(Boolean).join(" · ");
    const state = this.part(".unit-state");
    const words = unit ? [unit.state, unit.detail].filter(Boolean) : ["not connected"];
    state.textContent = unit?.line ?? [...new Set(words)].join(": ");
    state.dataset.level = unit?.level ?? (unit && WELL.includes(unit.state) ? "good" : "bad");
    this.footer(entry, unit, now);
  }

  doing(unit) {
    this.part(".notes").replaceChildren(...notesOf(unit, this.said));
    this.part(".orders").hidden = !unit;
    const pause = this.part("[data-order=pause], [data-order=resume]");
    pause.dataset.order = unit?.word === "paused" ? "resume" : "pause";
    pause.textContent = unit?.word === "paused" ? "Resume" : "Pause";
  }

  footer(entry, unit, now) {
    const facts = [];
    if (entry) facts.push(`${clockText(new Date(entry.taken_at_utc))}, ${ageText((now - new Date(entry.taken_at_utc)) / 1000)}`);
    const metadata = this.result?.spectral_metadata ?? {};
    if (metadata.integration_us) facts.push(`${metadata.integration_us / 1000} ms × ${metadata.scans ?? 1}`);
    if (Number.isFinite(metadata.detector_temperature_c)) facts.push(`detector ${metadata.detector_temperature_c.toFixed(1)} °C`);
    if (this.result) facts.push(this.result.dark ? "dark taken off" : "no dark", `${this.result.id}`);
    const footer = this.part("footer");
    footer.replaceChildren(element("span", "", facts.join(" · ")));
    const warnings = [...(metadata.warnings ?? [])];
    if (unit?.saturated_pixels) warnings.unshift(`${unit.saturated_pixels} pixels saturated`);
    if (entry?.state?.startsWith("failed")) warnings.unshift(entry.state);
    if (warnings.length) footer.append(element("span", "warning", ` ${warnings.join(" · ")}`));
  }

  draw() {
    if (!this.result) return;
    const { wavelengths, sample, dark, scope_corrected: corrected, detected_peaks: peaks } = this.result;
    this.plot.show({
      x: wavelengths,
      y: this.raw ? sample : corrected,
      dark: this.raw && dark ? dark : null,
      peaks,
      baseline: this.raw ? null : this.baseline,
      missing: this.raw ? [] : this.missing ?? [],
      unit: "counts",
      log: this.log,
    });
  }

  list() {
    const found = [...(this.result.elements ?? []), ...(this.result.molecules ?? [])];
    const chips = found.map((one) => this.chip(one.element, chance(one.probability), { name: one.element }));
    for (const { elements, peaks_nm: at } of this.result.ambiguous ?? []) {
      const chip = this.chip(elements.join(" or "), "ambiguous", { name: elements[0] });
      chip.title = `one of these, and nothing tells which: ${at.map((nm) => nm.toFixed(2)).join(", ")} nm`;
      chips.push(chip);
    }
    this.part(".elements").replaceChildren(...(chips.length ? chips : ["no element named"]));
    const peaks = this.result.detected_peaks;
    this.part("tbody").replaceChildren(...peaks.map((peak) => this.row(peak)));
    this.part(".none").hidden = peaks.length > 0;
    this.part("thead").hidden = peaks.length === 0;
  }

  chip(name, words, what) {
    const chip = element("button", "chip");
    chip.type = "button";
    chip.title = "why?";
    chip.style.color = colourOf(name);
    chip.append(element("b", "", name), element("span", "", words));
    chip.addEventListener("click", () => this.ask(what));
    return chip;
  }

  row(peak) {
    const row = element("tr");
    row.dataset.peak = peak.peak_id;
    row.title = "why?";
    row.addEventListener("click", () => this.ask({ peak: peak.peak_id }));
    const name = element("td", "", lineName(peak));
    name.style.color = colourOf(peak.element);
    if (peak.element) name.style.fontWeight = "600";
    for (const [key, word, meaning] of MARKS) {
      if (!peak[key]) continue;
      const mark = element("span", "mark", word);
      mark.title = meaning;
      name.append(mark);
    }
    const numbers = [peak.element ? chance(peak.probability) : "", thousands(peak.intensity), peak.snr.toFixed(peak.snr < 10 ? 1 : 0)];
    row.append(element("td", "", peak.wavelength_nm.toFixed(2)), name, ...numbers.map((text) => element("td", "", text)));
    row.append(element("td", "wide", peak.fwhm_nm.toFixed(2)));
    return row;
  }

  light(peak) {
    for (const row of this.root.querySelectorAll("tbody tr")) row.classList.toggle("lit", row.dataset.peak === peak?.peak_id);
  }
}

function lineName(peak) {
  const candidates = peak.candidates ?? [];
  if (!peak.element && peak.ambiguous) return [...new Set(candidates.map((candidate) => candidate.element))].slice(0, 3).join(" or ");
  if (!peak.element) return "–";
  const chosen = candidates.find((candidate) => candidate.element === peak.element);
  return chosen ? `${peak.element} ${ROMAN[chosen.ionization] ?? chosen.ionization} ${chosen.wavelength_nm.toFixed(2)}` : peak.element;
}

function showLedger(tally) {
  if (!tally) return;
  const lost = Object.entries(tally.lost ?? {});
  const reasons = (losses) => losses.map(([reason, slots]) => `${reason} ${thousands(slots)}`).join(", ");
  const notTaken = reasons(Object.entries(tally.lost_calibration ?? {}));
  const lostSlots = lost.reduce((sum, [, slots]) => sum + slots, 0);
  const rows = [
    ["captured", tally.captured, "", ""],
    ["stored", tally.stored, "", ""],
    ["processed", tally.processed, tally.failed ? `${thousands(tally.failed)} failed` : "", tally.failed ? "wait" : ""],
    ["uploaded", tally.uploaded, "", ""],
    ["confirmed", tally.confirmed, "", ""],
    ["pending", tally.pending, tally.quarantined ? `${thousands(tally.quarantined)} quarantined` : "", tally.quarantined ? "bad" : ""],
    ["lost", lostSlots, reasons(lost), lostSlots ? "bad" : ""],
    ["darks, references", `${thousands(tally.darks ?? 0)}, ${thousands(tally.references ?? 0)}`, notTaken && `lost ${notTaken}`, notTaken && "wait"],
  ];
  $("ledger").replaceChildren(...rows.map(([name, value, note, level]) => {
    const cell = element("div");
    cell.dataset.level = level;
    const number = element("dd", "", typeof value === "number" ? thousands(value) : value ?? "–");
    if (note) number.append(element("small", "", note));
    cell.append(element("dt", "", name), number);
    return cell;
  }));
}

function showState(status) {
  const units = status.spectrometers ?? [];
  const problems = [
    ...(status.store ? [`spectra cannot be stored: ${status.store}`] : []),
    ...Object.entries(status.problems ?? {}).map(([where, why]) => `${where}: ${why}`),
    ...(status.late ?? []).map((name) => `${name} does not answer`),
  ];
  const measuring = units.filter((unit) => unit.state === "measuring").length;
  const trouble = units.some((unit) => !WELL.includes(unit.state)) || status.healthy === false || problems.length > 0;
  const [level, word] = trouble ? ["bad", "Needs attention"] : measuring ? ["good", "Measuring"] : ["wait", units.length ? "Idle" : "Waiting for a spectrometer"];
  setState(level, word, units.length ? `${measuring} of ${units.length} spectrometer${units.length > 1 ? "s" : ""}` : "");
  $("simulated").hidden = !(status.simulated || units.some((unit) => unit.simulated));
  return problems;
}

function setState(level, word, note) {
  $("state").dataset.level = level;
  $("state").querySelector("b").textContent = word;
  $("state").querySelector("span").textContent = note;
  document.title = `${word} · oesd`;
}

// An error that was overcome is told in the tooltip only.
function showUpload(upload, tally) {
  const place = $("upload");
  const state = upload?.state ?? "off";
  const bad = !["ok", "off"].includes(state);
  const since = upload?.last_success_at ? `, last success ${clockText(new Date(upload.last_success_at))}` : "";
  place.replaceChildren("upload ", element("b", "", state));
  place.title = [upload?.endpoint, upload?.last_error && `last error: ${upload.last_error}`].filter(Boolean).join("\n");
  place.dataset.level = bad ? "bad" : tally?.pending > 100 ? "wait" : "";
  return bad ? [`upload ${state}: ${upload.blocked || upload.last_error || "no reason known"}${since}; spectra wait here`] : [];
}

function showAlert(lines) {
  $("alert").hidden = lines.length === 0;
  $("alert").textContent = lines.join("\n");
}

async function refresh() {
  const live = await ask("/live");
  const { status } = live;
  const now = new Date(live.now_utc);
  const units = new Map((status.spectrometers ?? []).map((unit) => [unit.name, unit]));
  directory = status.data_dir ?? null;
  showLedger(status.tally);
  showLosses(status);
  const alerts = [...showState(status), ...showUpload(status.upload, status.tally)];
  $("about").textContent = status.version ? `version ${status.version}` : "";
  $("clock").textContent = clockText(now);
  // A spectrometer that has not measured yet can be told to.
  const silent = [...units.keys()].filter((name) => !live.devices.some((device) => device.device_name === name));
  const devices = [...live.devices, ...silent.map((name) => ({ device_name: name, newest: null, shown: null }))];
  await Promise.all(devices.map((device) => {
    if (!panels.has(device.device_name)) panels.set(device.device_name, new Panel(device.device_name));
    return panels.get(device.device_name).update(device, units.get(device.device_name), now);
  }));
  $("empty").hidden = devices.length > 0;
  lastAnswer = new Date();
  document.body.classList.remove("stale");
  showAlert(alerts);
}

function showSilence(problem) {
  const since = lastAnswer ? `since ${clockText(lastAnswer)}` : "yet";
  const answered = problem.message?.startsWith("/") ? problem.message : "";
  setState("bad", "No answer", "");
  document.body.classList.add("stale");
  showAlert([`The daemon has not answered ${since}. What is shown is from before. ${answered}`.trim()]);
}

async function turn() {
  if (document.visibilityState === "visible") await refresh().catch(showSilence);
  setTimeout(turn, EVERY_MS);
}

document.addEventListener("visibilitychange", () => { if (document.visibilityState === "visible") refresh().catch(showSilence); });
turn();
