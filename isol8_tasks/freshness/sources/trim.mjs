// Takes out of Deno's cache what it was told of versions that it has not: without a lock it would look for the newest
// that it knows, and not find it. What it knows, it would not ask for again.
const folder = Deno.env.get("DENO_DIR");

function* files(inner) {
  for (const entry of Deno.readDirSync(inner)) {
    const place = `${inner}/${entry.name}`;
    if (entry.isDirectory) yield* files(place);
    else if (entry.isFile) yield place;
  }
}

function there(place) {
  try {
    return Boolean(Deno.statSync(place));
  } catch {
    return false;
  }
}

// By number, as far as versions are numbers; of two that are not, either will do.
const newest = (versions) => versions.sort((one, other) => one.localeCompare(other, "en", { numeric: true })).at(-1);

function kept(about, has) {
  const versions = Object.keys(about.versions).filter(has);
  return versions.length ? Object.fromEntries(versions.map((version) => [version, about.versions[version]])) : null;
}

for (const place of there(`${folder}/npm`) ? [...files(`${folder}/npm`)] : []) {
  // By registry and name, which has a scope or none; deeper lie the packages' own files.
  const found = place.match(/^(.*\/npm\/[^/]+\/(?:@[^/]+\/)?[^/]+)\/registry\.json$/);
  if (!found || !place.startsWith(`${folder}/npm/`) || there(`${found[1]}/package.json`)) continue;
  const about = JSON.parse(Deno.readTextFileSync(place));
  const versions = kept(about, (version) => there(`${found[1]}/${version}`));
  if (!versions) continue;
  const tags = Object.entries(about["dist-tags"] ?? {}).filter(([, version]) => version in versions);
  about["dist-tags"] = { latest: newest(Object.keys(versions)), ...Object.fromEntries(tags) };
  Deno.writeTextFileSync(place, JSON.stringify({ ...about, versions }));
}

const modules = new Map();
for (const place of there(`${folder}/remote`) ? files(`${folder}/remote`) : []) {
  const [text, metadata] = Deno.readTextFileSync(place).split("\n// denoCacheMetadata=");
  if (metadata) modules.set(JSON.parse(metadata).url, { place, text, metadata });
}
for (const [url, { place, text, metadata }] of modules) {
  const found = url.match(/^(.*\/@[a-z0-9-]+\/[a-z0-9-]+\/)meta\.json$/);
  if (!found) continue;
  const about = JSON.parse(text);
  const versions = kept(about, (version) => modules.has(`${found[1]}${version}_meta.json`));
  if (!versions) continue;
  const latest = about.latest in versions ? about.latest : newest(Object.keys(versions));
  Deno.writeTextFileSync(place, `${JSON.stringify({ ...about, versions, latest })}\n// denoCacheMetadata=${metadata}`);
}
