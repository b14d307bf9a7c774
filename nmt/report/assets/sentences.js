// The browser of sentences: filter, order, differences marked, attention on demand. Test sets are unpacked when first shown.
const PER_PAGE = 8;
const unpacked = new Map(); // test set to a promise of its block

function block(testSet) {
  if (!unpacked.has(testSet)) {
    const holder = [...document.querySelectorAll("script[data-sentences]")].find((script) => script.dataset.sentences === testSet);
    unpacked.set(testSet, inflate(holder.textContent));
  }
  return unpacked.get(testSet);
}

async function inflate(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

// Rows of the block in the order asked for.
function ordered(block, choice, metric) {
  const score = (row, system) => row.scores[metric][system];
  let found = block.rows.filter((row) => (!choice.bucket || row.bucket === choice.bucket) &&
    (!choice.text || [row.source, row.reference, ...row.outputs].some((text) => text.toLowerCase().includes(choice.text))));
  if (choice.order === "long") found.sort((a, b) => b.length - a.length);
  if (choice.order === "worst") found.sort((a, b) => (score(a, 0) - score(b, 0)) * (measureOf(metric).higherIsBetter ? 1 : -1));
  if (choice.order === "difference") {
    const gap = (row) => Math.abs(score(row, choice.first) - score(row, choice.second));
    found.sort((a, b) => gap(b) - gap(a));
  }
  if (choice.order === "mixed") found = inTurn(found);
  return found;
}

// One of each bucket, then the next of each.
function inTurn(found) {
  const groups = new Map();
  for (const row of found) groups.set(row.bucket, [...(groups.get(row.bucket) ?? []), row]);
  const lists = [...groups.values()];
  const longest = Math.max(0, ...lists.map((list) => list.length));
  return Array.from({ length: longest }, (_, i) => lists.map((list) => list[i]).filter(Boolean)).flat();
}

// Words of the output that are not in its longest common subsequence with the reference.
function marked(output, reference) {
  const ours = output.split(/\s+/).filter(Boolean), theirs = reference.split(/\s+/).filter(Boolean);
  const common = Array.from({ length: ours.length + 1 }, () => new Uint16Array(theirs.length + 1));
  for (let i = ours.length - 1; i >= 0; i--) {
    for (let j = theirs.length - 1; j >= 0; j--) {
      common[i][j] = ours[i] === theirs[j] ? common[i + 1][j + 1] + 1 : Math.max(common[i + 1][j], common[i][j + 1]);
    }
  }
  const parts = [];
  for (let i = 0, j = 0; i < ours.length; i++) {
    while (j < theirs.length && ours[i] !== theirs[j] && common[i][j + 1] >= common[i + 1][j]) j++;
    const same = j < theirs.length && ours[i] === theirs[j];
    parts.push(same ? escapeHtml(ours[i]) : `<mark>${escapeHtml(ours[i])}</mark>`);
    if (same) j++;
  }
  return parts.join(" ");
}

function card(row, block, metric, unit) {
  const article = document.createElement("article");
  article.className = "sentence";
  // Each text in the direction of its own first letter, whatever the page's.
  const outputs = systems.map((system, i) => `<dt>${named(system)} ` +
    `<b>${number(row.scores[metric][i], measureOf(metric).digits)}</b></dt><dd dir="auto" lang="${escapeHtml(data.targetLanguage)}">${marked(row.outputs[i], row.reference) || "<em>nothing</em>"}</dd>`).join("");
  article.innerHTML = `<h3>sentence ${row.number}, ${row.length} ${unit}</h3><dl>` +
    `<dt>source</dt><dd dir="auto" lang="${escapeHtml(data.sourceLanguage)}">${escapeHtml(row.source)}</dd>` +
    `<dt>reference</dt><dd dir="auto" lang="${escapeHtml(data.targetLanguage)}">${escapeHtml(row.reference)}</dd>${outputs}</dl>`;
  const attending = systems.filter((system) => block.maps[system.name]?.[row.number]);
  if (attending.length) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "where the models look";
    button.setAttribute("aria-expanded", "false");
    button.addEventListener("click", () => toggleMaps(button, article, row, attending, block));
    article.append(button);
  }
  return article;
}

