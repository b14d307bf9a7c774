// What the controls choose, and what follows from it.
const controls = document.getElementById("controls");
const learningControls = document.getElementById("learning-controls");
const whyControls = document.getElementById("why-controls");
const sentenceControls = document.getElementById("sentence-controls");
const ENOUGH = 20; // sentences
let page = 0;

function chosen() {
  const values = new FormData(controls);
  return { metric: values.get("metric"), testSet: values.get("testSet"), seed: values.get("seed") };
}

const named = (system) => `${system.key}<bdi dir="auto">${escapeHtml(system.name)}</bdi>`;

function spread(state, system, bucket) {
  if (state.seed !== "mean") return "";
  const scores = data.seeds.filter((seed) => seed !== "mean").map((seed) => rows.get(key(system, seed, state.testSet, bucket, state.metric))?.score);
  const found = scores.filter((score) => score !== undefined);
  if (found.length < 2) return "";
  const mean = found.reduce((sum, score) => sum + score, 0) / found.length;
  const variance = found.reduce((sum, score) => sum + (score - mean) ** 2, 0) / (found.length - 1);
  return ` ±${number(Math.sqrt(variance), measureOf(state.metric).digits)}`;
}

function scoreTable(state) {
  const head = systems.map((system) => `<th scope="col">${named(system)}</th>`).join("");
  const shown = (value) => number(value, measureOf(state.metric).digits);
  const body = Object.entries(data.testSets[state.testSet]).map(([bucket, count]) => {
    const cells = systems.map((system) => {
      const row = find(state, system.name, bucket, state.metric);
      if (!row) return "<td>–</td>";
      if (tooShort(state, bucket, state.metric)) return `<td class="soft">too short for ${escapeHtml(measureOf(state.metric).label)}</td>`;
      if (row.low === null) return `<td>(${shown(row.score)})</td>`;
      const star = row.p !== null && row.p < data.significant ? "*" : "";
      return `<td title="${row.chance ?? "not compared"}">${shown(row.score)}${star}${spread(state, system.name, bucket)} <span class="band">[${shown(row.low)}, ${shown(row.high)}]</span></td>`;
    }).join("");
    return `<tr class="${bucket === "all" ? "all" : ""}"><td>${bucket}</td><td>${count.toLocaleString("en")}</td>${cells}</tr>`;
  }).join("");
  document.getElementById("score-table").innerHTML =
    `<table><thead><tr><th scope="col">source ${unitOf(state)}</th><th scope="col">sentences</th>${head}</tr></thead><tbody>${body}</tbody></table>`;
}

// All measures of a group, and systems, by source length.
function groupTable(state, group) {
  const columns = systems.flatMap((system) => group.measures.map((metric) => [system, metric]));
  const head = columns.map(([system, metric]) => `<th scope="col">${named(system)}<br>${escapeHtml(measureOf(metric).title)}</th>`).join("");
  const body = Object.keys(data.testSets[state.testSet]).map((bucket) =>
    `<tr class="${bucket === "all" ? "all" : ""}"><td>${bucket}</td>${columns.map(([system, metric]) => {
      const row = find(state, system.name, bucket, metric);
      return `<td>${row ? number(row.score, measureOf(metric).digits) : "–"}</td>`;
    }).join("")}</tr>`).join("");
  document.getElementById(`${group.anchor}-table`).innerHTML =
    `<table><thead><tr><th scope="col">source ${unitOf(state)}</th>${head}</tr></thead><tbody>${body}</tbody></table>`;
}

// The charts of a group; one without data is left out.
function showGroup(state, group) {
  for (const metric of group.measures) {
    const there = systems.some((system) => bucketsOf(state).some((bucket) => find(state, system.name, bucket, metric)));
    document.getElementById(`measure-${metric}`).closest("figure").hidden = !there;
    if (there) draw(`measure-${metric}`, byLength(state, metric, 320));
  }
  groupTable(state, group);
}

