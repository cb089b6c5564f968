// Golden runs and spectra: what people call good, kept by the daemon, the same on every open page.
import { get, send } from "/calls.js";

const told = new Set();
let known = { runs: {}, spectra: {} };

// tell() after each change.
export const onGolden = (tell) => told.add(tell);

export const goldenSpectrum = (device) => known.spectra?.[device]?.data_id ?? null;

export const isGoldenRun = ({ run_id, device_name: device }) => known.runs?.[device]?.run_id === run_id;

export function takeGolden(document) {
  known = document ?? { runs: {}, spectra: {} };
  told.forEach((tell) => tell());
}

// After each connection: what was changed while there was none.
export const askGolden = () => get("/golden").then(takeGolden).catch(() => {});

export async function keepSpectrum(data_id, golden = true) {
  takeGolden(await send(golden ? "PUT" : "DELETE", `/oes/${data_id}/golden`, {}));
}

export async function keepRun({ run_id, device_name: device }, golden = true) {
  takeGolden(await send(golden ? "PUT" : "DELETE", `/runs/${run_id}/golden`, { device }));
}
