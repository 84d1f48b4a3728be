// Prints which of the packages that it is given npm's registries do not have, a line each. A package of which nobody
// says so is not printed.
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import process from "node:process";
import { loginFor, readNpmrc } from "./versions.mjs";

const file = process.env.ISOL8_NPMRC;
const own = readNpmrc(file ? fs.readFileSync(file, "utf8") : "", process.env);
const settings = JSON.parse(execFileSync("npm", ["config", "list", "--json"], { encoding: "utf8" }));

async function lacks(name) {
  const key = `${name.split("/")[0]}:registry`;
  const scope = name.startsWith("@") ? (own.get(key) ?? settings[key]) : undefined;
  const registry = scope ?? process.env.NPM_CONFIG_REGISTRY ?? own.get("registry") ?? settings.registry;
  const url = new URL(registry.replace(/\/*$/, "/") + name.replace("/", "%2f"));
  const headers = new Headers();
  if (url.username) {
    const secret = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    headers.set("authorization", `Basic ${Buffer.from(secret).toString("base64")}`);
    url.username = url.password = "";
  } else if (loginFor(own, url)) {
    headers.set("authorization", loginFor(own, url));
  }
  const response = await fetch(url, { method: "HEAD", headers, signal: AbortSignal.timeout(10_000) });
  return response.status === 404;
}

const names = process.argv.slice(1);
const answers = await Promise.all(names.map((name) => lacks(name).catch(() => false)));
for (const name of names.filter((_, at) => answers[at])) console.log(name);
