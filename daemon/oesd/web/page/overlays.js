// What is laid over a spectrum to compare it with: the golden one, the reference, lines of elements, bands of molecules.
import { Cancelled, get } from "/calls.js";
import { goldenSpectrum, keepSpectrum, onGolden } from "/golden.js";
import { fromResult } from "/shown.js";
import { clockText, counted, whenText } from "/words.js";

export class Overlays {
  // tell: { draw(), say(words) }
  constructor(name, tell) {
    this.name = name;
    this.tell = tell;
    this.lines = [];
    this.bands = [];
    this.golden = null;
    this.withGolden = false;
    onGolden(() => { if (this.withGolden) this.fetch(); });
  }

  // [{ name, x, y }]: name is also that of the colour.
  over(whole, show) {
    const over = [], { golden } = this;
    if (show.golden && golden) over.push({ name: "golden", x: golden.wavelengths, y: golden.scope_corrected });
    if (show.reference && whole?.reference) over.push({ name: "reference", x: whole.wavelengths, y: whole.reference.map((value, i) => value - (whole.dark?.[i] ?? 0)) });
    return over;
  }

  // Lines of one element or of several, and bands of molecules as wide as this spectrum's lines, under the spectrum; none when the text is empty.
  async of(text, peaks = []) {
    const widths = peaks.map((peak) => peak.fwhm_nm).filter((width) => width > 0.05 && width < 20).sort((a, b) => a - b);
    const width = widths.length ? `&fwhm_nm=${widths[widths.length >> 1]}` : "";
    const symbols = [...new Set(text.split(/[\s,;+]+/).filter(Boolean))], said = [], systems = [];
    const found = await Promise.all(symbols.map((symbol) => get(`/lines?element=${encodeURIComponent(symbol)}&device=${encodeURIComponent(this.name)}${width}`)
      .then(({ element, lines, bands }) => {
        said.push([lines.length || !bands.length ? `${lines.length} lines of ${element}` : "", bands.length ? `${counted(bands.length, "band system")} of ${element}` : ""].filter(Boolean).join(" and "));
        systems.push(...bands.map((band) => ({ name: band.system, x: band.wavelengths_nm, y: band.relative })));
        return lines.map((line) => ({ nm: line.wavelength_nm, strength: line.strength, ionization: line.ionization, name: element }));
      })
      .catch((problem) => { said.push(`no lines of ${symbol}: ${problem.message}`); return []; })));
    this.lines = found.flat();
    this.bands = systems;
    if (said.length) this.tell.say(`${said.join(", ")}${this.lines.length || systems.length ? "; taller where they are stronger. Empty the field to take them away" : ""}.`);
    this.tell.draw();
  }

  // What is shown is called golden from now on, on every page.
  async keep(current) {
    try {
      await keepSpectrum(current.data_id);
      this.tell.say(`The spectrum of ${clockText(current.taken_at_utc)} is the golden one of ${this.name} from now on.`);
      return true;
    } catch (problem) {
      if (!(problem instanceof Cancelled)) this.tell.say(`Not kept as golden: ${problem.message}`);
      return false;
    }
  }

  async showGolden(on) {
    this.withGolden = on;
    if (on) await this.fetch(); else this.tell.draw();
  }

  async fetch() {
    const data_id = goldenSpectrum(this.name);
    try {
      if (!data_id) this.golden = null;
      else if (this.golden?.data_id !== data_id) this.golden = fromResult(await get(`/oes/${data_id}`));
      this.tell.say(this.golden ? `Golden spectrum of ${whenText(this.golden.taken_at_utc)}.` : "No golden spectrum yet: when the light is as it should be, press Keep as golden.");
    } catch (problem) {
      this.golden = null;
      this.tell.say(`The golden spectrum cannot be shown: ${problem.message}`);
    }
    this.tell.draw();
  }
}
