// Sentiment of node-nlp on labelled rows, for `candor eval --predictions`:
//
//     npm install --prefix /tmp/baselines node-nlp@4
//     NODE_PATH=/tmp/baselines/node_modules node benches/baselines/predict.mjs OUT_FOLDER/rows.txt OUT_FOLDER/node-nlp.csv
//
// rows.txt is predict.py's, one text a line. The package has no frustration; the negative score stands in for it.
import { createRequire } from 'node:module'
import { readFileSync, writeFileSync } from 'node:fs'

const require = createRequire(`${process.env.NODE_PATH ?? process.cwd()}/`)
const { SentimentAnalyzer } = require('node-nlp')
const [rows, out] = process.argv.slice(2)
const analyzer = new SentimentAnalyzer({ language: 'en' })
const lines = ['sentiment,negative,positive,frustration']
for (const text of readFileSync(rows, 'utf8').split('\n').slice(0, -1)) {
  const { score, vote } = await analyzer.getSentiment(text)
  const negative = 1 / (1 + Math.exp(score))
  lines.push([vote, negative, 1 - negative, negative].join(','))
}
writeFileSync(out, lines.join('\n') + '\n')
