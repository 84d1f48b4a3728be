#!/usr/bin/env node
// Filtering proxy for code in the sandbox: HTTP requests and CONNECT tunnels, let through or refused by host, port and
// address. It refuses whatever it does not understand, and writes a line about each decision.
//
//   ISOL8_BLACKLIST    JSON array of regular expressions; a host that matches one is refused
//   ISOL8_WHITELIST    the same; unless it is empty, a host has to match one. The blacklist goes first
//   ISOL8_ALLOW_NETS   comma-separated networks (10.0.0.0/8) that may be reached although they are not public
//   ISOL8_ALLOW_PORTS  comma-separated ports that may be reached besides 80 and 443
//   ISOL8_PROXY_…      how it listens, logs and ends; see `settings` below
//
// Node, Bun and Deno run this same file, so it keeps to what all three have, and HTTP is read here: their own servers
// differ in what they let pass. A variable that is set but does not parse stops it (status 2) before it listens.

import { Buffer } from "node:buffer";
import { lookup } from "node:dns";
import { openSync, readFileSync, write } from "node:fs";
import { connect, createServer, isIPv4 } from "node:net";
import { networkInterfaces } from "node:os";
import process from "node:process";
import { clearInterval, clearTimeout, setInterval, setTimeout } from "node:timers";

/** What stops a request: the status for the client, the rule for the log, and a sentence for people. */
class Refusal extends Error {
  /**
   * @param {number} status
   * @param {string} rule
   * @param {string} text
   */
  constructor(status, rule, text) {
    super(text);
    this.status = status;
    this.rule = rule;
  }
}

const malformed = (what, status = 400, text = what) => new Refusal(status, `syntax: ${what}`, text);

// ---- Patterns: regular expressions in linear time ------------------------------------------------------------------
//
// The engines' own expressions can take time that doubles with each character, and one of them then answers "no match",
// which opens a blacklist. These are run as a set of states, so a host of n characters takes n steps. What such a machine
// can't do (back-references, look-around), and what JavaScript only tolerates, is refused when the proxy starts.

const CODES = 128;
const MOST_STATES = 2_000;
const MOST_REPEATS = 1_000;
const MOST_NESTED = 50;

/**
 * @typedef {{kind: "set", codes: Uint8Array}} SetNode
 * @typedef {{kind: "assert", what: "start" | "end" | "boundary" | "inside"}} AssertNode
 * @typedef {{kind: "sequence", items: Node[]}} SequenceNode
 * @typedef {{kind: "choice", options: Node[]}} ChoiceNode
 * @typedef {{kind: "repeat", body: Node, least: number, most: number}} RepeatNode
 * @typedef {SetNode | AssertNode | SequenceNode | ChoiceNode | RepeatNode} Node
 */

/** @param {(code: number) => boolean} has */
function setOf(has) {
  return Uint8Array.from({ length: CODES }, (_, code) => (has(code) ? 1 : 0));
}

const isDigit = (code) => code >= 48 && code <= 57;
const isWord = (code) => isDigit(code) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122) || code === 95;
const isSpace = (code) => (code >= 9 && code <= 13) || code === 32;
const CLASSES = {
  d: setOf(isDigit),
  D: setOf((code) => !isDigit(code)),
  w: setOf(isWord),
  W: setOf((code) => !isWord(code)),
  s: setOf(isSpace),
  S: setOf((code) => !isSpace(code)),
};
const ANY = setOf((code) => code !== 10 && code !== 13);
const CONTROLS = { t: 9, n: 10, v: 11, f: 12, r: 13 };

/** A set of these codes; a capital also stands for its small letter, since hosts have no capitals. */
function folded(codes) {
  return setOf((code) => codes[code] || (code >= 97 && code <= 122 && codes[code - 32]));
}

const LITERALS = Array.from({ length: CODES }, (_, wanted) => folded(setOf((code) => code === wanted)));

/** Reads one expression into a tree, or throws an error that says what is not taken. */
class PatternParser {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
    this.at = 0;
    this.nested = 0;
  }

  /** @returns {Node} */
  parse() {
    const bad = /[^\x20-\x7e]/.exec(this.text);
    if (bad) {
      throw new Error("only ASCII is taken: hosts are matched as xn-- names");
    }
    const node = this.choice();
    return this.at < this.text.length ? this.fail("unmatched )") : node;
  }

  /** @returns {never} */
  fail(what) {
    throw new Error(`${what} at ${this.at + 1}`);
  }

  /** Whether `text` comes next; if so, it is consumed. */
  eat(text) {
    const found = this.text.startsWith(text, this.at);
    this.at += found ? text.length : 0;
    return found;
  }

  /** @returns {Node} */
  choice() {
    const options = [this.sequence()];
    while (this.eat("|")) {
      options.push(this.sequence());
    }
    return options.length === 1 ? options[0] : { kind: "choice", options };
  }

  /** @returns {Node} */
  sequence() {
    const items = [];
    while (this.at < this.text.length && !"|)".includes(this.text[this.at])) {
      items.push(this.repeated(this.atom()));
    }
    return items.length === 1 ? items[0] : { kind: "sequence", items };
  }

  /** @param {Node} body */
  repeated(body) {
    const bounds = this.bounds();
    if (!bounds) {
      return body;
    }
    if (body.kind === "assert") {
      this.fail("nothing to repeat");
    }
    this.eat("?"); // lazy or not, what matches is the same
    if (this.bounds()) {
      this.fail("nothing to repeat");
    }
    return { kind: "repeat", body, least: bounds[0], most: bounds[1] };
  }

  /** @returns {[number, number] | null} */
  bounds() {
    if (this.eat("*")) {
      return [0, Infinity];
    }
    if (this.eat("+")) {
      return [1, Infinity];
    }
    if (this.eat("?")) {
      return [0, 1];
    }
    const [all, low, comma, high] = /^\{(\d+)(?:(,)(\d*))?\}/.exec(this.text.slice(this.at)) ?? [];
    if (!all) {
      return null;
    }
    const least = Number(low);
    const most = !comma ? least : high ? Number(high) : Infinity;
    if (least > most) {
      this.fail("numbers out of order in {}");
    }
    if (least > MOST_REPEATS || (most > MOST_REPEATS && most !== Infinity)) {
      this.fail(`more than ${MOST_REPEATS} repeats`);
    }
    this.at += all.length;
    return [least, most];
  }

  /** @returns {Node} */
  atom() {
    const character = this.text[this.at];
    if ("*+?".includes(character)) {
      this.fail("nothing to repeat");
    }
    if ("{}]".includes(character)) {
      this.fail(`unmatched ${character}`);
    }
    this.at += 1;
    switch (character) {
      case "(": return this.group();
      case "[": return this.characterClass();
      case "\\": return this.escape();
      case "^": return { kind: "assert", what: "start" };
      case "$": return { kind: "assert", what: "end" };
      case ".": return { kind: "set", codes: ANY };
      default: return this.literal(character.charCodeAt(0));
    }
  }

  /** @returns {SetNode} */
  literal(code) {
    return { kind: "set", codes: LITERALS[code] };
  }

  /** @returns {Node} */
  group() {
    if (this.eat("?")) {
      if (/^(?:[=!]|<[=!])/.test(this.text.slice(this.at))) {
        this.fail("look-around is not taken");
      }
      const [name] = /^(?::|<[A-Za-z_$][\w$]*>)/.exec(this.text.slice(this.at)) ?? this.fail("unknown kind of group");
      this.at += name.length;
    }
    this.nested += 1;
    if (this.nested > MOST_NESTED) {
      this.fail(`more than ${MOST_NESTED} nested groups`);
    }
    const node = this.choice();
    this.nested -= 1;
    // Wrapped, so that `(^)*` is not taken for a repeated anchor.
    return this.eat(")") ? { kind: "sequence", items: [node] } : this.fail("unmatched (");
  }

  /** @returns {Node} */
  escape() {
    if (this.eat("b")) {
      return { kind: "assert", what: "boundary" };
    }
    if (this.eat("B")) {
      return { kind: "assert", what: "inside" };
    }
    const named = CLASSES[this.text[this.at]];
    if (named) {
      this.at += 1;
      return { kind: "set", codes: named };
    }
    return this.literal(this.escapedCode());
  }

  /** The code that an escape stands for, after its backslash. */
  escapedCode() {
    const [, x, u] = /^(?:x([\da-f]{2})|u([\da-f]{4}))/i.exec(this.text.slice(this.at)) ?? [];
    if (x || u) {
      const code = parseInt(x ?? u, 16);
      if (code >= CODES) {
        this.fail("only ASCII is taken");
      }
      this.at += x ? 3 : 5;
      return code;
    }
    const character = this.text[this.at] ?? this.fail("a lone backslash");
    if (character in CONTROLS) {
      this.at += 1;
      return CONTROLS[character];
    }
    if (/[1-9k]/.test(character)) {
      this.fail("back-references are not taken");
    }
    if (/[\w ]/.test(character)) {
      this.fail(`unknown escape \\${character}`);
    }
    this.at += 1;
    return character.charCodeAt(0);
  }

  /** @returns {SetNode} */
  characterClass() {
    const negated = this.eat("^");
    const codes = new Uint8Array(CODES);
    while (!this.eat("]")) {
      const from = this.classMember();
      const isRange = this.text[this.at] === "-" && !["]", undefined].includes(this.text[this.at + 1]);
      if (!isRange) {
        include(codes, from);
        continue;
      }
      this.at += 1;
      const to = this.classMember();
      if (typeof from !== "number" || typeof to !== "number") {
        [from, to, 45].forEach((member) => include(codes, member)); // `[\w-.]` means three things, `-` among them
      } else if (from > to) {
        this.fail("range out of order");
      } else {
        include(codes, setOf((code) => code >= from && code <= to));
      }
    }
    // A negated class keeps to the letter: folding would make it match less, and a blacklist with it.
    return { kind: "set", codes: negated ? setOf((code) => !codes[code]) : folded(codes) };
  }

  /** @returns {number | Uint8Array} */
  classMember() {
    const character = this.text[this.at] ?? this.fail("unmatched [");
    this.at += 1;
    if (character !== "\\") {
      return character.charCodeAt(0);
    }
    const named = CLASSES[this.text[this.at]];
    if (!named) {
      return this.escapedCode();
    }
    this.at += 1;
    return named;
  }
}

