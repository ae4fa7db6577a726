import type { Command } from 'commander'
import { gathered } from '../arguments.js'
import type { Report } from '../report.js'
import type { Execute, Session } from '../session.js'
import { table } from '../table.js'

interface Options {
  readonly state?: readonly string[] | undefined
  readonly type?: readonly string[] | undefined
}

export function addGroupList(group: Command, execute: Execute): void {
  group
    .command('list')
    .description('all groups, with state and type')
    .option('--state <name>', 'only of this state, for example Stable or Empty; may be repeated', gathered)
    .option('--type <name>', 'only of this type: classic, consumer or share; may be repeated', gathered)
    .action((options: Options) => execute((session) => listGroups(session, options)))
}

async function listGroups(session: Session, { state, type }: Options): Promise<Report> {
  const { admin } = await session.cluster()
  const listed = await admin.listGroups({ states: state, types: type, ...session.call })
  const groups = [...listed].sort((one, other) => (one.groupId < other.groupId ? -1 : 1))
  return {
    value: groups,
    text: (paint) =>
      table(
        paint,
        ['GROUP', 'STATE', 'TYPE', 'PROTOCOL'],
        groups.map(({ groupId, state: is, type: kind, protocolType }) => [groupId, is, kind, protocolType]),
        state === undefined && type === undefined ? 'There is no group.' : 'There is no such group.',
      ),
  }
}
