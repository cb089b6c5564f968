// The first picture, and the only one where there is no plotly: the same data and axes as plotly gets, on a canvas at once.
const TICKS = 10;
const FONT = "13px system-ui, sans-serif";

// data, layout: as plotly takes them; of the data, lines and markers on the first axes.
export function sketch(canvas, data, layout) {
  const { clientWidth: width, clientHeight: height } = canvas, scale = devicePixelRatio || 1;
  canvas.width = width * scale;
  canvas.height = height * scale;
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  pen.font = FONT;
  const { margin: { l, r, t, b }, xaxis, yaxis } = layout;
  const frame = { left: l, right: width - r, top: t, bottom: height - b };
  const x = along(xaxis, frame.left, frame.right), y = along(yaxis, frame.bottom, frame.top);
  axes(pen, frame, xaxis, yaxis, x, y);
  pen.save();
  pen.beginPath();
  pen.rect(frame.left, frame.top, frame.right - frame.left, frame.bottom - frame.top);
  pen.clip();
  for (const one of data) if (!one.yaxis) (one.mode === "lines" ? line : dots)(pen, one, x, y);
  pen.restore();
}

function along({ range: [low, high], type }, from, to) {
  const at = (value) => from + (value - low) / (high - low) * (to - from);
  return type === "log" ? (value) => at(Math.log10(value)) : at;
}

function line(pen, { x: xs, y: ys, line: { color, width, dash } }, x, y) {
  pen.strokeStyle = color;
  pen.lineWidth = width;
  pen.setLineDash(dash === "dash" ? [9, 9] : dash === "dot" ? [2, 4] : []);
  pen.beginPath();
  let down = false;
  for (let i = 0; i < xs.length; i++) {
    if (ys[i] === null) down = false;
    else if (down) pen.lineTo(x(xs[i]), y(ys[i]));
    else { pen.moveTo(x(xs[i]), y(ys[i])); down = true; }
  }
  pen.stroke();
  pen.setLineDash([]);
}

function dots(pen, { x: xs, y: ys, marker: { size, color } }, x, y) {
  xs.forEach((at, i) => {
    if (ys[i] === null) return;
    pen.fillStyle = [].concat(color)[i] ?? color;
    pen.beginPath();
    pen.arc(x(at), y(ys[i]), (size[i] ?? size) / 2, 0, 7);
    pen.fill();
  });
}

function axes(pen, { left, right, top, bottom }, xaxis, yaxis, x, y) {
  const stroke = (colour, x0, y0, x1, y1) => { pen.strokeStyle = colour; pen.lineWidth = 1; pen.beginPath(); pen.moveTo(x0, y0); pen.lineTo(x1, y1); pen.stroke(); };
  pen.fillStyle = xaxis.tickfont.color;
  pen.textAlign = "center";
  pen.textBaseline = "top";
  for (const value of ticks(xaxis)) { stroke(xaxis.gridcolor, x(value), top, x(value), bottom); pen.fillText(text(value), x(value), bottom + 10); }
  pen.fillText(xaxis.title.text, (left + right) / 2, bottom + 27);
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  for (const value of ticks(yaxis)) { stroke(yaxis.gridcolor, left, y(value), right, y(value)); pen.fillText(text(value), left - 8, y(value)); }
  stroke(xaxis.linecolor, left, bottom, right, bottom);
  stroke(yaxis.linecolor, left, top, left, bottom);
  pen.save();
  pen.translate(14, (top + bottom) / 2);
  pen.rotate(-Math.PI / 2);
  pen.textAlign = "center";
  pen.fillText(yaxis.title.text, 0, 0);
  pen.restore();
}

const text = (value) => Number(value.toPrecision(10)).toString().replace(/\B(?=(\d{3})+$)/g, value >= 1e4 ? "\u202f" : "");

// 1, 2 or 5 times a power of ten apart; on a logarithmic axis the powers.
function ticks({ range: [low, high], type }) {
  const found = [];
  if (type === "log") {
    for (let power = Math.ceil(low); power <= high; power++) found.push(10 ** power);
    return found;
  }
  const least = (high - low) / TICKS, power = 10 ** Math.floor(Math.log10(least));
  const step = [1, 2, 5, 10].map((times) => times * power).find((wide) => wide >= least);
  for (let value = Math.ceil(low / step) * step; value <= high; value += step) found.push(value);
  return found;
}