function include(codes, member) {
  if (typeof member === "number") {
    codes[member] = 1;
  } else {
    member.forEach((has, code) => has && (codes[code] = 1));
  }
}

/** Whether every match of the tree begins (or ends) where the host does. */
function isTied(node, end) {
  const what = end ? "end" : "start";
  switch (node.kind) {
    case "assert": return node.what === what;
    case "choice": return node.options.every((option) => isTied(option, end));
    case "repeat": return node.least > 0 && isTied(node.body, end);
    case "sequence": {
      const items = end ? node.items.toReversed() : node.items;
      const first = items.findIndex((item) => item.kind !== "assert" || item.what === what);
      return first >= 0 && isTied(items[first], end);
    }
    default: return false;
  }
}

/** An expression, compiled: `matches` answers in time that grows with the host's length and nothing else. */
class Pattern {
  /**
   * @param {string} text
   * @param {boolean} anchored  whether it has to match the whole host
   */
  constructor(text, anchored) {
    const tree = new PatternParser(text).parse();
    this.text = text;
    this.openStart = !isTied(tree, false);
    this.openEnd = !isTied(tree, true);
    /** @type {{codes?: Uint8Array, what?: string, next: number, other?: number}[]} */
    this.states = [];
    this.steps = 0;
    const edge = (what) => ({ kind: "assert", what });
    const whole = { kind: "sequence", items: [edge("start"), tree, edge("end")] };
    const accept = this.add({ next: -1 });
    this.start = this.build(anchored ? whole : tree, accept);
    this.accept = accept;
    this.seen = new Uint32Array(this.states.length);
  }

  add(state) {
    return this.states.push(state) - 1;
  }

  /** Add the states of a tree that go on to state `next`, and return the first of them. */
  build(node, next) {
    this.steps += 1; // even what adds no state takes time, when repeated often enough
    if (this.steps > MOST_STATES) {
      throw new Error(`it needs more than ${MOST_STATES} states`);
    }
    switch (node.kind) {
      case "set": return this.add({ codes: node.codes, next });
      case "assert": return this.add({ what: node.what, next });
      case "sequence": return node.items.reduceRight((after, item) => this.build(item, after), next);
      case "choice":
        return node.options
          .map((option) => this.build(option, next))
          .reduceRight((other, first) => this.add({ next: first, other }));
      default: return this.buildRepeat(node, next);
    }
  }

  buildRepeat({ body, least, most }, next) {
    let at = next;
    if (most === Infinity) {
      at = this.add({ next: -1, other: next });
      this.states[at].next = this.build(body, at);
    } else {
      for (let i = least; i < most; i += 1) {
        at = this.add({ next: this.build(body, at), other: next });
      }
    }
    for (let i = 0; i < least; i += 1) {
      at = this.build(body, at);
    }
    return at;
  }

  /** @param {string} host */
  matches(host) {
    let active = [];
    this.seen.fill(0); // counted on from host to host, rounds would outgrow the array's numbers one day
    for (let at = 0; ; at += 1) {
      const reached = [];
      const code = host.charCodeAt(at - 1);
      for (const state of active) {
        if (this.states[state].codes[code]) {
          this.follow(this.states[state].next, host, at, reached);
        }
      }
      this.follow(this.start, host, at, reached);
      if (this.seen[this.accept] === at + 1) {
        return true;
      }
      if (at === host.length) {
        return false;
      }
      active = reached;
    }
  }

  /** Gather in `reached` the states that read a character, of all that are to be had from `first` without reading. */
  follow(first, host, at, reached) {
    const pending = [first];
    while (pending.length > 0) {
      const index = pending.pop();
      if (this.seen[index] === at + 1) {
        continue;
      }
      this.seen[index] = at + 1;
      const state = this.states[index];
      if (state.codes) {
        reached.push(index);
      } else if (index !== this.accept && (!state.what || holds(state.what, host, at))) {
        pending.push(state.next);
        if (state.other !== undefined) {
          pending.push(state.other);
        }
      }
    }
  }
}

/** Whether an assertion is true between the characters before and after `at`. */
function holds(what, host, at) {
  if (what === "start") {
    return at === 0;
  }
  if (what === "end") {
    return at === host.length;
  }
  const isEdge = isWord(host.charCodeAt(at - 1)) !== isWord(host.charCodeAt(at));
  return (what === "boundary") === isEdge;
}

// ---- Addresses: which ones are public -------------------------------------------------------------------------------

/**
 * @typedef {{family: 4 | 6, value: bigint, text: string}} Address
 * @typedef {{family: 4 | 6, value: bigint, prefix: number}} Network
 */

/**
 * The address that a text in normal or nearly normal form stands for; null if it is none.
 *
 * @param {string} text
 * @returns {Address | null}
 */
function parseAddress(text) {
  if (isIPv4(text)) {
    return { family: 4, value: text.split(".").reduce((sum, part) => (sum << 8n) | BigInt(part), 0n), text };
  }
  const [bare] = text.split("%"); // a zone says which link, and those addresses are refused on every link
  const groups = ipv6Groups(bare);
  if (!groups) {
    return null;
  }
  const value = groups.reduce((sum, group) => (sum << 16n) | BigInt(group), 0n);
  return { family: 6, value, text: ipv6Text(groups) };
}

/**
 * The eight groups of an IPv6 address; null if the text is none. Read here, since the runtimes' own readers differ:
 * Bun's URL takes `::1:`, and not `1:2:3:4::5.6.7.8`.
 *
 * @param {string} text
 * @returns {number[] | null}
 */
function ipv6Groups(text) {
  const last = text.slice(text.lastIndexOf(":") + 1);
  const bytes = isIPv4(last) ? last.split(".").map(Number) : [];
  const carried = [bytes.slice(0, 2), bytes.slice(2)].map(([high, low]) => ((high << 8) | low).toString(16)).join(":");
  const plain = bytes.length > 0 ? text.slice(0, -last.length) + carried : text;
  const [head, tail, ...more] = plain.split("::").map((half) => (half === "" ? [] : half.split(":")));
  const missing = 8 - head.length - (tail ?? []).length;
  if (more.length > 0 || (tail ? missing < 1 : missing !== 0)) {
    return null;
  }
  const groups = [...head, ...Array(missing).fill("0"), ...(tail ?? [])];
  return groups.every((group) => /^[\da-f]{1,4}$/i.test(group)) ? groups.map((group) => parseInt(group, 16)) : null;
}

/** The normal form of RFC 5952: the first of the longest runs of zeros is left out. */
function ipv6Text(groups) {
  const runs = groups.map((_, start) => groups.slice(start).findIndex((group) => group !== 0)).map((end, start) =>
    (end < 0 ? groups.length - start : end));
  const longest = Math.max(...runs);
  const hex = groups.map((group) => group.toString(16));
  const start = runs.indexOf(longest);
  return longest < 2 ? hex.join(":") : `${hex.slice(0, start).join(":")}::${hex.slice(start + longest).join(":")}`;
}

