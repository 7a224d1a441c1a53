// A trading day with bitget-api. Its one argument is JSON: the addresses and the key; prints its steps.
'use strict';
const { Day } = require('./venue.js');

const STEPS = ['./market.js', './trading.js', './books.js', './streams.js'].flatMap((name) => require(name));

async function main() {
  const day = new Day(JSON.parse(process.argv[2]));
  for (const act of STEPS) await day.step(act);
  day.close();
  process.stdout.write(JSON.stringify(day.done) + '\n', () => process.exit(0));
}

main();
