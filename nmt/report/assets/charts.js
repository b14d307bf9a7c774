// Charts: what is drawn in the page's colours, and how it is downloaded. A chart is a function of the theme.
const data = JSON.parse(document.getElementById("data").textContent);
const systems = data.systems.map((system, index) => ({ ...system, index }));
const rows = new Map(data.rows.map(([system, seed, testSet, bucket, metric, score, low, high, p, chance]) =>
  [key(system, seed, testSet, bucket, metric), { score, low, high, p, chance }]));
const charts = new Map(); // id to the function that makes it

function key(...parts) { return parts.join("\u0000"); }

function escapeHtml(text) {
  return String(text).replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);
}

// A text of a chart in its own direction: letters from right to left would set what stands around them backwards. The
// blocks are those that Unicode keeps for their scripts (see corpus/text/writing.py).
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

function isolated(text) { return RIGHT_TO_LEFT.test(text) ? `\u2068${text}\u2069` : text; }

const label = (text) => escapeHtml(isolated(text)); // as Plotly takes it

// The row of a system in a bucket for what is chosen in the controls.
function find(state, system, bucket, metric) {
  return rows.get(key(system, state.seed, state.testSet, bucket, metric));
}

// Whether the references of a bucket hold too little for a measure: its score is then not shown.
function tooShort(state, bucket, metric) { return (data.tooShort[state.testSet]?.[bucket] ?? []).includes(metric); }

// What the sources of the test set are counted in: words, or characters.
const unitOf = (state) => data.units[state.testSet];

function bucketsOf(state) { return Object.keys(data.testSets[state.testSet]).filter((bucket) => bucket !== "all"); }

const LIGHT = { ink: "#1b1d20", soft: "#565c64", line: "#e3e5e8", paper: "#ffffff" };

function pageTheme() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  return { ink: colour("ink"), soft: colour("soft"), line: colour("line"), paper: colour("card") };
}

const KEY = 42; // pixels of a line in a legend: its dots can be counted

// Rows that a legend of these names takes above a chart of this width, in pixels.
function legendRows(names, width) {
  const taken = names.reduce((sum, name) => sum + 62 + KEY - 30 + 7.5 * name.length, 0);
  return Math.max(1, Math.ceil(taken / Math.max(width - 90, 120)));
}

function baseLayout(theme, title, height) {
  const axis = { gridcolor: theme.line, linecolor: theme.soft, tickcolor: theme.soft, zeroline: false, automargin: true, fixedrange: true };
  return {
    height, paper_bgcolor: theme.paper, plot_bgcolor: theme.paper,
    font: { family: 'system-ui, "Segoe UI", Roboto, "Helvetica Neue", sans-serif', size: 13, color: theme.ink },
    title: { text: label(title), x: 0.01, xanchor: "left", y: 0.985, yanchor: "top", font: { size: 15 } },
    margin: { l: 58, r: 16, t: 74, b: 58 },
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", xanchor: "left", itemwidth: KEY },
    hoverlabel: { bgcolor: theme.paper, bordercolor: theme.soft, font: { color: theme.ink } },
    xaxis: { ...axis, showgrid: false }, yaxis: { ...axis },
  };
}

// Room above the chart for all systems; share is the part of the page's width that the chart has.
function fitLegend(layout, share) {
  const rows = legendRows(systems.map((system) => system.name), share * Math.min(window.innerWidth, 1050));
  layout.margin.t += 22 * (rows - 1);
  layout.height += 22 * (rows - 1);
}

const number = (value, digits = 1) => value.toFixed(digits);

function significance(row) {
  return row.p === null ? "" : `, ${row.chance}${row.p < data.significant ? " *" : ""}`;
}

// How a system's line and its points look; black is the ink of the page, light or dark.
function drawn(system, theme, width, size) {
  const color = system.colour === "#000000" ? theme.ink : system.colour;
  return { line: { color, width, dash: system.dash }, marker: { symbol: system.symbol, size, color } };
}

// Plotly keeps groups by their names in an object, where __proto__ is none.
const groupOf = (name) => `group of ${name}`;

