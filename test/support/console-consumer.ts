import { eachLine, startJava } from './java.js'
import type { JavaTarget } from './java-client.js'

/** A line of Kafka's own console consumer. */
export interface ConsoleRecord {
  readonly partition: number
  readonly offset: number
  readonly value: string
}

export interface ConsoleConsumer {
  /** In the order in which they were printed. */
  readonly records: readonly ConsoleRecord[]
  stop(): Promise<void>
}

const mainClass = 'org.apache.kafka.tools.consumer.ConsoleConsumer'

/** Prints committed records of a topic from its beginning, and goes on until it is stopped. */
export function startConsoleConsumer(target: JavaTarget, topic: string): ConsoleConsumer {
  const { child, records, ended } = start(target, topic, [])
  return {
    records,
    stop: async () => {
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** As it prints them from the beginning until nothing more has come for a while. */
export async function readByConsole(target: JavaTarget, topic: string): Promise<readonly ConsoleRecord[]> {
  const { records, ended, errors } = start(target, topic, ['--timeout-ms', '8000'])
  // It ends with 1 where nothing more comes, as where it fails.
  await ended
  if (!/Processed a total of/.test(errors())) throw new Error(`the console consumer failed: ${errors()}`)
  return records
}

function start({ installation, internalBrokers }: JavaTarget, topic: string, more: readonly string[]) {
  const args = ['--bootstrap-server', internalBrokers.join(','), '--topic', topic, '--from-beginning']
  const printed = ['print.partition=true', 'print.offset=true'].flatMap((property) => ['--property', property])
  const isolation = ['--isolation-level', 'read_committed']
  const child = startJava(installation, mainClass, [...args, ...isolation, ...printed, ...more])
  const records: ConsoleRecord[] = []
  let errors = ''
  child.stdin.end()
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (errors = (errors + chunk).slice(-2_000)))
  eachLine(child, (line) => {
    const [, partition, offset, value] = /^Partition:(\d+)\tOffset:(\d+)\t(.*)$/.exec(line) ?? []
    if (value !== undefined) records.push({ partition: Number(partition), offset: Number(offset), value })
    else errors = `${errors}\n${line}`.slice(-2_000)
  })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  return { child, records, ended, errors: () => errors }
}
