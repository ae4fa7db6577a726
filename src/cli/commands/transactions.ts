import type { Command } from 'commander'
import { gathered } from '../arguments.js'
import type { Execute } from '../session.js'
import { listTransactions, type ListOptions } from './transactions-list.js'
import { openTransactions, type OpenOptions } from './transactions-open.js'

export function addTransactions(program: Command, execute: Execute): void {
  const transactions = program
    .command('transactions')
    .description('who has transactions, and which one holds up readers of committed records (Kafka 3.0 and newer)')
  transactions
    .command('list')
    .description('transactional ids, with the transaction that each has open')
    .option('--state <name>', 'only of this state, for example Ongoing; may be repeated', gathered)
    .action((options: ListOptions) => execute((session) => listTransactions(session, options)))
  transactions
    .command('open')
    .description('transactions that are open in partitions; ends with 1 when nobody will end one')
    .argument('[topics...]', 'default: with --group what it has committed, else all topics')
    .option('--group <name>', 'what this group reads')
    .action((topics: readonly string[], options: OpenOptions) =>
      execute((session) => openTransactions(session, topics, options)),
    )
}
