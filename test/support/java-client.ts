import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { eachLine, java, startJava, withKafkaTool } from './java.js'
import type { KafkaInstallation } from './kafka-jars.js'
import { until } from './waiting.js'

/** What the Java client needs to know of a cluster; a `KafkaCluster` is one. */
export interface JavaTarget {
  readonly installation: KafkaInstallation
  readonly internalBrokers: readonly string[]
}

export interface JavaHeader {
  readonly name: string
  readonly value: Buffer | null
}

/** A record as Kafka's own client read it. */
export interface JavaRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly timestampMs: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly JavaHeader[]
}

export interface ReadOptions {
  /** Default `read_committed`. */
  readonly isolation?: 'read_committed' | 'read_uncommitted'
}

const kafkaTool = 'KafkaTool'
const bootstrap = ({ internalBrokers }: JavaTarget) => `bootstrap.servers=${internalBrokers.join(',')}`

/** Every record of a topic, by partition and offset, read by Kafka's Java consumer from the earliest offset to the end as it is now. */
export async function readTopic(target: JavaTarget, topic: string, options: ReadOptions = {}): Promise<JavaRecord[]> {
  const records: JavaRecord[] = []
  await scanTopic(target, topic, (record) => records.push(record), options)
  return records.sort((a, b) => a.partition - b.partition || a.offset - b.offset)
}

/** As `readTopic`, one record at a time, in order within each partition. Gives the end offset of each partition. */
export async function scanTopic(
  target: JavaTarget,
  topic: string,
  onRecord: (record: JavaRecord) => void,
  { isolation = 'read_committed' }: ReadOptions = {},
): Promise<ReadonlyMap<number, number>> {
  const ends = new Map<number, number>()
  const args = ['read', bootstrap(target), `isolation.level=${isolation}`, 'max.poll.records=5000', topic]
  await java(await withKafkaTool(target.installation), kafkaTool, args, {
    onLine: (line) => {
      const fields = line.split('\t')
      if (fields[0] === 'record') onRecord(parseRecord(fields))
      else if (fields[0] === 'end') ends.set(Number(fields[2]), Number(fields[3]))
    },
  })
  return ends
}

function parseRecord(fields: readonly string[]): JavaRecord {
  const [, topic = '', partition, offset, timestamp, key, value, ...headers] = fields
  return {
    topic,
    partition: Number(partition),
    offset: Number(offset),
    timestampMs: Number(timestamp),
    key: fromText(key),
    value: fromText(value),
    headers: Array.from({ length: headers.length / 2 }, (_, index) => ({
      name: fromText(headers[2 * index])?.toString() ?? '',
      value: fromText(headers[2 * index + 1]),
    })),
  }
}

const toText = (bytes: Buffer | string | null | undefined): string =>
  bytes === null || bytes === undefined ? '-' : Buffer.from(bytes as Buffer).toString('base64')
const fromText = (text: string | undefined): Buffer | null =>
  text === undefined || text === '-' ? null : Buffer.from(text, 'base64')

export interface JavaSend {
  readonly topic: string
  /** Default: the Java partitioner's choice. */
  readonly partition?: number
  readonly timestampMs?: number
  readonly key?: Buffer | string | null
  readonly value?: Buffer | string | null
  readonly headers?: readonly { readonly name: string; readonly value: Buffer | string | null }[]
}

export type JavaStep = JavaSend | 'begin' | 'commit' | 'abort' | 'flush'

