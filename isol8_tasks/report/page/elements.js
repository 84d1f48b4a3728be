/// <reference lib="dom" />
// All that others wrote reaches the page as text nodes and attributes: there is no innerHTML here.

/** @type {any} */
export const data = JSON.parse(byId("data").textContent ?? "");
export const images = data.images, packages = data.packages;
export const QUIET = new Set(["found", "relabelled", "pushed"]);

/** @returns {any} */
export function byId(id) {
  return document.getElementById(id);
}

/** Returns an element with attributes, listeners (`on…`) and children, which are elements or text. */
export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.flat().filter((each) => each !== null && each !== ""));
  return made;
}

export const tag = (name) => el("bdi", {}, name);
export const look = (text) => el("span", { class: "look" }, text);
export const past = (text) => el("span", { class: "past" }, text);
export const plural = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
export const minute = (moment) => `${moment.slice(0, 10)} ${moment.slice(11, 16)}`;

/** Returns a size with three digits at the most, as the rest of the page has it. */
export function bytes(count) {
  let left = count;
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (left < 999.5) return `${Number(left.toPrecision(3))} ${unit}`;
    left /= 1000;
  }
  return `${Number(left.toPrecision(3))} TB`;
}

export function growth(by) {
  return by === 0 ? "±0" : `${by > 0 ? "+" : "\u2212"}${bytes(Math.abs(by))}`;
}

/** Returns a table with a heading; a row is an array of what its cells hold, or of [content, attributes]. */
export function tableOf(heads, rows, attributes = {}) {
  const cell = (name, found, more = {}) => {
    const [content, own] = Array.isArray(found) && found[1]?.constructor === Object ? found : [found, {}];
    return el(name, { ...more, ...own }, content);
  };
  return el(
    "table",
    { class: "stack", ...attributes },
    el("thead", {}, el("tr", {}, heads.map((head) => cell("th", head, { scope: "col" })))),
    el("tbody", {}, rows.map((row) =>
      el("tr", {}, row.map((found, at) =>
        at === 0
          ? cell("th", found, { scope: "row" })
          : cell("td", found, { "data-label": Array.isArray(heads[at]) ? heads[at][0] : heads[at] })
      ))
    )),
  );
}

/** Shows the first rows of many, and a button for the others. */
export function showSome(place, rows, few, render) {
  const shown = rows.length > few + 3 ? rows.slice(0, few) : rows;
  place.replaceChildren(render(shown));
  if (shown.length < rows.length) {
    place.append(el("button", { type: "button", onclick: () => place.replaceChildren(render(rows)) }, `show all ${rows.length.toLocaleString("en")}`));
  }
}
