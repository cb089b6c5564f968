// Words and numbers for people, and the one way in which text becomes part of the page: textContent.
export const $ = (id) => document.getElementById(id);

export function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined && text !== null) made.textContent = text;
  return made;
}

export function button(text, onClick, className = "") {
  const made = element("button", className, text);
  made.type = "button";
  made.addEventListener("click", onClick);
  return made;
}

// An element with children; null and "" among them are left out.
export function holding(tag, className, ...children) {
  const made = element(tag, className);
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

// Replaces what a host shows only when it would be something else: a reader's selection and focus stay where they are.
const shown = new WeakMap();
export function showOnce(host, what, make) {
  const key = JSON.stringify(what);
  if (shown.get(host) === key) return false;
  shown.set(host, key);
  host.replaceChildren(...[make()].flat().filter(Boolean));
  return true;
}

export function thousands(value) {
  if (!Number.isFinite(value)) return "–";
  return Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

// "1 dark", "2 darks".
export const counted = (count, one, many = `${one}s`) => `${thousands(count)} ${count === 1 ? one : many}`;

// Three significant digits, for values of any size.
export function short(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 1000 ? thousands(value) : size >= 0.001 ? String(Number(value.toPrecision(3))) : value.toExponential(1);
}

// Never "1.00" and never "0.00": nothing here is certain.
export const chance = (probability) => (probability > 0.994 ? ">0.99" : probability < 0.005 ? "<0.01" : probability.toFixed(2));

// With the zone: sentences of the daemon tell UTC.
export const hereText = (moment) => new Date(moment).toLocaleTimeString([], { hour12: false, timeZoneName: "short" });

// A moment as this place's clocks show it, for an axis of time: plotly takes no notice of zones.
export function wallText(moment) {
  const at = new Date(moment);
  return new Date(at - at.getTimezoneOffset() * 60000).toISOString().slice(0, 23);
}

export const clockText = (moment) => new Date(moment).toLocaleTimeString([], { hour12: false });

export function whenText(moment, now = Date.now()) {
  const at = new Date(moment);
  const near = Math.abs(now - at) < 18 * 3600e3;
  return near ? clockText(at) : `${at.toLocaleDateString([], { day: "numeric", month: "short" })} ${clockText(at).slice(0, 5)}`;
}

export function lengthText(seconds) {
  if (seconds < 100) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} days`;
}

export const ageText = (seconds) => (seconds < 1.5 ? "now" : `${lengthText(seconds)} ago`);

export function bytesText(bytes) {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${(bytes / 1e6).toFixed(0)} MB`;
}

export const labelsText = (labels) => Object.entries(labels ?? {}).map(([name, text]) => `${name}=${text}`).join(", ");

// Plotly reads a little markup in its texts: none may come from outside.
export const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;");

const ROMAN = ["", "I", "II", "III", "IV", "V", "VI"];
export const stage = (ionization) => ROMAN[ionization] ?? String(ionization ?? "");

export const labelOf = (peak) => `${peak.element ? `${peak.element} ` : ""}${peak.wavelength_nm.toFixed(1)}`;

// The candidate that names a peak: what a person chose, else the likeliest of its element.
export function chosenOf({ element: named, candidate_key: key, candidates = [] }) {
  return candidates.find((one) => (key ? one.candidate_key === key : one.element === named));
}

export function lineName(peak) {
  const candidates = peak.candidates ?? [];
  if (!peak.element && peak.ambiguous) return [...new Set(candidates.map((candidate) => candidate.element))].slice(0, 3).join(" or ");
  if (!peak.element) return "–";
  const chosen = chosenOf(peak);
  return chosen ? `${peak.element} ${stage(chosen.ionization)} ${chosen.wavelength_nm.toFixed(2)}` : peak.candidate_key ?? peak.element;
}
