// One spectrometer: its live spectrum, what is in it, and the orders it takes.
import { get } from "/calls.js";
import { onTheme } from "/colours.js";
import { tellCorrections } from "/corrections.js";
import { Found } from "/found.js";
import { ask } from "/orders.js";
import { Overlays } from "/overlays.js";
import { fromFeed, fromResult } from "/shown.js";
import { Spectrum } from "/spectrum.js";
import { Why } from "/why.js";
import { $, ageText, clockText, element, labelsText, showOnce } from "/words.js";

const CLOSE = 0.5;   // share of the axis from which on every pixel is wanted

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
      document: (document, one) => this.explain(document, one), lines: (symbol) => { this.part(".of input").value = symbol; this.lay(symbol); },
      changed: (result) => this.changed(result), said: (words) => this.say(words),
    });
    const parts = { elements: this.part(".elements"), body: this.part(".peaks tbody"), head: this.part(".peaks thead"), none: this.part(".none") };
    this.found = new Found(parts, (what) => this.choose(what));
    this.overlays = new Overlays(name, { draw: () => this.draw(), say: (words) => this.say(words) });
    this.wire();
    onTheme(() => { if (this.current) this.listNow(); });
  }

  wire() {
    for (const choice of this.root.querySelectorAll("[data-show]")) choice.addEventListener("click", () => this.toggle(choice.dataset.show));
    for (const order of this.root.querySelectorAll("[data-order]")) order.addEventListener("click", () => ask(order.dataset.order, this.name, (words) => this.say(words)));
    const zoom = { closer: () => this.spectrum.closer(0.5), wider: () => this.spectrum.closer(2), all: () => this.spectrum.all() };
    for (const look of this.root.querySelectorAll("[data-zoom]")) look.addEventListener("click", zoom[look.dataset.zoom]);
    this.part(".live").addEventListener("click", () => this.live());
    this.part(".keep").addEventListener("click", () => this.keep());
    this.part(".of").addEventListener("submit", (event) => { event.preventDefault(); this.lay(this.part(".of input").value); });
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
      this.listNow();
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

  // A change may have been told while nobody listened here; what is live is told anew.
  missed() {
    if (this.held && this.current) this.changedElsewhere(this.current.data_id);
  }

  changed(result) {
    this.found.forget();
    this.now({ ...fromResult(result), baseline: this.whole?.baseline ?? null });
    if (this.held) this.why.show(this.whole);
  }

  toggle(what) {
    if (what === "corrected") this.show.raw = false; else this.show[what] = !this.show[what];
    if (what === "golden") this.overlays.showGolden(this.show.golden);
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
    const result = await get(`/oes/${data_id}`).catch((problem) => { this.say(`Raw counts and reference cannot be shown: ${problem.message}`); return null; });
    this.asking = false;
    this.lastWhole = result && fromResult(result);   // without an answer none stays: it would pass for what is measured now
    if (!result) { this.draw(); return; }
    if (this.current.data_id === data_id) this.whole = this.lastWhole;
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

  // Lines and bands under the spectrum, as wide as this spectrometer shows them.
  lay(symbols) {
    this.overlays.of(symbols, this.current?.peaks);
  }

  async keep() {
    if (!this.current || !await this.overlays.keep(this.current) || this.show.golden) return;
    this.toggle("golden");
  }

  draw() {
    const { current: document, show } = this;
    if (!document) return;
    // The whole document comes once a second: until the next one is there, the last one stays.
    const whole = this.whole ?? (this.held ? null : this.lastWhole);
    const raw = show.raw && whole?.sample;
    const shown = raw ? whole : document;
    this.part(".nothing").hidden = true;
    this.spectrum.show({
      x: shown.wavelengths, y: raw ? whole.sample : document.scope_corrected, dark: raw ? whole.dark ?? null : null,
      baseline: raw || !show.baseline ? null : document.baseline, peaks: document.detected_peaks, chosen: this.held ? this.chosen : null,
      missing: raw || !this.held ? [] : this.missing ?? [], over: this.overlays.over(whole, show), lines: this.overlays.lines, bands: this.overlays.bands, unit: "counts", log: show.log,
    });
  }

  list() {
    this.found.show(this.current, Boolean(this.held), this.chosen);
  }

  listNow() {
    this.found.forget();
    this.list();
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
    tellCorrections(this.part(".corrections"), metadata.corrections ?? []);
  }
}
