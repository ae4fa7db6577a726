/** A one-line bug. `find` occurs exactly once in `file`. */
export interface Mutant {
  readonly name: string
  readonly file: string
  readonly find: string
  readonly replace: string
  /** What it does to users. */
  readonly why: string
}

/** Bugs of the kind that people write. Each must be found by simulation. */
export const mutants: readonly Mutant[] = [
  {
    name: 'epoch is kept after doubt at the deadline',
    file: 'src/protocol/producer-delivery.ts',
    find: "this.#inDoubt ? 'raise-epoch' : 'keep', code)",
    replace: "'keep', code)",
    why: 'the next batch takes the sequence of one that may be stored, and is dropped as its repeat',
  },
  {
    name: 'epoch is not counted up',
    file: 'src/protocol/producer-state.ts',
    find: 'producerEpoch: producerEpoch + 1 }',
    replace: 'producerEpoch }',
    why: 'the sequence starts again within the same epoch, so new batches look like old ones',
  },
  {
    name: 'sequence does not move on',
    file: 'src/protocol/producer-state.ts',
    find: 'this.#nextSequence = (this.#nextSequence + recordCount) % sequenceCount',
    replace: 'void recordCount',
    why: 'every batch looks like a repeat of the first',
  },
  {
    name: 'a lost answer counts as not stored',
    file: 'src/protocol/produce-decision.ts',
    find: "return end.error.sent === 'maybe'",
    replace: 'return false',
    why: 'the caller sends again what is in the log',
  },
  {
    name: 'a batch gets a new sequence for every attempt',
    file: 'src/protocol/producer-delivery.ts',
    find: "if (identity === 'raise-epoch') {\n      this.#changeIdentity(identity, reason)",
    replace: "if (true) {\n      this.#changeIdentity('raise-epoch', reason)",
    why: 'the broker cannot tell a repeat, and stores it twice',
  },
  {
    name: 'REQUEST_TIMED_OUT counts as never appended',
    file: 'src/protocol/produce-codes.ts',
    find: "REQUEST_TIMED_OUT: { action: 'retry', appended: 'maybe' }",
    replace: "REQUEST_TIMED_OUT: { action: 'retry', appended: 'never' }",
    why: 'the leader has the batch and only its followers were late: the caller sends again what is in the log',
  },
  {
    name: 'an attempt without an answer counts as stored',
    file: 'src/protocol/produce-decision.ts',
    find: "if (end.kind === 'written') return",
    replace: "if (end.kind === 'written' || end.kind === 'failed') return",
    why: 'a send resolves although nothing is known of the record',
  },
  {
    name: 'fetch goes on one record too far',
    file: 'src/protocol/fetcher.ts',
    find: 'partition.position = nextOffset\n',
    replace: 'partition.position = nextOffset + 1\n',
    why: 'the first record of each fetch is never handled',
  },
  {
    name: 'an answer to an old question is taken',
    file: 'src/protocol/fetcher.ts',
    find: 'this.#partitions.get(key) === partition && partition.token === token && partition.isDue',
    replace: 'token >= 0',
    why: 'records of a partition that was given up are handed over',
  },
  {
    name: 'records of aborted transactions are handed over',
    file: 'src/protocol/readable-records.ts',
    find: 'return !(batch.isTransactional && this.#open.has(batch.producerId))',
    replace: 'return true',
    why: 'readers act on what was taken back',
  },
  {
    name: 'the committed offset is read as the last one handled',
    file: 'src/protocol/offset-start.ts',
    find: 'points.push({ topic, partition, position: offset, committed: { offset, metadata }, error: null })',
    replace: 'points.push({ topic, partition, position: offset + 1, committed: { offset, metadata }, error: null })',
    why: 'every new owner skips a record',
  },
  {
    name: 'rejoins without waiting for the drain',
    file: 'src/protocol/group-member.ts',
    find: 'else await this.#drain(generation)',
    replace: 'else void this.#drain(generation)',
    why: 'the next owner starts while handlers still run, and what they finish cannot be committed',
  },
  {
    name: 'added partitions are not noticed',
    file: 'src/protocol/topic-watch.ts',
    find: 'const differs = () => [...partitionCounts(cluster, topics)].some(([topic, count]) => known.get(topic) !== count)',
    replace: 'const differs = () => known.size < 0',
    why: 'their records are handled only after some other rebalance',
  },
  {
    name: 'the next batch of a partition does not wait for the one before',
    file: 'src/producer/accumulator.ts',
    find: "if (queue.state === 'empty') this.#makeReady(queue)",
    replace: "if (queue.state !== 'ready') this.#makeReady(queue)",
    why: 'batches overtake each other',
  },
  {
    name: 'every record of a batch gets the offset of its first',
    file: 'src/producer/sender.ts',
    find: 'baseOffset === null ? null : baseOffset + index',
    replace: 'baseOffset',
    why: 'receipts name other records',
  },
  {
    name: 'an unknown outcome is told as not stored',
    file: 'src/producer/sender.ts',
    find: 'return new SendError(error.code, outcome.outcome, ',
    replace: "return new SendError(error.code, 'not-stored', ",
    why: 'the caller sends again what is in the log',
  },
  {
    name: 'a record is settled when its handler starts',
    file: 'src/consumer/at-least-once.ts',
    find: 'await run.outcome(handled)',
    replace: 'void run.outcome(handled).catch(() => undefined)',
    why: 'a crash loses what was being handled',
  },
  {
    name: 'the order of a partition is not kept',
    file: 'src/consumer/dispatch.ts',
    find: "if (order === 'partition') return ''",
    replace: "if (order === 'partition') return null",
    why: 'records of a partition are handled side by side',
  },
  {
    name: 'a lane starts its next task before the former has ended',
    file: 'src/runtime/keyed-lanes.ts',
    find: "if (this.#state !== 'empty') return false",
    replace: "if (this.#state === 'ready') return false",
    why: 'two records of a key are handled at the same time',
  },
  {
    name: 'a dead letter is not awaited',
    file: 'src/consumer/failures.ts',
    find: 'const error = await tryRoute(route, failed, partition.signal)',
    replace: 'const error = await Promise.race([tryRoute(route, failed, partition.signal), null])',
    why: 'the source is committed while the dead letter may never be stored',
  },
  {
    name: 'the highest received offset is committed',
    file: 'src/offsets/offset-tracker.ts',
    find: 'return this.#head < this.#tail ? (this.#offsets[this.#head & this.#mask] as number) : this.#end',
    replace: 'return this.#end',
    why: 'a crash loses everything that was received',
  },
  {
    name: 'completed ranges are one record too long',
    file: 'src/offsets/completed-ranges.ts',
    find: '(to - from).toString(36)',
    replace: '(to - from + 1).toString(36)',
    why: 'after a restart the record behind a finished range is never handled',
  },
  {
    name: 'a drain does not report what it could not commit',
    file: 'src/consumer/drain.ts',
    find: 'possibleDuplicates: partitions.flatMap((partition) => possibleDuplicates(partition, committer)),',
    replace: 'possibleDuplicates: [],',
    why: 'nobody knows what may be handled twice',
  },
  {
    name: 'a commit without an answer is forgotten once a newer one is answered',
    file: 'src/consumer/commit-doubts.ts',
    find: 'if (doubt !== null) least = commonProgress(least, doubt.least)',
    replace: '',
    why: 'it lands late and takes the group back, and the repeats are in no report',
  },
  {
    name: 'a commit without an answer is not overwritten later',
    file: 'src/consumer/committer.ts',
    find: 'if (this.#doubts.isOpen(partition)) partition.uncommitted = true',
    replace: '',
    why: 'it lands late, and a group without new records stays behind for good',
  },
  {
    name: 'a paused partition is not resumed',
    file: 'src/consumer/back-pressure.ts',
    find: "this.resume(partition, 'marks')",
    replace: "partition.pauses.delete('marks')",
    why: 'a partition that was too fast once is never read again',
  },
]
