/** Puts beside the command and the page of its console the licences of what is bundled with them. Fails where one has none. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const inPackage = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//

for (const folder of ['dist/cli', 'dist/console']) writeLicences(folder)

function writeLicences(folder: string): void {
  const metafile = join(root, folder, 'metafile-esm.json')
  const { inputs } = JSON.parse(readFileSync(metafile, 'utf8')) as {
    readonly inputs: Readonly<Record<string, unknown>>
  }
  const packages = [...new Set(Object.keys(inputs).flatMap((path) => inPackage.exec(path)?.[1] ?? []))].sort()
  if (packages.length === 0) throw new Error(`nothing is bundled in ${folder}: has its build another metafile now?`)
  writeFileSync(join(root, folder, 'LICENSES.txt'), packages.map(licenceOf).join(`\n${'-'.repeat(80)}\n\n`))
  rmSync(metafile)
}

function licenceOf(path: string): string {
  const manifest = JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8')) as Readonly<
    Record<'name' | 'version' | 'license', string>
  >
  const file = readdirSync(join(root, path)).find((name) => /^licen[cs]e/i.test(name))
  if (file === undefined) throw new Error(`${manifest.name} is bundled and has no licence file`)
  const text = readFileSync(join(root, path, file), 'utf8').trim()
  return `${manifest.name} ${manifest.version} (${manifest.license})\n\n${text}\n`
}
