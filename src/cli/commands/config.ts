import type { Command } from 'commander'
import { profileOf } from '../../config/define-profile.js'
import { explainConfig, type ConfigSource } from '../../config/explain-config.js'
import type { Report } from '../report.js'
import type { Execute, Session } from '../session.js'
import { table } from '../table.js'

export function addConfig(program: Command, execute: Execute): void {
  const config = program.command('config').description('settings, as this command has them')
  config
    .command('explain')
    .description('each setting, its value and who gave it; secrets are hidden; asks no cluster')
    .action(() => execute(explainSettings))
}

/** In the words of the command line. */
const sources: Readonly<Record<ConfigSource, string>> = {
  user: 'option',
  environment: 'variable',
  file: 'file',
  profile: 'profile',
  default: 'default',
}

async function explainSettings(session: Session): Promise<Report> {
  const { driver, kafka, messaging, warnings, layers } = await session.settings()
  for (const warning of warnings) session.note(`warning: ${warning}`)
  const { clientId = 'tidemark', groupProtocol = 'classic' } = messaging
  const { name, producer, consumer, durability } = profileOf(messaging.profile ?? 'cp')
  const { clientId: _, ...connection } = kafka
  const explained = explainConfig(
    {
      ...(driver === null ? { kafka: connection } : { driver: driver.name }),
      clientId,
      profile: name,
      durability: messaging.durability ?? durability,
      groupProtocol,
      producer,
      consumer,
    },
    [...layers, { from: 'profile', values: { durability, producer, consumer } }],
  )
  const values = explained.map(({ path, value, from }) => ({ path, value, from: sources[from] }))
  return {
    value: values,
    text: (paint) =>
      table(
        paint,
        ['SETTING', 'VALUE', 'GIVEN BY'],
        values.map(({ path, value, from }) => [path, value, from]),
        'There are no settings.',
      ),
  }
}
