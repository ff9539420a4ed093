// The page to try a model. Whatever comes from the server or a file is set as text, never as HTML.
"use strict";

const element = (id) => document.getElementById(id);
const make = (tag, name, text) => {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text !== undefined) made.textContent = text;
  return made;
};
const COLOURS = ["#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080", "#9a6324", "#800000", "#808000", "#000075"];
const SVG = "http://www.w3.org/2000/svg";
const MOST_BARS = 20;

let token = "";
let models = [];
let image = null; // {file, bitmap}

const headers = () => (token ? { Authorization: `Bearer ${token}` } : {});

function say(text, isBad = false) {
  element("status").textContent = text;
  element("status").classList.toggle("bad", isBad);
}

async function load() {
  const answer = await fetch("metadata", { headers: headers() });
  element("token-form").hidden = answer.status !== 401;
  if (answer.status === 401) {
    say(token ? "This token is not the server's." : "", true);
    return;
  }
  const metadata = await answer.json();
  models = metadata.models;
  const select = element("model");
  select.replaceChildren(...models.map((model) => {
    const choice = make("option", "", `${model.name}, version ${model.version}`);
    choice.value = `${model.name}@${model.version}`;
    return choice;
  }));
  select.value = metadata.default;
  element("model-label").hidden = false;
  element("form").hidden = false;
  say("");
  show();
}

const current = () => models.find((model) => `${model.name}@${model.version}` === element("model").value);

// Shows the inputs that the chosen model takes.
function show() {
  const model = current();
  element("image-input").hidden = model.takes !== "image";
  element("text-input").hidden = model.takes !== "text";
  const fields = element("row-input");
  fields.hidden = model.takes !== "row" && model.takes !== "draw";
  if (!fields.hidden) fields.replaceChildren(...Object.entries(model.input.properties).map(field));
  element("send-line").hidden = model.takes === "image" && image === null;
  element("answer").hidden = true;
}

function field([name, schema], index) {
  const label = make("label", "", name);
  const listed = schema.enum || (schema.examples && schema.examples.length <= 50 ? schema.examples : null);
  const input = make(listed ? "select" : "input");
  if (listed) input.replaceChildren(...listed.map((value) => make("option", "", value)));
  else input.value = schema.default ?? "";
  if (!listed && schema.type !== "integer" && schema.description) input.placeholder = schema.description;
  input.id = `field-${index}`;
  input.dataset.name = name;
  input.dataset.isWhole = String(schema.type === "integer");
  label.append(input);
  return label;
}

// An empty field of a row is a missing value; numbers are sent as they are typed, as a CSV would hold them.
function cells() {
  const inputs = [...element("row-input").querySelectorAll("[data-name]")];
  return Object.fromEntries(inputs.map((input) => {
    const typed = input.value.trim();
    return [input.dataset.name, input.dataset.isWhole === "true" ? Number(typed) : typed === "" ? null : typed];
  }));
}

async function take(file) {
  if (!file) return;
  try {
    image = { file, bitmap: await createImageBitmap(file) };
  } catch {
    image = { file, bitmap: null }; // a format that the model may read and the browser does not
  }
  element("send-line").hidden = false;
  await ask();
}

async function ask() {
  const model = current();
  const place = `models/${encodeURIComponent(model.name)}/${encodeURIComponent(model.version)}/predict`;
  let body;
  const more = headers();
  if (model.takes === "image") {
    if (image === null) return;
    body = new FormData();
    body.append("file", image.file);
  } else {
    more["Content-Type"] = "application/json";
    body = JSON.stringify({ input: model.takes === "text" ? element("text").value : cells() });
  }
  element("send").disabled = true;
  say("…");
  const begin = performance.now();
  try {
    const answer = await fetch(place, { method: "POST", headers: more, body });
    const given = await answer.json();
    const milliseconds = Math.round(performance.now() - begin);
    if (!given.records) say([given.error, given.fix].filter(Boolean).join(": "), true);
    else if (given.records[0].error) say(given.records[0].error, true);
    else say(`answered in ${milliseconds} ms`);
    element("answer").hidden = !given.records || Boolean(given.records[0].error);
    if (!element("answer").hidden) await draw(model, given.records[0]);
  } catch {
    say("the server does not answer", true);
  } finally {
    element("send").disabled = false;
  }
}

