// node-nlp on the questions of intents.py: prints JSON.
//
//     node intents.mjs FOLDER NODE_MODULES
//
// FOLDER holds train.json and test.json, [[text, intent], ...]. `process` is what its guide shows for a message: it
// also finds entities and the sentiment.
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'

const [folder, modules] = process.argv.slice(2)
const require = createRequire(resolve(modules) + '/')
const { NlpManager } = require('node-nlp')
const { version } = require('node-nlp/package.json')
const rows = (name) => JSON.parse(readFileSync(`${folder}/${name}.json`, 'utf8'))

const manager = new NlpManager({ languages: ['en'], autoSave: false, nlu: { log: false }, forceNER: false })
for (const [text, intent] of rows('train')) manager.addDocument('en', text, intent)
const begin = performance.now()
await manager.train()
const fit = (performance.now() - begin) / 1000

const test = rows('test')
for (const [text] of test.slice(0, 50)) await manager.process('en', text)
const times = []
let right = 0
for (const [text, intent] of test) {
  const started = performance.now()
  const { classifications } = await manager.process('en', text)
  times.push(performance.now() - started)
  // The first in the ranking, whether or not it passes the threshold, as the others answer too.
  const best = classifications.find((found) => found.intent !== 'None')
  if (best?.intent === intent) right++
}
times.sort((a, b) => a - b)
const at = (share) => times[Math.round((times.length - 1) * share)]
console.log(
  JSON.stringify({
    version: `node-nlp ${version}`,
    fit_s: fit,
    p50_ms: at(0.5),
    p99_ms: at(0.99),
    accuracy: right / test.length,
    questions: test.length,
  }),
)
