import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { createMemoryCluster } from 'tidemark/memory'
import { expect, it, vi } from 'vitest'
import { exitCode } from '../../../src/cli/exit-code.js'
import { withoutColours } from '../../../src/cli/paint.js'
import { printable, printableJson } from '../../../src/text/printable.js'
import { programOf } from '../../../src/cli/program.js'
import { settingsOf } from '../../../src/cli/settings.js'
import { table } from '../../../src/cli/table.js'
import type { Terminal } from '../../../src/cli/terminal.js'
import { runCommand } from '../../support/run-tidemark.js'
import { temporaryFolder } from '../../support/temporary-folder.js'
import { dlq, failedAt, put } from '../redrive/dead-letters.js'
import { billing, tidemark } from './command-line.js'

it('prints what comes from outside so that a terminal carries out none of it', async () => {
  const cluster = createMemoryCluster()
  const name = 'a\u001b[2Jb\u009b31mc\u202ed\ne'
  cluster.createTopic('orders')
  cluster.restoreCommit(name, { topic: 'orders', partition: 0, offset: 0, leaderEpoch: -1, metadata: '' })
  const { out } = await tidemark(cluster, 'group list')
  expect(out).toContain('a\\u001b[2Jb\\u009b31mc\\u202ed\\u000ae')
  const json = await tidemark(cluster, 'group list --json')

  expect(json.out).not.toMatch(/[\u001b\u009b\u202e]/)
  expect(json.value).toMatchObject([{ groupId: name }])
  expect(printable('grün 東京 🙂')).toBe('grün 東京 🙂')
  expect(JSON.parse(printableJson({ a: '\u0085\u2028\ufeff"\\' }))).toEqual({ a: '\u0085\u2028\ufeff"\\' })
  await cluster.close()
})

it('lines columns up under letters of any width, and takes no longer for each row of many', () => {
  const lines = table(
    withoutColours,
    ['NAME', 'COUNT', 'X'],
    [
      ['東京', 1_000, 'a'],
      ['é', null, 'b'],
      ['\u001b', 7, 'c'],
    ],
    '',
  ).split('\n')
  expect(lines).toEqual(['NAME    COUNT  X', '東京    1,000  a', 'é           -  b', '\\u001b      7  c', ''])
  const rows = Array.from({ length: 20_000 }, (_, index) => [`group-${index % 20}`, 'orders', index])
  const begun = process.cpuUsage()
  expect(table(withoutColours, ['GROUP', 'TOPIC', 'PARTITION'], rows, '').split('\n')).toHaveLength(20_002)
  // A layout that compares each row with all others takes a minute.
  expect(process.cpuUsage(begun).user / 1_000).toBeLessThan(5_000)
})

it('has colours on a screen alone', async () => {
  const cluster = await billing()
  const words = 'group list'
  expect((await tidemark(cluster, words)).out).not.toContain('\u001b')
  const coloured = await tidemark(cluster, words, { hasColours: true })
  expect(coloured.out).toContain('\u001b[1mGROUP\u001b[22m')
  expect((await tidemark(cluster, `${words} --json`, { hasColours: true })).out).not.toContain('\u001b')
  await cluster.close()
})

it('ends with 3 when the cluster does not answer in time, with the error as data beside an empty output', async () => {
  const cluster = createMemoryCluster({ latencyMs: 60_000 })
  const { exit, out, err } = await tidemark(cluster, 'group list --timeout 20ms --json')
  expect([exit, out]).toEqual([3, ''])
  expect(JSON.parse(err)).toMatchObject({ error: { code: 'cluster-unreachable' } })
  await cluster.close()
})

it('tells wrong arguments as data too, and its version', async () => {
  const cluster = createMemoryCluster()
  const wrong = await tidemark(cluster, 'group list --json --timeout 5')
  expect([wrong.exit, wrong.out]).toEqual([2, ''])
  expect(JSON.parse(wrong.err)).toMatchObject({
    error: { code: 'wrong-use', message: expect.stringContaining('500ms') },
  })
  expect(await tidemark(cluster, '--version')).toMatchObject({
    exit: 0,
    out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
  })
  expect(await tidemark(cluster, 'group --help')).toMatchObject({ exit: 0, err: '' })
  await cluster.close()
})

it('ends as the guide says, with the error as data on standard error alone: each code there is, and no other', async () => {
  const cluster = await billing()
  const slow = createMemoryCluster({ latencyMs: 60_000 })
  cluster.createTopic(dlq)
  put(cluster, [{ value: 'odd', headers: failedAt(0, { 'td-origin-topic': 'elsewhere' }) }])
  const aborted = AbortSignal.abort()
  const ends = {
    0: await tidemark(cluster, 'group list --json'),
    1: await tidemark(cluster, 'group describe nobody --json'),
    2: await tidemark(cluster, 'group delete billing --json'),
    3: await tidemark(slow, 'group list --timeout 20ms --json'),
    4: await tidemark(cluster, `dlq redrive ${dlq} --allow orders --group again --yes --json`),
    5: await runCommand('group list --json', () => {
      throw new TypeError('a defect')
    }),
    130: await tidemark(slow, 'group list --json', { signal: aborted }),
  }
  const told = Object.values(ends).map(({ exit, out, err }) => {
    return {
      exit,
      out: out === '' ? null : typeof JSON.parse(out),
      error: err === '' ? null : typeof JSON.parse(err).error,
    }
  })
  const data = { out: 'object', error: null }
  const error = { out: null, error: 'object' }
  const codes = Object.values(exitCode)
  expect(told).toEqual(codes.map((exit) => ({ exit, ...(exit < 2 ? data : error) })))
  const guide = readFileSync(new URL('../../../docs/guides/command-line.md', import.meta.url), 'utf8')
  const [, table] = /\| it ends with \| \|\n\|---\|---\|\n((?:\|.*\|\n)+)/.exec(guide) ?? []
  expect(table?.match(/^\| \d+/gm)?.map((row) => Number(row.slice(2)))).toEqual(codes)
  const help = (await tidemark(cluster, '--help')).out.replaceAll('\n', ' ')
  expect([...(/Ends with (.*?)\. /.exec(help)?.[1]?.matchAll(/\d+/g) ?? [])].map(([code]) => Number(code))).toEqual(
    codes,
  )
  await Promise.all([cluster.close(), slow.close()])
})

