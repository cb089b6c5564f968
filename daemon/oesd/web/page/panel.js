// One spectrometer: its live spectrum, what is in it, and the orders it takes.
import { get } from "/calls.js";
import { colourOf, onTheme } from "/colours.js";
import { ask } from "/orders.js";
import { Spectrum } from "/spectrum.js";
import { Why } from "/why.js";
import { $, ageText, button, chance, clockText, element, holding, labelsText, lineName, short, showOnce, thousands } from "/words.js";

const MARKS = [
  ["manual", "by hand", "assigned by a person"],
  ["saturated", "sat", "the detector was saturated here"],
  ["blended", "blend", "more than one line"],
  ["ambiguous", "?", "several elements could be it, and nothing tells which"],
];
const CLOSE = 0.5;   // share of the axis from which on every pixel is wanted

// A spectrum of the feed and one of GET /oes, as the same document.
function fromFeed(event) {
  return {
    data_id: event.data_id, revision: event.revision, taken_at_utc: event.taken_at_utc, wavelengths: event.wavelengths_nm,
    scope_corrected: event.scope_corrected, baseline: event.baseline, detected_peaks: event.peaks, elements: event.elements, molecules: event.molecules,
    ambiguous: event.ambiguous ?? [], saturated: event.metadata?.saturated_pixels ?? Number(event.saturated), integration_us: event.integration_us, run_id: event.run_id, labels: event.labels, simulated: event.simulated, metadata: event.metadata ?? {},
  };
}

function fromResult(result) {
  const metadata = result.spectral_metadata ?? {};
  return {
    ...result, whole: true, taken_at_utc: metadata.taken_at, saturated: metadata.saturated_pixels, integration_us: metadata.integration_us,
    run_id: metadata.run_id, labels: metadata.labels, simulated: metadata.simulated, metadata, baseline: null,
  };
}

export class Panel {
  // feed: { detail(points) }
  constructor(name, feed) {
    this.name = name;
    this.feed = feed;
    this.root = $("panel").content.firstElementChild.cloneNode(true);
    this.part = (selector) => this.root.querySelector(selector);
    this.part("h2").textContent = name;
    this.root.setAttribute("aria-label", `Spectrometer ${name}`);
    this.show = { raw: false, log: false, baseline: true, reference: false, golden: false };
    this.spectrum = new Spectrum(this.part(".plot"), { peak: (peak, quiet) => this.choose({ peak: peak.peak_id }, quiet), zoom: (share) => this.zoomed(share) });
    this.why = new Why(this.part(".why"), {
      document: (document, one) => this.explain(document, one), lines: (symbol) => this.overlay(symbol),
      changed: (result) => this.changed(result), said: (words) => this.say(words),
    });
    this.wire();
    onTheme(() => { if (this.current) { this.shownPeaks = null; this.list(); } });
  }

  wire() {
    for (const choice of this.root.querySelectorAll("[data-show]")) choice.addEventListener("click", () => this.toggle(choice.dataset.show));
    for (const order of this.root.querySelectorAll("[data-order]")) order.addEventListener("click", () => ask(order.dataset.order, this.name, (words) => this.say(words)));
    const zoom = { closer: () => this.spectrum.closer(0.5), wider: () => this.spectrum.closer(2), all: () => this.spectrum.all() };
    for (const look of this.root.querySelectorAll("[data-zoom]")) look.addEventListener("click", zoom[look.dataset.zoom]);
    this.part(".live").addEventListener("click", () => this.live());
    this.part(".keep").addEventListener("click", () => this.keep());
    this.part(".of").addEventListener("submit", (event) => { event.preventDefault(); this.overlay(this.part(".of input").value.trim()); });
    this.root.addEventListener("keydown", (event) => { if (event.key === "Escape" && this.held) this.live(); });
  }

  say(words) {
    this.part(".said").textContent = `${clockText(new Date())} ${words}`;
  }

  // A spectrum of the feed.
  take(event) {
    this.newest = event;
    if (!this.held) this.now(fromFeed(event));
  }

  now(document) {
    this.current = document;
    this.whole = document.whole ? document : null;
    this.list();
    this.draw();
    this.footer();
    if (this.show.raw || this.show.reference) this.more();
  }

  // Held: what is shown stays while a person looks at it.
  async hold(data_id = this.current?.data_id) {
    if (!data_id) return;
    if (!this.held) this.say("Held: the spectrum stays while you look.");
    this.held = data_id;
    this.root.classList.add("held");
    this.part(".live").hidden = false;
    if (this.current?.data_id !== data_id || !this.current.whole) {
      const baseline = this.current?.data_id === data_id ? this.current.baseline : null;
      const result = fromResult(await get(`/oes/${data_id}`));
      if (this.held !== data_id) return;
      // The feed's baseline has the feed's points: it fits only when no point was left out.
      this.now({ ...result, baseline: baseline?.length === result.wavelengths.length ? baseline : null });
    }
  }

  live() {
    this.held = null;
    this.root.classList.remove("held");
    this.part(".live").hidden = true;
    this.missing = null;
    this.why.choose(null, null);
    if (this.newest) this.now(fromFeed(this.newest));
    this.part(".said").textContent = "";
  }

