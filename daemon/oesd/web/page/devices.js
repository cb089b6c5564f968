// Spectrometers with temperature, saturation and faults; darks and references with their ages; upload, disk, the API's results.
import { get } from "/calls.js";
import { $, ageText, button, bytesText, element, holding, short, showOnce, thousands, whenText } from "/words.js";

const LISTED = 20;
const EVERY_MS = 10000;
const KEPT = { dark: 4, reference: 2 };

export class Devices {
  constructor(tell) {
    this.tell = tell;
    this.more = new Map();
    this.darks = [];
    this.newest = new Map();
  }

  open() {
    clearInterval(this.turn);
    this.turn = setInterval(() => { if ($("view-devices").hidden) clearInterval(this.turn); else if (document.visibilityState === "visible") this.load(); }, EVERY_MS);
    this.load();
  }

  take(status) {
    this.status = status;
    if (!$("view-devices").hidden) this.show();
  }

  // The newest spectrum knows the temperatures.
  measured({ device, metadata }) {
    this.newest.set(device, metadata ?? {});
  }

  async load() {
    const [devices, darks, references, remote] = await Promise.allSettled(["/devices", `/darks?limit=${LISTED}`, `/darks?kind=reference&limit=${LISTED}`, `/remote?kind=differences&limit=${LISTED}`].map(get));
    if (devices.status === "fulfilled") this.more = new Map(devices.value.devices.map((one) => [one.name, one]));
    this.darks = [...(darks.value?.darks ?? []), ...(references.value?.references ?? [])];
    this.remote(remote.value ?? null);
    this.show();
  }

  show() {
    if (!this.status) return;
    const units = [...(this.status.spectrometers ?? [])].sort((one, other) => (one.name < other.name ? -1 : 1));
    const minute = Math.floor(Date.now() / 10000);
    showOnce($("device-cards"), [units.map((unit) => ({ ...unit, captures: 0, next_slot: 0, last_capture_utc: "" })), this.status.library, [...this.more], this.darks, minute], () => (units.length ? units.map((unit) => this.card(unit))
      : [holding("article", "card", element("h2", "", "No spectrometer"), element("p", "", "Plug one in; it is found within seconds. In a terminal, oesd devices lists what is found and what is wrong with it."))]));
    this.facts();
  }

  card(unit) {
    const more = this.more.get(unit.name) ?? {}, newest = this.newest.get(unit.name) ?? {}, library = this.status.library?.[unit.name] ?? {};
    const degrees = (value) => (Number.isFinite(value) ? `${value.toFixed(1)} °C` : "not measured by this model");
    const pairs = [
      ["Model", [unit.model, unit.serial, unit.address, more.pixels ? `${more.pixels} pixels, ${short(more.first_nm)} to ${short(more.last_nm)} nm` : ""].filter(Boolean).join(" · ")],
      ["Detector", degrees(newest.detector_temperature_c)], ["Board", degrees(newest.board_temperature_c)],
      ["Exposure", unit.integration_us ? `${short(unit.integration_us / 1000)} ms × ${unit.scans ?? 1}` : "–"],
      ["Saturation", unit.saturated_pixels ? `${unit.saturated_pixels} pixels are saturated` : "none"],
      ["Captures", `${thousands(unit.captures ?? 0)}, the last ${unit.last_capture_utc ? ageText((Date.now() - new Date(unit.last_capture_utc)) / 1000) : "not yet"}`],
    ];
    const card = holding("article", "card", holding("h2", "", unit.name), element("p", "unit-state", unit.line ?? unit.state), holding("dl", "pairs", ...pairsOf(pairs)),
      holding("ul", "list notes", ...(unit.notes ?? []).map(({ level, text }) => { const note = element("li", "", text); note.dataset.level = level; return note; })), this.library(unit, library));
    card.querySelector(".unit-state").dataset.level = unit.level ?? "";
    return card;
  }

