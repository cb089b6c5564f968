// Why an element or a peak is named, and the choice of another name. Evidence is asked for only while it is shown.
import { Cancelled, get, send } from "/calls.js";
import { shadeOf } from "/colours.js";
import { button, chance, chosenOf, element, holding, short, stage, thousands } from "/words.js";

const SHOWN = 8;

function row(line, name) {
  const made = element("tr", line.peak_id ? "" : "missing");
  const cells = [
    `${name ? `${name} ` : ""}${stage(line.ionization)} ${line.wavelength_nm.toFixed(2)}`,
    thousands(line.expected), line.peak_id ? `${thousands(line.seen)} ± ${thousands(line.seen_sigma)}` : `missing (${thousands(line.seen)} ± ${thousands(line.seen_sigma)})`,
    line.shared_with?.length ? `with ${line.shared_with.join(", ")}` : "",
  ];
  made.append(...cells.map((text) => element("td", "", text)));
  return made;
}

function table(rows) {
  const head = holding("tr", "", ...["line / nm", "expected", "seen / counts", "shared"].map((text) => element("th", "", text)));
  return holding("table", "lines", holding("thead", "", head), holding("tbody", "", ...rows));
}

function ofElement(one, say) {
  const title = element("h3", "", `${one.element} ${chance(one.probability)}${one.claimed ? "" : ", not named"}`);
  title.style.color = shadeOf(one.element);
  return [
    title, element("p", "", one.sentence), table([...one.lines.slice(0, SHOWN), ...one.missing.slice(0, SHOWN)].map((line) => row(line))),
    one.rivals.length ? element("p", "quiet", `Rivals: ${one.rivals.join(", ")}`) : null,
    button(`Show all lines of ${one.element}`, () => say.lines(one.element)),
  ];
}

export class Why {
  // tell: { document(evidence document, evidence of the chosen element), lines(element), changed(result), said(words) }
  constructor(host, tell) {
    this.host = host;
    this.tell = tell;
    this.chosen = null;
  }

  // what: { name } of an element, { peak } by its id, or null.
  choose(what, result) {
    this.chosen = what;
    return this.show(result);
  }

  async show(result) {
    this.result = result;
    if (!this.chosen || !result) {
      this.host.hidden = true;
      this.tell.document(null, null);
      return;
    }
    this.host.hidden = false;
    const path = `/oes/${result.data_id}/evidence`, version = `${path} ${result.id} ${result.last_updated}`;
    if (this.have !== version) {
      this.document = await get(path).catch((problem) => ({ evidence: [], note: `No evidence: ${problem.message}`, baseline: null }));
      this.have = version;
    }
    if (this.result === result && this.chosen) this.draw();
  }

  draw() {
    const { evidence, note } = this.document;
    const one = evidence.find((found) => found.element === this.chosen.name) ?? null;
    const peak = this.result.detected_peaks.find((found) => found.peak_id === this.chosen.peak);
    const parts = one ? ofElement(one, this.tell) : peak ? this.ofPeak(peak, evidence)
      : [element("p", "", `${this.chosen.name ?? "This peak"} is not in this spectrum.`)];
    this.host.replaceChildren(...(note ? [element("p", "note", note)] : []), ...parts.filter(Boolean), ...this.others(evidence));
    this.tell.document(this.document, one);
  }

  ofPeak(peak, evidence) {
    const title = element("h3", "", `${peak.wavelength_nm.toFixed(3)} ± ${Math.max(peak.wavelength_sigma_nm, 0.001).toFixed(3)} nm`);
    const said = peak.manual ? `${peak.candidate_key ?? peak.element}, chosen by hand` : peak.element ? `${peak.element}, probability ${chance(peak.probability)}` : peak.ambiguous ? "ambiguous" : "not named";
    const facts = `SNR ${short(peak.snr)}, ${thousands(peak.intensity)} counts, ${peak.fwhm_nm.toFixed(2)} nm wide${peak.saturated ? ", saturated" : ""}${peak.blended ? ", blended" : ""}`;
    const rows = evidence.filter((one) => one.claimed || one.element === peak.element)
      .flatMap((one) => one.lines.filter((line) => line.peak_id === peak.peak_id).map((line) => row(line, one.element)));
    const candidates = peak.candidates ?? [];
    return [
      title, element("p", "verdict", said), element("p", "quiet", facts),
      candidates.length ? element("h4", "", "Which line is it?") : element("p", "quiet", "No line of any element is near."),
      holding("ul", "candidates", ...candidates.map((one) => this.candidate(peak, one, evidence))),
      peak.manual ? button("Clear the choice: let oesd decide", () => this.order(peak.peak_id, null), "clear") : null,
      rows.length ? table(rows) : null,
    ];
  }

  candidate(peak, one, evidence) {
    const known = evidence.find((found) => found.element === one.element);
    const bar = element("i", "bar");
    bar.style.width = `${Math.round(100 * one.probability)}%`;
    bar.style.background = shadeOf(one.element);
    const why = known ? `${known.lines.length} lines of ${one.element} seen, ${known.missing.length} missing` : `nothing else speaks for ${one.element}`;
    const pick = button("", () => this.order(peak.peak_id, one.candidate_key), "candidate");
    pick.dataset.key = one.candidate_key;
    pick.setAttribute("aria-pressed", String(chosenOf(peak) === one));
    pick.append(holding("span", "who", element("b", "", `${one.element} ${stage(one.ionization)}`), element("span", "", `${one.wavelength_nm.toFixed(2)} nm`), element("span", "p", chance(one.probability))), bar, element("small", "", why));
    return holding("li", "", pick);
  }

  // The choice of a candidate; without one, the word is oesd's again.
  async order(peak_id, candidate_key) {
    try {
      const result = await send("PATCH", `/oes/${this.result.data_id}/peaks`, { peak_id, candidate_key });
      this.tell.said(candidate_key ? `Chosen: ${candidate_key}. It stays when the spectrum is processed again.` : "Cleared: the name is oesd's again.");
      this.tell.changed(result);
    } catch (problem) {
      if (!(problem instanceof Cancelled)) this.tell.said(`Not changed: ${problem.message}`);
    }
  }

  // Others that were nearly named: a click shows why they were not.
  others(evidence) {
    const nearly = evidence.filter((one) => !one.claimed && one.element !== this.chosen.name).slice(0, 12);
    if (!nearly.length) return [];
    return [holding("p", "quiet", "Nearly named: ", ...nearly.map((one) => button(one.element, () => this.choose({ name: one.element }, this.result), "small")))];
  }
}
