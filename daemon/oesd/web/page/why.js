// Why an element or a peak is named: the evidence of GET /oes/{data_id}/evidence. Foreign text goes through textContent only.
import { element } from "/notes.js";
import { colourOf, thousands } from "/plot.js";

const SHOWN = 8;
const ROMAN = ["", "I", "II", "III", "IV", "V", "VI"];

// Never "1.00": nothing here is certain.
export const chance = (probability) => (probability > 0.994 ? ">0.99" : probability.toFixed(2));

function row(line, found, name) {
  const made = element("tr", line.peak_id ? "" : "missing");
  const height = found ? `${thousands(line.seen)} ± ${thousands(line.seen_sigma)}` : "";
  const cells = [
    `${name ? `${name} ` : ""}${ROMAN[line.ionization] ?? line.ionization} ${line.wavelength_nm.toFixed(2)}`,
    line.peak_id ?? "missing", thousands(line.expected), height,
    line.shared_with?.length ? `shared with ${line.shared_with.join(", ")}` : "",
  ];
  made.append(...cells.map((text) => element("td", "", text)));
  return made;
}

function table(rows) {
  const made = element("table");
  const head = element("tr");
  head.append(...["line", "peak", "expected", "there", ""].map((text) => element("th", "", text)));
  made.append(head, ...rows);
  return made;
}

function ofElement(one) {
  const title = element("b", "", `${one.element} ${chance(one.probability)}${one.claimed ? "" : ", not claimed"}`);
  title.style.color = colourOf(one.element);
  const sentence = element("p");
  sentence.append(title, `: ${one.sentence.replace(`${one.element}: `, "")}`);
  const rows = [...one.lines.slice(0, SHOWN), ...one.missing.slice(0, SHOWN)].map((line) => row(line, true));
  const parts = [sentence, table(rows)];
  if (one.rivals.length) parts.push(element("p", "quiet", `rivals: ${one.rivals.join(", ")}`));
  return parts;
}

function ofPeak(peak, evidence) {
  const sentence = element("p");
  const name = element("b", "", `${peak.wavelength_nm.toFixed(3)} ± ${peak.wavelength_sigma_nm.toFixed(3)} nm`);
  const said = peak.element ? `${peak.element} ${chance(peak.probability)}` : peak.ambiguous ? "ambiguous" : "not named";
  sentence.append(name, `: ${said}, SNR ${peak.snr.toFixed(0)}, width ${peak.fwhm_nm.toFixed(2)} nm`);
  const rows = evidence.filter((one) => one.claimed || one.element === peak.element)
    .flatMap((one) => one.lines.filter((line) => line.peak_id === peak.peak_id).map((line) => row(line, true, one.element)));
  const candidates = (peak.candidates ?? []).map((found) => `${found.candidate_key} ${found.probability.toFixed(2)}`);
  const parts = [sentence, element("p", "quiet", candidates.length ? `candidates: ${candidates.join(", ")}` : "no line of any element is near")];
  if (rows.length) parts.push(table(rows));
  return parts;
}

// Others that were nearly named: a click shows why they were not.
function others(evidence, chosen, choose) {
  const nearly = evidence.filter((one) => !one.claimed && one.element !== chosen);
  if (!nearly.length) return [];
  const line = element("p", "quiet", "not claimed: ");
  for (const one of nearly.slice(0, 12)) {
    const button = element("button", "", one.element);
    button.type = "button";
    button.addEventListener("click", () => choose({ name: one.element }));
    line.append(button);
  }
  return [line];
}

export class Why {
  // host: where it is shown; ask(path): JSON; tell(document, evidence of the chosen element or null): what to draw.
  constructor(host, ask, tell) {
    this.host = host;
    this.ask = ask;
    this.tell = tell;
    this.chosen = null;
  }

  // what: { name } of an element, { peak } by its id; the same again closes.
  choose(what) {
    const same = this.chosen && this.chosen.name === what.name && this.chosen.peak === what.peak;
    this.chosen = same ? null : what;
    return this.show(this.result);
  }

  // Called with each new result; asks for its evidence only while something is chosen.
  async show(result) {
    this.result = result;
    if (!this.chosen || !result) {
      if (!this.host.hidden) this.tell(null, null);
      this.host.hidden = true;
      return;
    }
    const path = `/oes/${result.data_id}/evidence`;
    if (this.have !== `${path} ${result.id} ${result.last_updated}`) {
      this.document = await this.ask(path);
      this.have = `${path} ${result.id} ${result.last_updated}`;
    }
    if (this.result === result && this.chosen) this.draw();
  }

  draw() {
    const { evidence, note } = this.document;
    const one = evidence.find((found) => found.element === this.chosen.name) ?? null;
    const peak = this.result.detected_peaks.find((found) => found.peak_id === this.chosen.peak);
    const nothing = [element("p", "", `${this.chosen.name ?? "this peak"}: not in this spectrum`)];
    const parts = one ? ofElement(one) : peak ? ofPeak(peak, evidence) : nothing;
    if (note) parts.unshift(element("p", "note", note));
    const close = element("button", "close", "close");
    close.type = "button";
    close.addEventListener("click", () => this.choose(this.chosen));
    this.host.replaceChildren(close, ...parts, ...others(evidence, this.chosen.name, (what) => this.choose(what)));
    this.host.hidden = false;
    this.tell(this.document, one);
  }
}