// A system's points { x, score, low, high } as a line, over its band where there is one; text is what hovering shows.
function lineWithBand(system, theme, points, text) {
  if (!points.length) return [];
  const name = label(system.name), legendgroup = groupOf(system.name);
  const line = {
    x: points.map((point) => point.x), y: points.map((point) => point.score), name, legendgroup,
    mode: "lines+markers", ...drawn(system, theme, 2.4, 8),
    text: points.map(text), hovertemplate: "%{text}<extra>" + name + "</extra>",
  };
  // A point without a band was seen in few sentences: it is drawn hollow.
  line.marker.symbol = points.map((point) => (point.low === null ? `${system.symbol}-open` : system.symbol));
  const banded = points.filter((point) => point.low !== null);
  if (!banded.length) return [line];
  const back = banded.slice().reverse();
  const band = {
    x: [...banded, ...back].map((point) => point.x),
    y: [...banded.map((point) => point.low), ...back.map((point) => point.high)],
    fill: "toself", fillcolor: line.line.color + "2b", line: { width: 0 }, mode: "lines",
    hoverinfo: "skip", showlegend: false, legendgroup,
  };
  return [band, line];
}

// What the page knows of a measure.
const measureOf = (metric) => data.measures[metric];

// A measure by source length, one line a system, bands where there are any.
function byLength(state, metric, height) {
  return (theme) => {
    const buckets = bucketsOf(state);
    const counts = data.testSets[state.testSet];
    const { title: label, digits } = measureOf(metric);
    const place = (bucket) => `${bucket} ${unitOf(state)}, n = ${counts[bucket].toLocaleString("en")}`; // also the head of what hovering shows
    const traces = [];
    const table = [[`source ${unitOf(state)}`, "sentences", "system", label, "low", "high", "p"]];
    const scored = data.metrics.includes(metric); // a score without a band has too few sentences and is left out
    for (const system of systems) {
      const points = buckets.map((bucket) => ({ x: place(bucket), bucket, ...find(state, system.name, bucket, metric) }))
        .filter((point) => point.score !== undefined && (!scored || point.low !== null) && !tooShort(state, point.bucket, metric));
      for (const { bucket, score, low, high, p } of points) table.push([bucket, counts[bucket], system.name, score, low, high, p]);
      const text = (point) => number(point.score, digits) + (point.low !== null
        ? ` [${number(point.low, digits)}, ${number(point.high, digits)}]${significance(point)}` : ` (seen in fewer than ${data.fewSentences} sentences)`);
      traces.push(...lineWithBand(system, theme, points, text));
    }
    const layout = baseLayout(theme, `${label} by source length, ${isolated(state.testSet)}`, height);
    layout.hovermode = "x unified";
    fitLegend(layout, height < 400 && window.innerWidth > 700 ? 0.5 : 1);
    const narrow = window.innerWidth < 700;
    Object.assign(layout.xaxis, {
      title: { text: `source length in ${unitOf(state)} (n sentences)` }, type: "category", categoryorder: "array", categoryarray: buckets.map(place), tickvals: buckets.map(place),
      ticktext: buckets.map((bucket) => `${bucket}<br>${narrow ? "" : "n="}${counts[bucket].toLocaleString("en")}`),
      tickfont: { size: narrow ? 9 : 12 }, tickangle: 0, range: [-0.35, buckets.length - 0.65],
    });
    Object.assign(layout.yaxis, { title: { text: label }, rangemode: "tozero" });
    return { traces, layout, table };
  };
}

const lengthsOf = (state, bucket) => (bucket === "all" ? "all lengths" : `sources of ${bucket} ${unitOf(state)}`);

