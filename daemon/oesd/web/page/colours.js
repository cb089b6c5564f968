// Colours: of the page's theme, resolved for plotly, and one for each element.
const HUES = [5, 240, 310, 48, 100, 180, 278, 150, 28, 342];
// What chambers are watched for has the same colour on every page; neighbours in one plasma are far apart. Blue is the spectrum's own.
const KNOWN = {
  Ar: 342, Cu: 28, Al: 150, Ga: 278, As: 48, In: 100, N: 240, N2: 255, H: 5, O: 180, Ti: 310, F: 130, Cl: 68, Si: 28, He: 48, Hg: 278, Fe: 15, Na: 40, K: 320,
  Sr: 342, Ba: 100, La: 278, Mn: 310, Zn: 180, W: 240, Cr: 130, Mo: 255, C: 5, OH: 180, CN: 68, CO: 15,
};
const seen = new Map();
const probe = document.createElement("i");
probe.hidden = true;
document.documentElement.append(probe);

export const dark = () => {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
};

// The theme's colour behind a name, as rgb().
export function ink(name) {
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}

// Others take hues in order of first appearance.
export function colourOf(symbol) {
  return symbol ? shades(symbol)[Number(dark())] : ink("soft");
}

// The same as CSS: what stands in the page and is not drawn anew follows the theme by itself.
export const shadeOf = (symbol) => `light-dark(${shades(symbol).join(", ")})`;

function shades(symbol) {
  if (!seen.has(symbol)) seen.set(symbol, KNOWN[symbol] ?? HUES[seen.size % HUES.length]);
  const hue = seen.get(symbol), pale = hue > 40 && hue < 200;   // greens look brighter than they are
  return [`hsl(${hue}, 80%, ${pale ? 24 : 30}%)`, `hsl(${hue}, 75%, 72%)`];
}

const told = new Set();
export const onTheme = (tell) => told.add(tell);
const tellAll = () => told.forEach((tell) => tell());

export function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme; else delete document.documentElement.dataset.theme;
  if (theme) localStorage.setItem("oesd-theme", theme); else localStorage.removeItem("oesd-theme");
  tellAll();
}

export function startTheme() {
  const kept = localStorage.getItem("oesd-theme");
  if (kept === "dark" || kept === "light") document.documentElement.dataset.theme = kept;
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", tellAll);
}
