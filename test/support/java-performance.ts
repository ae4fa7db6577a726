import type { JavaTarget } from './java-client.js'
import { java } from './java.js'

/** The JVM as it is by default: these runs are the yardstick. */
const fastJvm = ['-Xmx512m', '-Dtidemark.log=/dev/null']

export interface Throughput {
  readonly records: number
  readonly recordsPerSecond: number
  readonly megabytesPerSecond: number
  readonly seconds: number
}

export interface ProducerRun {
  readonly topic: string
  readonly records: number
  readonly recordBytes: number
  /** Properties of the Java producer. */
  readonly properties?: Readonly<Record<string, string | number>>
}

/** Kafka's own ProducerPerformance, unthrottled. */
export async function producerPerformance(
  target: JavaTarget,
  { topic, records, recordBytes, properties = {} }: ProducerRun,
): Promise<Throughput & { readonly averageLatencyMs: number }> {
  const settings = { 'bootstrap.servers': target.internalBrokers.join(','), ...properties }
  const output = await java(
    target.installation,
    'org.apache.kafka.tools.ProducerPerformance',
    [
      ...[
        '--topic',
        topic,
        '--num-records',
        String(records),
        '--record-size',
        String(recordBytes),
        '--throughput',
        '-1',
      ],
      '--producer-props',
      ...Object.entries(settings).map(([name, value]) => `${name}=${value}`),
    ],
    { jvmFlags: fastJvm, timeoutMs: 300_000 },
  )
  const last = output.trim().split('\n').at(-1) ?? ''
  const match = /^(\d+) records sent, ([\d.]+) records\/sec \(([\d.]+) MB\/sec\), ([\d.]+) ms avg latency/.exec(last)
  if (match === null) throw new Error(`ProducerPerformance ended with an unexpected line: ${last}`)
  const [sent = 0, recordsPerSecond = 0, megabytesPerSecond = 0, averageLatencyMs = 0] = match.slice(1).map(Number)
  return { records: sent, recordsPerSecond, megabytesPerSecond, seconds: sent / recordsPerSecond, averageLatencyMs }
}

export interface ConsumerRun {
  readonly topic: string
  readonly records: number
}

/** Kafka's own ConsumerPerformance from the earliest offset. The speed leaves out the time to join its group. */
export async function consumerPerformance(target: JavaTarget, { topic, records }: ConsumerRun): Promise<Throughput> {
  const output = await java(
    target.installation,
    'org.apache.kafka.tools.ConsumerPerformance',
    [
      '--bootstrap-server',
      target.internalBrokers.join(','),
      '--topic',
      topic,
      '--messages',
      String(records),
      '--timeout',
      '30000',
    ],
    { jvmFlags: fastJvm, timeoutMs: 300_000 },
  )
  const lines = output.trim().split('\n')
  const names = (lines.find((line) => line.startsWith('start.time')) ?? '').split(', ')
  const values = (lines.at(-1) ?? '').split(', ')
  const field = (name: string): number => {
    const value = Number(values[names.indexOf(name)])
    if (Number.isNaN(value)) throw new Error(`ConsumerPerformance printed no ${name}:\n${output}`)
    return value
  }
  const read = field('data.consumed.in.nMsg')
  const seconds = field('fetch.time.ms') / 1_000
  return {
    records: read,
    seconds,
    recordsPerSecond: read / seconds,
    megabytesPerSecond: field('data.consumed.in.MB') / seconds,
  }
}
