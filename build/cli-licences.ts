/** Puts beside the command the licences of what is bundled with it. Fails where one has none. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const metafile = join(root, 'dist/cli/metafile-esm.json')
const { inputs } = JSON.parse(readFileSync(metafile, 'utf8')) as { readonly inputs: Readonly<Record<string, unknown>> }
const inPackage = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//
const folders = [...new Set(Object.keys(inputs).flatMap((path) => inPackage.exec(path)?.[1] ?? []))].sort()

const parts = folders.map((folder) => {
  const manifest = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')) as Readonly<
    Record<'name' | 'version' | 'license', string>
  >
  const file = readdirSync(join(root, folder)).find((name) => /^licen[cs]e/i.test(name))
  if (file === undefined) throw new Error(`${manifest.name} is bundled with the command and has no licence file`)
  const text = readFileSync(join(root, folder, file), 'utf8').trim()
  return `${manifest.name} ${manifest.version} (${manifest.license})\n\n${text}\n`
})
if (parts.length === 0) throw new Error('nothing is bundled with the command: has its build another metafile now?')
writeFileSync(join(root, 'dist/cli/LICENSES.txt'), parts.join(`\n${'-'.repeat(80)}\n\n`))
rmSync(metafile)
