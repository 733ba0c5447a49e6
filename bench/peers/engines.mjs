// Warns of every installed peer that asks for a newer Node.js than runs this: most of them run all the same.

import { readFileSync } from 'node:fs';

const read = (path) => JSON.parse(readFileSync(new URL(path, import.meta.url)));
const numbers = (version) => version.split('.').map(Number);

// Whether this one is at least as new.
const isNewEnough = (least) => {
  const running = numbers(process.versions.node);
  for (const [place, number] of numbers(least).entries()) {
    if (running[place] !== number) return running[place] > number;
  }
  return true;
};

for (const peer of Object.keys(read('package.json').dependencies)) {
  const { version, engines } = read(`node_modules/${peer}/package.json`);
  const asked = engines?.node;
  if (!asked) continue;
  const least = /^>=\s*v?(\d+(?:\.\d+){0,2})$/.exec(asked.trim())?.[1];
  if (least && isNewEnough(least)) continue;
  console.error(`… warning: ${peer} ${version} asks for Node.js ${asked}; this is ${process.versions.node}. Its figures may be worse for it.`);
}