  // Darks and references: what is due, the newest of each with its age, whether one was refused, then the last ones taken.
  library(unit, library) {
    const rows = ["dark", "reference"].flatMap((kind) => {
      const facts = library[`${kind}s`];
      if (!facts) return [];
      const line = (what, one, level) => {
        const made = holding("tr", "", element("td", "", kind), element("td", "", what), element("td", "", one ? ageText((Date.now() - new Date(one.taken_at)) / 1000) : "–"), element("td", "say", one?.reason ?? ""));
        made.dataset.level = level;
        return made;
      };
      const due = facts.due ? [holding("tr", "due", element("td", "", kind), element("td", "", "due"), element("td", "", ""), element("td", "say", facts.due))] : [];
      // The newest ones stand below, when the list of captures is there.
      if (this.darks.some((one) => one.device_name === unit.name && one.kind === kind)) return due;
      return [...due, line(`in use, of ${thousands(facts.accepted)} accepted`, facts.last_accepted, ""), ...(facts.last_refused ? [line(`refused, ${thousands(facts.refused)} in all`, facts.last_refused, "wait")] : [])];
    });
    const newest = (kind) => this.darks.filter((one) => one.device_name === unit.name && one.kind === kind).slice(0, KEPT[kind]);
    const kept = [...newest("dark"), ...newest("reference")].map((one) => {
      const made = holding("tr", "", element("td", "", one.kind), element("td", "age", `${short(one.integration_us / 1000)}\u00a0ms × ${one.scans}${one.accepted ? "" : ", refused"}`),
        element("td", "age", ageText((Date.now() - new Date(one.taken_at_utc)) / 1000)), element("td", "say", one.reason));
      made.dataset.level = one.accepted ? "" : "wait";
      return made;
    });
    if (!rows.length && !kept.length) return element("p", "quiet", "No dark and no reference yet: block the light, then press Take dark in Live.");
    const head = holding("thead", "", holding("tr", "", ...["kind", "which", "age", "what is known of it"].map((text) => element("th", "", text))));
    return holding("div", "scroll", holding("table", "", head, holding("tbody", "", ...rows, ...kept)), library.model?.missing ? element("p", "quiet", `Dark model: ${library.model.missing}.`) : null);
  }

  facts() {
    const { upload = {}, disk, tally = {}, data_dir: directory, uptime_s: up } = this.status;
    const pairs = [
      ["Upload", [upload.state ?? "off", upload.blocked].filter(Boolean).join(": ")], ["To", upload.endpoint || "nowhere: [upload] is not configured"],
      ["Last success", upload.last_success_at ? whenText(upload.last_success_at) : "none yet"], ["Last error", upload.last_error ? `${upload.last_error} (${upload.last_error_at ? whenText(upload.last_error_at) : "overcome"})` : "none"],
      ["Queue", `${thousands(tally.pending ?? 0)} wait, ${thousands(tally.quarantined ?? 0)} set aside`], ["Disk", disk ? `${disk.line}${disk.free_bytes ? `, ${bytesText(disk.free_bytes)} free` : ""}` : "–"],
      ["Data", directory ?? "–"], ["Daemon up for", up ? ageText(up).replace(" ago", "") : "–"],
    ];
    showOnce($("upload-facts"), pairs, () => pairsOf(pairs));
  }

  remote(found) {
    const words = $("remote-said");
    if (!found) words.textContent = "Not known.";
    else words.textContent = found.differing || found.conflicting ? `${thousands(found.differing)} results differ, ${thousands(found.conflicting)} of them against a choice by hand.` : "None: the API says the same, or has not answered yet.";
    showOnce($("remote-list"), found?.entries ?? [], () => (found?.entries ?? []).map((entry) => {
      const texts = [...(entry.conflicts ?? []), ...(entry.differences ?? [])].map((one) => one.text).filter(Boolean).slice(0, 4);
      const made = holding("li", "", holding("span", "head", element("b", "", whenText(entry.fetched_at)), element("span", "quiet", entry.data_id)), ...texts.map((text) => element("p", "", text)));
      made.dataset.level = entry.conflicts?.length ? "wait" : "";
      if (entry.device_name) made.append(button("Show it", () => this.tell.look(entry.device_name, entry.data_id), "small"));
      return made;
    }));
  }
}

const pairsOf = (pairs) => pairs.map(([name, value]) => holding("div", "", element("dt", "", name), element("dd", "", value)));
