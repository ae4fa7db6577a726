import type { Command } from 'commander'
import type { Execute } from '../session.js'
import { addDlqList } from './dlq-list.js'
import { addDlqPeek } from './dlq-peek.js'
import { addDlqPurge } from './dlq-purge.js'
import { addDlqRedrive } from './dlq-redrive.js'
import { addDlqStats } from './dlq-stats.js'

export function addDlq(program: Command, execute: Execute): void {
  const dlq = program.command('dlq').description('dead letters: what is there, why, and back to where it came from')
  addDlqList(dlq, execute)
  addDlqStats(dlq, execute)
  addDlqPeek(dlq, execute)
  addDlqRedrive(dlq, execute)
  addDlqPurge(dlq, execute)
}
