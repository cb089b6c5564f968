// The two lists of the hub's page: what was uploaded, by words and state, and the spectra that show elements.
import { button, element, holding, labelsText } from "/words.js";

const PAGE = 50;
const clock = (moment) => moment.slice(0, 19).replace("T", " ");

// Names of elements and molecules as they are typed: "cu, ar" are Cu and Ar, "CN" stays.
export const namesIn = (text) => text.split(/[\s,;+]+/).filter(Boolean).map((name) => name[0].toUpperCase() + name.slice(1));

const uploads = {
  title: "Uploads",
  columns: ["uploaded", "file", "sample", "state"],
  nothing: () => "Nothing was uploaded that fits. A daemon sends here when [upload] endpoint names this hub.",
  page: ([entries, link]) => [entries, /<([^>]*)>; rel="next"/.exec(link)?.[1] ?? ""],
  name: (entry) => entry.raw_name,
  cells: (entry, name) => [
    element("td", "", clock(entry.upload_datetime)), name, element("td", "", entry.physical_sample_name ?? ""),
    element("td", entry.pipeline_error ? "bad" : "", entry.pipeline_error || entry.pipeline_status),
  ],
};

const spectra = (query, names) => ({
  title: `Spectra that show ${names.join(" and ")}`,
  columns: ["taken (UTC)", "spectrometer", "elements", "labels"],
  nothing: (more) => more
    ? `None of the newest spectra shows ${names.join(" and ")}: More looks further back.`
    : `No spectrum of this hub shows ${names.join(" and ")}. Symbols are meant, as Cu or N2; of several each must be named in the spectrum.`,
  page: ([{ entries, next }]) => [entries, next ? `/oes?${query}&cursor=${next}` : ""],
  name: (entry) => `${entry.device_name || entry.model || "spectrum"}, ${clock(entry.taken_at_utc)}`,
  cells: (entry, name) => [
    element("td", "", clock(entry.taken_at_utc)), name, element("td", "", entry.elements.join(", ")),
    element("td", "", labelsText(entry.labels)),
  ],
});

// Where to ask for what a form says, and how the answer is shown.
export function listed({ words, status, elements }) {
  const names = namesIn(elements);
  if (names.length) {
    const query = new URLSearchParams([["limit", PAGE], ...names.map((name) => ["element", name])]);
    return { path: `/oes?${query}`, ...spectra(query, names) };
  }
  const query = new URLSearchParams({ limit: PAGE, status });
  if (words.trim()) query.set("keywords", words.trim());
  return { path: `/data_entries/?${query}`, ...uploads };
}

export const headOf = ({ columns }) => columns.map((title) => element("th", "", title));

export function rowOf(kind, entry, open) {
  const named = { ...entry, raw_name: kind.name(entry) };
  const name = button(named.raw_name, (event) => { event.stopPropagation(); open(named); }, "small");
  const line = holding("tr", "", ...kind.cells(entry, holding("td", "", name)));
  line.addEventListener("click", () => open(named));
  return line;
}
