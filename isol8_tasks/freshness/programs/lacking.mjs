// Prints which of the packages that it is given npm's registries do not have, a line each. A package of which nobody
// says so is not printed.
import { execFileSync } from "node:child_process";
import process from "node:process";

const settings = JSON.parse(execFileSync("npm", ["config", "list", "--json"], { encoding: "utf8" }));

async function lacks(name) {
  const scope = name.startsWith("@") ? settings[`${name.split("/")[0]}:registry`] : undefined;
  const url = new URL((scope ?? process.env.NPM_CONFIG_REGISTRY ?? settings.registry).replace(/\/*$/, "/") + name.replace("/", "%2f"));
  const headers = new Headers();
  if (url.username) {
    const secret = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    headers.set("authorization", `Basic ${Buffer.from(secret).toString("base64")}`);
    url.username = url.password = "";
  }
  const response = await fetch(url, { method: "HEAD", headers, signal: AbortSignal.timeout(10_000) });
  return response.status === 404;
}

const names = process.argv.slice(1);
const answers = await Promise.all(names.map((name) => lacks(name).catch(() => false)));
for (const name of names.filter((_, at) => answers[at])) console.log(name);
