// Names of peaks: as many as have room in what is shown, the most important first; others appear when one zooms in.
const STEP = 13, REACH = 34, ROW = 8;
let placing = false;

function spread(wishes) {
  const groups = [];
  wishes.forEach((wish, i) => {
    groups.push({ sum: wish.at - i * STEP, count: 1 });
    while (groups.length > 1 && groups.at(-2).sum / groups.at(-2).count > groups.at(-1).sum / groups.at(-1).count) {
      const last = groups.pop();
      groups.at(-1).sum += last.sum;
      groups.at(-1).count += last.count;
    }
  });
  const starts = groups.flatMap((group) => Array(group.count).fill(group.sum / group.count));
  return wishes.map((wish, i) => ({ ...wish, x: starts[i] + i * STEP }));
}

function placed(width, first, last) {
  let kept = [];
  for (const label of labels) {
    if (label.x < first || label.x > last) continue;
    const wish = { ...label, at: (label.x - first) / (last - first) * width };
    const tried = spread([...kept, wish].sort((a, b) => a.at - b.at));
    if (tried.every(({ x, at }) => Math.abs(x - at) <= REACH && x >= 0 && x <= width)) kept = tried;
    if (kept.length >= width / STEP) break;
  }
  return kept;
}

function place() {
  if (placing) return;
  placing = true;
  const axis = chart._fullLayout.xaxis;
  const [first, last] = axis.range;
  const annotations = placed(axis._length, Math.min(first, last), Math.max(first, last)).map((label) => ({
    x: label.x / axis._length, xref: "paper", y: 1, yref: "paper", yanchor: "bottom", yshift: ROW, xanchor: "center", showarrow: false,
    text: label.text.replace(/[&<>]/g, ""), textangle: -90, font: { size: 11, color: label.colour },
  }));
  Plotly.relayout(chart, { annotations }).then(() => { placing = false; });
}

chart.on("plotly_relayout", place);
Plotly.Plots.resize(chart).then(place);