function toggleMaps(button, article, row, attending, block) {
  const open = button.getAttribute("aria-expanded") === "true";
  button.setAttribute("aria-expanded", String(!open));
  article.querySelector(".maps")?.remove();
  if (open) return;
  const maps = document.createElement("div");
  maps.className = "maps";
  article.append(maps);
  for (const system of attending) {
    const id = `map-${row.number}-${system.index}`;
    const figure = document.getElementById("curve-chart").closest("figure").cloneNode(true);
    const chart = figure.querySelector(".chart");
    chart.replaceChildren();
    chart.id = id;
    chart.className = "chart";
    chart.removeAttribute("style");
    chart.setAttribute("aria-label", `attention of ${system.name} in sentence ${row.number}`);
    figure.querySelector(".downloads").dataset.chart = id;
    maps.append(figure);
    const pieces = document.getElementById("sentence-controls").pieces.checked;
    const picture = block.pictures[system.name]?.[row.number];
    const show = (what) => {
      const [view, layer, head] = what.split(" ");
      if (view === "output") return draw(id, heatMap(system.name, block.maps[system.name][row.number], pieces));
      const weights = headOf(picture, Number(layer), view === "head" ? Number(head) : null);
      return draw(id, heatMap(system.name, [picture[0], picture[1], weights], pieces, block.gold[row.number]));
    };
    if (picture) figure.prepend(viewSelect(system, row, picture, show));
    show("output");
  }
}

// What a heat map shows: the model's own output, or the reference, by the heads together or one of them.
function viewSelect(system, row, [, , [layers, heads]], show) {
  const label = document.createElement("label");
  label.className = "view";
  const options = [["output", "over its own output"], ["mean", "over the reference"]];
  if (layers * heads > 1) {
    for (let l = 0; l < layers; l++) for (let h = 0; h < heads; h++) options.push([`head ${l} ${h}`, `over the reference, layer ${l + 1}, head ${h + 1}`]);
  }
  label.innerHTML = `<select aria-label="what the heat map of ${escapeHtml(system.name)} in sentence ${row.number} shows">` +
    options.map(([value, text]) => `<option value="${value}">${text}</option>`).join("") + "</select>";
  label.firstChild.addEventListener("change", (event) => show(event.target.value));
  return label;
}

async function showSentences(state, page) {
  const form = document.getElementById("sentence-controls");
  const shown = await block(state.testSet);
  if (chosen().testSet !== state.testSet) return page; // switched again while this one was unpacked
  const choice = {
    bucket: form.bucket.value, order: form.order.value, first: Number(form.first.value), second: Number(form.second.value),
    text: form.text.value.trim().toLowerCase(),
  };
  for (const label of form.querySelectorAll(".of-difference")) label.hidden = choice.order !== "difference";
  const found = ordered(shown, choice, state.metric);
  const pages = Math.max(1, Math.ceil(found.length / PER_PAGE));
  const at = Math.min(Math.max(page, 0), pages - 1);
  const list = document.getElementById("sentence-list");
  list.replaceChildren(...found.slice(at * PER_PAGE, (at + 1) * PER_PAGE).map((row) => card(row, shown, state.metric, unitOf(state))));
  if (!found.length) list.textContent = "No sentence is like that.";
  document.getElementById("sentence-rule").textContent = `${data.sentenceRules[state.testSet]} Numbers are ${measureOf(state.metric).title} of the one sentence; ` +
    "marked words do not stand there in the reference.";
  document.getElementById("page-number").textContent = `${at + 1} of ${pages} (${found.length.toLocaleString("en")} sentences)`;
  document.getElementById("previous").disabled = at === 0;
  document.getElementById("next").disabled = at + 1 >= pages;
  return at;
}