async function draw(model, record) {
  const pictures = new Set(["picture", "drawing"]);
  const shown = { ...record };
  for (const name of pictures) if (shown[name]) shown[name] = "(a PNG in base64)";
  element("json").textContent = JSON.stringify(shown, null, 2);
  await drawPicture(model, record);
  const entries = model.listed ? record[model.listed] : null;
  const result = element("result");
  if (entries && entries.length && "probability" in entries[0]) result.replaceChildren(bars(entries, "probability"));
  else if (entries && entries.length && "share" in entries[0]) result.replaceChildren(bars(entries, "share", model.labels));
  else if (entries) result.replaceChildren(entries.length ? table(model, entries) : make("p", "", "nothing found"));
  else result.replaceChildren(table(model, [record]));
  if (record.note || record.warning) result.append(make("p", "", record.note || record.warning));
  element("answer").hidden = false;
}

function bars(entries, figure, labels) {
  const grid = make("div", "bars");
  for (const entry of entries.slice(0, MOST_BARS)) {
    const name = make("span", "name");
    if (labels) name.append(key(labels.indexOf(entry.label)));
    name.append(String(entry.label ?? entry.token));
    const track = make("span", "track");
    const drawing = document.createElementNS(SVG, "svg"); // its width is an attribute: the policy allows no style
    drawing.setAttribute("viewBox", "0 0 100 1");
    drawing.setAttribute("preserveAspectRatio", "none");
    const bar = document.createElementNS(SVG, "rect");
    bar.setAttribute("width", String(100 * entry[figure]));
    bar.setAttribute("height", "1");
    drawing.append(bar);
    track.append(drawing);
    grid.append(name, track, make("span", "number", `${(100 * entry[figure]).toFixed(1)} %`));
  }
  return grid;
}

function key(index) {
  const square = document.createElementNS(SVG, "svg");
  square.setAttribute("class", "key");
  square.setAttribute("viewBox", "0 0 1 1");
  const fill = document.createElementNS(SVG, "rect");
  fill.setAttribute("width", "1");
  fill.setAttribute("height", "1");
  fill.setAttribute("fill", colour(index));
  square.append(fill);
  return square;
}

const colour = (index) => COLOURS[(index + COLOURS.length) % COLOURS.length];

function table(model, entries) {
  const names = model.fields.filter((name) => entries.some((entry) => entry[name] !== undefined && entry[name] !== ""));
  const made = make("table");
  const head = make("tr");
  head.append(...names.map((name) => make("th", "", name)));
  made.append(head);
  for (const entry of entries.slice(0, 100)) {
    const row = make("tr");
    row.append(...names.map((name) => {
      const cell = make("td");
      if (name === "label" && entry.box) cell.append(key(model.labels.indexOf(entry.label)));
      cell.append(text(entry[name]));
      return cell;
    }));
    made.append(row);
  }
  return made;
}

function text(value) {
  if (value === undefined || value === null) return "";
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(5)));
  if (Array.isArray(value)) return value.map(text).join(", ");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

