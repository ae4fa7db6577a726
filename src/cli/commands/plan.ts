import type { Command } from 'commander'
import { planCapacity, type CapacityPlan } from '../../capacity/plan-capacity.js'
import { bytes, duration, numberFrom, wholeFrom } from '../arguments.js'
import { sizeText, timeText } from '../../text/figures.js'
import type { Paint } from '../paint.js'
import type { Report } from '../report.js'
import type { Execute } from '../session.js'
import { listing, table } from '../table.js'

interface Options {
  readonly rate: number
  readonly size: number
  readonly retention: number
  readonly replicas?: number | undefined
  readonly groups?: number | undefined
  readonly headroom?: number | undefined
  readonly growth?: number | undefined
  readonly keyed?: boolean | undefined
  readonly handler?: number | undefined
  readonly atOnce?: number | undefined
  readonly perProcess?: number | undefined
  readonly processes?: number | undefined
  readonly outage?: number | undefined
  readonly reorder?: number | undefined
  readonly brokersCount?: number | undefined
  readonly disk?: number | undefined
  readonly network?: number | undefined
}

export function addPlan(program: Command, execute: Execute): void {
  program
    .command('plan')
    .description('partitions, processes, brokers, disk and network that a topic needs; asks no cluster')
    .requiredOption('--rate <number>', 'messages per second, in the busiest hour', numberFrom(0))
    .requiredOption('--size <bytes>', 'of a message as it is stored, for example 700 or 1.5kB', bytes)
    .requiredOption('--retention <time>', 'how long messages are kept, for example 3d', duration)
    .option('--replicas <count>', 'copies of each partition (default: 3)', wholeFrom(1))
    .option('--groups <count>', 'groups that read all of it (default: 1)', wholeFrom(0))
    .option('--headroom <part>', 'added for what nobody foresaw (default: 0.4)', numberFrom(0))
    .option('--growth <times>', 'how many times as much it will be (default: 1)', numberFrom(1))
    .option('--no-keyed', 'messages have no keys, so partitions may be added later')
    .option('--handler <time>', 'how long a handler takes for one message', duration)
    .option('--at-once <count>', 'handlers at once for one partition (default: 1)', wholeFrom(1))
    .option('--per-process <number>', 'messages per second that one process handles', numberFrom(0))
    .option('--processes <count>', 'processes that are planned', wholeFrom(1))
    .option('--outage <time>', 'how long consumers may be down (default: 1h)', duration)
    .option('--reorder <time>', 'how long records wait for those before them by event time', duration)
    .option('--brokers-count <count>', 'brokers of the cluster (default: 3)', wholeFrom(1))
    .option('--disk <bytes>', 'of one broker, for example 2TB', bytes)
    .option('--network <bytes>', 'per second, of one broker in each direction', bytes)
    .action((options: Options) => execute(async () => planOf(options)))
}

function planOf(options: Options): Report {
  const { handler, brokersCount, disk, network } = options
  const plan = planCapacity({
    messagesPerSecond: options.rate,
    messageBytes: options.size,
    retentionMs: options.retention,
    replicationFactor: options.replicas,
    groups: options.groups,
    headroom: options.headroom,
    growth: options.growth,
    keyed: options.keyed,
    handler: handler === undefined ? undefined : { ms: handler, atOnce: options.atOnce },
    perProcess: options.perProcess,
    processes: options.processes,
    outageMs: options.outage,
    reorderMs: options.reorder,
    brokers: { count: brokersCount, diskBytes: disk, bytesPerSecond: network },
  })
  return { value: plan, text: (paint) => planText(paint, plan) }
}

function planText(paint: Paint, plan: CapacityPlan): string {
  const { partitions, binding, processes, brokers, catchUpMs, reorderBytes } = plan
  const summary = listing(paint, [
    ['partitions', { text: `${partitions}, decided by ${binding.name}`, tone: 'title' }],
    ['processes', processes],
    ['brokers', `${brokers}, of which one may be down`],
    ['disk', `${sizeText(plan.storageBytes)} in all replicas`],
    ['network in', `${sizeText(plan.inBytesPerSecond)}/s over all brokers`],
    ['network out', `${sizeText(plan.outBytesPerSecond)}/s over all brokers`],
    ['catching up', catchUpMs === null ? { text: 'never', tone: 'bad' } : timeText(catchUpMs)],
    ...(reorderBytes === 0 ? [] : [['held to reorder', `${sizeText(reorderBytes)} in one process`] as const]),
  ])
  const terms = table(
    paint,
    ['PARTITIONS FOR', 'NEEDED', 'FORMULA'],
    plan.terms.map(({ name, partitions: needed, formula }) => [name, needed, formula]),
    '',
  )
  const limits = table(
    paint,
    ['LIMIT', 'USED WHILE ONE BROKER IS DOWN', 'FORMULA'],
    plan.limits.map(({ limit, used, formula }) => [
      limit,
      { text: `${Math.ceil(used * 100)} %`, tone: used > 1 ? 'bad' : 'plain' },
      formula,
    ]),
    '',
  )
  const formulas = plan.formulas.map((formula) => `${paint('quiet', formula)}\n`).join('')
  const warnings = plan.warnings.map(({ code, message }) => `${paint('warning', code)}: ${message}\n`).join('')
  return [summary, terms, limits, formulas, warnings].filter((part) => part !== '').join('\n')
}
