// Loads each package that it is given as a program in /sandbox would, by `require` and by `import`, and lists all
// packages. Runs in Node and in Bun; the answer goes to file descriptor 3, since packages print what they like.
const fs = require("node:fs");
const path = require("node:path");
const { spawnSync } = require("node:child_process");

const COMMANDS = "/usr/local/bin";
const ROOTS = ["/usr/local/lib/node_modules", "/usr/lib/node_modules"];
const SECONDS = Number(process.env.ISOL8_CHECK_SECONDS);
const CLOCK = Number(process.env.ISOL8_CHECK_CLOCK);
// Once an image, and not once a kind of client.
const WHOLE = Boolean(process.env.ISOL8_WHOLE);
const INDEX = ["index.js", "index.json", "index.node", "index.mjs", "index.ts"];
const CONDITIONS = ["node", "node-addons", "module-sync", "require", "import", "default", ...(process.versions.bun ? ["bun", "module"] : [])];
const TYPES = /\.d\.[cm]?ts$/;
// An ending that nothing of JavaScript's has, as of a style sheet.
const DATA = /\.(?![cm]?[jt]sx?$|node$|wasm$)[A-Za-z0-9]+$/;
// A licence has no ending at all.
const CODE = /\.(?:[cm]?[jt]sx?|json|node|wasm)$/;
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
const described = (error, depth) => ({
  code: String(error?.code ?? ""),
  name: String(error?.name ?? error?.constructor?.name ?? typeof error),
  message: String(error?.message ?? error),
  causes: depth ? [error?.cause, ...(Array.isArray(error?.errors) ? error.errors : [])].filter(Boolean).map((each) => described(each, depth - 1)) : [],
});
const result = {};
for (const [way, load] of [["require", () => require(name)], ["import", () => import(name)]]) {
  try {
    await load();
    result[way] = "";
  } catch (error) {
    result[way] = { ...described(error, 3), text: String(error?.stack ?? error) };
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
// types and style sheets alone are nothing to load.
function offers(target) {
  if (typeof target === "string") return !TYPES.test(target) && (!DATA.test(target) || target.endsWith(".json"));
  if (Array.isArray(target)) return target.some(offers);
  return Object.entries(target ?? {}).some(([name, inner]) => CONDITIONS.includes(name) && offers(inner));
}

// Returns what can be loaded of a package by the name of one of its parts, "." first; nothing if it has no such part.
function exported(exports) {
  const isMap = exports && typeof exports === "object" && Object.keys(exports).some((name) => name.startsWith("."));
  const parts = Object.entries(isMap ? exports : { ".": exports })
    .filter(([name, target]) => !name.includes("*") && !name.endsWith("/") && !DATA.test(name) && offers(target))
    .filter(([name, target]) => name === "." || targets(target).some((file) => CODE.test(file)))
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

// Returns the files that stand in "exports" for what is loaded.
function targets(target) {
  if (typeof target === "string") return offers(target) ? [target] : [];
  if (Array.isArray(target)) return target.flatMap(targets);
  return Object.entries(target ?? {}).flatMap(([name, inner]) => (CONDITIONS.includes(name) ? targets(inner) : []));
}

// Returns the file that a package names as its own, where it lacks it: for `main` the runtime takes another in its place.
function lostOf(folder, { exports, main }) {
  if (exports !== undefined && exports !== null) {
    const part = exported(exports);
    const files = targets(exports[part] ?? (part === "." ? exports : [])).map((file) => path.join(folder, file));
    return files.some((file) => fs.existsSync(file)) ? "" : files[0] ?? "";
  }
  if (typeof main !== "string" || !main) return "";
  const found = ["", ".js", ".json", ".node", "/index.js"].some((ending) => fs.existsSync(path.join(folder, main + ending)));
  return found ? "" : path.join(folder, main);
}

// What a package says of itself, as far as it decides how it is used.
function described(folder, manifest) {
  const files = Object.values(binsOf(manifest)).map((file) => path.join(folder, file));
  return {
    version: String(manifest.version ?? ""),
    entry: entryOf(folder, manifest) ?? "",
    bins: files,
    broken_bins: files.filter((file) => !isExecutable(file)),
    commands: commandsOf(manifest),
    lost: lostOf(folder, manifest),
  };
}

// Runs a program with a limit of CPU time, which the kernel keeps, and of time by the clock for what sleeps.
function run(command, parts, options) {
  const words = ["-c", 'ulimit -S -t "$0"; exec "$@"', String(Math.ceil(SECONDS / parts)), ...command];
  const done = spawnSync("sh", words, { cwd: "/sandbox", timeout: (CLOCK * 1000) / parts, killSignal: "SIGKILL", ...options });
  /** @type {NodeJS.ErrnoException | undefined} */
  const error = done.error;
  return { ...done, hung: done.signal === "SIGXCPU" || error?.code === "ETIMEDOUT" };
}

// Tells whether one of a package's programs says what it is. People start them by their names, and so does the kernel.
function speaks(files) {
  const says = (file, word) => run([file, word], 6, { stdio: "ignore" }).status === 0;
  return files.slice(0, PROGRAMS).some((file) => says(file, "--version") || says(file, "--help"));
}

// Leaves files for the dynamic loader to be asked about, and folders in which to look for such.
function ask(number, folder, manifest) {
  const programs = Object.entries(binsOf(manifest)).map(([name, file]) => {
    const link = path.join(COMMANDS, name);
    return [link, path.join(folder, file)].find(fs.existsSync);
  });
  const folders = [folder, ...Object.keys(manifest.optionalDependencies ?? {}).map((name) => path.join(ROOTS[0], name)).filter(fs.existsSync)];
  const lines = [...programs.filter(Boolean).map((file) => ["program", file]), ...folders.map((each) => ["folder", each])];
  fs.appendFileSync("/sandbox/asked", lines.filter(([, file]) => !file.includes("\n")).map((words) => [number, ...words].join("\t") + "\n").join(""));
}

// Returns a package's commands, each with the package that its link leads to.
function commandsOf(manifest) {
  const owner = (name) => {
    try {
      return fs.realpathSync(path.join(COMMANDS, name)).match(/.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//)?.[1] ?? "";
    } catch {
      return "";
    }
  };
  return Object.fromEntries(Object.keys(binsOf(manifest)).map((name) => [name, owner(name)]));
}

function binsOf(manifest) {
  const own = String(manifest.name ?? "").replace(/^@[^/]+\//, "");
  return typeof manifest.bin === "string" ? { [own]: manifest.bin } : manifest.bin ?? {};
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
  if (WHOLE) ask(number, folder, manifest);
  if (!result.entry) return result;
  const answer = `/sandbox/answer-${number}.json`;
  const part = item.name + result.entry.slice(1);
  const done = run([process.execPath, ...OPTIONS, "/sandbox/loader.mjs", part, answer], 1, {
    stdio: ["ignore", "ignore", "pipe"], maxBuffer: LONGEST,
  });
  result.loaded = fs.existsSync(answer) ? JSON.parse(fs.readFileSync(answer, "utf8")) : {};
  result.ended = done.hung ? "hung" : String(done.status ?? done.signal);
  result.output = String(done.stderr ?? "").slice(-4000);
  // A program that is loaded runs, and may end as it does not know what it is to do.
  const ended = Object.keys(result.loaded).length < 2 && result.ended !== "0" && result.ended !== "hung";
  // Of others there is nothing but the program, whatever they say of a file to load.
  const isProgram = result.lost && result.loaded.require && result.loaded.import;
  result.speaks = Boolean(ended || isProgram) && result.bins.length > 0 && speaks(result.bins);
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
  checksum: process.versions.bun && process.env.ISOL8_WHOLE ? checksum(process.execPath) : "",
  items: items.map(looked),
  packages: ROOTS.flatMap((root) => [...installed(root)]),
};
const data = Buffer.from(JSON.stringify(answer));
for (let sent = 0; sent < data.length; ) sent += fs.writeSync(3, data, sent);
process.exit(0);
