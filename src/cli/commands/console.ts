import type { Command } from 'commander'
import { address, gathered, timeOption, wholeFrom } from '../arguments.js'
import type { Execute } from '../session.js'
import type { ConsoleCommandOptions } from './console-server.js'

export function addConsole(program: Command, execute: Execute): void {
  program
    .command('console')
    .description(
      'a page that shows what the other commands tell, live, until ctrl-C; reads only, unless told otherwise',
    )
    .option('--port <number>', 'where it listens; 0 is any free port', wholeFrom(0), 8_090)
    .option('--host <address>', 'where it listens; elsewhere than on this machine all needs the token', '127.0.0.1')
    .option(
      '--host-name <name>',
      'a name it may be asked under, beside localhost and numbers; may be repeated',
      gathered,
    )
    .option('--members <urls...>', 'health servers of members: what each waits for, and since when', address)
    .option(
      '--redrive-to <topic>',
      'a topic that letters may be sent back to; may be repeated (default: none)',
      gathered,
    )
    .option('--allow-payloads', 'keys and values may be shown, one record at a time')
    .addOption(timeOption('--every <time>', 'how often it looks while somebody watches', '5s'))
    .action((options: ConsoleCommandOptions) =>
      execute(
        async (session) => {
          // No other command waits until a server is loaded.
          const { serveConsole } = await import('./console-server.js')
          return serveConsole(session, options)
        },
        { endsItself: true },
      ),
    )
}
