import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const src = fileURLToPath(new URL('../../src', import.meta.url))

/**
 * What stands on which floor, lowest first: in all of `src/`, and again inside the folders that hold many rooms. A file
 * may import from its own room and from lower floors, nothing else; type imports count like any other.
 */
const buildings: Readonly<Record<string, readonly (readonly string[])[]>> = {
  '': [
    ['error-codes.ts'],
    ['errors.ts', 'text/'],
    ['input/', 'pictures/'],
    ['capacity/'],
    ['runtime/', 'message/', 'offsets/'],
    ['telemetry/'],
    ['connection/', 'serde/', 'auth/'],
    ['driver/'],
    ['protocol/', 'wire/', 'topic/', 'registry/'],
    ['drivers/kafkajs/', 'drivers/memory/', 'producer/', 'avro/', 'json-schema/', 'prometheus/', 'opentelemetry/'],
    ['consumer/'],
    ['retry/', 'dead-letter/', 'dedupe/', 'reorder/', 'transaction/', 'outbox/', 'operations/'],
    ['sql/', 'config/'],
    ['messaging.ts'],
    ['close-on-signal.ts', 'redrive/', 'health/', 'lag/', 'testing/'],
    ['close-on-signal.ts', 'redrive/', 'health/', 'lag/', 'testing/'],
    ['doctor/', 'letters/', 'members/', 'degrade/'],
    ['console/'],
    ['cli/'],
    [
      'index.ts',
      'memory.ts',
      'testing.ts',
      'driver.ts',
      'transactions.ts',
      'kafkajs.ts',
      'dedupe.ts',
      'outbox.ts',
      'sql.ts',
      'redrive.ts',
      'event-time.ts',
      'pattern.ts',
      'health.ts',
      'lag.ts',
      'degrade.ts',
      'registry.ts',
      'avro.ts',
      'json-schema.ts',
      'auth.ts',
      'prometheus.ts',
      'opentelemetry.ts',
      'capacity.ts',
      'admin.ts',
      'cli.ts',
    ],
  ],
  'protocol/': [
    ['cluster/'],
    ['produce/', 'fetch/', 'offsets/', 'group/'],
    ['consume/', 'admin/', 'transactions/'],
    ['driver.ts'],
  ],
  'consumer/': [
    ['partition/'],
    ['intake/', 'handling/', 'settling/'],
    ['dispatch/', 'release/'],
    ['watch/', 'options/'],
    ['lifecycle/'],
    ['consumer.ts'],
  ],
  'drivers/memory/': [
    ['log/'],
    ['cluster/'],
    ['group/'],
    ['transactions/'],
    ['broker/'],
    ['network/'],
    ['faults.ts', 'memory-options.ts'],
    ['memory-cluster.ts'],
    ['memory.ts'],
  ],
}

/** Folders whose top is to be taken in at one look. */
const plain: readonly string[] = ['protocol/', 'consumer/']
const mostRooms = 10

const mostLines = 400

/** Packages that one folder alone may name. */
const packages: Readonly<Record<string, readonly string[]>> = {
  kafkajs: ['drivers/kafkajs/', 'kafkajs.ts'],
  kysely: ['sql/', 'sql.ts'],
  avsc: ['avro/', 'avro.ts'],
  '@opentelemetry/api': ['opentelemetry/', 'opentelemetry.ts'],
  '@smithy/signature-v4': ['auth/'],
  hono: ['console/'],
  '@hono/node-server': ['console/'],
  preact: ['console/page/'],
  'd3-array': ['pictures/'],
  'd3-scale': ['pictures/'],
  'd3-shape': ['pictures/'],
  commander: ['cli/'],
  'string-width': ['cli/'],
}

function home(building: string, file: string): { floor: number; unit: string } {
  const inside = file.slice(building.length)
  for (const [floor, units] of (buildings[building] ?? []).entries()) {
    const unit = units.find((room) => (room.endsWith('/') ? inside.startsWith(room) : inside === room))
    if (unit !== undefined) return { floor, unit }
  }
  throw new Error(`src/${file} stands on no floor: give its room a place in docs/decisions/0001-floors.md and here`)
}

const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => /\.tsx?$/.test(file))

const importForms = [
  /^\s*(?:import|export)\s[^'"]*?\sfrom\s+'([^']+)'/gm,
  /\bimport\(\s*'([^']+)'/g,
  /^import\s+'([^']+)'/gm,
]

const textOf = (file: string) => readFileSync(join(src, file), 'utf8')