// The share of source words whose translation appears, by their tenth of the sentence, in one bucket.
function translatedByPlace(state, bucket) {
  return (theme) => {
    const table = [["system", "place", "words", "percent", "low", "high"]];
    const traces = systems.flatMap((system) => {
      const points = data.places.filter(([name, testSet, label]) => name === system.name && testSet === state.testSet && label === bucket)
        .map(([, , , x, score, low, high, words]) => ({ x, score, low, high, words }));
      for (const { x, score, low, high, words } of points) table.push([system.name, x, words, score, low, high]);
      const text = ({ score, low, high, words }) => `${number(score)} % [${number(low)}, ${number(high)}] of ${words.toLocaleString("en")} words`;
      return lineWithBand(system, theme, points, text);
    });
    const layout = baseLayout(theme, `Words whose translation appears, ${lengthsOf(state, bucket)}, ${isolated(state.testSet)}`, 360);
    layout.hovermode = "x unified";
    fitLegend(layout, 1);
    Object.assign(layout.xaxis, { title: { text: "tenth of the source sentence (1: its beginning)" }, dtick: 1, range: [0.7, 10.3] });
    Object.assign(layout.yaxis, { title: { text: "% translated" }, range: [0, 103] });
    return { traces, layout, table };
  };
}

// How far output words reach back, a map for each system, in one bucket; all maps share their colours.
function gradientMaps(state, bucket) {
  return (theme) => {
    const maps = data.gradients.filter(([, testSet, label]) => testSet === state.testSet && label === bucket);
    const columns = Math.min(maps.length, window.innerWidth < 700 ? 2 : 4), rowCount = Math.ceil(maps.length / columns);
    const layout = baseLayout(theme, `Gradient of output words, ${lengthsOf(state, bucket)}, ${isolated(state.testSet)}`, 90 + 230 * rowCount);
    layout.grid = { rows: rowCount, columns, pattern: "independent", ygap: 0.35 };
    layout.margin = { l: 40, r: 10, t: 80, b: 45 };
    layout.annotations = [];
    const tenths = Array.from({ length: 10 }, (_, i) => i + 1); // as everywhere: the first is 1
    const table = [["system", "target tenth", ...tenths.map((tenth) => `source tenth ${tenth}`)]];
    const traces = maps.map(([name, , , probes, shares], k) => {
      const end = k ? k + 1 : "";
      const axis = { fixedrange: true, showgrid: false, tickvals: [1, 5, 10], ticks: "", color: theme.ink };
      layout[`xaxis${end}`] = { ...axis };
      layout[`yaxis${end}`] = { ...axis, autorange: "reversed" };
      layout.annotations.push({ text: `${label(name)} (n = ${probes})`, xref: `x${end} domain`, yref: `y${end} domain`, x: 0, y: 1.02, xanchor: "left", yanchor: "bottom", showarrow: false });
      shares.forEach((row, t) => table.push([name, t + 1, ...row]));
      return {
        type: "heatmap", z: shares, zmin: 0, zmax: 60, showscale: false, xaxis: `x${end}`, yaxis: `y${end}`,
        colorscale: dark(theme) ? [[0, theme.paper], [1, "#8ec5ff"]] : [[0, "#f4f6f8"], [0.5, "#6aaed6"], [1, "#08306b"]],
        hovertemplate: "tenth %{y} of the output, tenth %{x} of the source: %{z:.0f} %<extra>" + label(name) + "</extra>",
        x: tenths, y: tenths,
      };
    });
    return { traces, layout, table };
  };
}

// Seconds or megabytes by length, both logarithmic; column is 2 for training, 3 for search, 4 for memory.
function cost(column, title, unit) {
  return (theme) => {
    const table = [["system", "tokens", unit]];
    const traces = systems.map((system) => {
      const points = data.costs.filter(([name]) => name === system.name);
      for (const point of points) table.push([system.name, point[1], point[column]]);
      return {
        x: points.map((point) => point[1]), y: points.map((point) => point[column]), name: label(system.name), mode: "lines+markers",
        ...drawn(system, theme, 2, 7), hovertemplate: `%{y:,.3~r} ${unit} at %{x:,} tokens` + "<extra>" + label(system.name) + "</extra>",
      };
    });
    const layout = baseLayout(theme, title, 330);
    fitLegend(layout, window.innerWidth > 700 ? 0.5 : 1);
    const lengths = [...new Set(data.costs.map(([, length]) => length))];
    Object.assign(layout.xaxis, { title: { text: "source tokens" }, type: "log", tickvals: lengths, ticktext: lengths.map(String) });
    Object.assign(layout.yaxis, { title: { text: unit }, type: "log" });
    return { traces, layout, table };
  };
}

