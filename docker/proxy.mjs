#!/usr/bin/env node
// Filtering proxy for code in the sandbox: HTTP requests and CONNECT tunnels, allowed or refused by host.
//
//   ISOL8_BLACKLIST    JSON array of regular expressions; a host that matches one is refused
//   ISOL8_WHITELIST    the same; unless it is empty, a host has to match one. The blacklist goes first
//   ISOL8_PROXY_PORT   port on 127.0.0.1, 8118 if unset
//   ISOL8_ALLOW_NETS   comma-separated networks (10.0.0.0/8) that may be reached although private
//   ISOL8_ALLOW_PORTS  comma-separated ports that may be reached besides the usual ones
//
// The last two are read but change nothing yet: a later default will refuse private addresses and other
// ports. A variable that is set but does not parse stops the proxy (status 2): an unread list allows all.
//
// Node, Bun and Deno run this same file, so it keeps to what all three have.

import { Buffer } from "node:buffer";
import { createServer, request, STATUS_CODES } from "node:http";
import { connect, isIP } from "node:net";
import process from "node:process";
import { pipeline } from "node:stream";

// Meant for one connection only, by RFC 9110 and custom; what a Connection header names comes on top.
const HOP_BY_HOP = [
  "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
  "te", "trailer", "transfer-encoding", "upgrade",
];

const blacklist = setting("ISOL8_BLACKLIST", [], parsePatterns);
const whitelist = setting("ISOL8_WHITELIST", [], parsePatterns);
const port = setting("ISOL8_PROXY_PORT", 8118, parsePort);
setting("ISOL8_ALLOW_NETS", [], (text) => listed(text).map(parseNetwork));
setting("ISOL8_ALLOW_PORTS", [], (text) => listed(text).map(parsePort));

// No limit on how long a request takes to arrive: a large upload may well need more than the default.
const server = createServer({ requestTimeout: 0 }, forward);
server.on("connect", tunnel);
server.on("error", (error) => die(1, `cannot listen on 127.0.0.1:${port}: ${error.message}`));
server.listen(port, "127.0.0.1", () => console.log(`isol8 proxy listening on 127.0.0.1:${port}`));

function setting(name, unset, parse) {
  const text = process.env[name];
  try {
    return text === undefined ? unset : parse(text);
  } catch (error) {
    return die(2, `${name}: ${error.message}`);
  }
}

function die(status, message) {
  console.error(`isol8 proxy: ${message}`.replace(/\s+/g, " "));
  process.exit(status);
}

function parsePatterns(text) {
  const list = JSON.parse(text);
  if (!Array.isArray(list) || list.some((item) => typeof item !== "string")) {
    throw new Error("not a JSON array of strings");
  }
  return list.map((item) => new RegExp(item));
}

function listed(text) {
  return text.trim() === "" ? [] : text.split(",");
}

function parsePort(text) {
  const number = /^\d{1,5}$/.test(text.trim()) ? Number(text) : 0;
  if (number < 1 || number > 65535) {
    throw new Error(`"${text}" is not a port`);
  }
  return number;
}

function parseNetwork(text) {
  const [, address, prefix] = /^([^/]+)\/(\d{1,3})$/.exec(text.trim()) ?? [];
  const longest = { 4: 32, 6: 128 }[isIP(address ?? "")];
  if (!longest || Number(prefix) > longest) {
    throw new Error(`"${text}" is not a network like 10.0.0.0/8`);
  }
  return { address, prefix: Number(prefix) };
}

// The name that is judged is the one that is connected to: as the URL parser normalises it, without the
// brackets of IPv6 and the dot that a full name may end in.
function hostOf(url) {
  return url.hostname.replace(/^\[|\]$/g, "").replace(/\.+$/, "");
}

function isAllowed(host) {
  const matches = (pattern) => pattern.test(host);
  return !blacklist.some(matches) && (whitelist.length === 0 || whitelist.some(matches));
}

function forward(req, res) {
  const url = /^http:\/\//i.test(req.url) && URL.canParse(req.url) ? new URL(req.url) : null;
  if (!url) {
    return answer(res, 400, "this is a proxy: ask for an absolute http:// address, or CONNECT");
  }
  const host = hostOf(url);
  if (!isAllowed(host)) {
    return answer(res, 403, `request to ${host} blocked by network filter`);
  }
  const headers = { ...endToEnd(req), Host: url.host };
  if (req.headers["transfer-encoding"]) {
    headers["Transfer-Encoding"] = "chunked"; // else a GET's body would go out without any framing
  }
  const path = url.pathname + url.search;
  // A connection for each request: one kept open could be closed by the server just as it is used again.
  const onward = request({ host, port: url.port || 80, path, method: req.method, headers, agent: false });
  onward.on("response", (reply) => {
    res.writeHead(reply.statusCode, reply.statusMessage, endToEnd(reply));
    pipeline(reply, res, () => {}); // an answer that breaks off breaks off for the client too
  });
  onward.on("error", (error) => (res.headersSent ? res.destroy() : answer(res, 502, reason(host, error))));
  res.on("close", () => onward.destroy());
  req.pipe(onward);
}

function tunnel(req, client, head) {
  let onward;
  client.on("error", () => onward?.destroy()); // from the start: an error that nobody hears ends the process
  const [, port] = /^(?:\[[\da-f:.]+\]|[^\s:/?#@\\[\]]+):(\d{1,5})$/i.exec(req.url) ?? [];
  if (!port || !URL.canParse(`http://${req.url}`)) {
    return client.end(rawAnswer(400, "CONNECT needs host:port"));
  }
  const host = hostOf(new URL(`http://${req.url}`));
  if (!isAllowed(host)) {
    return client.end(rawAnswer(403, `CONNECT to ${host} blocked by network filter`));
  }
  let open = false;
  // Either side may finish sending and still want to receive.
  onward = connect({ host, port: Number(port), allowHalfOpen: true }, () => {
    open = true;
    client.write("HTTP/1.1 200 Connection Established\r\n\r\n");
    onward.write(head);
    client.pipe(onward);
    onward.pipe(client);
  });
  onward.on("error", (error) => (open ? client.destroy() : client.end(rawAnswer(502, reason(host, error)))));
}

function endToEnd(message) {
  const named = (message.headers.connection ?? "").toLowerCase().split(/\s*,\s*/);
  const dropped = new Set([...HOP_BY_HOP, ...named, "host"]);
  const kept = Object.create(null); // a header may be called `constructor`
  // The raw headers, since the parsed ones merge repeated fields or keep the first only.
  for (let i = 0; i < message.rawHeaders.length; i += 2) {
    const name = message.rawHeaders[i].toLowerCase();
    if (!dropped.has(name)) {
      kept[name] = name in kept ? [kept[name], message.rawHeaders[i + 1]].flat() : message.rawHeaders[i + 1];
    }
  }
  return kept;
}

function answer(res, status, text) {
  res.writeHead(status, { "Content-Type": "text/plain" });
  res.end(`isol8: ${text}\n`);
}

function rawAnswer(status, text) {
  const body = `isol8: ${text}\n`;
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: text/plain\r\n`;
  return `${head}Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`;
}

function reason(host, error) {
  return `${host} cannot be reached: ${error.code ?? error.message}`;
}
