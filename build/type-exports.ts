/**
 * After the bundling of declarations: what an entry exports as a type alone is marked so. The bundler forgets that for
 * classes, and a user could then write `new Producer()`, which compiles and fails when it runs.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'

const dist = fileURLToPath(new URL('../dist/', import.meta.url))
const exportList = /^export \{(.*?)\}/gms

/** Entries of an export list, those without a value of that name marked as types. */
function marked(list: string, values: ReadonlySet<string>): string {
  return list
    .split(',')
    .map((entry) => entry.trim())
    .map((entry) => {
      const name = entry.split(' as ').at(-1) as string
      return entry.startsWith('type ') || values.has(name) ? entry : `type ${entry}`
    })
    .join(', ')
}

const entries = readdirSync(dist).filter((file) => /^[a-z-]+\.js$/.test(file))
for (const entry of entries) {
  const values = new Set(Object.keys((await import(pathToFileURL(dist + entry).href)) as object))
  for (const extension of ['.d.ts', '.d.cts']) {
    const file = dist + entry.replace(/\.js$/, extension)
    const text = readFileSync(file, 'utf8')
    writeFileSync(
      file,
      text.replace(exportList, (_, list: string) => `export { ${marked(list, values)} }`),
    )
  }
}
