/// <reference lib="dom" />
// What the history tells: days, sizes and differences. Drawn when somebody comes to it.
import { QUIET, byId, bytes, data, el, growth, images, look, minute, packages, past, plural, showSome, tableOf, tag } from "./elements.js";

/** Returns an element of SVG with attributes. */
function drawn(name, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** Returns by day, oldest first, what changed, what failed, what refreshes found, and the bytes of all. */
function byDay() {
  const days = new Map();
  const of = (entry) => {
    const day = entry.at.slice(0, 10);
    if (!days.has(day)) days.set(day, { changes: [], failures: [], nights: [], bytes: { pulled: 0, built: 0, pushed: 0 } });
    const found = days.get(day);
    for (const how of Object.keys(found.bytes)) found.bytes[how] += entry.bytes?.[how] ?? 0;
    return found;
  };
  for (const image of images) {
    for (const build of image.builds) of(build).changes.push({ image, build });
    for (const failure of image.failures) of(failure).failures.push({ image, failure });
  }
  for (const night of data.nights) of(night).nights.push(night);
  return new Map([...days].sort(([one], [other]) => one < other ? -1 : 1));
}

const isNews = ({ build }) => !QUIET.has(build.how) && build.how !== "rebuilt, same result";
const moved = (bytes) => bytes.pulled + bytes.built + bytes.pushed;
const bytesOf = (found) => Object.entries(found ?? {}).filter(([, count]) => count).map(([how, count]) => `${bytes(count)} ${how}`);

export function showDays() {
  const days = byDay(), months = new Map();
  let chosen = null;
  const choose = (day, button) => {
    chosen?.setAttribute("aria-pressed", "false");
    chosen = button;
    button.setAttribute("aria-pressed", "true");
    showDay(day, days.get(day));
  };
  const most = Math.max(1, ...[...days.values()].map((found) => moved(found.bytes)));
  for (const [day, found] of days) {
    const month = day.slice(0, 7);
    if (!months.has(month)) months.set(month, new Map());
    months.get(month).set(Number(day.slice(8)), dayButton(day, found, most, choose));
  }
  const shown = [...months].slice(-12).map(([month, found]) => monthOf(month, found));
  byId("calendar").append(el("div", { class: "months" }, shown));
  const left = data.left_out ? ` The oldest ${plural(data.left_out, "change")} are left out.` : "";
  byId("calendar").prepend(el("p", {}, `Days are UTC's. The number is that of images rebuilt, pulled, rolled back or removed, ✕ that of failures; “news” is what a refresh found and did not build; the bar is the square root of the bytes pulled, built and pushed.${left}`));
  [...byId("calendar").querySelectorAll("button")].at(-1)?.click();
}

function monthOf(month, found) {
  const [year, number] = month.split("-").map(Number);
  const first = (new Date(Date.UTC(year, number - 1, 1)).getUTCDay() + 6) % 7;
  const length = new Date(Date.UTC(year, number, 0)).getUTCDate();
  const cells = Array.from({ length: first }, () => el("td"));
  for (let day = 1; day <= length; day++) cells.push(el("td", {}, found.get(day) ?? String(day)));
  const weeks = [];
  while (cells.length) weeks.push(el("tr", {}, cells.splice(0, 7)));
  const name = new Date(Date.UTC(year, number - 1, 1)).toLocaleDateString("en", { month: "long", year: "numeric", timeZone: "UTC" });
  const heads = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].map((each) => el("th", { scope: "col" }, each));
  return el("table", { class: "month" }, el("caption", {}, name), el("thead", {}, el("tr", {}, heads)), el("tbody", {}, weeks));
}

function dayButton(day, found, most, choose) {
  const count = found.changes.filter(isNews).length, failed = found.failures.length;
  const hasNews = found.nights.some(({ images }) => images.behind || images.undetermined);
  const shown = [count ? String(count) : "", failed ? `✕${failed}` : ""].filter(Boolean).join(" ") || (hasNews ? "news" : "·");
  const words = [`${count} changed`, failed ? `${failed} failed` : "", hasNews ? "news" : "", ...bytesOf(found.bytes)].filter(Boolean);
  const button = el("button", { type: "button", "aria-pressed": "false", class: count || failed || hasNews ? "" : "quiet", "aria-label": `${day}: ${words.join(", ")}` },
    String(Number(day.slice(8))), el("small", {}, shown),
    drawn("svg", { class: "moved", viewBox: "0 0 100 3", preserveAspectRatio: "none", "aria-hidden": "true" }, drawn("rect", { width: String(Math.ceil(100 * Math.sqrt(moved(found.bytes) / most))), height: "3" })));
  button.addEventListener("click", () => choose(day, button));
  return button;
}

