import { Command } from 'commander'
import { SOFTWARE } from '../wire/apis/api-versions.js'
import { timeOption } from './arguments.js'
import { addConfig } from './commands/config.js'
import { addConsole } from './commands/console.js'
import { addDlq } from './commands/dlq.js'
import { addDoctor } from './commands/doctor.js'
import { addGroup } from './commands/group.js'
import { addLag } from './commands/lag.js'
import { addPlan } from './commands/plan.js'
import { addProfile } from './commands/profile.js'
import { addTail } from './commands/tail.js'
import { addTopics } from './commands/topics.js'
import { addTransactions } from './commands/transactions.js'
import { printableLines } from '../text/printable.js'
import type { Execute } from './session.js'
import type { Terminal } from './terminal.js'

const exits = `
Ends with 0 when nothing was found, 1 when something was, 2 on wrong use or without a yes, 3 when the cluster does not
answer, 4 when it refuses, 5 on a defect of the command, 130 when interrupted.

Brokers and credentials also come from variables (KAFKA_BROKERS, KAFKA_SSL, KAFKA_SASL_MECHANISM, …) or from
tidemark.config.ts, .js, .mjs or .json in this directory. A password is never an option: KAFKA_SASL_PASSWORD.`

/** All commands there are. Each says in a file of its own what it takes and what it does. */
export function programOf(terminal: Terminal, execute: Execute): Command {
  const program = new Command('tidemark')
    // Before the commands are added, which take it over.
    .configureOutput({
      writeOut: (text) => terminal.write(printableLines(text)),
      writeErr: (text) => terminal.writeError(printableLines(text)),
      getOutHelpWidth: () => terminal.columns,
      getErrHelpWidth: () => terminal.columns,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .description('Looks after Kafka clusters, topics, groups and dead letters')
    .version(SOFTWARE.version)
    .exitOverride()
    .showHelpAfterError('(tidemark --help, or tidemark <command> --help, tells more)')
    .option('-b, --brokers <list>', 'brokers to begin with: host:port, separated by commas')
    .option('--config <file>', 'settings in a file (default: tidemark.config.* of this directory)')
    .option('--client-id <name>', 'name of this client in logs and quotas of brokers')
    .option('--tls', 'connect by TLS')
    .option('--no-tls', 'connect without TLS')
    .option('--tls-ca <file>', 'certificate authorities, PEM')
    .option('--tls-cert <file>', 'client certificate, PEM')
    .option('--tls-key <file>', 'key of the client certificate, PEM')
    .option('--sasl-mechanism <name>', 'plain, scram-sha-256 or scram-sha-512')
    .option('--sasl-username <name>', 'user; the password is read from KAFKA_SASL_PASSWORD')
    .option('--profile <name>', 'ap, cp or transactional')
    .addOption(timeOption('--timeout <time>', 'how long the cluster may take for an answer', '10s'))
    .option('--json', 'print data instead of tables')
    .addHelpText('after', exits)
  addGroup(program, execute)
  addLag(program, execute)
  addPlan(program, execute)
  addProfile(program, execute)
  addConfig(program, execute)
  addTopics(program, execute)
  addTransactions(program, execute)
  addDlq(program, execute)
  addDoctor(program, execute)
  addTail(program, execute)
  addConsole(program, execute)
  return program
}