  async choose(what, quiet = false) {
    try {
      await this.hold();
      this.chosen = what.peak ?? null;
      await this.why.choose(what, this.whole);
      this.shownPeaks = null;
      this.list();
      this.draw();
      if (!quiet) this.part(".why").scrollIntoView({ block: "nearest" });
    } catch (problem) {
      this.say(`This spectrum cannot be shown: ${problem.message}`);
    }
  }

  // Somebody assigned a peak or had it processed again, here or on another page.
  async changedElsewhere(data_id) {
    if (this.current?.data_id !== data_id) return;
    const result = await get(`/oes/${data_id}`).catch(() => null);
    if (result && this.current?.data_id === data_id) this.changed(result);
  }

  changed(result) {
    this.shownPeaks = null;
    this.now({ ...fromResult(result), baseline: this.whole?.baseline ?? null });
    if (this.held) this.why.show(this.whole);
  }

  toggle(what) {
    if (what === "corrected") this.show.raw = false; else this.show[what] = !this.show[what];
    if (what === "golden" && this.show.golden) this.fetchGolden();
    for (const choice of this.root.querySelectorAll("[data-show]")) {
      const on = choice.dataset.show === "corrected" ? !this.show.raw : this.show[choice.dataset.show];
      choice.setAttribute("aria-pressed", String(on));
    }
    if (this.current) this.now(this.current);
  }

  // Raw counts, dark and reference come with the whole document only: asked for at most once a second.
  async more() {
    const { data_id } = this.current;
    if (this.current.whole || this.asking || Date.now() - (this.askedAt ?? 0) < 1000) return;
    this.asking = true;
    this.askedAt = Date.now();
    const result = await get(`/oes/${data_id}`).catch(() => null);
    this.asking = false;
    if (!result) return;
    this.whole = fromResult(result);
    this.draw();
  }

  zoomed(share) {
    this.part("[data-zoom=all]").hidden = share > 0.999;
    this.feed.detail(this.name, share < CLOSE);
  }

  // What the evidence adds to the plot: the baseline, and where the chosen element's missing lines would be.
  explain(document, one) {
    const { wavelength_correction: off } = this.whole ?? {};
    const seenAt = (nm) => (off ? (nm + off.shift_nm - off.stretch * off.pivot_nm) / (1 - off.stretch) : nm);
    if (document?.baseline && this.whole && document.baseline.length === this.whole.wavelengths.length) this.whole.baseline = this.current.baseline = document.baseline;
    this.missing = (one?.missing ?? []).map((line) => ({ nm: seenAt(line.wavelength_nm), height: line.expected, element: one.element }));
    this.draw();
  }

  // All lines of an element, laid under the spectrum.
  async overlay(symbol) {
    this.lines = [];
    this.part(".of input").value = symbol;
    if (symbol) {
      try {
        const found = await get(`/lines?element=${encodeURIComponent(symbol)}&device=${encodeURIComponent(this.name)}`);
        this.lines = found.lines.map((line) => ({ nm: line.wavelength_nm, strength: line.strength, name: found.element }));
        this.say(`${found.lines.length} lines of ${found.element}, taller where they are stronger. Empty the field to take them away.`);
      } catch (problem) {
        this.say(`No lines of ${symbol}: ${problem.message}`);
      }
    }
    this.draw();
  }

  // A golden spectrum: one that a person calls good, laid over what is measured now. Which one is kept in this browser.
  keep() {
    if (!this.current) return;
    localStorage.setItem(`oesd-golden-${this.name}`, this.current.data_id);
    this.show.golden = false;
    this.toggle("golden");
    this.say(`The spectrum of ${clockText(this.current.taken_at_utc)} is the golden one in this browser.`);
  }

  async fetchGolden() {
    const data_id = localStorage.getItem(`oesd-golden-${this.name}`);
    if (!data_id) {
      this.say("No golden spectrum yet: when the light is as it should be, press Keep as golden.");
      return;
    }
    try {
      this.golden = fromResult(await get(`/oes/${data_id}`));
      this.say(`Golden spectrum of ${new Date(this.golden.taken_at_utc).toLocaleString()}.`);
    } catch (problem) {
      this.say(`The golden spectrum cannot be shown: ${problem.message}`);
    }
    this.draw();
  }

  over() {
    const over = [];
    const { golden, whole, show } = this;
    if (show.golden && golden) over.push({ name: "golden", x: golden.wavelengths, y: golden.scope_corrected });
    if (show.reference && whole?.reference) over.push({ name: "reference", x: whole.wavelengths, y: whole.reference.map((value, i) => value - (whole.dark?.[i] ?? 0)) });
    return over;
  }

  draw() {
    const { current: document, whole, show } = this;
    if (!document) return;
    const raw = show.raw && whole?.sample;
    const shown = raw ? whole : document;
    this.part(".nothing").hidden = true;
    this.spectrum.show({
      x: shown.wavelengths, y: raw ? whole.sample : document.scope_corrected, dark: raw ? whole.dark ?? null : null,
      baseline: raw || !show.baseline ? null : document.baseline, peaks: document.detected_peaks, chosen: this.held ? this.chosen : null,
      missing: raw || !this.held ? [] : this.missing ?? [], over: this.over(), lines: this.lines ?? [], unit: "counts", log: show.log,
    });
  }

