// Loads each package that it is given as a program in /sandbox would, by `require` and by `import`, and lists all
// packages. Runs in Node and in Bun; the answer goes to file descriptor 3, since packages print what they like.
const fs = require("node:fs");
const path = require("node:path");
const { spawnSync } = require("node:child_process");

const ROOTS = ["/usr/local/lib/node_modules", "/usr/lib/node_modules"];
const SECONDS = Number(process.env.ISOL8_CHECK_SECONDS);
const INDEX = ["index.js", "index.json", "index.node", "index.mjs", "index.ts"];
const CONDITIONS = ["node", "node-addons", "module-sync", "require", "import", "default", ...(process.versions.bun ? ["bun", "module"] : [])];
const TYPES = /\.d\.[cm]?ts$/;
// An ending that nothing of JavaScript's has, as of a style sheet.
const DATA = /\.(?![cm]?[jt]sx?$|node$|wasm$)[A-Za-z0-9]+$/;
const PROGRAMS = 3;
// What says more than this is ended by the runtime.
const LONGEST = 64 * 1024 * 1024;
// Bun looks for a missing package on the network for minutes before it says that there is none.
const OPTIONS = process.versions.bun ? ["--no-install"] : [];
const LOADER = `
import { createRequire } from "node:module";
import { writeFileSync } from "node:fs";
const [name, answer] = process.argv.slice(2);
const require = createRequire("/sandbox/item.cjs");
const result = {};
for (const [way, load] of [["require", () => require(name)], ["import", () => import(name)]]) {
  try {
    await load();
    result[way] = "";
  } catch (error) {
    result[way] = String(error?.code ?? "Error") + "\\n" + String(error?.stack ?? error);
  }
  writeFileSync(answer, JSON.stringify(result));
}
process.exit(0);
`;

function satisfies(version, range) {
  if (globalThis.Bun) return globalThis.Bun.semver.satisfies(version, range);
  for (const root of ROOTS) {
    const semver = path.join(root, "npm/node_modules/semver");
    if (fs.existsSync(semver)) return require(semver).satisfies(version, range, { loose: true });
  }
  return null;
}

