/** How often each thing that a run is meant to meet was met. */
export type Counts = Readonly<Record<string, number>>

export class Coverage {
  readonly #counts = new Map<string, number>()

  met(cell: string, times = 1): void {
    this.#counts.set(cell, (this.#counts.get(cell) ?? 0) + times)
  }

  get counts(): Counts {
    return Object.fromEntries(this.#counts)
  }
}

export function addCounts(total: Record<string, number>, counts: Counts): void {
  for (const [cell, count] of Object.entries(counts)) total[cell] = (total[cell] ?? 0) + count
}

/**
 * What seeds must meet, by cell: least number in a thousand seeds. What is rare is asked of many seeds only,
 * and what comes but once or twice in a thousand is not asked for: some thousands rightly meet none
 * ('revoked: handler running, commit out, fetch none', whose parts are each asked for with others).
 */
const leastInThousandSeeds: Counts = {
  'revoked: handler idle, commit none, fetch none': 200,
  'revoked: handler idle, commit none, fetch out': 8000,
  'revoked: handler idle, commit out, fetch none': 6,
  'revoked: handler idle, commit out, fetch out': 250,
  'revoked: handler running, commit none, fetch none': 15,
  'revoked: handler running, commit none, fetch out': 300,
  'revoked: handler running, commit out, fetch out': 40,
  'revoked while draining': 4,
  'revoked while paused by the user': 200,
  'lost: handler idle, commit none, fetch out': 2000,
  'lost: handler idle, commit out, fetch out': 120,
  'lost: handler running, commit none, fetch out': 150,
  'lost: handler running, commit out, fetch out': 15,
  'lost while draining': 100,
  'lost while paused by the user': 150,
  'drain: lost': 800,
  'drain: revoked': 2000,
  'drain: stopped': 1400,
  'handlers abandoned by a drain: lost': 350,
  'handlers abandoned by a drain: revoked': 90,
  'handlers abandoned by a drain: stopped': 10,
  'late completion refused': 350,
  'handler ended after its partition was gone': 120,
  'handler ended after its signal aborted, partition still ours': 250,
  'handler returns when its signal aborts': 100,
  'handler throws when its signal aborts': 100,
  'handler failed: dead-letter': 1400,
  'handler throws what is no error': 900,
  'listener fails: throw': 300,
  'listener fails: reject': 200,
  'logger fails: throw': 50,
  'logger fails: reject': 50,
  'metrics fails: throw': 60000,
  'metrics fails: reject': 60000,
  'dependency down: error': 300,
  'dependency down: unavailable': 150,
  'batch failed at a message': 100,
  'outage with nobody to blame': 40,
  'handler failed: discard': 600,
  'handler failed: stop': 400,
  'partition stopped: handler-failed': 400,
  'partition stopped: offset-out-of-range': 80,
  'partition stopped: flood': 250,
  'partition stopped: stopped-behind': 200,
  'partition restarted': 400,
  'letter that points to its origin': 400,
  'given up in doubt': 600,
  'given up in doubt again': 250,
  'jump out of range: earliest': 90,
  'jump out of range: latest': 90,
  'log truncated by retention': 450,
  'log truncated in front of a reader': 180,
  'commit without an answer': 900,
  'commit refused: UNKNOWN_MEMBER_ID': 500,
  'commit refused: NOT_COORDINATOR': 600,
  'commit refused: REBALANCE_IN_PROGRESS': 30,
  'commit refused: FENCED_INSTANCE_ID': 15,
  'commit refused: COORDINATOR_LOAD_IN_PROGRESS': 15,
  'coordinator stopped with its broker': 250,
  'nemesis: restart-broker': 500,
  'nemesis: move-coordinator': 1000,
  'nemesis: kick-member': 800,
  'nemesis: move-leader': 800,
  'nemesis: add-partitions': 700,
  'nemesis: lose-answer': 1000,
  'nemesis: lose-request': 900,
  'nemesis: straggler': 1000,
  'nemesis: silence': 900,
  'nemesis: turn-away': 700,
  'nemesis: lag-metadata': 900,
  'nemesis: throttle': 900,
  'nemesis: set-clock': 900,
  'throttled longer than a request may take': 400,
  'nemesis: transaction': 900,
  'nemesis: compact': 900,
  'aborted record skipped': 450,
  'hole left by compaction': 90,
  'member crashed': 280,
  'member stopped': 1500,
  'member stood still within its session': 180,
  'member stood still past its session': 180,
  'instance id comes again within its session': 40,
  'instance id comes again beyond its session': 25,
  'second member of an instance id': 40,
  'divided by the coordinator: told an assignment': 2000,
  'divided by the coordinator: a partition is committed by its next owner': 1000,
  'divided by the coordinator: UNKNOWN_MEMBER_ID': 120,
  'divided by the coordinator: NOT_COORDINATOR': 120,
  'divided by the coordinator: UNRELEASED_INSTANCE_ID': 90,
  'member fenced': 40,
  'seek backwards': 600,
  'seek forwards': 200,
  'seek by time': 100,
  'repeat after a seek': 4000,
  'partition paused by its user': 1500,
  'paused by its user before it was assigned': 250,
  'a batch is confirmed': 3000,
  'a loop fails a batch': 250,
  'a loop ends': 300,
  'onAssigned says where a partition starts': 500,
  'onAssigned throws': 200,
  'onAssigned does not end': 60,
  'onRevoked: revoked': 500,
  'onRevoked: stopped': 350,
  'onRevoked: lost': 150,
  'partition of a reader without a group': 800,
  'topic deleted': 40,
  'topic made anew': 110,
  'topic made anew under paused readers': 50,
  'topic-made-anew behind a reader': 200,
  'reset: topic-made-anew': 80,
  'partition stopped: topic-recreated': 25,
  'log cut below its high watermark': 60,
  'log cut above its high watermark': 15,
  'log-cut behind a reader': 40,
  'reset: log-cut': 20,
  'commit of a log that was cut or made anew': 200,
  'record put off': 2000,
  'record put off behind another of its key': 4000,
  'redrive: killed': 60,
  'redrive: aborted': 20,
  'redrive: two at a time': 20,
  'reader of redriven records killed': 15,
  'redriven record took effect': 700,
  'letter redriven twice': 60,
  'letter parked': 60,
  'each by partition': 40000,
  'each by key': 80000,
  'each by none': 50000,
  'batch by partition': 9000,
  'in event-time order': 9000,
  // Few plans have it, so ten seeds need not meet it.
  'in event-time order of its partition': 990,
  'late in event time': 1500,
  'an epoch of event time begins': 400,
  'batch by none': 8000,
  'copying: transaction of the source committed': 1500,
  'copying: transaction of the source aborted': 150,
  'copying: transaction of a member aborted': 60,
  'copying: source crashed': 40,
  'copying: member crashed': 60,
  'copying: hold-of-transaction': 200,
  'copying: lose-of-transaction': 250,
  'copying: refuse-of-transaction': 250,
  'copying: move-transaction-coordinator': 200,
  'copying: silence-transaction-coordinator': 200,
  'copying: move-leader': 60,
  'copying: restart-broker': 40,
}

/** Cells that these seeds met less often than they must: a run that tests nothing is no proof. */
export function shortfalls(counts: Counts, seeds: number): readonly string[] {
  // Few seeds draw few plans, and one plan decides much.
  const share = Math.max(0.1, 1 - 8 / Math.sqrt(seeds))
  return Object.entries(leastInThousandSeeds).flatMap(([cell, least]) => {
    const needed = Math.floor(((least * seeds) / 1_000) * share)
    const met = counts[cell] ?? 0
    return met < needed ? [`${cell}: ${met} times, fewer than ${needed}`] : []
  })
}

/** A line for each cell, in the order of the table, then what has no minimum. */
export function coverageTable(counts: Counts): string {
  const others = Object.keys(counts).filter((cell) => !(cell in leastInThousandSeeds))
  return [...Object.keys(leastInThousandSeeds), ...others.sort()]
    .map((cell) => `${String(counts[cell] ?? 0).padStart(9)}  ${cell}`)
    .join('\n')
}
