/**
 * What npm would pack: every entry leads to a file, and every link of a document that is packed to another one. With
 * `--publish` also what only the first publishing needs. Ends with 1 and one line for each problem.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Readonly<Record<string, unknown>>
const beforePublishing = ['repository', 'bugs', 'homepage']
/** Links of a document, without those to the web and those within it. */
const link = /\]\((?!https?:|#|mailto:)([^)#\s]+)(?:#[^)]*)?\)/g

function packedFiles(): ReadonlySet<string> {
  const told = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root, encoding: 'utf8' })
  const [{ files }] = JSON.parse(told) as [{ readonly files: readonly { readonly path: string }[] }]
  return new Set(files.map(({ path }) => path))
}

/** Every path that the manifest names. */
function entriesOf(value: unknown): readonly string[] {
  if (typeof value === 'string') return value.startsWith('./') ? [normalize(value)] : []
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(entriesOf) : []
}

function brokenLinks(file: string, packed: ReadonlySet<string>): readonly string[] {
  const text = readFileSync(join(root, file), 'utf8')
  const targets = [...text.matchAll(link)].map(([, target]) => normalize(join(dirname(file), target as string)))
  return targets.filter((target) => !packed.has(target) && !packed.has(join(target, 'README.md')))
}

const packed = packedFiles()
const { exports: entries, main, module, types, typesVersions, bin } = manifest
const named = entriesOf([entries, main, module, types, typesVersions, bin]).filter((path) => !path.includes('*'))
const problems = [
  ...[...new Set(named)]
    .filter((path) => !packed.has(path))
    .map((path) => `package.json names ${path}, which is not packed`),
  ...[...packed]
    .filter((file) => file.endsWith('.md'))
    .flatMap((file) => brokenLinks(file, packed).map((target) => `${file} links to ${target}, which is not packed`)),
]
if (process.argv.includes('--publish')) {
  const missing = beforePublishing.filter((field) => manifest[field] === undefined)
  problems.push(...missing.map((field) => `package.json has no ${field}: write where this project is kept`))
  const version = String(manifest['version'])
  const isTold = readFileSync(join(root, 'CHANGELOG.md'), 'utf8').includes(`\n## ${version}`)
  if (!isTold) problems.push(`CHANGELOG.md has no part for ${version}`)
}
for (const problem of problems) console.error(problem)
if (problems.length > 0) process.exitCode = 1