function isExecutable(file) {
  try {
    fs.accessSync(file, fs.constants.R_OK | fs.constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

// Tells whether something can be loaded by what stands in "exports" (https://nodejs.org/api/packages.html#exports):
// types alone are nothing to load.
function offers(target) {
  if (typeof target === "string") return !TYPES.test(target);
  if (Array.isArray(target)) return target.some(offers);
  return Object.entries(target ?? {}).some(([name, inner]) => CONDITIONS.includes(name) && offers(inner));
}

// Returns what can be loaded of a package by the name of one of its parts, "." first; nothing if it has no such part.
function exported(exports) {
  const isMap = exports && typeof exports === "object" && Object.keys(exports).some((name) => name.startsWith("."));
  const parts = Object.entries(isMap ? exports : { ".": exports })
    .filter(([name, target]) => !name.includes("*") && !name.endsWith("/") && !DATA.test(name) && offers(target))
    .map(([name]) => name);
  return parts.includes(".") ? "." : parts[0];
}

// Returns the part of a package to load; nothing if it has none.
function entryOf(folder, { exports, module, main }) {
  if (exports !== undefined && exports !== null) return exported(exports);
  const hasMain = typeof main === "string" && main && !TYPES.test(main) &&
    !(DATA.test(main) && !main.endsWith(".json") && fs.existsSync(path.join(folder, main)));
  const hasIndex = () => INDEX.some((name) => fs.existsSync(path.join(folder, name)));
  return hasMain || module !== undefined || hasIndex() ? "." : undefined;
}

// What a package says of itself, as far as it decides how it is used.
function described(folder, manifest) {
  const bins = typeof manifest.bin === "string" ? { [manifest.name]: manifest.bin } : manifest.bin ?? {};
  const files = Object.values(bins).map((file) => path.join(folder, file));
  return {
    version: String(manifest.version ?? ""),
    entry: entryOf(folder, manifest) ?? "",
    bins: files,
    broken_bins: files.filter((file) => !isExecutable(file)),
  };
}

// Returns how a program is started: one for node by the runtime that there is, as `bun x --bun` does it.
function commandOf(file) {
  let head = "";
  try {
    head = fs.readFileSync(file).subarray(0, 200).toString("latin1").split("\n")[0];
  } catch {
    // What cannot be read is not started by the runtime.
  }
  return /^#!.*\bnode\b/.test(head) ? [process.execPath, ...OPTIONS, file] : [file];
}

// Returns those programs that the system can't even start, and whether one of them says what it is.
function started(files) {
  const begun = files.slice(0, PROGRAMS).map((file) => {
    const [program, ...words] = commandOf(file);
    const done = (word) => spawnSync(program, [...words, word], { cwd: "/sandbox", timeout: (SECONDS * 1000) / 6, killSignal: "SIGKILL", stdio: "ignore" });
    const first = done("--version");
    /** @type {NodeJS.ErrnoException | undefined} */
    const error = first.error;
    const broken = (error && error.code !== "ETIMEDOUT") || first.status === 126 || first.status === 127;
    return { file, broken, speaks: !broken && (first.status === 0 || done("--help").status === 0) };
  });
  return { broken: begun.filter((each) => each.broken).map((each) => each.file), speaks: begun.some((each) => each.speaks) };
}

function looked(item, number) {
  const folder = path.join(ROOTS[0], item.name);
  let manifest;
  try {
    manifest = JSON.parse(fs.readFileSync(path.join(folder, "package.json"), "utf8"));
  } catch (error) {
    return { error: `${error.code ?? "Error"}\n${error.message}` };
  }
  /** @type {ReturnType<typeof described> & Record<string, any>} */
  const result = described(folder, manifest);
  if (item.range) result.satisfies = satisfies(result.version, item.range);
  if (!result.entry) {
    if (!result.broken_bins.length) result.broken_bins = started(result.bins).broken;
    return result;
  }
  const answer = `/sandbox/answer-${number}.json`;
  const begin = Date.now();
  const part = item.name + result.entry.slice(1);
  const done = spawnSync(process.execPath, [...OPTIONS, "/sandbox/loader.mjs", part, answer], {
    cwd: "/sandbox", timeout: SECONDS * 1000, killSignal: "SIGKILL", stdio: ["ignore", "ignore", "pipe"], maxBuffer: LONGEST,
  });
  result.loaded = fs.existsSync(answer) ? JSON.parse(fs.readFileSync(answer, "utf8")) : {};
  result.ended = Date.now() - begin >= SECONDS * 1000 ? "hung" : String(done.status ?? done.signal);
  result.output = String(done.stderr ?? "").slice(-4000);
  // A program that is loaded runs, and may end as it does not know what it is to do.
  const ended = Object.keys(result.loaded).length < 2 && result.ended !== "0" && result.ended !== "hung";
  result.speaks = ended && result.bins.length > 0 && started(result.bins).speaks;
  return result;
}

function* installed(folder) {
  let names;
  try {
    names = fs.readdirSync(folder);
  } catch {
    return;
  }
  for (const name of names) {
    const inner = path.join(folder, name);
    if (name.startsWith("@")) yield* installed(inner);
    else if (name === ".bun") for (const each of fs.readdirSync(inner)) yield* installed(path.join(inner, each, "node_modules"));
    else if (!name.startsWith(".")) {
      try {
        const manifest = JSON.parse(fs.readFileSync(path.join(inner, "package.json"), "utf8"));
        if (manifest.name && manifest.version) yield [manifest.name, manifest.version];
      } catch {
        // Without a readable manifest it is no package.
      }
      yield* installed(path.join(inner, "node_modules"));
    }
  }
}

// Which Bun this is nobody else tells, as no package manager brought it.
function checksum(file) {
  return `sha256:${require("node:crypto").createHash("sha256").update(fs.readFileSync(file)).digest("hex")}`;
}

const items = process.argv.slice(1).filter((word) => word.startsWith("{")).map((word) => JSON.parse(word));
if (items.length) fs.writeFileSync("/sandbox/loader.mjs", LOADER);
const answer = {
  answer: 40 + 2,
  version: process.versions.bun ?? process.versions.node,
  checksum: process.versions.bun && process.env.whole ? checksum(process.execPath) : "",
  items: items.map(looked),
  packages: ROOTS.flatMap((root) => [...installed(root)]),
};
const data = Buffer.from(JSON.stringify(answer));
for (let sent = 0; sent < data.length; ) sent += fs.writeSync(3, data, sent);
process.exit(0);
