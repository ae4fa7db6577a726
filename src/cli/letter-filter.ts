import type { Command } from 'commander'
import type { LetterSelection } from '../redrive/selection.js'
import { gathered, moment, wholeFrom } from './arguments.js'

/** Options that say which letters are meant. */
export interface LetterFilter {
  readonly reason?: readonly string[] | undefined
  readonly error?: readonly string[] | undefined
  readonly key?: readonly string[] | undefined
  readonly origin?: readonly string[] | undefined
  readonly since?: number | undefined
  readonly until?: number | undefined
  readonly partition?: number | undefined
}

export function withLetterFilter(command: Command): Command {
  return command
    .option('--reason <name>', 'exhausted, undecodable, …; may be repeated', gathered)
    .option('--error <class>', 'class of the error, or of its cause; may be repeated', gathered)
    .option('--key <text>', 'key of the record; may be repeated', gathered)
    .option('--origin <topic>', 'topic it came from; may be repeated', gathered)
    .option('--since <time>', 'written at that time or later: 2026-01-02T15:04:05Z, 2026-01-02', moment)
    .option('--until <time>', 'written before that time', moment)
    .option('--partition <number>', 'of the dead-letter topic', wholeFrom(0))
}

export function selectionOf({ reason, error, key, origin, since, until, partition }: LetterFilter): LetterSelection {
  return {
    reason,
    error,
    key,
    origin,
    written: since === undefined && until === undefined ? undefined : { from: since, to: until },
    partitions: partition === undefined ? undefined : [partition],
  }
}
