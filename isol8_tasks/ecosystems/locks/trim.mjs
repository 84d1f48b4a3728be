// Lets Deno's cache know of exactly the versions that deno.lock, here, brought into it. Without a lock Deno looks for
// the newest that it knows, and while it holds to one it may not learn what it needs to look at all.
const folder = Deno.env.get("DENO_DIR");
const lock = JSON.parse(Deno.readTextFileSync("deno.lock"));

function there(place) {
  try {
    return Boolean(Deno.statSync(place));
  } catch {
    return false;
  }
}

const names = (place, kind) => (there(place) ? [...Deno.readDirSync(place)].filter((entry) => entry[kind]).map((entry) => entry.name) : []);

// By number, as far as versions are numbers; of two that are not, either will do.
const newest = (versions) => versions.sort((one, other) => one.localeCompare(other, "en", { numeric: true })).at(-1);

function less(about, has) {
  const versions = Object.fromEntries(Object.entries(about.versions).filter(([version]) => has(version)));
  return Object.keys(versions).length ? { ...about, versions } : about;
}

// Of a .npmrc of root's, what is sent to log in at an address.
function login(url) {
  const file = `${Deno.env.get("HOME")}/.npmrc`;
  const lines = there(file) ? Deno.readTextFileSync(file).split("\n") : [];
  for (const [, place, kind, value] of lines.map((line) => /^\s*(\/\/.*):(_authToken|_auth)\s*=\s*"?(.*?)"?\s*$/.exec(line) ?? [])) {
    const secret = value?.replace(/\$\{([^}]+)\}/g, (all, name) => Deno.env.get(name) ?? all);
    if (place && `//${url.host}${url.pathname}`.startsWith(place)) return `${kind === "_auth" ? "Basic" : "Bearer"} ${secret}`;
  }
  return "";
}

async function asked(name) {
  // Deno names the folder after the registry that it asks by itself.
  const registry = Deno.env.get("NPM_CONFIG_REGISTRY") || `https://${home(some, versions)}`;
  const url = new URL(name.replace("/", "%2f"), registry.replace(/\/*$/, "/"));
  const secret = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  const authorization = url.username ? `Basic ${btoa(secret)}` : login(url);
  const headers = new Headers(authorization ? { authorization } : {});
  url.username = url.password = "";
  for (let left = 3; ; left -= 1) {
    try {
      const response = await fetch(url, { headers });
      if (response.ok) return await response.json();
      throw new Error(`${url.origin}${url.pathname} answers ${response.status}`);
    } catch (error) {
      if (left === 1) throw error;
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}

const wanted = {};
for (const id of Object.keys(lock.npm ?? {})) {
  const [, name, version] = id.match(/^((?:@[^/]+\/)?[^@]+)@([^_]+)/) ?? [id, id, ""];
  (wanted[name] ??= new Set()).add(version);
}
const [[some, versions] = []] = Object.entries(wanted).filter(([name, found]) => home(name, found));

function home(name, found) {
  return names(`${folder}/npm`, "isDirectory").find((each) => [...found].some((version) => there(`${folder}/npm/${each}/${name}/${version}`)));
}

const looked = some ? Object.keys(wanted) : [];
for (const name of looked) {
  const place = `${folder}/npm/${home(some, versions)}/${name}`;
  const known = there(`${place}/registry.json`) ? JSON.parse(Deno.readTextFileSync(`${place}/registry.json`)) : await asked(name);
  // Peers that need not be there are asked for all the same.
  for (const version of wanted[name]) {
    for (const peer of Object.keys(known.versions[version]?.peerDependencies ?? {})) {
      if (wanted[peer]) continue;
      looked.push(peer);
      wanted[peer] = new Set();
    }
  }
  const about = less(known, (version) => wanted[name].has(version) || there(`${place}/${version}`));
  const tags = Object.entries(about["dist-tags"] ?? {}).filter(([, version]) => version in about.versions);
  // What a lock has is there to be used, however young it is.
  delete about.time;
  about["dist-tags"] = { latest: newest(Object.keys(about.versions)), ...Object.fromEntries(tags) };
  Deno.mkdirSync(place, { recursive: true });
  Deno.writeTextFileSync(`${place}/registry.json`, JSON.stringify(about));
}

function* files(place) {
  for (const name of names(place, "isFile")) yield `${place}/${name}`;
  for (const name of names(place, "isDirectory")) yield* files(`${place}/${name}`);
}

// JSR says in a module what versions it has of a package.
const modules = new Map();
for (const place of Object.keys(lock.jsr ?? {}).length ? files(`${folder}/remote`) : []) {
  const [text, metadata] = Deno.readTextFileSync(place).split("\n// denoCacheMetadata=");
  if (metadata) modules.set(JSON.parse(metadata).url, { place, text, metadata });
}
for (const [url, { place, text, metadata }] of modules) {
  const found = url.match(/^(.*\/@[a-z0-9-]+\/[a-z0-9-]+\/)meta\.json$/);
  if (!found) continue;
  const about = less(JSON.parse(text), (version) => modules.has(`${found[1]}${version}_meta.json`));
  if (!(about.latest in about.versions)) about.latest = newest(Object.keys(about.versions));
  Deno.writeTextFileSync(place, `${JSON.stringify(about)}\n// denoCacheMetadata=${metadata}`);
}
