// Resolves packages of npm's registry (and of JSR) with the tool of the image that it runs in: npm, Bun or Deno. The
// tool asks a registry on this machine, made here, which passes on what the real one says without the versions that
// may not be accepted. Runs in Node, Bun and Deno; its arguments, put together, are the question as JSON.
import { spawn } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import process from "node:process";
import { bunPins, denoLock, denoPins, gate, loginFor, npmPins, readBunLock, readNpmrc, tagged } from "./versions.mjs";

const ABBREVIATED = "application/vnd.npm.install-v1+json";
const GLOBAL = "/usr/local/lib";
const AT_ONCE = 8;
// Pause and patience of each try, in milliseconds: what hangs is soon given up, and what is slow is not in the end.
const TRIES = [[0, 8_000], [500, 20_000], [2000, 60_000]];

class SourceError extends Error {}

function machine() {
  const musl = fs.readdirSync("/lib").some((name) => name.startsWith("ld-musl-"));
  return { os: process.platform, cpu: process.arch, libc: musl && !globalThis.Deno ? "musl" : "glibc" };
}

// Returns the address at which a server, once it listens, is reached from this machine.
async function listening(server) {
  await new Promise((resolve) => server.listen({ host: "127.0.0.1", port: 0 }, () => resolve(null)));
  return `http://127.0.0.1:${server.address().port}`;
}

