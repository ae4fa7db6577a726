import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const src = fileURLToPath(new URL('../../src', import.meta.url))

/** Lowest first. A file may import from its own folder and from lower floors, nothing else. */
const floors: readonly (readonly string[])[] = [
  ['errors.ts'],
  ['input/', 'runtime/', 'message/', 'telemetry/'],
  ['connection/', 'serde/'],
  ['driver/'],
  ['protocol/', 'wire/', 'topic/', 'offsets/'],
  ['drivers/kafkajs/', 'drivers/memory/', 'drivers/confluent/', 'producer/'],
  ['consumer/'],
  ['retry/', 'dead-letter/', 'dedupe/', 'reorder/', 'transaction/', 'outbox/', 'operations/'],
  ['config/'],
  ['messaging.ts'],
  ['close-on-signal.ts', 'testing/', 'cli/'],
  ['index.ts', 'memory.ts', 'testing.ts', 'driver.ts', 'kafkajs.ts'],
]

/** Packages that one folder alone may name. */
const packages: Readonly<Record<string, readonly string[]>> = {
  kafkajs: ['drivers/kafkajs/', 'kafkajs.ts'],
}

function home(file: string): { floor: number; unit: string } {
  for (const [floor, units] of floors.entries()) {
    const unit = units.find((candidate) => (candidate.endsWith('/') ? file.startsWith(candidate) : file === candidate))
    if (unit !== undefined) return { floor, unit }
  }
  throw new Error(`src/${file} stands on no floor: give its folder a place in docs/decisions/0001-floors.md and here`)
}

const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))

const importForms = [
  /^\s*(?:import|export)\s[^'"]*?\sfrom\s+'([^'"]+)'/gm,
  /\bimport\(\s*'([^']+)'/g,
  /^import\s+'([^']+)'/gm,
]

function importsOf(file: string): readonly string[] {
  const text = readFileSync(join(src, file), 'utf8')
  return importForms.flatMap((form) => [...text.matchAll(form)].map((match) => match[1] as string))
}

describe('floors', () => {
  it('finds the sources and their imports', () => {
    expect(files.length).toBeGreaterThan(50)
    expect(files.reduce((sum, file) => sum + importsOf(file).length, 0)).toBeGreaterThan(200)
  })

  it('lets every file import only from its own folder and from floors below', () => {
    const broken: string[] = []
    for (const file of files) {
      const from = home(file)
      for (const specifier of importsOf(file).filter((name) => name.startsWith('.'))) {
        const target = normalize(relative(src, join(src, dirname(file), specifier))).replace(/\.js$/, '.ts')
        const to = home(target)
        if (to.unit !== from.unit && to.floor >= from.floor) broken.push(`${file} → ${target}`)
      }
    }
    expect(broken).toEqual([])
  })

  it('lets only the driver of a library name that library', () => {
    const broken: string[] = []
    for (const file of files) {
      for (const specifier of importsOf(file)) {
        const owners = packages[specifier.split('/')[0] as string]
        if (owners !== undefined && !owners.some((owner) => file.startsWith(owner)))
          broken.push(`${file} → ${specifier}`)
      }
    }
    expect(broken).toEqual([])
  })
})
