/// <reference lib="dom" />
// The parts of the page that open, sort and search.
import { byId, bytes, data, el, images, look, minute, packages, past, plural, showSome, tableOf, tag } from "./elements.js";
import { showCompare, showDays, showSizes } from "./charts.js";

function chooseTheme() {
  const chosen = byId("theme");
  const show = () => {
    if (chosen.value) document.documentElement.dataset.theme = chosen.value;
    else delete document.documentElement.dataset.theme;
  };
  // A browser may keep nothing for a file, and says so by an error.
  try {
    chosen.value = localStorage.getItem("isol8-theme") ?? "";
  } catch { /* the system's */ }
  show();
  chosen.addEventListener("change", () => {
    show();
    try {
      localStorage.setItem("isol8-theme", chosen.value);
    } catch { /* for this time only */ }
  });
}

function tellAge() {
  const hours = Math.floor((Date.now() - Date.parse(data.at)) / 3600000);
  const text = hours < 1 ? "" : hours < 48 ? ` (${plural(hours, "hour")} ago)` : ` (${plural(Math.floor(hours / 24), "day")} ago)`;
  if (text) byId("at").after(hours < 48 ? text : look(text));
}

/** Makes the table of images one that opens, sorts and filters. */
function openTree() {
  const table = byId("tree"), body = table.tBodies[0];
  const rows = images.map((image, number) => {
    const row = byId(`i${number}`), name = row.querySelector(".name");
    const text = `${image.name} ${row.cells[2].textContent}`.toLowerCase();
    const button = el("button", { type: "button", class: "plain name", "aria-expanded": "false" }, tag(image.name));
    name.replaceWith(button);
    return { image, number, row, text, button };
  });
  body.addEventListener("click", (event) => {
    const button = event.target.closest("button[aria-expanded]");
    if (button) toggle(rows[Number(button.closest("tr").id.slice(1))]);
  });

  let state = "";
  const filter = byId("filter");
  const states = new Map();
  for (const { image } of rows) if (image.state) states.set(image.state, (states.get(image.state) ?? 0) + 1);
  const apply = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const each of rows) {
      const fits = (!state || each.image.state === state) && words.every((word) => each.text.includes(word));
      each.row.hidden = !fits;
      if (each.row.nextSibling?.className === "details") each.row.nextSibling.hidden = !fits;
      count += fits && each.image.kind !== "upstream" ? 1 : 0;
    }
    table.toggleAttribute("data-flat", Boolean(state || words.length || order));
    byId("shown").textContent = state || words.length ? plural(count, "image") : "";
    for (const button of byId("states").children) button.setAttribute("aria-pressed", String(button.value === state));
  };
  byId("states").append(...[...states].map(([word, count]) =>
    el("button", { type: "button", value: word, "aria-pressed": "false", onclick: () => { state = state === word ? "" : word; apply(); } }, `${word.replaceAll("-", " ")} ${count}`)
  ));
  filter.addEventListener("input", apply);

  let order = 0;
  const keys = { 3: (each) => each.built ?? "~", 4: (each) => -(each.size ?? 0), 5: (each) => -(each.packages?.length ?? 0) };
  for (const at of [3, 4, 5]) {
    const head = table.tHead.rows[0].cells[at];
    head.replaceChildren(el("button", { type: "button", class: "plain", onclick: () => {
      order = order === at ? 0 : at;
      for (const each of table.tHead.rows[0].cells) each.removeAttribute("aria-sort");
      if (order) head.setAttribute("aria-sort", at === 3 ? "ascending" : "descending");
      const by = (each) => order ? keys[order](each.image) : each.number;
      const sorted = [...rows].sort((one, other) => by(one) < by(other) ? -1 : by(one) > by(other) ? 1 : one.number - other.number);
      body.replaceChildren(...sorted.flatMap(({ row }) => row.nextSibling?.className === "details" ? [row, row.nextSibling] : [row]));
      apply();
    } }, head.textContent ?? ""));
  }
}

function toggle({ image, row, button }) {
  const isOpen = button.getAttribute("aria-expanded") === "true";
  button.setAttribute("aria-expanded", String(!isOpen));
  if (isOpen) row.nextSibling.remove();
  else row.after(el("tr", { class: "details" }, el("td", { colspan: "7" }, detailsOf(image))));
}

/** Returns all that is known of an image, beyond its row. */
function detailsOf(image) {
  const ours = image.kind !== "upstream";
  const facts = {
    "based on": image.parent !== null ? tag(images[image.parent].name) : "",
    "copies from": image.copies.join(", "),
    "held": image.held ? look(`since ${minute(image.held)} UTC`) : "",
    "asked for": [...(image.declared ?? [])].map((each) => image.flags.includes(each) ? `${each} (by a flag)` : each).join(", "),
    "built": image.built ? `${minute(image.built)} UTC${image.checkout ? ` in ${image.checkout}` : ""}` : "",
    "verified": !ours || !image.there ? "" : image.verified ? "before it was promoted" : image.ours ? look("no") : look("no; another program tagged it"),
    "rejected": image.rejected ? `a build of ${minute(image.rejected)} UTC` : "",
    "platform": image.there ? data.platform : "",
    "Alpine": image.alpine,
    "stand-in": image.standin ? look("it is based on a stand-in") : "",
    "id": image.id ? el("code", {}, image.id) : "",
    "registry digest": image.there ? (image.digests.length ? image.digests.map((each) => el("div", {}, el("code", {}, each))) : "none known") : "",
    "key": image.key ? el("code", {}, image.key) : "",
    "task": image.task,
    "notes": (image.notes ?? []).map((each) => el("div", {}, each)),
  };
  const listed = Object.entries(facts).filter(([, fact]) => fact && (!Array.isArray(fact) || fact.length));
  return [
    el("dl", { class: "facts" }, listed.flatMap(([name, fact]) => [el("dt", {}, name), el("dd", {}, fact)])),
    image.builds?.length ? [el("h3", {}, "Changes"), buildsOf(image)] : "",
    image.failures?.length ? [el("h3", {}, "Failures"), failuresOf(image)] : "",
    image.packages ? [el("h3", {}, plural(image.packages.length, "package")), packagesOf(image)] : "",
  ].flat(2);
}