const importsOf = new Map<string, readonly string[]>(
  files.map((file) => {
    const text = textOf(file)
    return [file, importForms.flatMap((form) => [...text.matchAll(form)].map((match) => match[1] as string))]
  }),
)

/** Of the package: a specifier may name a part of it. */
function nameOf(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
}

/** The files of ours that each file imports. */
const targetsOf = new Map<string, readonly string[]>(
  [...importsOf].map(([file, specifiers]) => [
    file,
    specifiers
      .filter((name) => name.startsWith('.'))
      .map((name) => normalize(join(dirname(file), name)).replace(/\.js$/, '.ts'))
      // Only parts of a page are written so.
      .map((name) => (files.includes(name) ? name : `${name}x`)),
  ]),
)

/** Rooms at the top of a folder: its files, and its folders with all that is in them. */
function roomsOf(folder: string): readonly string[] {
  const inside = files.filter((file) => file.startsWith(folder)).map((file) => file.slice(folder.length))
  return [...new Set(inside.map((file) => file.split('/')[0] as string))]
}

/** Takes away, as long as there are any, the files that import none of those that are left. */
function withoutEnds(imports: ReadonlyMap<string, readonly string[]>): ReadonlyMap<string, readonly string[]> {
  const left = new Map(imports)
  let before: number
  do {
    before = left.size
    for (const [file, targets] of left) if (!targets.some((target) => left.has(target))) left.delete(file)
  } while (left.size < before)
  return left
}

describe('floors', () => {
  it('finds the sources and their imports', () => {
    expect(files.length).toBeGreaterThan(150)
    expect([...targetsOf.values()].flat().length).toBeGreaterThan(600)
    for (const target of [...targetsOf.values()].flat()) expect(files).toContain(target)
  })

  it.each(Object.keys(buildings))(
    'lets every file in src/%s import only from its own room and from floors below',
    (building) => {
      const broken: string[] = []
      for (const file of files.filter((candidate) => candidate.startsWith(building))) {
        const from = home(building, file)
        for (const target of targetsOf.get(file) ?? []) {
          if (!target.startsWith(building)) continue
          const to = home(building, target)
          if (to.unit !== from.unit && to.floor >= from.floor) broken.push(`${file} → ${target}`)
        }
      }
      expect(broken).toEqual([])
    },
  )

  it('lets no files import each other in a circle', () => {
    const circles = [...withoutEnds(targetsOf)].map(([file, targets]) => `${file} → ${targets.join(', ')}`)
    expect(circles).toEqual([])
  })

  it('knows a circle when it sees one', () => {
    const imports = new Map([
      ['a', ['b']],
      ['b', ['c', 'd']],
      ['c', ['b']],
      ['d', []],
    ])
    expect([...withoutEnds(imports).keys()]).toEqual(['a', 'b', 'c'])
    expect([...withoutEnds(new Map([...imports, ['c', ['d']]])).keys()]).toEqual([])
  })

  it('lets only the driver of a library name that library', () => {
    const broken: string[] = []
    for (const [file, specifiers] of importsOf) {
      for (const specifier of specifiers) {
        const owners = packages[nameOf(specifier)]
        if (owners !== undefined && !owners.some((owner) => file.startsWith(owner)))
          broken.push(`${file} → ${specifier}`)
      }
    }
    expect(broken).toEqual([])
  })

  it('lets nothing that applications import draw pictures: their libraries are bundled, and no dependency', () => {
    const reach = (file: string, seen: Set<string>): Set<string> => {
      if (seen.has(file)) return seen
      seen.add(file)
      for (const target of targetsOf.get(file) ?? []) reach(target, seen)
      return seen
    }
    const entries = files.filter((file) => !file.includes('/') && file !== 'cli.ts')
    expect(entries.length).toBeGreaterThan(20)
    const drawing = entries.filter((entry) => [...reach(entry, new Set())].some((file) => file.startsWith('pictures/')))
    expect(drawing).toEqual([])
  })

  it.each(plain)(`lets src/%s open on at most ${mostRooms} rooms`, (folder) => {
    expect(roomsOf(folder).length).toBeGreaterThan(1)
    expect(roomsOf(folder).length).toBeLessThanOrEqual(mostRooms)
  })

  it(`lets no file grow beyond ${mostLines} lines`, () => {
    const tooLong = files.filter((file) => textOf(file).trimEnd().split('\n').length > mostLines)
    expect(tooLong).toEqual([])
  })
})
