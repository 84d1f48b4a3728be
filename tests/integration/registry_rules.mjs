// Run beside versions.mjs, in each runtime that it runs in.
import assert from "node:assert/strict";
// @ts-ignore - it is beside this file in a container, and nowhere else
import { bunPins, compare, denoLock, denoPins, fits, gate, loginFor, npmPins, readBunLock, readNpmrc, tagged } from "./versions.mjs";

// https://semver.org, 11: each before the next.
const order = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1",
  "1.0.0", "1.0.1", "1.2.0", "1.10.0", "2.0.0-0", "2.0.0"];
order.forEach((one, i) => order.forEach((other, j) => assert.equal(compare(one, other), Math.sign(i - j), `${one} ${other}`)));
assert.equal(compare("1.0.0+a", "1.0.0+b"), 0);

// A tag goes to the newest that is left before its version, and to no preview unless it was one.
assert.deepEqual(tagged({ latest: "2.0.0" }, ["1.0.0", "2.0.0"]), { latest: "2.0.0" });
assert.deepEqual(tagged({ latest: "2.0.0" }, ["1.0.0", "1.5.0", "2.0.0-rc.1", "3.0.0"]), { latest: "1.5.0" });
assert.deepEqual(tagged({ next: "2.0.0-rc.2" }, ["1.0.0", "2.0.0-rc.1"]), { next: "2.0.0-rc.1" });
assert.deepEqual(tagged({ latest: "1.0.0" }, ["2.0.0"]), {});

const times = { "1.0.0": "2026-01-01T00:00:00Z", "2.0.0": "2026-11-25T00:00:00Z" };
const admitted = (question, version) => gate(question, "npm", "a").admits(version, times);
const cutoff = Date.parse("2026-11-01T00:00:00Z");
assert.deepEqual(["1.0.0", "2.0.0", "3.0.0"].map((each) => admitted({ cutoff }, each)), [true, false, false]);
assert.equal(admitted({ cutoff: null }, "3.0.0"), true);
assert.equal(admitted({ cutoff, installed: { npm: { a: ["3.0.0"] } } }, "3.0.0"), true);
assert.equal(admitted({ cutoff, cutoffs: { a: null } }, "2.0.0"), true);
assert.equal(admitted({ cutoff: null, cutoffs: { a: cutoff } }, "2.0.0"), false);
assert.equal(admitted({ only: true, cutoff: null, installed: { npm: { a: ["1.0.0"] } } }, "2.0.0"), false);
assert.equal(admitted({ only: true, cutoff: null, installed: { npm: {} } }, "2.0.0"), true);

const here = { os: "linux", cpu: "x64", libc: "musl" };
assert.equal(fits({}, here), true);
assert.equal(fits({ os: ["linux"], cpu: "x64" }, here), true);
assert.equal(fits({ os: ["!linux"] }, here), false);
assert.equal(fits({ os: ["!win32"] }, here), true);
assert.equal(fits({ libc: ["glibc"] }, here), false);
assert.equal(fits({ cpu: ["any"] }, here), true);

assert.deepEqual(
  npmPins({ packages: {
    "": {}, "node_modules/a": { version: "1.0.0", integrity: "sha512-x" }, "node_modules/a/node_modules/@s/b": { version: "2.0.0" },
    "node_modules/c": { name: "real", version: "3.0.0" }, "node_modules/d": { version: "1.0.0", optional: true, os: ["win32"] },
    "node_modules/e": { link: true },
  } }, here),
  [["npm", "a", "1.0.0", "sha512-x"], ["npm", "@s/b", "2.0.0", ""], ["npm", "real", "3.0.0", ""]],
);
assert.deepEqual(
  bunPins(readBunLock('{"packages": {"a": ["@s/a@1.0.0", "", {"os": "linux"}, "sha512-x"], "b": ["b@2.0.0", "", {"os": "darwin"}, ""],},}'), here),
  [["npm", "@s/a", "1.0.0", "sha512-x"]],
);
assert.deepEqual(
  denoPins({
    npm: { "react-dom@18.2.0_react@18.2.0": { integrity: "sha512-x" }, "@s/b@1.0.0": { os: ["win32"] } },
    jsr: { "@std/hex@1.0.0": { integrity: "ab" } }, remote: { "https://x/y.ts": "cd" },
  }, here),
  [["npm", "react-dom", "18.2.0", "sha512-x"], ["deno", "@std/hex", "1.0.0", "sha256:ab"], ["deno", "https://x/y.ts", "", "sha256:cd"]],
);
// Which version a package needs is no longer told by there being one.
assert.deepEqual(
  denoLock([
    { version: "5", specifiers: { "npm:b@*": "2.0.0" }, npm: { "b@2.0.0": {} } },
    { version: "5", specifiers: { "npm:@s/a@*": "1.0.0" }, workspace: {}, npm: {
      "@s/a@1.0.0": { dependencies: ["b", "c", "d@1.0.0", "e@npm:b"], optionalPeers: ["none"] },
      "b@1.0.0": {}, "c@1.0.0_b@1.0.0": {}, "d@1.0.0": {}, "d@2.0.0": {},
    } },
  ]),
  { version: "5", specifiers: { "npm:b@*": "2.0.0", "npm:@s/a@*": "1.0.0" }, npm: {
    "b@2.0.0": {}, "b@1.0.0": {}, "c@1.0.0_b@1.0.0": {}, "d@1.0.0": {}, "d@2.0.0": {},
    "@s/a@1.0.0": { dependencies: ["b@1.0.0", "c@1.0.0_b@1.0.0", "d@1.0.0", "e@npm:b@1.0.0"], optionalPeers: ["none"] },
  } },
);
// Of what .npmrc has, the login for the longest part of an address counts.
const settings = readNpmrc(
  '; a comment\nregistry = "https://r.example/npm/"\r\n@s:registry=https://s.example\n//r.example/:_auth=YTpi\n' +
    "//r.example/npm/:_authToken=${TOKEN}\n//u.example:8080/:username=me\n//u.example:8080/:_password=cHc=\n//n.example/:_authToken=${NONE}\n",
  { TOKEN: "t0k" },
);
assert.equal(settings.get("registry"), "https://r.example/npm/");
assert.equal(settings.get("@s:registry"), "https://s.example");
const logins = {
  "https://r.example/npm/a": "Bearer t0k", "https://r.example/other": "Basic YTpi", "http://u.example:8080/a": "Basic bWU6cHc=",
  "https://s.example/a": "", "https://n.example/a": "Bearer ${NONE}",
};
for (const [url, login] of Object.entries(logins)) assert.equal(loginFor(settings, new URL(url)), login, url);
assert.equal(readNpmrc("", {}).size, 0);
console.log("held");