function learning(against, of) {
  const labels = { minutes: "minutes of training", tokens: "target tokens", step: "updates" };
  const { title, unit } = data.curves[of];
  const at = (point) => (against === "minutes" ? point.seconds / 60 : point[against]);
  return (theme) => {
    const table = [["system", "seed", "step", "minutes", "tokens", of]];
    const seen = new Set();
    const traces = data.runs.map((run) => {
      const system = systems.find((candidate) => candidate.name === run.system);
      const points = run.curve.filter((point) => point[of] !== undefined);
      for (const point of points) table.push([run.system, run.seed, point.step, point.seconds / 60, point.tokens, point[of]]);
      const first = !seen.has(run.system);
      seen.add(run.system);
      return {
        x: points.map(at), y: points.map((point) => point[of]), name: label(run.system), legendgroup: groupOf(run.system), showlegend: first,
        mode: "lines+markers", ...drawn(system, theme, 2, 5),
        hovertemplate: `%{y:.2f} at %{x:,.4~r} ${labels[against]} (seed ${escapeHtml(run.seed)})<extra>${label(run.system)}</extra>`,
      };
    });
    const layout = baseLayout(theme, title, 340);
    fitLegend(layout, 1);
    Object.assign(layout.xaxis, { title: { text: labels[against] } });
    Object.assign(layout.yaxis, { title: { text: unit } });
    return { traces, layout, table };
  };
}

// The stand-in of a mark that is in the text itself (see corpus/subwords/stand_ins.py).
const markAgain = (piece) => piece.replaceAll("\ue581", "▁");

// The bytes that a piece stands for: those of its text, or of a part of a character.
function bytesOf(piece, wholeWords) {
  const byte = piece.match(/^<0x([0-9A-F]{2})>$/);
  if (byte) return [parseInt(byte[1], 16)];
  const text = wholeWords && piece === "<unk>" ? "▁<unk>" : piece;
  return [...new TextEncoder().encode(text.replaceAll("▁", " "))];
}

// Pieces joined to words, parted by white space of any kind (as words_of in corpus/text/links.py does), with the pieces
// that hold a part of each; the end of the sentence stands by itself.
function joined(pieces) {
  const wholeWords = pieces.every((piece) => piece.startsWith("▁") || piece === "<unk>" || piece === "</s>");
  const bytes = [], owners = [], words = [];
  pieces.forEach((piece, i) => {
    if (piece !== "</s>") bytesOf(piece, wholeWords).forEach((byte) => { bytes.push(byte); owners.push(i); });
  });
  let open = false;
  for (let at = 0, next; at < bytes.length; at = next) {
    next = at + 1;
    while (next < bytes.length && (bytes[next] & 0xc0) === 0x80) next += 1; // the rest of the character
    const character = new TextDecoder().decode(new Uint8Array(bytes.slice(at, next)));
    if (/[\s\x1c-\x1f\x85]/.test(character) && character !== "\ufeff") { open = false; continue; }
    if (!open) words.push({ text: "", pieces: [] });
    open = true;
    const word = words.at(-1);
    word.text += markAgain(character);
    owners.slice(at, next).forEach((i) => { if (!word.pieces.includes(i)) word.pieces.push(i); });
  }
  pieces.forEach((piece, i) => { if (piece === "</s>") words.push({ text: piece, pieces: [i] }); });
  return words;
}

const dark = (theme) => theme.paper !== LIGHT.paper;

// One layer's head of a picture, or the mean of the last layer's heads, as the hexadecimal weights that a heat map takes.
function headOf([sourcePieces, targetPieces, [layers, heads], hex], layer, head) {
  const size = 2 * sourcePieces.length * targetPieces.length;
  const one = (l, h) => hex.substr((l * heads + h) * size, size);
  if (head !== null) return one(layer, head);
  const all = Array.from({ length: heads }, (_, h) => one(layers - 1, h));
  let mean = "";
  for (let i = 0; i < size; i += 2) {
    const sum = all.reduce((total, weights) => total + parseInt(weights.substr(i, 2), 16), 0);
    mean += Math.round(sum / heads).toString(16).padStart(2, "0");
  }
  return mean;
}

