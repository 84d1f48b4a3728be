// Prints generated expressions, hosts, and what the engine's own expressions make of them: anywhere in a host, and of the
// whole host. A row is [expression, hosts, matches, whole matches].

let seed = 20261123;

function random(below) {
  seed = (seed * 1103515245 + 12345) % 2147483648;
  return Math.floor((seed / 2147483648) * below);
}

const pick = (list) => list[random(list.length)];
const ATOMS = ["a", "b", "0", "\\.", "-", ".", "\\d", "\\w", "\\W", "\\D", "\\s", "\\S", "x", "\\x61", "\\u0062", "\\-"];
const SETS = ["[ab]", "[^a]", "[a-c]", "[\\w.-]", "[\\d-]", "[^\\w]", "[]", "[^]", "[a\\-0]", "[.]", "[0-9a-f]", "[\\w-.]"];
const ASSERTIONS = ["^", "$", "\\b", "\\B"];
const QUANTIFIERS = ["*", "+", "?", "*?", "+?", "??", "{2}", "{0}", "{1,3}", "{2,}", "{0,2}?"];
const HOSTS = ["a", "b", "c", "0", "1", ".", "-", "_", "x"];

function expression(depth) {
  const options = Array.from({ length: 1 + Number(random(4) === 0) + Number(random(8) === 0) }, () => sequence(depth));
  return options.join("|");
}

function sequence(depth) {
  return Array.from({ length: random(4) }, () => item(depth)).join("");
}

function item(depth) {
  if (random(7) === 0) {
    return pick(ASSERTIONS);
  }
  const group = () => `(${pick(["", "?:", ""])}${expression(depth - 1)})`;
  const atom = depth > 0 && random(3) === 0 ? group() : random(3) === 0 ? pick(SETS) : pick(ATOMS);
  return random(3) === 0 ? atom + pick(QUANTIFIERS) : atom;
}

function host() {
  return Array.from({ length: random(12) }, () => pick(HOSTS)).join("");
}

for (let i = 0; i < 6000; i += 1) {
  const text = expression(3);
  const anywhere = new RegExp(text);
  const whole = new RegExp(`^(?:${text})$`);
  const hosts = Array.from({ length: 8 }, host);
  console.log(JSON.stringify([text, hosts, hosts.map((name) => anywhere.test(name)), hosts.map((name) => whole.test(name))]));
}
