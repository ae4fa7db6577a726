import type { Clock } from '../../runtime/clock.js'
import type { Ended } from '../../runtime/keyed-lanes.js'
import { pause } from '../../runtime/pause.js'
import { tellWhenThere } from '../../runtime/soon.js'
import type { Metrics } from '../../telemetry/metrics.js'
import type { BackPressure } from '../partition/back-pressure.js'
import type { OutcomeLabels, OwnedPartition } from '../partition/owned-partition.js'
import { isPending, late, type Done, type Part, type Settlement } from '../partition/settlement.js'
import type { Delivery } from '../partition/delivery.js'
import type { Work } from '../partition/work.js'
import type { Ledger } from '../settling/ledger.js'

export interface SettlerParts {
  readonly delivery: Delivery
  readonly ledger: Ledger
  readonly backPressure: BackPressure
  readonly metrics: Metrics
  readonly clock: Clock
  /** A record failed and has nowhere to go. */
  readonly stopPartition: (partition: OwnedPartition, error: Error) => void
  /** An attempt has come to this end, and what follows from it is done. */
  readonly onEnd: ((work: Work, end: Settlement) => void) | undefined
}

const inPlaceMs = 2

/** Takes each delivery through its handler, however often, and settles it. */
export class Settler {
  readonly #parts: SettlerParts
  #late = 0

  constructor(parts: SettlerParts) {
    this.#parts = parts
  }

  /** Records whose handling ended after their partition was gone: refused. */
  get late(): number {
    return this.#late
  }

  /** Never throws. `later`: `ended` is called with it, once. */
  run(work: Work, ended: Ended<Work>): 'ended' | 'later' {
    const { ledger, delivery } = this.#parts
    work.start()
    ledger.started(work)
    const settlement = delivery.deliver(work)
    if (isPending(settlement)) {
      // No async function: a promise for every record costs a tenth of what it takes to handle it.
      tellWhenThere(settlement, {
        came: (one) => this.#later(work, one, ended),
        failed: (error) => ended(work, { error }),
      })
      return 'later'
    }
    if (isLast(settlement)) {
      this.#settle(work, settlement)
      return 'ended'
    }
    this.#goOnUntil(work, settlement, ended)
    return 'later'
  }

  #later(work: Work, settlement: Settlement, ended: Ended<Work>): void {
    if (!isLast(settlement)) return this.#goOnUntil(work, settlement, ended)
    let defect: { readonly error: unknown } | undefined
    try {
      this.#settle(work, settlement)
    } catch (error) {
      defect = { error }
    }
    ended(work, defect)
  }

  #goOnUntil(work: Work, first: Settlement, ended: Ended<Work>): void {
    void this.#goOn(work, first).then(
      () => ended(work),
      (error: unknown) => ended(work, { error }),
    )
  }

  async #goOn(work: Work, first: Settlement): Promise<Settlement> {
    let settlement = first
    while (settlement.kind === 'again') {
      this.#parts.onEnd?.(work, settlement)
      settlement = await this.#again(work, settlement)
    }
    if (settlement.kind !== 'split' && settlement.kind !== 'parted') this.#settle(work, settlement)
    else {
      this.#parts.onEnd?.(work, settlement)
      await this.#runParts(settlement.kind === 'split' ? work.split().map(toDeliver) : settlement.parts)
    }
    return settlement
  }

  /** In its lane, so nothing overtakes it, and without a place of `concurrency` while it sleeps. */
  async #again(work: Work, { afterMs, isFree = false }: Extract<Settlement, { kind: 'again' }>): Promise<Settlement> {
    const { lanes } = work.partition
    lanes.giveBack(work.inLane)
    await this.#parts.clock.sleep(afterMs, lanes.closing).catch(() => undefined) // closed: there is no place then
    // Given up, sought elsewhere or stopped: whoever reads it next handles it.
    if (!(await lanes.takeAgain(work.inLane))) return late
    if (!isFree) work.attempt += 1
    return this.#parts.delivery.deliver(work)
  }

  /** In the place of the batch, so nothing of its partition overtakes. */
  async #runParts(parts: readonly Part[]): Promise<void> {
    for (const [index, { work, end }] of parts.entries()) {
      // Paused: it waits. Given up, sought elsewhere or stopped: the rest belongs to whoever reads it next.
      if (end === null && !(await this.#mayDeliver(work))) return
      const settlement = await this.#goOn(work, end ?? (await this.#parts.delivery.deliver(work)))
      if (settlement.kind === 'stopped' || (settlement.kind === 'moved' && settlement.thenStop !== undefined)) {
        // The rest had its turn with the batch and gets none alone.
        for (const { work: left } of parts.slice(index + 1)) left.partition.failed += left.count
        return
      }
    }
  }

  #mayDeliver({ partition: { lanes }, inLane }: Work): Promise<boolean> {
    return inLane.hasPlace ? lanes.mayStart() : lanes.takeAgain(inLane)
  }

  #settle(work: Work, settlement: Settlement): void {
    const end = work.partition.isGone ? late : settlement
    switch (end.kind) {
      case 'handled':
      case 'discarded':
      case 'duplicate':
      case 'moved':
        this.#settled(work, end)
        break
      case 'stopped':
        this.#failed(work, end.by)
        break
      default:
        this.#countLate(work)
    }
    this.#parts.onEnd?.(work, end)
  }

  #failed({ partition, count }: Work, error: Error): void {
    partition.failed += count
    const labels = { topic: partition.topic, outcome: 'failed' }
    this.#parts.metrics.count('tidemark_consumer_records_total', labels, count)
    this.#parts.stopPartition(partition, error)
  }

  #settled(work: Work, settlement: Done): void {
    const { partition, count } = work
    const { backPressure, ledger, metrics, clock } = this.#parts
    work.settle()
    partition.lastProgressAt = clock.now()
    partition.settledTimestamp = work.firstRecord.timestamp
    metrics.count('tidemark_consumer_records_total', labelsOf(partition, settlement), count)
    ledger.settled(work, settlement)
    backPressure.shrunk(partition)
    if (settlement.kind !== 'handled' && partition.gate.isClosedBy('outage')) void this.#letAnother(partition)
    if (settlement.kind !== 'moved') partition.handled += settlement.kind === 'duplicate' ? 0 : count
    else if (settlement.thenStop !== undefined) this.#parts.stopPartition(partition, settlement.thenStop)
  }

  /** What was not handled says nothing about an outage, so it has been no probe: another one starts in its place. */
  async #letAnother({ lanes }: OwnedPartition): Promise<void> {
    // Later than the outage began, also for a clock of whole milliseconds.
    await pause(this.#parts.clock, inPlaceMs, lanes.closing)
    lanes.letAnother()
  }

  #countLate({ partition, count }: Work): void {
    this.#late += count
    this.#parts.metrics.count('tidemark_consumer_records_total', { topic: partition.topic, outcome: 'late' }, count)
  }
}

function labelsOf({ labels }: OwnedPartition, settlement: Done): OutcomeLabels {
  switch (settlement.kind) {
    case 'handled':
      return labels.handled
    case 'duplicate':
      return labels.duplicate
    case 'discarded':
      return labels.discarded
    case 'moved':
      return settlement.to === 'dead-letter' ? labels.deadLettered : labels.putOff
  }
}

/** Nothing more is done for the delivery. */
function isLast({ kind }: Settlement): boolean {
  return kind !== 'again' && kind !== 'split' && kind !== 'parted'
}

function toDeliver(work: Work): Part {
  return { work, end: null }
}
