import type { Command } from 'commander'
import type { Message } from '../../message/message.js'
import { rawTopic } from '../../redrive/raw-reading.js'
import { thrownText } from '../../runtime/thrown.js'
import type { Serde } from '../../serde/serde.js'
import type { Topic } from '../../topic/topic.js'
import { moment, wholeFrom } from '../arguments.js'
import type { TopicInFile } from '../config-file.js'
import { momentText } from '../../text/figures.js'
import { printable, printableJson } from '../../text/printable.js'
import { partsOf, readRecords } from '../../letters/read-records.js'
import type { Report } from '../report.js'
import type { Execute, Session } from '../session.js'
import { bytesText, shownBytes, type ShownBytes } from '../../text/shown-bytes.js'

interface Options {
  readonly lines: number
  readonly follow?: boolean | undefined
  readonly since?: number | undefined
  readonly partition?: number | undefined
  readonly headers?: boolean | undefined
}

export function addTail(program: Command, execute: Execute): void {
  program
    .command('tail')
    .description('the last records of a topic, decoded as tidemark.config.ts defines it; in no group, nobody notices')
    .argument('<topic>')
    .option('-n, --lines <count>', 'so many of each partition', wholeFrom(0), 10)
    .option('-f, --follow', 'go on with what comes, until ctrl-C')
    .option('--since <time>', 'not older than that: 2026-01-02T15:04:05Z', moment)
    .option('--partition <number>', 'this one alone', wholeFrom(0))
    .option('--headers', 'show headers')
    .action((topic: string, options: Options) =>
      execute((session) => tail(session, topic, options), { endsItself: options.follow === true }),
    )
}

async function tail(session: Session, name: string, options: Options): Promise<Report> {
  const { topics = [] } = await session.file()
  const defined: DefinedTopic | undefined = topics.find((one) => one.name === name)
  const topic = shownTopic(name, defined)
  const { lines: most, since, partition, follow } = options
  const reading = await session.reading()
  const { parts, unseen } = await partsOf(reading, name, { most, since, partition })
  const exit = session.noteUnseen(unseen)
  const wanted = follow ? parts.map((part) => ({ ...part, to: Infinity })) : parts
  try {
    await readRecords(reading, topic, wanted, (message) => {
      // Times need not rise: behind the first that is young enough there may be older ones.
      if (message.timestamp < (since ?? 0)) return
      show(session, message, shownKey(defined?.keySerde, message.key), options)
    })
  } catch (error) {
    if (!follow || !session.signal.aborted) throw error
  }
  return { value: null, text: () => '', follows: 'nothing', exit }
}

/** A value as it is shown, or the bytes of one that cannot be decoded, and why. */
type Shown = { readonly value: unknown } | { readonly value: ShownBytes; readonly undecodable: string }

/** In JSON without its serdes. */
type DefinedTopic = TopicInFile & Partial<Pick<Topic, 'value' | 'keySerde'>>

/** A topic whose records are all shown: what cannot be decoded stops nothing. */
function shownTopic(name: string, { value: serde, keySerde }: Partial<DefinedTopic> = {}): Topic<Shown> {
  const decode = (bytes: Buffer | null): Shown => {
    if (serde === undefined) return { value: shownBytes(bytes) }
    try {
      return { value: serde.decode(bytes) }
    } catch (error) {
      return { value: shownBytes(bytes), undecodable: thrownText(error).message }
    }
  }
  const { partitioner, partitions, replicationFactor, configs } = rawTopic(name)
  const value = { name: serde?.name ?? 'bytes', encode: () => null, decode, reading: serde?.reading }
  return { name, value, keySerde, keyOf: () => null, partitioner, partitions, replicationFactor, configs }
}

/** What its serde makes of a key; the bytes where there is none, or it cannot. */
function shownKey(serde: Serde<unknown> | undefined, key: Buffer | null): unknown {
  if (serde === undefined || key === null) return shownBytes(key)
  try {
    return plain(serde.decode(key))
  } catch {
    return shownBytes(key)
  }
}

function show({ terminal, json }: Session, message: Message<Shown>, key: unknown, { headers }: Options): void {
  const { topic, partition, offset, timestamp, value: shown } = message
  const pairs = headers ? [...message.headers].map(([name, bytes]) => [name, shownBytes(bytes)] as const) : undefined
  if (json) {
    const record = { topic, partition, offset, timestamp, key, ...shown, headers: pairs }
    terminal.write(`${printableJson(plain(record))}\n`)
    return
  }
  const keyText = key === null ? '' : ` ${keyTextOf(key)}`
  const text = 'undecodable' in shown ? `${valueText(shown.value)} (${shown.undecodable})` : valueText(shown.value)
  const head = `${momentText(timestamp)} ${partition}@${offset}${keyText}`
  terminal.write(`${printable(`${head} ${text}`)}\n`)
  for (const [name, bytes] of pairs ?? []) terminal.write(`  ${printable(`${name}: ${bytesText(bytes)}`)}\n`)
}

function keyTextOf(key: unknown): string {
  const isBytes = typeof key === 'object' && key !== null && 'base64' in key
  return isBytes ? bytesText(key as ShownBytes) : valueText(key)
}

function valueText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(plain(value))
}

/** Without what JSON has no word for. */
function plain(value: unknown): unknown {
  const text = JSON.stringify(value, (_, field: unknown) => (typeof field === 'bigint' ? String(field) : field))
  return text === undefined ? null : (JSON.parse(text) as unknown)
}
