// Colours: of the page's theme, resolved for plotly, and one for each element.
const HUES = [342, 150, 28, 278, 180, 100, 310, 48, 5, 240];
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

// Hues in order of first appearance: the first ten elements of a session are told apart, and each keeps its own.
export function colourOf(symbol) {
  if (!symbol) return ink("soft");
  if (!seen.has(symbol)) seen.set(symbol, HUES[seen.size % HUES.length]);
  return dark() ? `hsl(${seen.get(symbol)}, 75%, 72%)` : `hsl(${seen.get(symbol)}, 80%, 30%)`;
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
