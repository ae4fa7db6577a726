import type { Command } from 'commander'
import { exitCode } from '../exit-code.js'
import { printable } from '../../text/printable.js'
import type { Report } from '../report.js'
import type { Execute, Session } from '../session.js'

interface Options {
  readonly yes?: boolean | undefined
}

export function addGroupDelete(group: Command, execute: Execute): void {
  group
    .command('delete')
    .description('deletes groups without members, with all they have committed')
    .argument('<groups...>')
    .option('-y, --yes', 'do not ask')
    .action((groups: readonly string[], options: Options) =>
      execute((session) => deleteGroups(session, groups, options)),
    )
}

async function deleteGroups(session: Session, groups: readonly string[], { yes }: Options): Promise<Report> {
  const { admin } = await session.cluster()
  await session.confirm(`delete ${groups.join(', ')} and what they have committed`, yes)
  const deleted = await session.change(() => admin.deleteGroups(groups, session.call))
  const unknown = groups.filter((name) => !deleted.includes(name))
  return {
    value: { deleted, unknown },
    text: () =>
      [
        ...deleted.map((name) => `Deleted ${printable(name)}.\n`),
        ...unknown.map((name) => `No coordinator knows group ${printable(name)}.\n`),
      ].join(''),
    exit: unknown.length === 0 ? exitCode.fine : exitCode.found,
  }
}