function showDay(day, { changes, failures, nights, bytes: sum }) {
  const by = changes.reduce((sum, { build }) => sum + (build.size && build.was ? build.size - build.was : 0), 0);
  const seconds = [...changes.map(({ build }) => build), ...failures.map(({ failure }) => failure)].reduce((sum, each) => sum + each.seconds, 0);
  const rows = changes.map(({ image, build }) => [
    tag(image.name),
    `${build.at.slice(11, 16)} ${build.how}`,
    build.why.join("; "),
    updatesOf(build),
    [build.size ? `${bytes(build.size)}${build.was && build.was !== build.size ? ` (${growth(build.size - build.was)})` : ""}` : "", { class: "n" }],
    [build.seconds ? `${build.seconds.toFixed(1)} s` : "", { class: "n" }],
  ]);
  const place = el("div");
  showSome(place, rows, 30, (some) => tableOf(["image", "what", "why", "packages", ["size", { class: "n" }], ["time", { class: "n" }]], some));
  const facts = [plural(changes.length, "change"), failures.length ? `${failures.length} failed` : "", `sizes ${growth(by)}`, `${seconds.toFixed(1)} s of builds`, ...bytesOf(sum)];
  byId("day").replaceChildren(
    el("h3", {}, day),
    el("p", {}, facts.filter(Boolean).join(" · ")),
    ...nights.map((each) => el("p", {}, `Refresh until ${each.at.slice(11, 16)}: ${[...Object.entries(each.images).map(([what, count]) => `${count} ${what}`), `${each.seconds.toFixed(1)} s`].join(" · ")}`)),
    ...(failures.length ? [failedOn(failures)] : []),
    ...(rows.length ? [place] : []),
  );
}

function failedOn(failures) {
  return tableOf(["failed", "at", "why it was built", "problem"], failures.map(({ image, failure }) => [
    tag(image.name), el("time", {}, failure.at.slice(11, 16)), failure.why.join("; "), look(failure.problem),
  ]));
}

function words([, name, old, now]) {
  return old && now ? `${name} ${old} → ${now}` : now ? `+ ${name} ${now}` : `\u2212 ${name} ${old}`;
}

function updatesOf(build) {
  const found = (build.changed ?? []).map(words);
  if (found.length <= 4) return found.join(", ");
  return el("details", {}, el("summary", {}, `${found.slice(0, 2).join(", ")}, ${found.length - 2} more`), found.slice(2).join(", "));
}

export function showSizes() {
  const end = Date.parse(data.at);
  const rows = images
    .map((image) => ({ image, points: pointsOf(image) }))
    .filter(({ points }) => points.length)
    .map(({ image, points }) => ({ image, points, by: points.at(-1)[1] - points[0][1] }))
    .sort((one, other) => other.by - one.by || other.points.at(-1)[1] - one.points.at(-1)[1]);
  const begin = Math.min(end - 86400000, ...rows.flatMap(({ points }) => points.map(([time]) => time)));
  const place = byId("growth");
  showSome(place, rows, 20, (some) =>
    tableOf(["image", ["change", { class: "n" }], ["first", { class: "n" }], ["now", { class: "n" }], ["builds", { class: "n" }], ["each on its own scale", { class: "chart" }]], some.map(({ image, points, by }) => [
      tag(image.name),
      [by ? el("span", { class: by > points[0][1] / 20 ? "look" : "" }, growth(by)) : past("±0"), { class: "n" }],
      [bytes(points[0][1]), { class: "n" }],
      [bytes(points.at(-1)[1]), { class: "n" }],
      [String(image.builds.filter((each) => !QUIET.has(each.how)).length), { class: "n" }],
      [lineOf(points, begin, end), { class: "chart" }],
    ]))
  );
  place.prepend(el("p", {}, `Since ${new Date(begin).toISOString().slice(0, 10)}; what grew most is first.`));
}

/** Returns the known sizes of an image as [time, bytes], the one before its first change included. */
function pointsOf(image) {
  const points = image.builds.filter((each) => each.size).map((each) => [Date.parse(each.at), each.size]);
  const first = image.builds[0];
  if (points.length && first?.was && first.size) points.unshift([points[0][0], first.was]);
  return points;
}

