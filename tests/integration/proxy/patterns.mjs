// Compares the filter's own matcher with the engine's on generated expressions and hosts. The tests put the matcher in
// front of these lines. It prints how many it compared, and the first on which the two differ.

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
  const options = Array.from({ length: 1 + (random(4) === 0) + (random(8) === 0) }, () => sequence(depth));
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

let compared = 0;
let different = null;
for (let i = 0; i < 6000 && !different; i += 1) {
  const text = expression(3);
  const pattern = new Pattern(text, false);
  const whole = new Pattern(text, true);
  for (const name of Array.from({ length: 8 }, host)) {
    const theirs = [new RegExp(text).test(name), new RegExp(`^(?:${text})$`).test(name)];
    const ours = [pattern.matches(name), whole.matches(name)];
    compared += 2;
    if (ours.join() !== theirs.join()) {
      different ??= { text, name, ours, theirs };
    }
  }
}

const HARD = ["(a+)+$", "^(a|a)*$", "^(a|aa)+$", "(.*)*x", "^(([a-z])+.)+[A-Z]([a-z])+$", "(a?){250}a{250}", "(.*a){20}", "a*a*a*a*a*a*b"];
const began = performance.now();
for (const text of HARD) {
  new Pattern(text, false).matches(`${"a".repeat(252)}.`);
}
console.log(JSON.stringify({ compared, different, hardSeconds: (performance.now() - began) / 1000 }));
