// Starts the network filter as isol8's clients up to v0.8.0 do, `node /usr/local/bin/proxy.mjs &`. They only report that
// the filter does not listen, so a policy that cannot be read makes it answer every request with the reason.

import { spawn } from "node:child_process";
import process from "node:process";

const filter = "/usr/local/bin/isol8-proxy";
if (process.execve) {
  process.execve(filter, ["isol8-proxy", "--explain"], process.env); // Node's memory is given back to the sandbox
}
const running = spawn(filter, ["--explain"], { stdio: "inherit" });
for (const signal of /** @type {const} */ (["SIGTERM", "SIGINT"])) {
  process.on(signal, () => running.kill(signal));
}
running.on("exit", (status) => process.exit(status ?? 1));