// Draws the input with boxes or masks on it, or the picture that is the answer.
async function drawPicture(model, record) {
  let bitmap = model.takes === "image" ? image.bitmap : null;
  if (record.picture) {
    const bytes = Uint8Array.from(atob(record.picture), (letter) => letter.charCodeAt(0));
    bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
  }
  element("picture").hidden = bitmap === null;
  if (bitmap === null) return;
  const canvas = element("canvas");
  const scale = Math.max(1, Math.min(Math.floor(320 / Math.max(bitmap.width, bitmap.height)), 32)); // icons, enlarged
  canvas.width = bitmap.width * scale;
  canvas.height = bitmap.height * scale;
  canvas.classList.toggle("small", scale > 1);
  const pen = canvas.getContext("2d");
  pen.imageSmoothingEnabled = scale === 1;
  pen.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  const entries = (model.listed && record[model.listed]) || [];
  for (const entry of entries) {
    const paint = colour(model.labels.indexOf(entry.label));
    if (entry.mask && entry.mask.counts) drawMask(pen, entry.mask, paint, scale);
    if (entry.box) drawBox(pen, entry, paint, scale);
  }
}

function drawBox(pen, entry, paint, scale) {
  const [left, top, right, bottom] = entry.box.map((value) => value * scale);
  const unit = Math.max(2, Math.max(pen.canvas.width, pen.canvas.height) / 300);
  pen.strokeStyle = paint;
  pen.lineWidth = unit;
  pen.strokeRect(left, top, right - left, bottom - top);
  const words = `${entry.label} ${Number(entry.score).toFixed(2)}`;
  pen.font = `600 ${unit * 6}px system-ui, sans-serif`;
  const width = pen.measureText(words).width + unit * 3;
  const height = unit * 8;
  const x = Math.max(0, Math.min(left, pen.canvas.width - width));
  const y = top - height >= 0 ? top - height : Math.min(top, pen.canvas.height - height);
  pen.fillStyle = paint;
  pen.fillRect(x, y, width, height);
  pen.fillStyle = "#ffffff";
  pen.textBaseline = "middle";
  pen.fillText(words, x + unit * 1.5, y + height / 2);
}

// COCO's run lengths: alternately outside and inside, down the columns; a text is its compressed form.
function drawMask(pen, mask, paint, scale) {
  const [height, width] = mask.size;
  const counts = typeof mask.counts === "string" ? decode(mask.counts) : mask.counts;
  const layer = new OffscreenCanvas(width, height);
  const cover = layer.getContext("2d");
  cover.fillStyle = paint;
  let at = 0;
  counts.forEach((count, index) => {
    if (index % 2 === 1) {
      for (let from = at; from < at + count;) {
        const column = Math.floor(from / height);
        const row = from % height;
        const rows = Math.min(height - row, at + count - from);
        cover.fillRect(column, row, 1, rows);
        from += rows;
      }
    }
    at += count;
  });
  pen.globalAlpha = 0.5;
  pen.drawImage(layer, 0, 0, width * scale, height * scale);
  pen.globalAlpha = 1;
}

// The compressed form of COCO's API (maskApi.c, rleFrString): five bits a letter, differences from two runs before.
function decode(letters) {
  const counts = [];
  for (let at = 0; at < letters.length;) {
    let value = 0;
    let shift = 0;
    let more = true;
    while (more) {
      const bits = letters.charCodeAt(at) - 48;
      value |= (bits & 0x1f) << shift;
      more = (bits & 0x20) !== 0;
      at += 1;
      shift += 5;
      if (!more && bits & 0x10) value |= -1 << shift;
    }
    if (counts.length > 2) value += counts[counts.length - 2];
    counts.push(value);
  }
  return counts;
}

element("model").addEventListener("change", () => { show(); if (current().takes === "image" && image) ask(); });
element("form").addEventListener("submit", (event) => { event.preventDefault(); ask(); });
element("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  token = element("token").value.trim();
  load();
});
element("file").addEventListener("change", (event) => take(event.target.files[0]));
element("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); ask(); }
});
for (const name of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    element("drop").classList.toggle("over", name === "dragover");
    if (name === "drop" && current() && current().takes === "image") take(event.dataTransfer.files[0]);
  });
}
document.addEventListener("paste", (event) => {
  const file = [...event.clipboardData.files].find((each) => each.type.startsWith("image/"));
  if (file && current() && current().takes === "image") take(file);
});
load().catch(() => say("the server does not answer", true));