export interface Stored {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

/**
 * Writes with Kafka's Java producer and tells where each record went. `properties` are the producer's own, as
 * `compression.type`, `acks`, or `transactional.id`, with which the steps say where transactions begin and end.
 */
export async function writeRecords(
  target: JavaTarget,
  steps: readonly JavaStep[],
  properties: Readonly<Record<string, string | number>> = {},
): Promise<Stored[]> {
  const settings = Object.entries(properties).map(([name, value]) => `${name}=${value}`)
  const output = await java(
    await withKafkaTool(target.installation),
    kafkaTool,
    ['write', bootstrap(target), ...settings],
    {
      input: steps.map((step) => `${line(step)}\n`).join(''),
    },
  )
  return output
    .split('\n')
    .filter((text) => text.startsWith('stored\t'))
    .map((text) => {
      const [, topic = '', partition, offset] = text.split('\t')
      return { topic, partition: Number(partition), offset: Number(offset) }
    })
}

/** A group's commits as Kafka's own client sees them. */
export interface JavaCommit {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly metadata: string
}

/** Copies a group's commits, metadata and all, as tools that mirror clusters do, and gives them. */
export async function copyCommits(from: JavaTarget, to: JavaTarget, group: string): Promise<JavaCommit[]> {
  const brokers = [from, to].map(({ internalBrokers }) => internalBrokers.join(','))
  const output = await java(await withKafkaTool(from.installation), kafkaTool, ['copy-commits', ...brokers, group])
  return output
    .split('\n')
    .filter((text) => text.startsWith('commit\t'))
    .map((text) => {
      const [, topic = '', partition, offset, metadata = ''] = text.split('\t')
      return { topic, partition: Number(partition), offset: Number(offset), metadata }
    })
}

function line(step: JavaStep): string {
  if (typeof step === 'string') return step
  const { topic, partition, timestampMs, key, value, headers = [] } = step
  const parts = ['record', topic, partition ?? '-', timestampMs ?? '-', toText(key), toText(value)]
  for (const header of headers) parts.push(toText(header.name), toText(header.value))
  return parts.join('\t')
}

export interface JavaMemberOptions {
  readonly group: string
  readonly topics: readonly string[]
  /** `default`: what the client offers when nothing is set, range and cooperative-sticky. */
  readonly assignor?: 'range' | 'roundrobin' | 'sticky' | 'cooperative-sticky' | 'default'
  /** Consumer properties, as `group.instance.id` or `session.timeout.ms`. */
  readonly properties?: Readonly<Record<string, string | number>>
}

/** A member of a classic group, run by Kafka's Java consumer in its own process; it commits what it polled. */
export interface JavaMember {
  readonly pid: number
  /** As `topic-partition`, sorted. */
  readonly assigned: readonly string[]
  /** How often partitions were assigned. */
  readonly assignments: number
  readonly records: readonly JavaRecord[]
  /** What its process said when it ended by itself. */
  readonly problem: string | null
  /** Leaves the group, commits first. */
  stop(): Promise<void>
  /** SIGKILL: the group learns of it by the session timeout. */
  kill(): Promise<void>
}

const assignors = {
  range: 'org.apache.kafka.clients.consumer.RangeAssignor',
  roundrobin: 'org.apache.kafka.clients.consumer.RoundRobinAssignor',
  sticky: 'org.apache.kafka.clients.consumer.StickyAssignor',
  'cooperative-sticky': 'org.apache.kafka.clients.consumer.CooperativeStickyAssignor',
}

/** Resolved when the member has its first assignment. */
export async function startJavaMember(
  target: JavaTarget,
  { group, topics, assignor = 'range', properties = {} }: JavaMemberOptions,
): Promise<JavaMember> {
  const settings = [
    bootstrap(target),
    `group.id=${group}`,
    ...(assignor === 'default' ? [] : [`partition.assignment.strategy=${assignors[assignor]}`]),
    ...Object.entries(properties).map(([name, value]) => `${name}=${value}`),
  ]
  const child = startJava(await withKafkaTool(target.installation), kafkaTool, ['member', ...settings, ...topics])
  const assigned = new Set<string>()
  const records: JavaRecord[] = []
  let assignments = 0
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (errors = (errors + chunk).slice(-2_000)))
  eachLine(child, (text) => {
    const fields = text.split('\t')
    switch (fields[0]) {
      case 'record':
        records.push(parseRecord(fields))
        break
      case 'assigned':
        assignments++
        for (const name of partitionNames(fields)) assigned.add(name)
        break
      case 'revoked':
      case 'lost':
        for (const name of partitionNames(fields)) assigned.delete(name)
        break
      default:
        errors = (errors + text).slice(-2_000)
    }
  })
  await until(`Java member of ${group} assigned`, () => {
    if (child.exitCode !== null) throw new Error(`the Java member ended with ${child.exitCode}: ${errors}`)
    return assignments > 0
  })
  let problem: string | null = null
  child.on('exit', (code) => {
    if (code !== null && code !== 0) problem = `the Java member ended with ${code}: ${errors}`
  })
  return {
    pid: child.pid ?? -1,
    get assigned() {
      return [...assigned].sort()
    },
    get assignments() {
      return assignments
    },
    records,
    get problem() {
      return problem
    },
    stop: () => endMember(child, () => child.stdin.end()),
    kill: () => endMember(child, () => child.kill('SIGKILL')),
  }
}

const partitionNames = (fields: readonly string[]): string[] =>
  Array.from({ length: (fields.length - 1) / 2 }, (_, index) => `${fields[1 + 2 * index]}-${fields[2 + 2 * index]}`)

async function endMember(child: ChildProcessWithoutNullStreams, ask: () => void): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()))
  ask()
  const timer = setTimeout(() => child.kill('SIGKILL'), 60_000)
  await gone
  clearTimeout(timer)
}
