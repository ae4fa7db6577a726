/** `npm run bench -- core produce consume`: prints tables and ratios, never fails on an absolute time. */
const suites: Readonly<Record<string, () => Promise<void>>> = {
  core: async () => (await import('./core.js')).runCore(),
  produce: async () => (await import('./produce.js')).runProduce(),
  consume: async () => (await import('./consume.js')).runConsume(),
}

const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !(name in suites))
if (wanted.length === 0 || unknown.length > 0) {
  const wrong = unknown.length > 0 ? `unknown: ${unknown.join(', ')}. ` : ''
  process.stderr.write(`${wrong}Say what to measure: npm run bench -- ${Object.keys(suites).join(' | ')}\n`)
  process.exit(2)
}
for (const name of wanted) await suites[name]?.()
