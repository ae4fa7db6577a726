import { fileURLToPath } from 'node:url'
import type ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { compile, programOf } from './compile.js'
import { textOf } from './pages.js'
import { snippetsOf } from './snippets.js'

const page = 'docs/guides/migrating-from-kafkajs.md'

interface Row {
  readonly line: number
  readonly member: string
  readonly ours: string
}

/** The tables of calls and options, by the type of kafkajs that each is about. */
function tables(): ReadonlyMap<string, readonly Row[]> {
  const found = new Map<string, Row[]>()
  let rows: Row[] | null = null
  for (const [index, line] of textOf(page).split('\n').entries()) {
    if (line.startsWith('#')) {
      const about = /^### (\w+)$/.exec(line)?.[1]
      rows = about === undefined ? null : []
      if (about !== undefined) found.set(about, rows as Row[])
    }
    const cells = /^\| `(\w+)` \| (?:`(.+?)` )?\| /.exec(line)
    if (cells !== null) rows?.push({ line: index + 1, member: cells[1] as string, ours: cells[2] ?? '' })
  }
  return found
}

/** Calls and options of a public type of kafkajs. */
function membersOf(names: Iterable<string>): ReadonlyMap<string, readonly string[]> {
  const declarations = fileURLToPath(import.meta.resolve('kafkajs')).replace(/index\.js$/, 'types/index.d.ts')
  const program = programOf([declarations])
  const checker = program.getTypeChecker()
  const module = checker.getSymbolAtLocation(program.getSourceFile(declarations) as ts.SourceFile) as ts.Symbol
  const exported = new Map(checker.getExportsOfModule(module).map((symbol) => [symbol.name, symbol]))
  return new Map(
    [...names].map((name) => {
      const type = checker.getDeclaredTypeOfSymbol(exported.get(name) as ts.Symbol)
      const properties = type.isUnion() ? type.types.flatMap((one) => one.getProperties()) : type.getProperties()
      return [name, [...new Set(properties.map((property) => property.name))]]
    }),
  )
}

describe('migrating from kafkajs', () => {
  it('has a row for every call and option of kafkajs', () => {
    const ours = tables()
    const sorted = (entries: Iterable<readonly [string, readonly string[]]>) =>
      Object.fromEntries([...entries].map(([name, members]) => [name, [...members].sort()]))
    expect(sorted([...ours].map(([name, rows]) => [name, rows.map(({ member }) => member)]))).toEqual(
      sorted(membersOf(ours.keys())),
    )
    const clients = ['Kafka', 'KafkaConfig', 'Producer', 'ProducerConfig', 'ProducerRecord', 'ProducerBatch']
    const consumers = ['Consumer', 'ConsumerConfig', 'ConsumerRunConfig', 'ConsumerSubscribeTopics']
    const handlers = ['EachMessagePayload', 'EachBatchPayload', 'Batch', 'KafkaMessage', 'Message', 'RecordMetadata']
    expect([...ours.keys()]).toEqual(expect.arrayContaining([...clients, ...consumers, ...handlers, 'Admin']))
  })

  it('shows in place of each what compiles', () => {
    const rows = [...tables().values()].flat().filter(({ ours }) => ours !== '')
    const blocks = rows.map(({ line, ours }) => ({ page, line, code: ours }))
    const snippets = snippetsOf(blocks)
    const complaints = compile(snippets).map(({ name, message }) => `${page}:${name.replace(/^.*-/, '')}: ${message}`)
    expect(complaints).toEqual([])
    expect(rows.length).toBeGreaterThan(120)
  })
})