function fillSelects(state) {
  const buckets = bucketsOf(state);
  const kept = sentenceControls.bucket.value;
  sentenceControls.bucket.innerHTML = `<option value="">all lengths</option>` + buckets.map((bucket) => `<option>${bucket}</option>`).join("");
  sentenceControls.bucket.value = buckets.includes(kept) ? kept : "";
  if (!sentenceControls.first.length) {
    const options = systems.map((system) => `<option dir="auto" value="${system.index}">${escapeHtml(system.name)}</option>`).join("");
    sentenceControls.first.innerHTML = sentenceControls.second.innerHTML = options;
    sentenceControls.second.value = String(Math.min(1, systems.length - 1));
  }
}

// The last bucket with sentences enough to see something in; none where there is none.
function longestOf(state, buckets) {
  return buckets.filter((bucket) => bucket !== "all" && data.testSets[state.testSet][bucket] >= ENOUGH).at(-1);
}

// Charts of what is known: a figure without data is left out.
function showWhy(state) {
  const ofSet = (rows, bucket) => rows.some(([, testSet, label]) => testSet === state.testSet && (bucket === undefined || label === bucket));
  document.getElementById("why-nothing").hidden = ofSet(data.places);
  const buckets = Object.keys(data.testSets[state.testSet]).filter((bucket) => ofSet(data.places, bucket) || ofSet(data.gradients, bucket));
  const select = whyControls.bucket, kept = select.value;
  select.innerHTML = buckets.map((bucket) => `<option>${bucket}</option>`).join("");
  if (buckets.includes(kept)) select.value = kept;
  else select.value = longestOf(state, buckets.filter((bucket) => ofSet(data.places, bucket))) ?? longestOf(state, buckets) ?? buckets.at(-1);
  whyControls.hidden = !buckets.length;
  const known = ofSet(data.places, select.value);
  document.getElementById("place-part").hidden = !known;
  if (known) draw("place-chart", translatedByPlace(state, select.value));
  const traced = ofSet(data.gradients, select.value);
  document.getElementById("gradient-part").hidden = !traced;
  if (traced) draw("gradient-chart", gradientMaps(state, select.value));
}

async function show() {
  const state = chosen();
  for (const place of document.querySelectorAll(".unit")) place.textContent = unitOf(state);
  scoreTable(state);
  fillSelects(state);
  draw("curve-chart", byLength(state, state.metric, 430));
  showWhy(state);
  for (const group of data.groups) showGroup(state, group);
  page = await showSentences(state, 0);
}

function showLearning() {
  const values = new FormData(learningControls);
  draw("learning-chart", learning(values.get("against"), values.get("of")));
}

async function turn(to) { page = await showSentences(chosen(), to); }

controls.addEventListener("change", show);
learningControls.addEventListener("change", showLearning);
sentenceControls.addEventListener("input", () => turn(0));
whyControls.addEventListener("change", () => showWhy(chosen()));
for (const form of [controls, learningControls, whyControls, sentenceControls]) form.addEventListener("submit", (event) => event.preventDefault());
document.getElementById("previous").addEventListener("click", () => turn(page - 1));
document.getElementById("next").addEventListener("click", () => turn(page + 1));
document.addEventListener("click", (event) => {
  const button = event.target.closest(".downloads button");
  if (button) download(button.parentElement.dataset.chart, button.dataset.as);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => redraw(pageTheme()));
window.addEventListener("beforeprint", () => redraw(LIGHT));
window.addEventListener("afterprint", () => redraw(pageTheme()));
showLearning();
if (data.costs.length) {
  draw("training-cost-chart", cost(2, "one training step", "seconds"));
  draw("search-cost-chart", cost(3, "greedy search", "seconds"));
  draw("memory-cost-chart", cost(4, "kept by a training step", "megabytes"));
}
show().then(() => { document.body.dataset.ready = "true"; });