  list() {
    const { elements = [], molecules = [], ambiguous = [], detected_peaks: peaks } = this.current;
    showOnce(this.part(".elements"), [elements, molecules, ambiguous, document.documentElement.dataset.theme, matchMedia("(prefers-color-scheme: dark)").matches], () => {
      const found = [...elements, ...molecules].map((one) => this.chip(one.element, chance(one.probability), { name: one.element }));
      for (const { elements: either, peaks_nm: at } of ambiguous) {
        const chip = this.chip(either.join(" or "), "ambiguous", { name: either[0] });
        chip.title = `one of these, and nothing tells which: ${at.map((nm) => nm.toFixed(2)).join(", ")} nm`;
        found.push(chip);
      }
      return found.length ? found : [element("span", "quiet", "No element named")];
    });
    // A table that is rebuilt five times a second can be neither read nor clicked.
    if (!this.held && this.shownPeaks && Date.now() - this.shownPeaks < 1000) return;
    if (this.part(".peaks tbody").contains(document.activeElement) && this.shownPeaks && !this.held) return;
    this.shownPeaks = Date.now();
    this.part(".peaks tbody").replaceChildren(...peaks.map((peak) => this.row(peak)));
    this.part(".none").hidden = peaks.length > 0;
    this.part(".peaks thead").hidden = peaks.length === 0;
  }

  chip(name, words, what) {
    const chip = button("", () => this.choose(what), "chip");
    chip.title = "Why?";
    chip.style.color = colourOf(name);
    chip.append(element("b", "", name), element("span", "", words));
    return chip;
  }

  row(peak) {
    const line = button(lineName(peak), (event) => { event.stopPropagation(); this.choose({ peak: peak.peak_id }); }, "line");
    line.style.color = colourOf(peak.element);
    line.setAttribute("aria-label", `${peak.wavelength_nm.toFixed(2)} nm, ${peak.element ?? "not named"}: candidates`);
    const name = holding("td", "", line);
    for (const [key, word, meaning] of MARKS) {
      if (!peak[key]) continue;
      const mark = element("span", "mark", word);
      mark.title = meaning;
      name.append(mark);
    }
    const numbers = [peak.element ? chance(peak.probability) : "", thousands(peak.intensity), short(peak.snr)];
    const row = holding("tr", this.held && peak.peak_id === this.chosen ? "chosen" : "", element("td", "", peak.wavelength_nm.toFixed(2)), name, ...numbers.map((text) => element("td", "", text)));
    row.dataset.peak = peak.peak_id;
    row.addEventListener("click", () => this.choose({ peak: peak.peak_id }));
    return row;
  }

  // What /status says of it; once a second.
  about(unit) {
    this.unit = unit;
    this.part(".model").textContent = [unit?.model, unit?.serial !== this.name ? unit?.serial : "", unit?.simulated || this.current?.simulated ? "simulated" : ""].filter(Boolean).join(" · ");
    const state = this.part(".unit-state");
    const words = unit ? unit.line ?? [unit.state, unit.detail].filter(Boolean).join(": ") : "not connected: its spectra are kept";
    if (state.textContent !== words) state.textContent = words;
    state.dataset.level = unit?.level ?? "bad";
    showOnce(this.part(".notes"), unit?.notes ?? [], () => (unit?.notes ?? []).map(({ level, text }) => {
      const note = element("span", "", text);
      note.dataset.level = level;
      return note;
    }));
    this.part(".orders").hidden = !unit;
    const pause = this.part("[data-order=pause], [data-order=resume]");
    pause.dataset.order = unit?.word === "paused" ? "resume" : "pause";
    pause.textContent = unit?.word === "paused" ? "Resume" : "Pause";
    this.footer();
  }

  footer() {
    if (!this.current) return;
    const { taken_at_utc: taken, integration_us: us, saturated, labels, metadata } = this.current;
    const when = taken ? clockText(taken) : "at an unknown time";
    const facts = [this.held ? `held, taken ${when}` : taken ? `${when}, ${ageText((Date.now() - new Date(taken)) / 1000)}` : when];
    if (us) facts.push(`${us / 1000} ms${metadata.scans ? ` × ${metadata.scans}` : ""}`);
    if (Number.isFinite(metadata.detector_temperature_c)) facts.push(`detector ${metadata.detector_temperature_c.toFixed(1)} °C`);
    else if (Number.isFinite(metadata.board_temperature_c)) facts.push(`board ${metadata.board_temperature_c.toFixed(1)} °C`);
    if (labelsText(labels)) facts.push(labelsText(labels));
    this.part(".facts").textContent = facts.join(" · ");
    const warnings = [...(saturated ? [`${saturated} pixels saturated`] : []), ...(metadata.warnings ?? [])];
    this.part(".warning").textContent = warnings.join(" · ");
  }
}
