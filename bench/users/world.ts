import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { CompiledProgram } from '../../test/support/compiled-program.js'
import { java, withTool } from '../../test/support/java.js'
import { startCluster, type KafkaCluster } from '../../test/support/kafka-cluster.js'
import { dieWithUs } from '../../test/support/reaper.js'
import { projectRoot } from '../../test/support/source-tree.js'
import { built, workingCopy } from '../built.js'
import type { CellOrder, CellTask } from './cell.js'
import { peersFolder, type ClientName } from './client.js'
import type { Figures, Span } from './figures.js'
import type { ReadingTask } from './reading-cell.js'
import type { SendingTask } from './sending-cell.js'
import { valuesOf } from './values.js'

/** The yardsticks, beside tidemark in two builds where `BENCH_FORMER` names the folder of another. */
export type Competitor = ClientName | 'java' | 'former'

const packageOf = { platformatic: '@platformatic/kafka', librdkafka: '@confluentinc/kafka-javascript' } as const
const former = process.env['BENCH_FORMER']

/** A Kafka that is left its compilers, and the programs that are measured on it, each cell in a process of its own. */
export class BenchWorld implements AsyncDisposable {
  #topics = 0

  private constructor(
    readonly cluster: KafkaCluster,
    readonly program: CompiledProgram,
    readonly dist: string,
  ) {}

  static async open(): Promise<BenchWorld> {
    const dist = await built(await workingCopy())
    const program = await CompiledProgram.compile(projectRoot, 'bench/users/cell.ts', 'bench-cell')
    const jvmFlags = ['-Xmx1500m', '-Xms1500m', '-Dtidemark.log=/dev/null']
    return new BenchWorld(await startCluster({ nodes: 1, jvmFlags }), program, dist)
  }

  get kafkaVersion(): string {
    return this.cluster.version
  }

  async topic(partitions: number): Promise<string> {
    const name = `bench-${(this.#topics += 1)}`
    await this.cluster.createTopic(name, { partitions, replicationFactor: 1 })
    return name
  }

  /** One whose logs its broker has open, where there are many: the first batches of 1,000 partitions take it seconds. */
  async warmTopic(partitions: number): Promise<string> {
    const name = await this.topic(partitions)
    if (partitions >= 100) await this.fill(name, 20 * partitions, true, 200, 'none')
    return name
  }

  /** Some gigabytes go with it. */
  async deleteTopic(name: string): Promise<void> {
    await this.cluster.deleteTopic(name)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster.stop()
    await this.program[Symbol.asyncDispose]()
  }

  /** `null` when the competitor is not here. */
  async run(competitor: Competitor, task: CellTask): Promise<Figures | null> {
    if (!isHere(competitor)) return null
    if (competitor === 'java') return this.#java(task)
    const dist = competitor === 'former' ? (former as string) : this.dist
    const client = competitor === 'former' ? 'tidemark' : competitor
    return this.#cell({ client, brokers: this.cluster.brokers, dist, task })
  }

  /** Fills a topic with Kafka's own producer. */
  async fill(topic: string, records: number, keyed: boolean, bytes: number, compression: string): Promise<void> {
    const settings = ['acks=all', 'linger.ms=5', 'batch.size=65536', `compression.type=${compression}`]
    await this.#speedTool(['fill', topic, keyed ? 'keyed' : '-', String(records), '-', ...settings], bytes)
  }

  async #cell(order: CellOrder): Promise<Figures> {
    const child = spawn(nodeOfPeers(), ['--expose-gc', this.program.file, JSON.stringify(order)], {
      cwd: projectRoot,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    dieWithUs(child)
    const timer = setTimeout(() => child.kill('SIGKILL'), cellMs)
    const output = await text(child.stdout)
    clearTimeout(timer)
    try {
      return JSON.parse(output.trim().split('\n').at(-1) ?? '') as Figures
    } catch (cause) {
      throw new Error(`${order.client}, ${JSON.stringify(order.task)}: the process did not end well`, { cause })
    }
  }

  async #java(task: CellTask): Promise<Figures | null> {
    if (task.kind === 'sending') return this.#javaSends(task)
    return task.kind === 'reading' ? this.#javaReads(task) : null
  }

  async #javaSends({ topic, keyed, compression, bytes, warmMs, ...span }: SendingTask): Promise<Figures> {
    const settings = ['acks=all', 'enable.idempotence=true', 'linger.ms=1', `compression.type=${compression}`]
    const warm = String(Math.max(javaWarmMs, warmMs))
    return this.#speedTool(['send', topic, keyed ? 'keyed' : '-', warm, spanText(span), ...settings], bytes)
  }

  async #javaReads({ topic, group, records, ...span }: ReadingTask): Promise<Figures> {
    const settings = [`group.id=${group}`, 'auto.offset.reset=earliest', 'enable.auto.commit=true']
    const measured = Math.floor(records / 2) // its compilers take longer than the fifth that the others have
    const limits = [String(records), String(records - measured), spanText({ ...span, records: measured })]
    return this.#speedTool(['read', topic, ...limits, ...settings], 0)
  }

  async #speedTool(args: readonly string[], bytes: number): Promise<Figures> {
    const brokers = `bootstrap.servers=${this.cluster.internalBrokers.join(',')}`
    const input = valuesOf(bytes).map((value) => `${value.toString('base64')}\n`)
    const output = await java(await withTool(this.cluster.installation, 'SpeedTool'), 'SpeedTool', [...args, brokers], {
      ...{ jvmFlags: ['-Xmx1g', '-Dtidemark.log=/dev/null'], timeoutMs: 300_000, input: input.join('') },
    })
    return toolFigures(output)
  }
}

/** Records, seconds, and seconds of CPU time. */
function toolFigures(output: string): Figures {
  const [count = 0, seconds = 1, cpuSeconds = 0] = output.trim().split('\t').map(Number)
  return { count, perSecond: count / seconds, cpuMicros: (cpuSeconds * 1e6) / count }
}

/** A client that hangs costs the others no more than this. */
const cellMs = 240_000

/** Its compilers are done only after some seconds. */
const javaWarmMs = 4_000

const spanText = ({ ms, records, slowMs }: Span) => [ms, records, slowMs].join()

/** All clients that run on Node run on the same one. */
function nodeOfPeers(): string {
  const newer = join(peersFolder ?? '', 'node_modules', 'node', 'bin', 'node')
  return peersFolder !== undefined && existsSync(newer) ? newer : process.execPath
}

export function isHere(competitor: Competitor): boolean {
  if (competitor === 'former') return former !== undefined
  if (competitor !== 'platformatic' && competitor !== 'librdkafka') return true
  return existsSync(join(peersFolder ?? '', 'node_modules', packageOf[competitor]))
}