function lineOf(points, begin, end) {
  const sizes = points.map(([, size]) => size), least = Math.min(...sizes), most = Math.max(...sizes);
  const x = (time) => (100 * (time - begin) / (end - begin)).toFixed(2);
  const y = (size) => (most === least ? 12 : 21 - 18 * (size - least) / (most - least)).toFixed(1);
  const steps = points.flatMap(([time, size], at) => at ? [`${x(time)},${y(points[at - 1][1])}`, `${x(time)},${y(size)}`] : [`${x(time)},${y(size)}`]);
  steps.push(`100,${y(sizes.at(-1))}`);
  return drawn("svg", { viewBox: "0 0 100 24", preserveAspectRatio: "none", "aria-hidden": "true" },
    drawn("line", { class: "axis", x1: "0", x2: "100", y1: "23.5", y2: "23.5" }), drawn("polyline", { points: steps.join(" ") }));
}

/** Returns the packages of a build by ecosystem and name; null where they are not known. */
function packagesAt(builds, at) {
  let from = at;
  while (from >= 0 && !builds[from].packages) if (!builds[from--].changed) return null;
  if (from < 0) return null;
  const found = new Map(builds[from].packages.map((number) => [packages[number].slice(0, 2).join(" "), packages[number]]));
  for (let step = from + 1; step <= at; step++) {
    for (const [ecosystem, name, , now] of builds[step].changed) {
      if (now) found.set(`${ecosystem} ${name}`, [ecosystem, name, now]);
      else found.delete(`${ecosystem} ${name}`);
    }
  }
  return found;
}

function settingsAt(builds, at) {
  return builds.slice(0, at + 1).findLast((each) => each.settings)?.settings ?? {};
}

export function showCompare() {
  const having = images.filter((image) => image.builds.some((each) => each.id));
  const labelled = (text, select) => el("label", {}, `${text} `, select);
  const image = el("select", {}, having.map((each, at) => el("option", { value: String(at) }, each.name)));
  const one = el("select"), other = el("select");
  const fill = () => {
    const builds = having[Number(image.value)].builds;
    const there = builds.map((each, at) => [each, at]).filter(([each]) => each.id).reverse();
    for (const select of [one, other]) {
      select.replaceChildren(...there.map(([each, at]) => el("option", { value: String(at) }, `@${builds.length - 1 - at} ${minute(each.at)} ${each.how}`)));
    }
    one.selectedIndex = there.length > 1 ? 1 : 0;
    other.selectedIndex = 0;
    compare();
  };
  const compare = () => byId("difference").replaceChildren(...differences(having[Number(image.value)], Number(one.value), Number(other.value)));
  image.addEventListener("change", fill);
  one.addEventListener("change", compare);
  other.addEventListener("change", compare);
  byId("choice").append(labelled("image", image), labelled("from", one), labelled("to", other));
  // The image that changed last is what somebody most likely means.
  image.selectedIndex = having.reduce((best, each, at) => each.order > having[best].order ? at : best, 0);
  fill();
}

function differences(image, from, to) {
  const [old, now] = [image.builds[from], image.builds[to]];
  const [before, after] = [packagesAt(image.builds, from), packagesAt(image.builds, to)];
  const rows = [];
  if (old.alpine !== now.alpine) rows.push(["Alpine", "", old.alpine || "?", now.alpine || "?"]);
  if (before && after) {
    for (const key of [...new Set([...before.keys(), ...after.keys()])].sort()) {
      const [was, is] = [before.get(key), after.get(key)];
      if (was?.[2] !== is?.[2]) rows.push([(was ?? is)[1], (was ?? is)[0], was?.[2] ?? "", is?.[2] ?? ""]);
    }
  }
  const [set, reset] = [settingsAt(image.builds, from), settingsAt(image.builds, to)];
  for (const key of [...new Set([...Object.keys(set), ...Object.keys(reset)])].sort()) {
    if (set[key] !== reset[key]) rows.push([key, "configuration", set[key] ?? "", reset[key] ?? ""]);
  }
  const sizes = old.size && now.size ? `${bytes(old.size)} → ${bytes(now.size)} (${growth(now.size - old.size)})` : "size undetermined";
  const known = before && after ? "" : " · what was in one of them is undetermined";
  return [
    el("p", {}, from === to ? "The same build." : `${sizes} · ${plural(rows.length, "difference")}${known}`),
    now.why.length && from !== to ? el("p", {}, `Why: ${now.why.join("; ")}`) : "",
    rows.length ? tableOf(["name", "from", "old", "new"], rows.map((row) => row.map((each, at) => at === 1 ? each : tag(each)))) : "",
  ].filter(Boolean);
}