it('shows a table as blocks where the screen is too narrow for it, and cuts no name', async () => {
  const cluster = await billing()
  const wide = await tidemark(cluster, 'lag --partitions', { columns: 100 })
  expect(wide.out).toMatch(/^GROUP +TOPIC +PARTITION/m)
  const narrow = await tidemark(cluster, 'lag --partitions', { columns: 60 })
  expect(narrow.out).toMatch(/^GROUP +billing\nTOPIC +orders\nPARTITION +0\n(?:.+\n)+\nGROUP +billing\n/m)
  expect(Math.max(...narrow.out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(60)
  // What is piped on has a line for each row.
  expect((await tidemark(cluster, 'lag --partitions')).out).toMatch(/^GROUP +TOPIC +PARTITION/m)
  await cluster.close()
})

it('ends with 130 as soon as it is interrupted', async () => {
  const cluster = createMemoryCluster({ latencyMs: 60_000 })
  const stop = new AbortController()
  const ran = tidemark(cluster, 'group list', { signal: stop.signal })
  stop.abort()
  expect(await ran).toMatchObject({ exit: 130, out: '', err: 'tidemark: interrupted\n' })
  await cluster.close()
})

it('finishes a change that has begun when it is interrupted, and tells what became of it', async () => {
  const cluster = await billing()
  const stop = new AbortController()
  const signal = stop.signal
  const held = cluster.faults.holdRequest({ api: 'offsetCommit' })
  const running = tidemark(cluster, 'group reset billing --to latest --yes --json', { signal })
  await vi.waitFor(() => expect(held.state).toBe('held'), { timeout: 10_000, interval: 5 })
  stop.abort()
  setTimeout(() => held.release(), 20)
  const ran = await running
  expect(ran).toMatchObject({ exit: 0, value: { done: true }, err: '{"note":"what has begun is finished first"}\n' })
  expect(cluster.committed('billing').map(({ offset }) => offset)).toEqual([8, 4])
  const before = await tidemark(cluster, 'group reset billing --to earliest --yes', { signal })
  expect(before).toMatchObject({ exit: 130, err: 'tidemark: interrupted\n' })
  expect(cluster.committed('billing').map(({ offset }) => offset)).toEqual([8, 4])
  await cluster.close()
})

it('has no option of a command that one of all commands takes away from it', () => {
  const program = programOf({ columns: 80 } as Terminal, () => Promise.resolve())
  const flagsOf = (command: Command) => command.options.flatMap(({ short, long }) => [short, long]).filter(Boolean)
  const everywhere = flagsOf(program)
  const taken = (command: Command): readonly unknown[] => [
    ...flagsOf(command).filter((flag) => everywhere.includes(flag)),
    ...command.commands.flatMap(taken),
  ]
  expect(everywhere).toContain('--brokers')
  expect(program.commands.flatMap(taken)).toEqual([])
})

it('takes an option before a variable, and a variable before the file', async () => {
  const file = { kafka: { brokers: ['file:1'], ssl: true }, clientId: 'of-file', profile: 'ap' as const }
  expect(settingsOf({}, {}, file)).toMatchObject({
    kafka: { brokers: ['file:1'], ssl: true, clientId: 'of-file' },
    messaging: { profile: 'ap', clientId: 'of-file' },
  })
  const environment = { KAFKA_BROKERS: 'variable:1', KAFKA_SSL: 'no', KAFKA_CLIENT_ID: '', TIDEMARK_PROFILE: 'cp' }
  expect(settingsOf({}, environment, file)).toMatchObject({
    kafka: { brokers: ['variable:1'], ssl: false, clientId: 'of-file' },
    messaging: { profile: 'cp' },
  })
  expect(settingsOf({ brokers: 'flag:1', tls: true, profile: 'transactional' }, environment, file)).toMatchObject({
    kafka: { brokers: ['flag:1'], ssl: true },
    messaging: { profile: 'transactional' },
  })
})

it('reads settings from a file of the directory, or from one that is named, and says what is wrong with it', async () => {
  const cluster = await billing()
  const directory = temporaryFolder('cli-config')
  const around = { directory, environment: {} }
  const write = (name: string, text: string) => writeFileSync(join(directory, name), text)
  expect((await tidemark(cluster, 'group list', around)).exit).toBe(2)
  write('tidemark.config.json', '{ "kafka": { "brokers": ["kafka:9092"] } }')
  expect((await tidemark(cluster, 'group list', around)).exit).toBe(0)
  write('other.mjs', 'export default { kafka: { brokers: ["kafka:9092"] }, topic: [] }')
  const other = await tidemark(cluster, 'group list --config other.mjs', around)
  expect([other.exit, other.err]).toEqual([2, expect.stringContaining('topic is no setting; did you mean topics?')])
  const missing = await tidemark(cluster, 'group list --config none.json', around)
  expect([missing.exit, missing.err]).toEqual([2, expect.stringContaining('none.json could not be loaded')])
  await cluster.close()
})