// Attention weights: each row says where the model looked when it wrote that word, or that piece if pieces are wanted.
// A word's weight is the sum over the pieces of a source word, and the mean over those of a target word. The
// weight of a piece that holds parts of several words is shared among them.
// Known links of words are framed.
function heatMap(system, [sourcePieces, targetPieces, hex], pieces, links = []) {
  const single = (list) => list.map((piece, i) => ({ text: markAgain(piece.replace("▁", "_")), pieces: [i] }));
  const sources = pieces ? single(sourcePieces) : joined(sourcePieces), targets = pieces ? single(targetPieces) : joined(targetPieces);
  const weight = (t, s) => parseInt(hex.substr(2 * (t * sourcePieces.length + s), 2), 16) / 255;
  const holders = sourcePieces.map((_, s) => sources.filter((word) => word.pieces.includes(s)).length);
  const weights = targets.map((target) => sources.map((word) =>
    target.pieces.reduce((sum, t) => sum + word.pieces.reduce((part, s) => part + weight(t, s) / holders[s], 0), 0) / target.pieces.length));
  const source = sources.map((word) => word.text), target = targets.map((word) => word.text);
  return (theme) => {
    const cell = Math.max(9, Math.min(22, 620 / source.length));
    const size = Math.max(7, Math.min(12, cell * 0.62));
    const layout = baseLayout(theme, system, undefined);
    const ticks = (pieces) => ({
      tickvals: pieces.map((_, i) => i), ticktext: pieces.map(label), tickfont: { size }, showgrid: false, ticks: "",
    });
    Object.assign(layout.xaxis, { ...ticks(source), side: "top", tickangle: -60 });
    Object.assign(layout.yaxis, { ...ticks(target), autorange: "reversed" });
    layout.margin = { l: 70, r: 10, t: 90, b: 10 };
    layout.shapes = pieces ? [] : links.map(([s, t]) => ({
      type: "rect", x0: s - 0.5, x1: s + 0.5, y0: t - 0.5, y1: t + 0.5, line: { color: dark(theme) ? "#ffb454" : "#c2410c", width: 1.6 },
    }));
    layout.width = Math.max(240, cell * source.length + 110);
    layout.height = cell * 0.9 * target.length + 120;
    const traces = [{
      type: "heatmap", z: weights, zmin: 0, zmax: 1, showscale: false, xgap: cell > 12 ? 1 : 0, ygap: cell > 12 ? 1 : 0,
      colorscale: dark(theme) ? [[0, theme.paper], [1, "#8ec5ff"]] : [[0, "#f4f6f8"], [0.5, "#6aaed6"], [1, "#08306b"]],
      customdata: weights.map((row, t) => row.map((_, s) => [label(target[t]), label(source[s])])),
      hovertemplate: "%{customdata[0]} looks at %{customdata[1]}: %{z:.2f}<extra></extra>",
    }];
    return { traces, layout, table: [["", ...source], ...target.map((piece, t) => [piece, ...weights[t].map((w) => w.toFixed(3))])] };
  };
}

function draw(id, make) {
  charts.set(id, make);
  const { traces, layout } = make(pageTheme());
  return Plotly.react(id, traces, layout, { displayModeBar: false, responsive: layout.width === undefined });
}

// Drawn again in the colours of the moment; on paper always light.
function redraw(theme) {
  for (const [id, make] of charts) {
    if (!document.getElementById(id)) { charts.delete(id); continue; }
    const { traces, layout } = make(theme);
    Plotly.react(id, traces, layout);
  }
}

function save(name, content, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function csvText(table) {
  const cell = (value) => { const text = value ?? ""; return /[",\n]/.test(text) ? `"${String(text).replaceAll('"', '""')}"` : text; };
  return table.map((row) => row.map(cell).join(",")).join("\n") + "\n";
}

async function download(id, format) {
  const made = charts.get(id)(LIGHT);
  const name = `${data.name}-${id}`.replace(/[^\w.-]+/g, "_");
  if (format === "csv") return save(`${name}.csv`, csvText(made.table), "text/csv");
  const size = { width: made.layout.width ?? 860, height: made.layout.height };
  return Plotly.downloadImage({ data: made.traces, layout: made.layout }, { format, filename: name, scale: format === "png" ? 3 : 1, ...size });
}