// A registry on this machine that says what another says, less what is not accepted.
class Registry {
  constructor(question, npm, settings) {
    this.question = question;
    this.npm = npm.replace(/\/*$/, "/");
    this.settings = settings;
    this.open = false; // nothing counts as too new
    this.pages = new Map();
    this.held = new Set(); // "npm name version" of what is too new, with when it was published
    this.jsr = (process.env.JSR_URL || "https://jsr.io/").replace(/\/*$/, "/");
    this.asking = 0;
    this.waiting = [];
    this.failed = new Promise((_, reject) => (this.fail = reject));
    this.failed.catch(() => {});
  }

  async listen() {
    const server = http.createServer((request, response) =>
      this.answer(request, response).catch((error) => {
        this.fail(error);
        response.writeHead(502).end();
      }),
    );
    this.url = `${await listening(server)}/`;
  }

  // Returns status, type and body of what a registry answers; one that does not answer is a SourceError. A few at a
  // time, on connections that are used again: each new one asks for a name, and resolvers give up on dozens at once.
  async ask(base, rest, accept) {
    while (this.asking >= AT_ONCE) await new Promise((resolve) => this.waiting.push(resolve));
    this.asking += 1;
    try {
      return await this.fetched(base, rest, accept);
    } finally {
      this.asking -= 1;
      this.waiting.shift()?.();
    }
  }

  async fetched(base, rest, accept) {
    const url = new URL(base + rest);
    const headers = new Headers(accept ? { accept } : {});
    if (url.username) {
      const secret = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
      headers.set("authorization", `Basic ${Buffer.from(secret).toString("base64")}`);
      url.username = url.password = "";
    } else {
      const login = loginFor(this.settings, url);
      if (login) headers.set("authorization", login);
    }
    let problem;
    for (const [pause, patience] of TRIES) {
      await new Promise((resolve) => setTimeout(resolve, pause));
      try {
        const response = await fetch(url, { headers, signal: AbortSignal.timeout(patience) });
        if (response.status < 500 && response.status !== 429) {
          return { status: response.status, type: response.headers.get("content-type"), body: Buffer.from(await response.arrayBuffer()) };
        }
        problem = `it answers ${response.status}`;
      } catch (error) {
        problem = error.cause?.code ?? error.cause?.message ?? error.code ?? error.message;
      }
    }
    throw new SourceError(`${url.origin}${url.pathname}: ${problem}`);
  }

  page(key, make) {
    if (!this.pages.has(key)) this.pages.set(key, make());
    return this.pages.get(key);
  }

  // The registry that has a package: .npmrc may name one for a scope.
  base(name) {
    const own = this.settings.get(`${name.split("/")[0]}:registry`);
    return name.startsWith("@") && own ? own.replace(/\/*$/, "/") : this.npm;
  }

  async packument(name, accept) {
    const found = await this.ask(this.base(name), name.replace("/", "%2f"), accept);
    if (found.status !== 200) return { status: found.status };
    try {
      return { status: 200, data: JSON.parse(String(found.body)) };
    } catch {
      throw new SourceError(`${this.base(name).replace(/\/\/[^/@]*@/, "//")}${name}: its answer can't be read`);
    }
  }

  // When each version of a package was published; nothing where its registry does not tell.
  async times(name) {
    const { data } = await this.page(`time ${name}`, () => this.packument(name, "application/json"));
    return data?.time ?? {};
  }

  async filtered(name) {
    const { status, data } = await this.page(`npm ${name}`, () => this.packument(name, `${ABBREVIATED}, application/json;q=0.8`));
    if (status !== 200) return { status, data: { error: "not found" } };
    const { cutoff, admits } = gate(this.question, "npm", name);
    let versions = Object.keys(data.versions ?? {});
    if (!this.open && (this.question.only || cutoff !== null)) {
      // Nothing of it is younger than its last change.
      const settled = !this.question.only && Date.parse(data.modified) <= cutoff;
      const times = settled || this.question.only ? null : await this.times(name);
      const held = settled ? [] : versions.filter((version) => !admits(version, times));
      for (const version of held) this.held.add(JSON.stringify(["npm", name, version, times?.[version] ?? null]));
      versions = versions.filter((version) => !held.includes(version));
    }
    const kept = Object.fromEntries(versions.map((version) => [version, this.here(name, data.versions[version])]));
    // Without the times, by which Deno would find more too new.
    return { status, data: { ...data, time: undefined, versions: kept, "dist-tags": tagged(data["dist-tags"] ?? {}, versions) } };
  }

  // Where a package lies in its registry is not written into a lock, as long as it lies where everybody expects it. A
  // mirror may name the place in the registry that it mirrors, and for a lock this is the same one.
  here(name, manifest) {
    const usual = `${name}/-/${name.split("/").at(-1)}-${manifest.version}.tgz`;
    const plain = this.base(name).replace(/\/\/[^/@]*@/, "//");
    const tarball = (manifest.dist?.tarball ?? "").replace(/%2f/i, "/");
    if (tarball !== plain + usual && !(this.question.only && tarball.endsWith(`/${usual}`))) return manifest;
    return { ...manifest, dist: { ...manifest.dist, tarball: this.url + usual } };
  }

  async jsrMeta(rest) {
    const found = await this.page(`jsr ${rest}`, () => this.ask(this.jsr, rest));
    if (found.status !== 200) return found;
    const data = JSON.parse(found.body);
    const name = rest.replace(/\/meta\.json$/, "");
    const { cutoff, admits } = gate(this.question, "deno", name);
    if (this.open || (!this.question.only && cutoff === null)) return found;
    const times = Object.fromEntries(Object.entries(data.versions).map(([version, about]) => [version, about.createdAt]));
    for (const version of Object.keys(data.versions)) {
      if (admits(version, times)) continue;
      delete data.versions[version];
      this.held.add(JSON.stringify(["deno", name, version, times[version] ?? null]));
    }
    data.latest = tagged({ latest: data.latest ?? "0.0.0" }, Object.keys(data.versions)).latest;
    return { ...found, body: JSON.stringify(data) };
  }

  async answer(request, response) {
    const rest = request.url.replace(/^\/+/, "");
    let found;
    if (rest.startsWith("~jsr/")) {
      const inner = rest.slice("~jsr/".length);
      found = /^@[^/]+\/[^/]+\/meta\.json$/.test(inner) ? await this.jsrMeta(inner) : await this.ask(this.jsr, inner);
    } else if (/^(@[^/]+(%2f|\/))?[^/?]+$/i.test(rest)) {
      const { status, data } = await this.filtered(decodeURIComponent(rest));
      found = { status, type: "application/json", body: JSON.stringify(data) };
    } else {
      found = await this.ask(this.base(decodeURIComponent(rest)), rest);
    }
    response.writeHead(found.status, { "content-type": found.type ?? "application/octet-stream" }).end(found.body);
  }
}

// The registry that a tool asks where nobody names one: npm tells; Bun and Deno show it by the first request that they
// make of a proxy.
async function ownRegistry(tool) {
  if (tool === "npm") return (await output(["npm", "config", "get", "registry"])).trim();
  const folder = temporary();
  fs.writeFileSync(path.join(folder, "package.json"), JSON.stringify({ dependencies: { x: "*" } }));
  const command = tool === "deno" ? ["deno", "install", "--lockfile-only"] : ["bun", "install", "--lockfile-only", "--no-cache"];
  const proxy = http.createServer();
  const asked = new Promise((resolve) => {
    proxy.on("connect", ({ url = "" }, socket) => socket.destroy() && resolve(`https://${url.replace(/:443$/, "")}/`));
    proxy.on("request", (request) => request.destroy() && resolve((request.url ?? "").replace(/x$/, "")));
  });
  const address = await listening(proxy);
  const proxies = Object.fromEntries(["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"].map((name) => [name, address]));
  const environment = { ...process.env, ...proxies, NO_PROXY: "", no_proxy: "", DENO_DIR: folder };
  const child = spawn(command[0], command.slice(1), { cwd: folder, env: environment, stdio: "ignore" });
  try {
    const ended = new Promise((resolve) => child.on("close", resolve).on("error", resolve));
    const found = await Promise.race([asked, ended.then(() => "")]);
    if (found) return found;
    throw new SourceError(`${tool} does not show which registry it asks; name one in NPM_CONFIG_REGISTRY under [build] args`);
  } finally {
    child.kill("SIGKILL");
    proxy.close();
    proxy.closeAllConnections?.();
  }
}

async function output(command) {
  const child = spawn(command[0], command.slice(1), { stdio: ["ignore", "pipe", "ignore"] });
  let text = "";
  child.stdout.on("data", (data) => (text += data));
  await new Promise((resolve) => child.on("close", resolve).on("error", resolve));
  return text;
}

async function run(registry, command, folder) {
  const local = "127.0.0.1,localhost";
  const environment = {
    ...process.env,
    NPM_CONFIG_REGISTRY: registry.url,
    JSR_URL: `${registry.url}~jsr/`,
    NO_PROXY: [process.env.NO_PROXY, local].filter(Boolean).join(","),
    no_proxy: [process.env.no_proxy, local].filter(Boolean).join(","),
    npm_config_fetch_retries: "0",
    BUN_CONFIG_HTTP_RETRY_COUNT: "0",
    NO_COLOR: "1",
  };
  const child = spawn(command[0], command.slice(1), { cwd: folder, env: environment, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  child.stdout.on("data", (data) => (output += data));
  child.stderr.on("data", (data) => (output += data));
  const ended = new Promise((resolve) => {
    child.on("error", (error) => resolve({ status: 127, output: error.message }));
    child.on("close", (status) => resolve({ status, output }));
  });
  try {
    return await Promise.race([ended, registry.failed]);
  } finally {
    child.kill("SIGKILL");
  }
}

const temporary = () => fs.mkdtempSync(path.join(os.tmpdir(), "resolve-"));

async function npm(registry, specs) {
  const folder = temporary();
  fs.writeFileSync(path.join(folder, "package.json"), JSON.stringify({ dependencies: Object.fromEntries(specs) }));
  const flags = ["--package-lock-only", "--install-strategy=shallow", "--omit-lockfile-registry-resolved", "--ignore-scripts"];
  const done = await run(registry, ["npm", "install", ...flags, "--no-audit", "--no-fund", "--no-update-notifier"], folder);
  if (done.status !== 0) return done;
  const lock = JSON.parse(fs.readFileSync(path.join(folder, "package-lock.json"), "utf8"));
  delete lock.name;
  // By a tag, `npm ci` would look for what has it by then.
  const exact = (name, { name: real, version }) => (real && real !== name ? `npm:${real}@${version}` : version);
  const asked = Object.keys(lock.packages[""].dependencies);
  lock.packages[""].dependencies = Object.fromEntries(asked.map((name) => [name, exact(name, lock.packages[`node_modules/${name}`])]));
  // Nothing is installed by these, and a lock is there to be read.
  for (const entry of Object.values(lock.packages)) for (const key of ["license", "funding", "deprecated", "workspaces"]) delete entry[key];
  return { lockfile: `${JSON.stringify(lock, null, 2)}\n`, pins: npmPins(lock, machine()), gone: replaced(lock) };
}

// What stands under the global folder now, and is not there any more once the packages of a lock have come.
function replaced(lock) {
  const taken = (place) => lock.packages[path.relative(GLOBAL, place)] !== undefined;
  const [gone, left] = [true, false].map((away) => tops(`${GLOBAL}/node_modules`).filter((place) => taken(place) === away));
  const kept = [...left, ...tops("/usr/lib/node_modules")].flatMap((place) => [...installed(place)]).map(String);
  return gone.flatMap((place) => [...installed(place)]).filter((each) => !kept.includes(String(each)));
}

function tops(folder) {
  const names = fs.existsSync(folder) ? fs.readdirSync(folder).filter((name) => !name.startsWith(".")) : [];
  return names.flatMap((name) => (name.startsWith("@") ? tops(path.join(folder, name)) : [path.join(folder, name)]));
}

function* installed(folder) {
  try {
    const manifest = JSON.parse(fs.readFileSync(path.join(folder, "package.json"), "utf8"));
    if (manifest.name && manifest.version) yield ["npm", manifest.name, manifest.version];
  } catch {
    // Without a readable manifest it is no package.
  }
  for (const place of tops(path.join(folder, "node_modules"))) yield* installed(place);
}

async function bun(registry, specs) {
  const [file, manifest] = [path.join(GLOBAL, "bun.lock"), path.join(GLOBAL, "package.json")];
  const before = [file, manifest].map((each) => (fs.existsSync(each) ? fs.readFileSync(each) : null));
  try {
    const done = await run(registry, ["bun", "install", "-g", "--lockfile-only", "--no-cache", ...specs], "/");
    if (done.status !== 0) return done;
    const text = fs.readFileSync(file, "utf8").replaceAll(new RegExp(`"${registry.url}[^"]*"`, "g"), '""');
    const pins = bunPins(readBunLock(text), machine());
    const old = before[0] ? bunPins(readBunLock(String(before[0])), machine()) : [];
    const gone = old.map(([ecosystem, name, version]) => [ecosystem, name, version]);
    return { lockfile: text, pins, gone };
  } finally {
    [file, manifest].forEach((each, number) => (before[number] ? fs.writeFileSync(each, before[number]) : fs.rmSync(each, { force: true })));
  }
}

// Modules are cached one by one, so that each is resolved as if there were no other.
async function deno(registry, specs) {
  const locks = [];
  for (const spec of specs) {
    const folder = temporary();
    const file = path.join(folder, "deno.lock");
    // A module is fetched to know what it imports; packages tell without.
    const module = spec.startsWith("https:");
    if (!module) fs.writeFileSync(path.join(folder, "deno.json"), JSON.stringify({ imports: { it: spec } }));
    const command = module ? ["deno", "cache", `--lock=${file}`, spec] : ["deno", "install", "--lockfile-only"];
    const done = await run(registry, command, folder);
    if (done.status !== 0) return done;
    locks.push(JSON.parse(fs.readFileSync(file, "utf8")));
  }
  const lock = denoLock(locks);
  for (const entry of Object.values(lock.npm ?? {})) if (entry.tarball?.startsWith(registry.url)) delete entry.tarball;
  return { lockfile: `${JSON.stringify(lock, null, 2)}\n`, pins: denoPins(lock, machine()), gone: [] };
}

// The newest release of a runtime that its registry has as a package.
async function release(registry, [name]) {
  const { status, data } = await registry.packument(name, "application/json");
  if (status !== 200) throw new SourceError(`${name}: its registry answers ${status}`);
  return { lockfile: "", pins: [["generic", name, data["dist-tags"].latest, "", data.time?.[data["dist-tags"].latest] ?? null]], gone: [] };
}

const TOOLS = { npm, bun, deno, release };

function dated(registry, pins, question) {
  return Promise.all(
    pins.map(async (pin) => {
      if (pin.length > 4) return pin;
      const [ecosystem, name, version] = pin;
      const known = question.only || ecosystem !== "npm" || question.installed?.npm?.[name]?.includes(version);
      return [...pin, known ? null : ((await registry.times(name))[version] ?? null)];
    }),
  );
}

async function answered(question) {
  const file = process.env.ISOL8_NPMRC;
  const settings = readNpmrc(file ? fs.readFileSync(file, "utf8") : "", process.env);
  const npm = process.env.NPM_CONFIG_REGISTRY || settings.get("registry") || (await ownRegistry(question.tool));
  const registry = new Registry(question, npm, settings);
  await registry.listen();
  const resolve = () => TOOLS[question.tool](registry, question.specs);
  const found = await resolve();
  const held = [...registry.held].map((each) => JSON.parse(each));
  let newest = null;
  if (held.length && !question.only) {
    registry.open = true;
    newest = await resolve();
  }
  for (const each of [found, newest]) if (each?.pins) each.pins = await dated(registry, each.pins, question);
  return { found, newest, held };
}

async function main(words) {
  let answer;
  try {
    answer = await answered(JSON.parse(words.join("")));
  } catch (error) {
    if (!(error instanceof SourceError)) throw error;
    answer = { problem: error.message };
  }
  await new Promise((resolve) => process.stdout.write(JSON.stringify(answer), resolve));
  process.exit(0);
}

if (process.argv[2] !== undefined) await main(process.argv.slice(2));