function buildsOf(image) {
  const place = el("div");
  const rows = [...image.builds].reverse();
  showSome(place, rows, 5, (some) => tableOf(["when", "what", "why", ["size", { class: "n" }]], some.map((each) => [minute(each.at), each.how, each.why.join("; "), [each.size ? bytes(each.size) : "", { class: "n" }]])));
  return place;
}

function failuresOf(image) {
  const place = el("div");
  showSome(place, [...image.failures].reverse(), 5, (some) => tableOf(["when", "why it was built", "problem"], some.map((each) => [minute(each.at), each.why.join("; "), each.problem])));
  return place;
}

function packagesOf(image) {
  const found = new Map();
  for (const number of image.packages) {
    const [ecosystem, name, version] = packages[number];
    if (!found.has(ecosystem)) found.set(ecosystem, []);
    found.get(ecosystem).push(el("li", {}, el("bdi", {}, name), " ", past(version)));
  }
  return [...found].flatMap(([ecosystem, items]) => [past(ecosystem), el("ul", { class: "listed" }, items)]);
}

/** Lets packages be found in all images by words of their name, version and ecosystem. */
function openSearch() {
  const input = byId("search"), results = byId("results"), found = byId("found");
  let index = null;
  const search = () => {
    index ??= inverted();
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = words.length ? index.filter((each) => words.every((word) => each.text.includes(word))) : [];
    // What begins with the word stands before what only contains it.
    const rank = (each) => each.name === words[0] ? 0 : each.name.startsWith(words[0]) ? 1 : 2;
    fits.sort((one, other) => rank(one) - rank(other));
    const inImages = new Set(fits.flatMap((each) => each.images));
    found.textContent = words.length
      ? `${plural(fits.length, "package")} in ${plural(inImages.size, "image")}`
      : `${plural(index.length, "version")} of packages in all images`;
    showSome(results, fits, 30, (some) =>
      some.length ? tableOf(["package", "version", "from", ["images", { class: "n" }], "which"], some.map(({ number, images: having }) => {
        const [ecosystem, name, version] = packages[number];
        return [PART_OF.has(name) ? [tag(name), past(` of ${PART_OF.get(name)}`)] : tag(name), tag(version), ecosystem, [String(having.length), { class: "n" }], namesOf(having)];
      })) : ""
    );
  };
  input.addEventListener("input", search);
  input.addEventListener("focus", search, { once: true });
  const followLink = () => {
    const asked = /^#packages=(.+)/.exec(location.hash);
    if (!asked) return;
    input.value = unescaped(asked[1]);
    search();
    byId("packages").scrollIntoView();
  };
  addEventListener("hashchange", followLink);
  followLink();
}

/** Returns what an address stands for; one that was cut off stands for itself. */
function unescaped(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function namesOf(numbers) {
  const names = (some) => some.flatMap((each, at) => [at ? ", " : "", tag(images[each].name)]);
  return numbers.length <= 8 ? names(numbers) : el("details", {}, el("summary", {}, names(numbers.slice(0, 6)), ", …"), names(numbers.slice(6)));
}

/** Packages of Alpine's that people look for by the name of what they are a part of. */
const PART_OF = new Map(Object.entries(data.parts));

function inverted() {
  const having = packages.map(() => []);
  images.forEach((image, number) => (image.packages ?? []).forEach((each) => having[each].push(number)));
  return packages
    .map(([ecosystem, name, version], number) => ({ number, name: name.toLowerCase(), text: `${name} ${version} ${ecosystem} ${PART_OF.get(name) ?? ""}`.toLowerCase(), images: having[number] }))
    .filter((each) => each.images.length);
}

/** Calls a function once its section comes near, or is about to be reached otherwise: by the keyboard, a search or a printer. */
function whenNear(id, show) {
  const place = byId(id);
  if (!place) return;
  const ended = new AbortController();
  const now = () => {
    ended.abort();
    watch.disconnect();
    show();
  };
  const watch = new IntersectionObserver((entries) => {
    if (entries.some((each) => each.isIntersecting)) now();
  }, { rootMargin: "400px" });
  watch.observe(place);
  addEventListener("beforeprint", now, ended);
  addEventListener("keydown", (event) => {
    if (event.key === "Tab" || event.ctrlKey || event.metaKey) now();
  }, ended);
}

document.documentElement.dataset.live = "";
chooseTheme();
tellAge();
openTree();
openSearch();
whenNear("days", showDays);
whenNear("sizes", showSizes);
whenNear("compare", showCompare);