/** @param {bigint} value */
function ipv4(value) {
  const text = [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join(".");
  return { family: 4, value, text };
}

/**
 * @param {string} text
 * @returns {Network}
 */
function parseNetwork(text) {
  const [, start, prefix] = /^([^/%]+)\/(\d{1,3})$/.exec(text.trim()) ?? [];
  const address = parseAddress(start ?? "");
  const width = address?.family === 4 ? 32 : 128;
  if (!address || Number(prefix) > width) {
    throw new Error(`"${text}" is not a network like 10.0.0.0/8`);
  }
  const network = { family: address.family, value: address.value, prefix: Number(prefix) };
  if ((address.value & ((1n << BigInt(width - network.prefix)) - 1n)) !== 0n) {
    throw new Error(`"${text}" has bits set behind its prefix`);
  }
  return network;
}

/**
 * @param {Address} address
 * @param {Network} network
 */
function isIn(address, network) {
  const shift = BigInt((network.family === 4 ? 32 : 128) - network.prefix);
  return address.family === network.family && address.value >> shift === network.value >> shift;
}

// The first that fits gives the name. After IANA's registries of special-purpose addresses and what clouds document.
const SPECIAL = [
  ["169.254.169.254/32", "metadata"], ["169.254.170.2/32", "metadata"], ["169.254.170.23/32", "metadata"],
  ["100.100.100.200/32", "metadata"], ["192.0.0.192/32", "metadata"], ["168.63.129.16/32", "metadata"],
  ["fd00:ec2::254/128", "metadata"], ["fd00:ec2::23/128", "metadata"], ["fd20:ce::254/128", "metadata"],
  ["0.0.0.0/32", "unspecified"], ["0.0.0.0/8", "reserved"], ["10.0.0.0/8", "private"], ["100.64.0.0/10", "CGNAT"],
  ["127.0.0.0/8", "loopback"], ["169.254.0.0/16", "link-local"], ["172.16.0.0/12", "private"],
  ["192.0.0.0/24", "reserved"], ["192.0.2.0/24", "documentation"], ["192.88.99.0/24", "6to4"],
  ["192.168.0.0/16", "private"], ["198.18.0.0/15", "benchmarking"], ["198.51.100.0/24", "documentation"],
  ["203.0.113.0/24", "documentation"], ["224.0.0.0/4", "multicast"], ["255.255.255.255/32", "broadcast"],
  ["240.0.0.0/4", "reserved"],
  ["::/128", "unspecified"], ["::1/128", "loopback"], ["::ffff:0:0/96", "IPv4-mapped"], ["::/96", "IPv4-compatible"],
  ["64:ff9b::/96", "NAT64"], ["64:ff9b:1::/48", "NAT64"], ["100::/64", "discard"], ["2001::/32", "Teredo"],
  ["2001::/23", "reserved"], ["2001:db8::/32", "documentation"], ["2002::/16", "6to4"], ["3fff::/20", "documentation"],
  ["fc00::/7", "private"], ["fe80::/10", "link-local"], ["fec0::/10", "site-local"], ["ff00::/8", "multicast"],
].map(([network, kind]) => ({ kind, network: parseNetwork(network) }));
const GLOBAL_IPV6 = parseNetwork("2000::/3");
const MAPPED = parseNetwork("::ffff:0:0/96");

/** The IPv4 address that ::ffff:1.2.3.4 is; any other as it stands. */
function unmapped(address) {
  return isIn(address, MAPPED) ? ipv4(address.value & 0xffffffffn) : address;
}

/**
 * What keeps an address from being public; null if nothing does.
 *
 * @param {Address} address
 */
function specialKind(address) {
  const special = SPECIAL.find(({ network }) => isIn(address, network));
  return special?.kind ?? (address.family === 6 && !isIn(address, GLOBAL_IPV6) ? "reserved" : null);
}

// Where an IPv4 address stands in an IPv6 address that leads to it: network, bits behind it, and what is flipped.
const CARRIERS = [
  ["::ffff:0:0/96", 0n, 0n], ["::/96", 0n, 0n], ["64:ff9b::/96", 0n, 0n], ["64:ff9b:1::/48", 0n, 0n],
  ["2002::/16", 80n, 0n], ["2001::/32", 0n, 0xffffffffn],
].map(([network, shift, flip]) => ({ network: parseNetwork(network), shift, flip }));

/**
 * The kind of address that is refused; null if it may be dialled. One that carries an IPv4 address needs both allowed.
 *
 * @param {Address} address
 * @param {Network[]} allowed
 */
function refusedKind(address, allowed) {
  const kind = specialKind(address);
  if (!kind) {
    return null;
  }
  if (!allowed.some((network) => isIn(address, network))) {
    return kind;
  }
  const carrier = address.value > 1n && CARRIERS.find(({ network }) => isIn(address, network));
  return carrier ? refusedKind(ipv4(((address.value >> carrier.shift) ^ carrier.flip) & 0xffffffffn), allowed) : null;
}

// ---- Settings ----------------------------------------------------------------------------------------------------------

const MOST_PATTERN_STATES = 1_000_000;
const settings = readSettings();

function readSettings() {
  const strict = setting("ISOL8_PROXY_STRICT", "0", parseSwitch);
  const patterns = (text) => parsePatterns(text, strict);
  return {
    blacklist: setting("ISOL8_BLACKLIST", "[]", patterns),
    whitelist: setting("ISOL8_WHITELIST", "[]", patterns),
    strict,
    networks: setting("ISOL8_ALLOW_NETS", "", (text) => listed(text).map(parseNetwork)),
    ports: new Set([80, 443, ...setting("ISOL8_ALLOW_PORTS", "", (text) => listed(text).map(parsePort))]),
    host: setting("ISOL8_PROXY_HOST", "127.0.0.1", parseListener),
    port: setting("ISOL8_PROXY_PORT", "8118", parsePort),
    log: setting("ISOL8_PROXY_LOG", "", openLog),
    connections: setting("ISOL8_PROXY_CONNECTIONS", "512", parseCount),
    header: setting("ISOL8_PROXY_HEADER_SECONDS", "10", parseSeconds),
    dial: setting("ISOL8_PROXY_DIAL_SECONDS", "10", parseSeconds),
    idle: setting("ISOL8_PROXY_IDLE_SECONDS", "300", parseSeconds),
    drain: setting("ISOL8_PROXY_DRAIN_SECONDS", "8", parseSeconds),
  };
}

/**
 * @template T
 * @param {string} name
 * @param {string} unset
 * @param {(text: string) => T} parse
 * @returns {T}
 */
function setting(name, unset, parse) {
  try {
    return parse(process.env[name] ?? unset);
  } catch (error) {
    return die(2, `${name}: ${error.message}`);
  }
}

/** @returns {never} */
function die(status, message) {
  console.error(`isol8 proxy: ${message}`.replace(/\s+/g, " "));
  process.exit(status);
}

/** @returns {Pattern[]} */
function parsePatterns(text, strict) {
  const list = JSON.parse(text);
  if (!Array.isArray(list) || list.some((item) => typeof item !== "string")) {
    throw new Error("not a JSON array of strings");
  }
  const patterns = list.map((item) => {
    try {
      return new Pattern(item, strict);
    } catch (error) {
      throw new Error(`${JSON.stringify(item)}: ${error.message}`);
    }
  });
  if (patterns.reduce((sum, { states }) => sum + states.length, 0) > MOST_PATTERN_STATES) {
    throw new Error(`the expressions need more than ${MOST_PATTERN_STATES} states`);
  }
  return patterns;
}

/** @returns {string[]} */
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

function parseSwitch(text) {
  if (text !== "0" && text !== "1") {
    throw new Error(`"${text}" is neither 0 nor 1`);
  }
  return text === "1";
}

function parseCount(text) {
  if (!/^[1-9]\d{0,5}$/.test(text)) {
    throw new Error(`"${text}" is not a number from 1 to 999999`);
  }
  return Number(text);
}

/** Milliseconds, from seconds. */
function parseSeconds(text) {
  if (!/^\d{1,6}(\.\d{1,3})?$/.test(text) || Number(text) === 0) {
    throw new Error(`"${text}" is not a number of seconds`);
  }
  return Number(text) * 1000;
}

function parseListener(text) {
  const parsed = parseAddress(text);
  if (!parsed || text.includes("%")) {
    throw new Error(`"${text}" is not an address to listen on`);
  }
  const address = unmapped(parsed);
  if (specialKind(address) === "unspecified") {
    networkInterfaces(); // each request may need it, and Deno may not permit it
  }
  return address;
}

/** A file descriptor: standard error, or the file at an absolute path. */
function openLog(text) {
  if (text === "") {
    return 2;
  }
  if (!text.startsWith("/")) {
    throw new Error(`"${text}" is not an absolute path`);
  }
  return openSync(text, "a", 0o640);
}

// ---- Log: one JSON object a line -----------------------------------------------------------------------------------

const MOST_UNWRITTEN = 1 << 18;
const unwritten = { text: "", busy: false, broken: "", lost: 0 };

/** Write an object as one line of ASCII, whatever strings it has; one that is spare is lost if too much waits already. */
function log(entry, { isSpare = false } = {}) {
  if (isSpare && unwritten.text.length > MOST_UNWRITTEN) {
    unwritten.lost += 1;
  } else {
    addLine(entry);
  }
  flushLog();
}

function addLine(entry) {
  const plain = JSON.stringify({ time: new Date().toISOString(), ...entry });
  const escape = (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  unwritten.text += `${plain.replace(/[^\x20-\x7e]/g, escape)}\n`;
}

function flushLog() {
  if (unwritten.busy || unwritten.text === "") {
    return;
  }
  const bytes = Buffer.from(unwritten.text, "latin1");
  unwritten.busy = true;
  // Not synchronously: a reader that has stopped reading would stop the proxy.
  write(settings.log, bytes, 0, bytes.length, null, (error, written) => {
    unwritten.busy = false;
    unwritten.broken = error && error.code !== "EAGAIN" ? String(error.code) : "";
    unwritten.text = unwritten.text.slice(error ? 0 : written);
    if (unwritten.lost > 0 && unwritten.text.length <= MOST_UNWRITTEN) {
      addLine({ event: "warning", warning: `${unwritten.lost} refusals are not on record: the log was not written fast enough` });
      unwritten.lost = 0;
    }
    if (error) {
      setTimeout(flushLog, 100);
    } else {
      flushLog();
    }
  });
}

/** A request that can't be put on record is not made. */
function requireLog() {
  if (unwritten.broken || unwritten.text.length > MOST_UNWRITTEN) {
    throw new Refusal(503, "limit: log", `the log cannot be written: ${unwritten.broken || "its reader is too slow"}`);
  }
}

// ---- Targets and policy: which host, which port, which addresses --------------------------------------------------

/**
 * @typedef {object} Target
 * @property {string} host  normalised: lower case, A-labels, no final dot; an address in its normal form
 * @property {number} port
 * @property {Address | null} address  if the host is one
 */

/**
 * @param {string} text  host and port as a client wrote them, one byte a character
 * @param {number | null} defaultPort  null if the port has to be written
 * @returns {Target}
 */
function parseAuthority(text, defaultPort) {
  if (text.includes("@")) {
    throw malformed("user information is not taken");
  }
  const [, name, digits] = /^(\[[^\][]*\]|[^:[\]]*)(?::([1-9]\d{0,4}))?$/.exec(text) ?? [];
  const port = digits ? Number(digits) : defaultPort;
  if (!name || !port || port > 65535) {
    throw malformed("bad host or port", 400, defaultPort === null ? "CONNECT needs host:port" : "bad host or port");
  }
  const host = name.startsWith("[") ? normalisedIPv6(name) : normalisedName(name);
  const address = parseAddress(host);
  return { host, port, address };
}

function normalisedIPv6(text) {
  const [, bare] = /^\[([\da-f:.]+)(?:%[\w.~%-]+)?\]$/i.exec(text) ?? [];
  const address = parseAddress(bare ?? "");
  if (address?.family !== 6) {
    throw malformed("bad IPv6 address");
  }
  return unmapped(address).text;
}

const NAME = /^(?=.{1,253}$)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/;

function normalisedName(text) {
  if (!/^[\w.%\x80-\xff-]+$/.test(text)) {
    throw malformed("bad character in the host");
  }
  let host;
  try {
    // The URL parser knows IDNA and every spelling of an IPv4 address; the three runtimes agree in it.
    host = new URL(`http://${Buffer.from(text, "latin1").toString("utf8")}/`).hostname.replace(/\.$/, "");
  } catch {
    throw malformed("bad host");
  }
  if (!NAME.test(host)) {
    throw malformed("bad host");
  }
  return host;
}

/** @param {Target} target */
function authorityOf({ host, port }, defaultPort) {
  const name = host.includes(":") ? `[${host}]` : host;
  return port === defaultPort ? name : `${name}:${port}`;
}

/**
 * The rule that lets a target through; a refusal if none does.
 *
 * @param {Target} target
 */
function judge({ host, port }, what) {
  const refuse = (rule, why = "") => {
    throw new Refusal(403, rule, `${what} to ${host} blocked by network filter${why}`);
  };
  const bad = settings.blacklist.find((pattern) => pattern.matches(host));
  if (bad) {
    refuse(`blacklist: ${bad.text}`);
  }
  const good = settings.whitelist.find((pattern) => pattern.matches(host));
  if (!good && settings.whitelist.length > 0) {
    refuse("whitelist: no match");
  }
  if (!settings.ports.has(port)) {
    refuse(`port: ${port}`, `: port ${port} is not in ISOL8_ALLOW_PORTS`);
  }
  return good ? `whitelist: ${good.text}` : "whitelist: empty";
}

/**
 * The addresses of a target, all of them vetted: a name with one bad answer is refused.
 *
 * @param {Target} target
 * @returns {Promise<Address[]>}
 */
async function vettedAddresses(target, what, entry) {
  const refuse = (rule, why) => new Refusal(403, rule, `${what} to ${target.host} blocked by network filter: ${why}`);
  const answers = target.address ? [target.address] : await resolved(target.host, refuse);
  for (const address of answers) {
    entry.address = address.text;
    if (isOwn(address, target.port)) {
      throw refuse("address: own", `${address.text} is the proxy itself`);
    }
    const kind = refusedKind(address, settings.networks);
    if (kind) {
      throw refuse(`address: ${kind}`, `${address.text} (${kind}) is not in ISOL8_ALLOW_NETS`);
    }
  }
  return answers;
}

const HOSTS = "/etc/hosts";
const IS_DENO = Boolean(process.versions.deno);
let lookups = 0;

if (IS_DENO) {
  process.env.LOCALDOMAIN = "."; // glibc's list of domains that names are completed with
}

/** @returns {Promise<Address[]>} */
function resolved(host, refuse) {
  // Those that were given up go on, and would pile up: what they wait for can't be told to stop.
  if (lookups >= settings.connections) {
    throw new Refusal(503, "limit: lookups", `${host} cannot be looked up: too many names are waited for`);
  }
  return new Promise((resolve, reject) => {
    const settle = (error, found) => {
      const answers = found.map(parseAddress);
      if (error || answers.length === 0 || answers.includes(null)) {
        reject(refuse("dns", `it has no address (${error?.code ?? "no answer"})`));
      } else {
        resolve(answers);
      }
    };
    const known = IS_DENO ? [] : knownAddresses(host);
    if (known.length > 0) {
      settle(null, known);
      return;
    }
    lookups += 1;
    lookup(absolute(host), { all: true, verbatim: true }, (error, found) => {
      lookups -= 1;
      settle(error, (found ?? []).map(({ address }) => address));
    });
  });
}

/**
 * A name as it is looked up, so that it is not completed with the container's search domains: what was judged is
 * `evil`, and not `evil.example.org`. musl, under Node and Bun, wants a final dot, which names in HOSTS don't have.
 */
function absolute(host) {
  return IS_DENO ? host : `${host}.`;
}

/** What HOSTS says about a name. Deno may not read it, and finds its names without. */
function knownAddresses(host) {
  let text = "";
  try {
    text = readFileSync(HOSTS, "latin1");
  } catch {
    return [];
  }
  const lines = text.split("\n").map((line) => line.replace(/#.*/, "").toLowerCase().split(/\s+/).filter(Boolean));
  return lines.filter(([, ...names]) => names.some((name) => name === host || name === `${host}.`)).map(([address]) => address);
}

/** Whether a connection there would end up here. */
function isOwn(target, port) {
  if (port !== settings.port) {
    return false;
  }
  const address = unmapped(target);
  const isEverywhere = specialKind(settings.host) === "unspecified";
  const mine = isEverywhere ? Object.values(networkInterfaces()).flat().map(({ address }) => address) : [];
  const own = [settings.host, ...mine.map(parseAddress)];
  return (
    ["loopback", "unspecified"].includes(specialKind(address)) ||
    own.some((each) => each && each.family === address.family && each.value === address.value)
  );
}

// ---- Sources: reading a socket piece by piece --------------------------------------------------------------------------

const MOST_BUFFERED = 1 << 16;
const LONGEST_LINE = 16_384;
const LONGEST_HEAD = 65_536;
const MOST_FIELDS = 128;
const EMPTY = Buffer.alloc(0);

/** The other side went away, or broke off. */
class Gone extends Error {}

/** What a socket sends, read when it is wanted; it is paused while enough is waiting here. */
class Source {
  /**
   * @param {import("node:net").Socket} socket
   * @param {(what: string, status?: number) => Refusal} fault  makes the error for what this side got wrong
   * @param {() => void} touched  called for whatever arrives
   */
  constructor(socket, fault, touched) {
    this.socket = socket;
    this.fault = fault;
    this.touched = touched;
    this.buffer = EMPTY;
    this.ended = false;
    /** @type {Error | null} */
    this.failure = null;
    this.wake = () => {};
    this.onData = (piece) => this.receive(piece);
    this.onEnd = () => this.receive(null);
    socket.on("data", this.onData);
    socket.on("end", this.onEnd);
    socket.on("error", (error) => this.fail(new Gone(String(error.code ?? error.message))));
    socket.on("close", () => this.ended || this.fail(new Gone("closed")));
  }

  receive(piece) {
    this.touched();
    if (piece) {
      this.buffer = this.buffer.length > 0 ? Buffer.concat([this.buffer, piece]) : piece;
    } else {
      this.ended = true;
    }
    if (this.buffer.length >= MOST_BUFFERED) {
      this.socket.pause();
    }
    this.wake();
  }

  /** Let every read fail from now on. */
  fail(error) {
    this.failure ??= error;
    this.wake();
  }

  /** Wait for more than there is; false if nothing more comes. */
  async more() {
    const before = this.buffer.length;
    while (this.buffer.length === before && !this.ended && !this.failure) {
      this.socket.resume();
      await new Promise((wake) => {
        this.wake = wake;
      });
    }
    if (this.failure) {
      throw this.failure;
    }
    return this.buffer.length > before;
  }

  /** Up to `most` bytes, as soon as there are some; null at the end. */
  async take(most) {
    if (this.buffer.length === 0 && !(await this.more())) {
      return null;
    }
    const piece = this.buffer.subarray(0, most);
    this.buffer = this.buffer.subarray(piece.length);
    return piece;
  }

  /** The next line of at most `longest` bytes, without its CRLF, one byte a character. */
  async line(longest, status = 431) {
    for (let from = 0; ;) {
      const end = this.buffer.indexOf(10, from);
      if (end > longest + 1 || (end < 0 && this.buffer.length > longest + 1)) {
        throw this.fault("line too long", status);
      }
      if (end >= 0) {
        return this.checkedLine(end);
      }
      from = this.buffer.length;
      if (!(await this.more())) {
        throw this.fault("it ends early");
      }
    }
  }

  checkedLine(end) {
    if (end === 0 || this.buffer[end - 1] !== 13) {
      throw this.fault("bare LF");
    }
    const line = this.buffer.latin1Slice(0, end - 1);
    this.buffer = this.buffer.subarray(end + 1);
    if (/[\0-\x08\x0a-\x1f\x7f]/.test(line)) {
      throw this.fault(line.includes("\0") ? "NUL" : line.includes("\r") ? "bare CR" : "control character");
    }
    return line;
  }

  /** Give up reading; whoever reads on gets what is still here. */
  release() {
    this.socket.off("data", this.onData);
    this.socket.off("end", this.onEnd);
    return this.buffer;
  }
}

/** Hand bytes to a socket, and wait until it wants more. */
async function send(socket, data) {
  if (socket.destroyed || socket.writableEnded) {
    throw new Gone("closed");
  }
  if (socket.write(data)) {
    return;
  }
  await new Promise((resolve, reject) => {
    const settle = () => {
      socket.off("drain", settle);
      socket.off("close", settle);
      if (socket.destroyed) {
        reject(new Gone("closed"));
      } else {
        resolve();
      }
    };
    socket.on("drain", settle);
    socket.on("close", settle);
  });
}

/** End a connection so that the other side can't take it for a regular end. */
function breakOff(socket) {
  if (socket.resetAndDestroy) {
    socket.resetAndDestroy();
  } else {
    socket.destroy();
  }
}

// ---- HTTP messages: one strict reading of RFC 9112 ------------------------------------------------------------------

const TOKEN = /^[!#$%&'*+.^_`|~\w-]+$/;
// Meant for one connection only, by RFC 9110 and custom; what a Connection header names comes on top.
const HOP_BY_HOP = [
  "connection", "http2-settings", "keep-alive", "proxy-authenticate", "proxy-authentication-info", "proxy-authorization",
  "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
];
// Made anew for each message that is sent on.
const REMADE = ["content-length", "host"];
// What a trailer must not change any more.
const NOT_IN_TRAILERS = [
  "authorization", "cache-control", "content-encoding", "content-range", "content-type", "cookie", "expect",
  "max-forwards", "range", "set-cookie", "via", "www-authenticate",
];

/**
 * @typedef {[name: string, value: string][]} Fields
 * @typedef {{kind: "none" | "length" | "chunked" | "close", length: number}} Framing
 *
 * @typedef {object} Request
 * @property {string} method
 * @property {boolean} isModern  HTTP/1.1
 * @property {Target} target
 * @property {string} path  byte for byte what the client wrote
 * @property {Fields} fields
 * @property {Framing} framing
 * @property {boolean} keepAlive
 * @property {boolean} upgrade  to websocket
 * @property {boolean} expects  an answer before it sends its body
 *
 * @typedef {object} Response
 * @property {number} status
 * @property {string} reason
 * @property {Fields} fields
 * @property {Framing} framing
 */

/** @returns {Promise<Fields>} */
async function readFields(source) {
  const fields = [];
  let left = LONGEST_HEAD;
  for (;;) {
    const line = await source.line(Math.min(left, LONGEST_LINE));
    if (line === "") {
      return fields;
    }
    left -= line.length + 2;
    if (fields.length === MOST_FIELDS) {
      throw source.fault("too many header fields", 431);
    }
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(colon, 0));
    if (!TOKEN.test(name)) {
      throw source.fault(/^[ \t]/.test(line) ? "obs-fold" : "bad header name");
    }
    fields.push([name, withoutBlanks(line, colon + 1)]);
  }
}

/** A line from `start` on, without blanks at either end; an expression would take a time that grows as their square. */
function withoutBlanks(line, start) {
  let end = line.length;
  for (; start < end && " \t".includes(line[start]); start += 1);
  for (; start < end && " \t".includes(line[end - 1]); end -= 1);
  return line.slice(start, end);
}

/** @param {Fields} fields */
function valuesOf(fields, wanted) {
  return fields.filter(([name]) => name.toLowerCase() === wanted).map(([, value]) => value);
}

/** The members of a header that is a list, in lower case. */
function listOf(fields, name) {
  return valuesOf(fields, name).flatMap((value) => value.toLowerCase().split(",")).map((item) => item.trim()).filter(Boolean);
}

/** The fields that are for the other end. */
function endToEnd(fields, source) {
  const named = listOf(fields, "connection");
  if (!named.every((name) => TOKEN.test(name))) {
    throw source.fault("bad Connection");
  }
  const dropped = new Set([...HOP_BY_HOP, ...REMADE, ...named]);
  return fields.filter(([name]) => !dropped.has(name.toLowerCase()));
}

/**
 * What the fields say about the body's length; null if nothing.
 *
 * @param {Fields} fields
 * @returns {Framing | null}
 */
function framingOf(fields, source, isModern) {
  const lengths = valuesOf(fields, "content-length");
  const codings = valuesOf(fields, "transfer-encoding");
  if (codings.length > 0 && lengths.length > 0) {
    throw source.fault("Content-Length with Transfer-Encoding");
  }
  if (codings.length > 0) {
    if (!isModern || codings.length > 1 || codings[0].toLowerCase() !== "chunked") {
      throw source.fault("Transfer-Encoding other than chunked");
    }
    return { kind: "chunked", length: 0 };
  }
  if (lengths.length === 0) {
    return null;
  }
  if (lengths.length > 1 || !/^\d{1,15}$/.test(lengths[0])) {
    throw source.fault("bad Content-Length");
  }
  return { kind: "length", length: Number(lengths[0]) };
}

/**
 * Read a request up to its body; `entry` learns what is known of it, however far that goes.
 *
 * @param {Source} source
 * @returns {Promise<Request>}
 */
async function readRequest(source, entry) {
  let line = await source.line(LONGEST_LINE, 414);
  if (line === "") {
    line = await source.line(LONGEST_LINE, 414); // as RFC 9112 wishes: some clients end a body with it
  }
  const [, method, uri, version] = /^([^ ]+) ([^ ]+) HTTP\/(\d\.\d)$/.exec(line) ?? [];
  if (!method || !TOKEN.test(method)) {
    throw malformed("bad request line");
  }
  entry.method = method;
  if (version !== "1.1" && version !== "1.0") {
    throw malformed("HTTP version", 505);
  }
  const isModern = version === "1.1";
  const isTunnel = method === "CONNECT";
  const { target, path } = isTunnel ? { target: parseAuthority(uri, null), path: "" } : parseUri(uri, method);
  Object.assign(entry, { host: target.host, port: target.port });
  const fields = await readFields(source);
  if (!isTunnel && ["TRACE", "TRACK", "CONNECT"].includes(method.toUpperCase())) {
    throw malformed(`method ${method}`, 405);
  }
  requireHost(fields, target, isModern, isTunnel);
  if (method === "OPTIONS" && valuesOf(fields, "max-forwards").length > 0) {
    throw malformed("Max-Forwards is not taken");
  }
  const framing = framingOf(fields, source, isModern) ?? { kind: "none", length: 0 };
  if (isTunnel && (framing.kind === "chunked" || framing.length > 0)) {
    throw malformed("CONNECT with a body");
  }
  return {
    method, isModern, target, path, framing,
    fields: endToEnd(fields, source),
    keepAlive: isModern && !listOf(fields, "connection").includes("close"),
    upgrade: isModern && method === "GET" && framing.kind === "none" && asksForWebSocket(fields),
    expects: isModern && expectsAnswer(fields),
  };
}

/** The target and path of an absolute http URI. */
function parseUri(uri, method) {
  const [, authority, rest] = /^http:\/\/([^/?]*)([\x21-\x22\x24-\x7e]*)$/i.exec(uri) ?? [];
  if (authority === undefined) {
    throw malformed("no absolute http address", 400, "this is a proxy: ask for an absolute http:// address, or CONNECT");
  }
  const target = parseAuthority(authority, 80);
  if (rest === "" && method === "OPTIONS") {
    return { target, path: "*" };
  }
  return { target, path: rest.startsWith("/") ? rest : `/${rest}` };
}

/** @param {Fields} fields */
function requireHost(fields, target, isModern, isTunnel) {
  const hosts = valuesOf(fields, "host");
  if (hosts.length === 0 && !isModern) {
    return;
  }
  if (hosts.length !== 1) {
    throw malformed(hosts.length === 0 ? "no Host" : "duplicate Host");
  }
  // Some clients leave the port out for CONNECT, whichever it is.
  const host = parseAuthority(hosts[0], isTunnel ? target.port : 80);
  if (host.host !== target.host || host.port !== target.port) {
    throw malformed("Host differs from the address");
  }
}

function asksForWebSocket(fields) {
  const protocols = listOf(fields, "upgrade");
  return listOf(fields, "connection").includes("upgrade") && protocols.length === 1 && protocols[0] === "websocket";
}

function expectsAnswer(fields) {
  const expected = listOf(fields, "expect");
  if (expected.some((what) => what !== "100-continue")) {
    throw malformed("unknown Expect", 417);
  }
  return expected.length > 0;
}

/**
 * Read a response up to its body.
 *
 * @param {Source} source
 * @param {Request} request
 * @returns {Promise<Response>}
 */
async function readResponse(source, request) {
  const line = await source.line(LONGEST_LINE);
  const [, version, status, reason = ""] = /^HTTP\/(1\.[01]) ([1-5]\d\d)(?: (.*))?$/.exec(line) ?? [];
  if (!status) {
    throw source.fault("bad status line");
  }
  const fields = await readFields(source);
  const stated = framingOf(fields, source, version === "1.1");
  const isBare = request.method === "HEAD" || status === "204" || status === "304" || status.startsWith("1");
  const framing = isBare ? { kind: "none", length: stated?.length ?? 0 } : stated ?? { kind: "close", length: 0 };
  const kept = endToEnd(fields, source);
  if (isBare && stated?.kind === "length" && status !== "204" && !status.startsWith("1")) {
    kept.push(["Content-Length", String(stated.length)]);
  }
  if (status === "101" && !(request.upgrade && asksForWebSocket(fields))) {
    throw source.fault("unasked 101");
  }
  return { status: Number(status), reason, fields: kept, framing };
}

/**
 * The bytes of a body; what comes as trailers is added to `trailers`.
 *
 * @param {Source} source
 * @param {Framing} framing
 * @param {Fields} trailers
 */
async function* contents(source, framing, trailers) {
  if (framing.kind === "close") {
    for (let piece = await source.take(MOST_BUFFERED); piece; piece = await source.take(MOST_BUFFERED)) {
      yield piece;
    }
  } else if (framing.kind === "length") {
    yield* exactly(source, framing.length);
  } else if (framing.kind === "chunked") {
    for (let size = await chunkSize(source); size > 0; size = await chunkSize(source)) {
      yield* exactly(source, size);
      await chunkEnd(source);
    }
    const dropped = new Set(NOT_IN_TRAILERS);
    const sent = endToEnd(await readFields(source), source);
    trailers.push(...sent.filter(([name]) => !dropped.has(name.toLowerCase())));
  }
}

async function* exactly(source, length) {
  for (let left = length; left > 0;) {
    const piece = await source.take(left);
    if (!piece) {
      throw source.fault("the body ends early");
    }
    left -= piece.length;
    yield piece;
  }
}

async function chunkEnd(source) {
  let end = "";
  for await (const piece of exactly(source, 2)) {
    end += piece.latin1Slice();
  }
  if (end !== "\r\n") {
    throw source.fault("bad chunk");
  }
}

async function chunkSize(source) {
  const [, size] = /^([\da-f]{1,12})(?:[ \t]*;[^\x80-\xff]*)?$/i.exec(await source.line(1024, 400)) ?? [];
  if (!size) {
    throw source.fault("bad chunk size");
  }
  return parseInt(size, 16);
}

/**
 * Pass a body on.
 *
 * @param {Source} source
 * @param {Framing} framing
 * @param {import("node:net").Socket} socket
 * @param {{isChunked: boolean, count: (bytes: number) => void}} how
 */
async function passBody(source, framing, socket, { isChunked, count }) {
  const trailers = [];
  for await (const piece of contents(source, framing, trailers)) {
    const start = isChunked ? `${piece.length.toString(16)}\r\n` : "";
    await send(socket, isChunked ? Buffer.concat([Buffer.from(start), piece, Buffer.from("\r\n")]) : piece);
    count(piece.length);
  }
  if (isChunked) {
    await send(socket, head("0", trailers));
  }
}

/** The bytes of a first line and fields, with the empty line behind them. */
function head(first, fields) {
  return Buffer.from(`${[first, ...fields.map(([name, value]) => `${name}: ${value}`)].join("\r\n")}\r\n\r\n`, "latin1");
}

/** The bytes that start a request to the server. */
function requestHead(request) {
  const fields = request.fields.filter(([name]) => name.toLowerCase() !== "expect");
  const framing = {
    none: [], length: [["Content-Length", String(request.framing.length)]], chunked: [["Transfer-Encoding", "chunked"]],
  };
  // A connection for each request: one kept open could be closed by the server just as it is used again.
  const connection = request.upgrade ? [["Connection", "Upgrade"], ["Upgrade", "websocket"]] : [["Connection", "close"]];
  return head(`${request.method} ${request.path} HTTP/1.1`, [
    ["Host", authorityOf(request.target, 80)],
    ...fields,
    ...framing[request.framing.kind],
    ...(request.expects && request.framing.kind !== "none" ? [["Expect", "100-continue"]] : []),
    ["Via", "1.1 isol8"],
    ...connection,
  ]);
}

/** The bytes that start a response to the client. */
function responseHead(response, extra) {
  const fields = [...response.fields, ["Via", "1.1 isol8"], ...extra];
  return head(`HTTP/1.1 ${response.status} ${response.reason}`, fields);
}

const REASONS = {
  400: "Bad Request", 403: "Forbidden", 405: "Method Not Allowed", 414: "URI Too Long", 417: "Expectation Failed",
  431: "Request Header Fields Too Large", 502: "Bad Gateway", 503: "Service Unavailable", 505: "HTTP Version Not Supported",
};

/** The bytes of an answer of our own. */
function refusalBytes({ status, message }) {
  const body = `isol8: ${message}\n`;
  const lines = [
    `HTTP/1.1 ${status} ${REASONS[status]}`, "Content-Type: text/plain", `Content-Length: ${Buffer.byteLength(body)}`,
    ...(status === 405 ? ["Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, CONNECT"] : []),
    "Connection: close",
  ];
  return `${lines.join("\r\n")}\r\n\r\n${body}`;
}

// ---- Dialling -----------------------------------------------------------------------------------------------------------

const HEAD_START = 300;
// Node alone reads each piece into memory that it has just asked for, which takes longer than the copying.
const LENDS = !process.versions.bun && !process.versions.deno;
/** What the tunnel out of a socket does with a piece that is only lent. @type {WeakMap<object, (piece: Buffer) => void>} */
const borrowers = new WeakMap();

/**
 * Connect to the first of these addresses that answers; the next one is tried beside it after a moment.
 *
 * @param {Address[]} addresses
 * @returns {Promise<{socket: import("node:net").Socket, address: Address}>}
 */
function dial(addresses, port, { milliseconds, isTunnel }) {
  return new Promise((resolve, reject) => {
    const tried = new Set();
    const waiting = [...addresses];
    const next = setInterval(attempt, HEAD_START);
    const limit = setTimeout(() => settle(null, () => reject(new Gone("it took too long"))), milliseconds);
    function settle(winner, outcome) {
      clearInterval(next);
      clearTimeout(limit);
      waiting.length = 0;
      tried.forEach((socket) => socket !== winner && socket.destroy());
      outcome();
    }
    function attempt() {
      const address = waiting.shift();
      if (!address) {
        return;
      }
      // An address, never a name: nothing is resolved a second time.
      const options = { host: address.text, port, allowHalfOpen: true };
      const socket = isTunnel && LENDS ? openLending(options) : connect(options);
      tried.add(socket);
      socket.once("connect", () => settle(socket, () => resolve({ socket, address })));
      socket.on("error", (error) => {
        tried.delete(socket);
        if (waiting.length > 0) {
          attempt();
        } else if (tried.size === 0) {
          settle(null, () => reject(error));
        }
      });
    }
    attempt();
  });
}

/** Start to connect; what is read later is lent to a borrower, from memory that is used again and again. */
function openLending(options) {
  const buffer = Buffer.allocUnsafeSlow(MOST_BUFFERED);
  const callback = (size) => {
    const piece = buffer.subarray(0, size);
    const borrow = borrowers.get(socket);
    if (borrow) {
      borrow(piece);
    } else {
      socket.emit("data", Buffer.from(piece));
    }
    return true;
  };
  const socket = connect({ ...options, onread: { buffer, callback } });
  return socket;
}

/** The promise's outcome, unless that takes longer. */
function within(milliseconds, promise) {
  return new Promise((resolve, reject) => {
    const limit = setTimeout(() => reject(new Gone("it took too long")), milliseconds);
    promise.then(resolve, reject).finally(() => clearTimeout(limit));
  });
}

// ---- Connections: one client, request by request --------------------------------------------------------------------

const LINGER = 1_000;
const SWEEP = 200;

/** @type {Set<Connection>} */
const connections = new Set();
let isDraining = false;

/** One client's connection, and the server's that it has at the moment. */
class Connection {
  /** @param {import("node:net").Socket} client */
  constructor(client) {
    this.client = client;
    this.source = new Source(client, malformed, () => this.touch());
    /** @type {import("node:net").Socket | null} */
    this.server = null;
    /** @type {Source | null} */
    this.answers = null;
    /** @type {Refusal | null} why it was stopped from outside */
    this.stopped = null;
    this.isAnswered = false;
    this.enter("header");
    client.setNoDelay(true);
    client.on("close", () => this.server?.destroy());
  }

  /** @param {"waiting" | "header" | "dial" | "busy"} state  waiting is for another request; dial has limits of its own */
  enter(state) {
    this.state = state;
    const limits = { waiting: settings.idle, header: settings.header, dial: Infinity, busy: settings.idle };
    this.deadline = performance.now() + limits[state];
  }

  touch() {
    if (this.state === "busy") {
      this.deadline = performance.now() + settings.idle;
    }
  }

  /** End what takes too long: with an answer, unless one has begun or none is expected. */
  expire(now) {
    if (now < this.deadline) {
      return;
    }
    this.deadline = Infinity;
    if (this.state === "waiting") {
      this.source.fail(new Gone("idle"));
    } else {
      const limit = this.state === "header" ? "header" : "idle";
      this.stop(new Refusal(503, `limit: ${limit}`, `it took too long (${limit})`));
    }
  }

  /** @param {Refusal} error */
  stop(error) {
    this.stopped = error;
    this.source.fail(error);
    this.answers?.fail(error);
    this.server?.destroy();
    if (this.isAnswered) {
      breakOff(this.client);
    }
  }

  /**
   * The next request; null if the client has no more.
   *
   * @returns {Promise<Request | null>}
   */
  async next(entry) {
    if (this.source.buffer.length === 0 && !(await this.source.more())) {
      return null;
    }
    if (this.state === "waiting") {
      this.enter("header");
    }
    entry.began = performance.now();
    return readRequest(this.source, entry);
  }

  /** Judge a request's target, vet its addresses and connect to one; nothing else in this file connects anywhere. */
  async reach({ target, method }, entry) {
    requireLog();
    const what = method === "CONNECT" ? "CONNECT" : "request";
    entry.rule = judge(target, what);
    this.enter("dial");
    const began = performance.now();
    const { socket, address } = await within(settings.dial, vettedAddresses(target, what, entry))
      .then((addresses) => dial(addresses, target.port, {
        milliseconds: Math.max(began + settings.dial - performance.now(), 1),
        isTunnel: method === "CONNECT",
      }))
      .catch((error) => {
        throw error instanceof Refusal ? error : unreachable(target, error);
      });
    entry.address = address.text;
    entry.isDialled = true;
    this.enter("busy");
    this.server = socket;
    socket.setNoDelay(true);
    if (this.client.destroyed) {
      socket.destroy();
      throw new Gone("closed");
    }
    return socket;
  }

  /** Read what the server answers. */
  listen(target) {
    const fault = (what) => new Refusal(502, `response: ${what}`, `${target.host} does not answer as it should: ${what}`);
    this.answers = new Source(this.server, fault, () => this.touch());
    return this.answers;
  }

  /** Let go of the server; the client may ask again. */
  leave() {
    this.server?.destroy();
    this.server = null;
    this.answers = null;
    this.isAnswered = false;
  }

  /** End the connection; what the client still sends is dropped, so that it does not miss the answer. */
  finish() {
    const { client } = this;
    this.source.release();
    client.on("data", () => {});
    client.resume();
    client.end();
    const limit = setTimeout(() => client.destroy(), LINGER);
    client.on("close", () => clearTimeout(limit));
  }
}

/** What an error of dialling means for the client. */
function unreachable({ host }, error) {
  const reason = error.code ?? error.message;
  if (error instanceof Gone) {
    return new Refusal(503, "limit: dial", `${host} cannot be reached: ${reason}`);
  }
  const isOurs = ["EMFILE", "ENFILE", "ENOBUFS"].includes(reason);
  return new Refusal(isOurs ? 503 : 502, `dial: ${reason}`, `${host} cannot be reached: ${reason}`);
}

/** Serve a connection until it ends; each request leaves a line in the log. */
async function serve(connection) {
  for (let again = true; again;) {
    const entry = {
      method: null, host: null, port: null, address: null, rule: null, up: 0, down: 0, began: performance.now(), isDialled: false,
    };
    let decision = "allow";
    try {
      const request = await connection.next(entry);
      if (!request) {
        break;
      }
      again = await (request.method === "CONNECT" ? tunnel : forward)(connection, request, entry);
    } catch (error) {
      again = false;
      decision = fail(connection, error, entry);
    }
    connection.leave();
    if (decision) {
      logRequest(decision, entry);
    }
    connection.enter("waiting");
    again &&= !isDraining;
  }
  connection.finish();
}

/** Tell the client what went wrong, if it can still be told; what was decided, null if there was no request. */
function fail(connection, error, entry) {
  const { client, stopped, isAnswered } = connection;
  const isGone = client.destroyed || (error instanceof Gone && !connection.server);
  const refusal = stopped ?? asRefusal(error, entry);
  if (isAnswered) {
    breakOff(client);
  } else if (!isGone) {
    const bytes = refusalBytes(refusal);
    client.write(entry.method === "HEAD" ? bytes.slice(0, bytes.indexOf("\r\n\r\n") + 4) : bytes);
  } else if (entry.method === null) {
    return null;
  }
  const isFailure = refusal.status === 502 || (isGone && !stopped);
  entry.rule = isGone && !stopped ? "client: closed" : refusal.rule;
  return isFailure ? "fail" : "refuse";
}

function asRefusal(error, { host }) {
  if (error instanceof Refusal) {
    return error;
  }
  return error instanceof Gone
    ? new Refusal(502, `response: ${error.message}`, `${host} broke off: ${error.message}`)
    : new Refusal(502, `error: ${error.message}`, "the proxy failed");
}

function logRequest(decision, entry) {
  const { method, host, port, address, rule, up, down, began, isDialled } = entry;
  const duration = Math.round(performance.now() - began) / 1000;
  const line = { method: method && method.slice(0, 32), host, port, address, decision, rule, bytes: { up, down }, duration };
  // Refusals can be had without end; what was dialled is no more than there are connections, and always on record.
  log(line, { isSpare: !isDialled });
}

/**
 * Pass on a request and its answer; whether the client may send another.
 *
 * @param {Connection} connection
 * @param {Request} request
 */
async function forward(connection, request, entry) {
  const server = await connection.reach(request, entry);
  const answers = connection.listen(request.target);
  await send(server, requestHead(request));
  let isSent = request.framing.kind === "none";
  const sending = { isChunked: request.framing.kind === "chunked", count: (bytes) => (entry.up += bytes) };
  passBody(connection.source, request.framing, server, sending).then(
    () => (isSent = true),
    (error) => {
      // A server may answer without reading all; a client that breaks off, or its framing, ends the request.
      if (error instanceof Refusal || connection.source.failure) {
        answers.fail(error);
        server.destroy();
      }
    },
  );
  const response = await finalResponse(connection, request, answers);
  if (response.status === 101) {
    return upgrade(connection, response, entry);
  }
  const isFramed = response.framing.kind !== "close";
  const isChunked = request.isModern && ["chunked", "close"].includes(response.framing.kind);
  const keepAlive = request.keepAlive && isSent && !isDraining && (isFramed || isChunked);
  connection.isAnswered = true;
  await send(connection.client, responseHead(response, [
    ...(isChunked ? [["Transfer-Encoding", "chunked"]] : []),
    ...(response.framing.kind === "length" ? [["Content-Length", String(response.framing.length)]] : []),
    ["Connection", keepAlive ? "keep-alive" : "close"],
  ]));
  await passBody(answers, response.framing, connection.client, { isChunked, count: (bytes) => (entry.down += bytes) });
  return keepAlive;
}

/** The response that ends the exchange; those before it (100, 103) are passed on. */
async function finalResponse(connection, request, answers) {
  for (;;) {
    const response = await readResponse(answers, request);
    if (response.status >= 200 || response.status === 101) {
      return response;
    }
    if (request.isModern) {
      await send(connection.client, head(`HTTP/1.1 ${response.status} ${response.reason}`, response.fields));
    }
  }
}

/** Switch to the protocol that the server has accepted. */
async function upgrade(connection, response, entry) {
  connection.isAnswered = true;
  await send(connection.client, responseHead(response, [["Connection", "Upgrade"], ["Upgrade", "websocket"]]));
  return join(connection, entry);
}

/**
 * Open a tunnel, and stay until both sides have ended it.
 *
 * @param {Connection} connection
 * @param {Request} request
 */
async function tunnel(connection, request, entry) {
  await connection.reach(request, entry);
  connection.isAnswered = true;
  connection.client.write("HTTP/1.1 200 Connection Established\r\n\r\n");
  return join(connection, entry);
}

/** Let client and server exchange bytes; either may finish first. */
async function join(connection, entry) {
  const { client, server, source, answers } = connection;
  const ends = [closing(client), closing(server)];
  const up = pump(client, server, (bytes) => (entry.up += bytes), connection);
  const down = pump(server, client, (bytes) => (entry.down += bytes), connection);
  up(source.release(), source.ended);
  down(answers?.release() ?? EMPTY, answers?.ended ?? false);
  await Promise.all(ends);
  if (connection.stopped) {
    throw connection.stopped;
  }
  return false;
}

function closing(socket) {
  return new Promise((resolve) => {
    socket.once("close", resolve);
    if (socket.closed) {
      resolve();
    }
  });
}

/**
 * Write to one socket what the other reads, as fast as it takes it; the function that starts it gets what was read
 * before, and whether that was all.
 */
function pump(from, to, count, connection) {
  let isEnded = false;
  let isHeld = false;
  const note = (piece) => {
    count(piece.length);
    connection.touch();
  };
  const pass = (piece) => {
    note(piece);
    if (!to.write(piece)) {
      from.pause();
    }
  };
  const release = () => {
    if (isHeld && to.writableLength === 0) {
      isHeld = false;
      from.resume();
    }
  };
  // What is lent is overwritten by the next read, so there is none before all is written.
  const passLent = (piece) => {
    note(piece);
    to.write(piece, release);
    if (to.writableLength > 0) {
      isHeld = true;
      from.pause();
    }
  };
  const end = () => {
    isEnded = true;
    to.end();
  };
  borrowers.set(from, passLent);
  to.on("drain", () => isHeld || from.resume());
  from.on("data", pass);
  from.on("end", end);
  from.on("error", () => breakOff(to));
  from.on("close", () => isEnded || breakOff(to));
  return (early, wasAll) => {
    if (early.length > 0) {
      pass(early);
    }
    if (wasAll) {
      end();
    }
    from.resume();
  };
}

// ---- The server ---------------------------------------------------------------------------------------------------------

let turnedAway = 0;

/** @param {import("node:net").Socket} client */
function accept(client) {
  if (connections.size >= settings.connections) {
    turnAway(client);
    return;
  }
  const connection = new Connection(client);
  connections.add(connection);
  Promise.all([closing(client), serve(connection)]).then(() => {
    connections.delete(connection);
    if (isDraining && connections.size === 0) {
      exit(performance.now() + LINGER);
    }
  });
}

/** Say that there are too many, without reading what is asked. */
function turnAway(client) {
  client.on("error", () => {});
  if (turnedAway >= settings.connections) {
    client.destroy();
    return;
  }
  turnedAway += 1;
  log({ decision: "refuse", rule: "limit: connections" }, { isSpare: true });
  const limit = setTimeout(() => client.destroy(), LINGER);
  client.on("close", () => {
    turnedAway -= 1;
    clearTimeout(limit);
  });
  client.end(refusalBytes(new Refusal(503, "limit: connections", "too many connections")));
  client.resume();
}

/** Take no more connections, let what is going on end, and exit. */
function drain() {
  if (isDraining) {
    return;
  }
  isDraining = true;
  server.close();
  for (const connection of connections) {
    if (connection.state === "waiting") {
      connection.source.fail(new Gone("draining"));
    }
  }
  setTimeout(() => {
    connections.forEach((connection) => connection.stop(new Refusal(503, "limit: drain", "the proxy is ending")));
    setTimeout(exit, SWEEP, performance.now() + LINGER);
  }, settings.drain);
  if (connections.size === 0) {
    exit(performance.now() + LINGER);
  }
}

/** End the process once the log is written, or at the latest then. */
function exit(latest) {
  if (unwritten.text === "" || performance.now() >= latest) {
    process.exit(0);
  }
  setTimeout(exit, 10, latest);
}

/** Put on record how it begins. */
function logStart() {
  const { blacklist, whitelist, strict } = settings;
  log({ event: "start", listen: authorityOf(listener, null), blacklist: blacklist.length, whitelist: whitelist.length, strict });
}

/** Put on record what the lists let through that their author may not have meant. */
function logWarnings() {
  for (const list of ["blacklist", "whitelist"]) {
    for (const { text, openStart, openEnd } of settings.strict ? [] : settings[list]) {
      if (openStart || openEnd) {
        const where = [openStart && "before", openEnd && "after"].filter(Boolean).join(" and ");
        log({ event: "warning", list, pattern: text, warning: `unanchored: a host may have more ${where} what matches` });
      }
    }
  }
}

const listener = { host: settings.host.text, port: settings.port };
const server = createServer({ allowHalfOpen: true }, accept);
server.on("error", (error) => die(1, `cannot listen on ${authorityOf(listener, null)}: ${error.message}`));
server.listen(settings.port, settings.host.text, () => {
  logStart();
  logWarnings();
  console.log(`isol8 proxy listening on ${authorityOf(listener, null)}`);
});
setInterval(() => connections.forEach((connection) => connection.expire(performance.now())), SWEEP);
process.on("SIGTERM", drain);
process.on("SIGINT", drain);
