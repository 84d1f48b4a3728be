// What registry.mjs decides by: versions, ages, machines and lock files.

// Numbers before words, and a version before what leads to it (semver.org, 11).
export function compare(one, other) {
  const [a, b] = [one, other].map((version) => {
    const [numbers, ...rest] = version.split("+")[0].split("-");
    return { numbers: numbers.split(".").map(Number), words: rest.length ? rest.join("-").split(".") : [] };
  });
  for (let i = 0; i < 3; i += 1) if (a.numbers[i] !== b.numbers[i]) return a.numbers[i] < b.numbers[i] ? -1 : 1;
  if (!a.words.length || !b.words.length) return Math.sign(b.words.length - a.words.length);
  for (let i = 0; i < Math.max(a.words.length, b.words.length); i += 1) {
    const [x, y] = [a.words[i], b.words[i]];
    if (x === y) continue;
    if (x === undefined || y === undefined) return x === undefined ? -1 : 1;
    const numeric = [x, y].map((word) => /^\d+$/.test(word));
    if (numeric[0] && numeric[1]) return Number(x) < Number(y) ? -1 : 1;
    if (numeric[0] !== numeric[1]) return numeric[0] ? -1 : 1;
    return x < y ? -1 : 1;
  }
  return 0;
}

// The settings of a .npmrc, by their names (docs.npmjs.com, npmrc).
export function readNpmrc(text, environment) {
  const found = new Map();
  for (const line of text.split(/\r?\n/)) {
    const [, key, value] = /^\s*([^=;#\s][^=]*?)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    const expanded = value?.replace(/^(["'])(.*)\1$/, "$2").replace(/\$\{([^}]+)\}/g, (all, name) => environment[name.replace(/\?$/, "")] ?? all);
    if (key) found.set(key, expanded);
  }
  return found;
}

// What is sent to an address to log in; nothing where a .npmrc has no login for it.
export function loginFor(settings, url) {
  const own = `//${url.host}${url.pathname}`;
  const places = [...settings.keys()].flatMap((key) => {
    const found = /^(\/\/.*):(_authToken|_auth|username)$/.exec(key);
    return found && own.startsWith(found[1]) ? [found] : [];
  });
  const [key, place, kind] = places.sort((one, other) => other[1].length - one[1].length)[0] ?? [];
  if (!key) return "";
  if (kind === "_authToken") return `Bearer ${settings.get(key)}`;
  const password = () => Buffer.from(settings.get(`${place}:_password`) ?? "", "base64");
  return `Basic ${kind === "_auth" ? settings.get(key) : Buffer.from(`${settings.get(key)}:${password()}`).toString("base64")}`;
}

// A tag that is left without its version goes to the newest before that, as npm's own --before has it.
export function tagged(tags, versions) {
  const left = {};
  for (const [tag, version] of Object.entries(tags)) {
    if (versions.includes(version)) {
      left[tag] = version;
      continue;
    }
    const older = versions.filter((each) => compare(each, version) < 0 && (version.includes("-") || !each.includes("-")));
    const newest = older.sort(compare).at(-1);
    if (newest !== undefined) left[tag] = newest;
  }
  return left;
}

// Tells which versions of a package may be accepted. `times` has, by version, when it was published; null where nobody tells.
export function gate(question, ecosystem, name) {
  const there = new Set(question.installed?.[ecosystem]?.[name] ?? []);
  const cutoff = question.cutoffs && name in question.cutoffs ? question.cutoffs[name] : question.cutoff;
  // A lock names packages for other machines too, and these are not there.
  const other = question.only ? !there.size : cutoff === null;
  const old = (version, times) => !question.only && Boolean(times?.[version]) && Date.parse(times[version]) <= cutoff;
  return { cutoff, admits: (version, times) => other || there.has(version) || old(version, times) };
}

// Whether a package is for the machine that this runs on, by what its manifest says of itself.
export function fits(entry, machine) {
  for (const [key, value] of Object.entries(machine)) {
    const wanted = [entry?.[key] ?? []].flat();
    if (!wanted.length || wanted.includes("any")) continue;
    if (wanted.includes(`!${value}`)) return false;
    const named = wanted.filter((each) => !each.startsWith("!"));
    if (named.length && !named.includes(value)) return false;
  }
  return true;
}

export function npmPins(lock, here) {
  return Object.entries(lock.packages).flatMap(([place, entry]) => {
    const name = entry.name ?? place.split("node_modules/").at(-1);
    if (!place || entry.link || (entry.optional && !fits(entry, here))) return [];
    return [["npm", name, entry.version, entry.integrity ?? ""]];
  });
}

export function bunPins(lock, here) {
  return Object.values(lock.packages).flatMap(([id, , entry, integrity]) => {
    const at = id.lastIndexOf("@");
    return fits(entry, here) ? [["npm", id.slice(0, at), id.slice(at + 1), integrity ?? ""]] : [];
  });
}

// Returns name and version of a package by its id in deno.lock, in which its peers follow them.
function parted(id) {
  const [, name, version] = id.match(/^((?:@[^/]+\/)?[^@]+)@([^_]+)/) ?? [id, id, ""];
  return [name, version];
}

export function denoPins(lock, here) {
  const npm = Object.entries(lock.npm ?? {}).flatMap(([id, entry]) => {
    const [name, version] = parted(id);
    return fits(entry, here) ? [["npm", name, version, entry.integrity ?? ""]] : [];
  });
  const jsr = Object.entries(lock.jsr ?? {}).map(([id, entry]) => {
    const at = id.lastIndexOf("@");
    return ["deno", id.slice(0, at), id.slice(at + 1), entry.integrity ? `sha256:${entry.integrity}` : ""];
  });
  const remote = Object.entries(lock.remote ?? {}).map(([url, hash]) => ["deno", url, "", `sha256:${hash}`]);
  return [...npm, ...jsr, ...remote];
}

// One lock of several. They leave out a version where they have only one of a package, and together they may have more.
export function denoLock(locks) {
  const whole = { version: locks[0].version };
  for (const lock of locks) {
    const named = Object.groupBy(Object.keys(lock.npm ?? {}), (id) => parted(id)[0]);
    const exact = (text) => {
      const [, alias, name] = text.match(/^(.*@npm:)?(.*)$/);
      return `${alias ?? ""}${named[name]?.length === 1 ? named[name][0] : name}`;
    };
    for (const entry of Object.values(lock.npm ?? {})) {
      for (const kind of ["dependencies", "optionalDependencies", "optionalPeers"]) {
        if (entry[kind]) entry[kind] = entry[kind].map(exact);
      }
    }
    for (const part of ["specifiers", "jsr", "npm", "redirects", "remote"]) {
      if (lock[part]) whole[part] = { ...whole[part], ...lock[part] };
    }
  }
  return whole;
}

// Bun writes commas where JSON has none.
export function readBunLock(text) {
  return JSON.parse(text.replace(/,(\s*[\]}])/g, "$1"));
}

