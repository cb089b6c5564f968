// What became of every slot, as a bar that adds up, and what was lost with what to do about it.
import { $, counted, element, holding, showOnce, thousands } from "/words.js";

const sum = (counts) => Object.values(counts ?? {}).reduce((all, count) => all + count, 0);

// [{ key, name, count }]: together they are all slots that came due.
export function parts(tally, upload) {
  const confirmed = tally.confirmed ?? 0;
  const found = [
    { key: "confirmed", name: "confirmed by the API", count: confirmed },
    { key: "uploaded", name: "uploaded", count: (tally.uploaded ?? 0) - confirmed },
    { key: "pending", name: "waiting to go up", count: tally.pending ?? 0 },
    { key: "local", name: upload === "off" ? "kept here" : "kept here only", count: tally.local ?? 0 },
    { key: "gone", name: "let go by age", count: sum(tally.tombstoned) },
    { key: "aside", name: "set aside", count: tally.quarantined ?? 0 },
    { key: "lost", name: "lost", count: sum(tally.lost) },
  ];
  return found.filter((part) => part.count > 0);
}

export function bar(shares, all) {
  const made = element("div", "bar");
  made.setAttribute("aria-hidden", "true");
  for (const { key, count } of shares.filter((share) => share.count > 0)) {
    const piece = element("i", key);
    piece.style.flexGrow = String(count / all);
    made.append(piece);
  }
  return made;
}

export function showLedger(status) {
  const { tally, upload } = status;
  if (!tally) return;
  const shares = parts(tally, upload?.state);
  const all = tally.captured ?? 0, added = shares.reduce((total, part) => total + part.count, 0);
  showOnce($("ledger"), [shares, all, tally.processed, tally.waiting, tally.failed, tally.darks, tally.references], () => [
    holding("p", "sum", element("b", "", thousands(all)), ` ${all === 1 ? "spectrum was" : "spectra were"} due `, ...shares.flatMap((part, i) => [i ? " + " : "= ", legend(part)]),
      ...(shares.length ? [] : ["so far"]), added === all ? "" : element("em", "", ` (${thousands(added - all)} are on their way)`)),
    bar(shares, Math.max(added, 1)),
    element("p", "more", [`${thousands(tally.processed ?? 0)} analysed`, tally.waiting ? `${thousands(tally.waiting)} to analyse` : "", tally.failed ? `${thousands(tally.failed)} without a result` : "",
      `${counted(tally.darks ?? 0, "dark")}, ${counted(tally.references ?? 0, "reference")}`].filter(Boolean).join(" · ")),
  ]);
  showLosses(status);
}

function legend(part) {
  return holding("span", "part", element("i", part.key), element("b", "", thousands(part.count)), ` ${part.name}`);
}

// Slots lost in the last 24 hours by reason, each with what can be done; those that a full disk keeps out of the ledger too.
function showLosses(status) {
  const lost = { ...status.day?.lost };
  for (const [reason, slots] of Object.entries(status.unrecorded ?? {})) lost[reason] = (lost[reason] ?? 0) + slots;
  const listed = Object.entries(lost).sort((a, b) => b[1] - a[1]);
  const calibration = Object.entries(status.tally?.lost_calibration ?? {});
  showOnce($("losses"), [listed, calibration, status.advice], () => [
    ...(listed.length ? [element("li", "head", "Lost in 24 hours")] : []),
    ...listed.map(([reason, slots]) => holding("li", "", element("b", "", `${thousands(slots)} ${reason}`), status.advice?.[reason] ? `: ${status.advice[reason]}` : "")),
    ...calibration.map(([reason, slots]) => holding("li", "", `${thousands(slots)} darks or references not taken: ${reason}`)),
  ]);
  $("losses").hidden = listed.length + calibration.length === 0;
}
