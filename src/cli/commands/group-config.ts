import { InvalidArgumentError, type Command } from 'commander'
import { gathered } from '../arguments.js'
import { carryOut, type ChangeOptions } from '../change.js'
import type { Paint } from '../paint.js'
import type { Report } from '../report.js'
import type { Execute, Session } from '../session.js'
import { table } from '../table.js'
import { WrongUse } from '../wrong-use.js'

type Change = readonly [name: string, to: string | null]

interface Options extends ChangeOptions {
  readonly set?: readonly Change[] | undefined
  readonly unset?: readonly string[] | undefined
}

export function addGroupConfig(group: Command, execute: Execute): void {
  group
    .command('config')
    .description('settings that brokers keep for a group (Kafka 4.0 and newer); changes those that are named')
    .argument('<group>')
    .option('--set <name=value>', 'for example consumer.session.timeout.ms=60000; may be repeated', change)
    .option('--unset <name>', 'as the brokers have it for all groups; may be repeated', gathered)
    .option('--dry-run', 'show only')
    .option('-y, --yes', 'do not ask')
    .action((name: string, options: Options) => execute((session) => configure(session, name, options)))
}

function change(text: string, before: readonly Change[] = []): readonly Change[] {
  const [, name, to] = /^([a-z][a-z0-9.]*)=(.+)$/.exec(text) ?? []
  if (name === undefined || to === undefined) {
    throw new InvalidArgumentError('Write name=value, for example consumer.session.timeout.ms=60000.')
  }
  return [...before, [name, to]]
}

interface Setting {
  readonly name: string
  readonly is: string | null
  /** `null`: what the brokers have for all groups. */
  readonly becomes: string | null
}

async function configure(session: Session, group: string, options: Options): Promise<Report> {
  const { set = [], unset = [] } = options
  const changes = new Map<string, string | null>([...set, ...unset.map((name) => [name, null] as const)])
  if (changes.size < set.length + unset.length) throw new WrongUse('name each setting once')
  const { admin } = await session.cluster()
  const now = await admin.describeConfig('group', group, session.call)
  const meant =
    changes.size === 0
      ? [...now].map(([name, is]): Setting => ({ name, is, becomes: is }))
      : [...changes].map(([name, becomes]): Setting => ({ name, is: now.get(name) ?? null, becomes }))
  const shown = (paint: Paint) => settingsText(paint, meant, changes.size > 0)
  return carryOut(session, options, {
    isEmpty: changes.size === 0,
    question: `change ${changes.size} setting(s) of group ${group}`,
    plan: shown,
    work: () => admin.alterConfig('group', group, Object.fromEntries(changes), session.call),
    report: (done) => ({
      value: { group, done: done !== null, settings: meant },
      text: (paint) => shown(paint) + (done === null ? '' : '\nThey are set.\n'),
    }),
  })
}

function settingsText(paint: Paint, settings: readonly Setting[], isChange: boolean): string {
  return table(
    paint,
    isChange ? ['SETTING', 'IS', 'BECOMES'] : ['SETTING', 'IS'],
    settings.map(({ name, is, becomes }) => [name, is, ...(isChange ? [becomes ?? 'as for all groups'] : [])]),
    'Brokers keep no settings for groups.',
  )
}
