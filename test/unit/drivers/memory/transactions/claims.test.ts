import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { brokerCode } from '../../../../../src/connection/broker-error.js'
import type { TransactionVersion } from '../../../../../src/connection/requests/transactions.js'
import { judgeAdd } from '../../../../../src/drivers/memory/transactions/add-participants.js'
import {
  completed,
  fencedAndAborted,
  judgeEnd,
  type Outcome,
} from '../../../../../src/drivers/memory/transactions/end-transaction.js'
import { firstOwner, judgeInit } from '../../../../../src/drivers/memory/transactions/init-producer-id.js'
import type { Owner, Transaction, Verdict } from '../../../../../src/drivers/memory/transactions/transaction.js'

/** How often; more by the environment. */
const numRuns = Number(process.env['TIDEMARK_MODEL_RUNS'] ?? 100)

type Answer = { readonly code: number; readonly owner: Owner }
/** What becomes of a request: `slow` is written only by a later step, and not answered. */
type Way = 'answered' | 'request-lost' | 'answer-lost' | 'slow'

/** One transactional id at its coordinator, with what each write (by its number) came to. */
class Coordinator {
  transaction: Transaction | undefined
  #pending: { readonly next: Transaction; readonly writes: readonly number[] } | null = null
  #producerIds = 100
  #open: number[] = []
  readonly fates = new Map<number, Outcome>()
  /** Every owner that was told that it is one, in order. */
  readonly owners: Owner[] = []

  constructor(
    readonly version: TransactionVersion,
    readonly firstEpoch: number,
  ) {}

  init(owner: Owner, way: Way): Answer | null {
    if (way === 'request-lost') return null
    if (this.transaction === undefined && this.#pending === null) {
      return this.#write(firstOwner(this.#takeId(), this.firstEpoch, 10), [], way)
    }
    if (this.transaction === undefined) return this.#told(way, brokerCode.CONCURRENT_TRANSACTIONS)
    const verdict = judgeInit(this.transaction, this.#pending !== null, { owner, timeoutMs: 10 }, this.version, () =>
      this.#takeId(),
    )
    return this.#answer(verdict, [], way)
  }

  add(owner: Owner, write: number, way: Way): Answer | null {
    if (way === 'request-lost') return null
    const participant = { kind: 'partition', topic: 't', partition: write % 3 } as const
    const verdict = judgeAdd(this.transaction, this.#pending !== null, owner, [participant], 0)
    if (verdict.kind === 'known') this.#open.push(write)
    return this.#answer(verdict, verdict.kind === 'write' ? [write] : [], way)
  }

  end(owner: Owner, outcome: Outcome, way: Way): Answer | null {
    if (way === 'request-lost') return null
    const request = { owner, outcome, version: this.version }
    const verdict = judgeEnd(this.transaction, this.#pending !== null, request, 0, () => this.#takeId())
    return this.#answer(verdict, [], way)
  }

  timeOut(): void {
    if (this.transaction?.state !== 'Ongoing' || this.#pending !== null) return
    this.#carryOut(fencedAndAborted(this.transaction, this.version), [])
  }

  finishWrite(): void {
    if (this.#pending === null) return
    const { next, writes } = this.#pending
    this.#pending = null
    this.#carryOut(next, writes)
  }

  /** Another broker takes over before the write was on enough replicas. */
  loseWrite(): void {
    this.#pending = null
  }

  writeMarkers(): void {
    const { transaction } = this
    if (transaction === undefined || this.#pending !== null || !transaction.state.startsWith('Prepare')) return
    const outcome = transaction.state === 'PrepareCommit' ? 'commit' : 'abort'
    for (const write of this.#open.splice(0)) this.fates.set(write, outcome)
    this.transaction = completed(transaction)
  }

  expire(): void {
    const { transaction } = this
    if (this.#pending !== null || transaction === undefined) return
    if (transaction.state !== 'Ongoing' && !transaction.state.startsWith('Prepare')) this.transaction = undefined
  }

  /** What is decided, markers or not. */
  fateOf(write: number): Outcome | 'open' | 'nothing' {
    const fate = this.fates.get(write)
    if (fate !== undefined) return fate
    if (!this.#open.includes(write)) return 'nothing'
    if (this.transaction?.state === 'PrepareCommit') return 'commit'
    return this.transaction?.state === 'PrepareAbort' ? 'abort' : 'open'
  }

  #answer(verdict: Verdict, writes: readonly number[], way: Way): Answer | null {
    if (verdict.kind === 'refused') return this.#told(way, verdict.errorCode)
    if (verdict.kind === 'known') return this.#told(way, brokerCode.NONE)
    if (verdict.kind === 'write') return this.#write(verdict.next, writes, way)
    this.#write(verdict.next, writes, way)
    return this.#told(way, brokerCode.CONCURRENT_TRANSACTIONS)
  }

  #write(next: Transaction, writes: readonly number[], way: Way): Answer | null {
    if (way === 'slow') {
      this.#pending = { next, writes }
      return null
    }
    this.#carryOut(next, writes)
    return this.#told(way, brokerCode.NONE)
  }

  #carryOut(next: Transaction, writes: readonly number[]): void {
    this.transaction = next
    this.#open.push(...writes)
  }

  /** The answer to an end names what comes after the markers. */
  #told(way: Way, code: number): Answer | null {
    if (way !== 'answered' || this.transaction === undefined) return way === 'answered' ? { code, owner: nobody } : null
    const after = this.transaction.state.startsWith('Prepare') ? completed(this.transaction) : this.transaction
    return { code, owner: { producerId: after.producerId, epoch: after.epoch } }
  }

  #takeId(): number {
    this.#producerIds += 1
    return this.#producerIds
  }
}

const nobody: Owner = { producerId: -1, epoch: -1 }
type Claim = 'committed' | 'aborted' | 'unknown'

/** A producer that says of its writes what the answers allow, and nothing more. */
class Client {
  owner: Owner = nobody
  state: 'no-id' | 'ready' | 'open' | 'ending' | 'over' = 'no-id'
  writes: number[] = []
  outcome: Outcome = 'commit'
  /** An attempt to end has no answer. */
  doubt = false
  readonly claims = new Map<number, Claim>()
  /** A write that is repeated until it is known to be in the transaction. */
  #unanswered: number | null = null

  constructor(readonly coordinator: Coordinator) {}

  go(write: number, way: Way): void {
    if (this.state === 'no-id') this.#take(this.coordinator.init(nobody, way))
    else if (this.state === 'over') this.restart()
    else if (this.state === 'ending') this.end(this.outcome, way)
    else this.#add(write, way)
  }

  /** A process starts with the id of another, or of its own former life. */
  restart(): void {
    this.#claim('unknown')
    this.owner = nobody
    this.state = 'no-id'
  }

  #add(write: number, way: Way): void {
    this.state = 'open'
    this.#unanswered ??= write
    const added = this.#unanswered
    if (!this.writes.includes(added)) this.writes.push(added)
    const answer = this.coordinator.add(this.owner, added, way)
    if (answer === null || answer.code === brokerCode.CONCURRENT_TRANSACTIONS) return
    this.#unanswered = null
    if (answer.code === brokerCode.NONE) return
    this.#claim('aborted')
    this.state = 'over'
  }

  end(outcome: Outcome, way: Way): void {
    if (this.state === 'open') {
      // What is not known to be in the transaction cannot be committed with it.
      if (outcome === 'commit' && this.#unanswered !== null) return
      this.state = 'ending'
      this.outcome = outcome
      this.doubt = false
    }
    if (this.state !== 'ending') return
    const answer = this.coordinator.end(this.owner, this.outcome, way)
    if (answer === null) this.doubt = true
    else this.#judge(answer)
  }

  #judge({ code, owner }: Answer): void {
    if (code === brokerCode.CONCURRENT_TRANSACTIONS) return
    if (code === brokerCode.NONE) {
      this.#claim(this.outcome === 'commit' ? 'committed' : 'aborted')
      this.owner = owner
      this.state = 'ready'
    } else if (code === brokerCode.INVALID_TXN_STATE || !this.doubt || this.outcome === 'abort') {
      this.#claim('aborted')
      this.state = 'over'
    } else {
      this.#claim('unknown')
      this.state = 'over'
    }
  }

  #take(answer: Answer | null): void {
    if (answer === null || answer.code !== brokerCode.NONE) return
    this.owner = answer.owner
    this.state = 'ready'
    this.coordinator.owners.push(answer.owner)
  }

  #claim(claim: Claim): void {
    this.#unanswered = null
    for (const write of this.writes.splice(0)) this.claims.set(write, claim)
  }
}

const way = fc.oneof(
  { weight: 12, arbitrary: fc.constant<Way>('answered') },
  { weight: 3, arbitrary: fc.constantFrom<Way>('request-lost', 'answer-lost', 'slow') },
)
/** `go`: whatever comes next for this client. */
const byClients = ['go', 'go', 'go', 'go', 'commit', 'commit', 'abort', 'restart'] as const
const byTheCluster = ['markers', 'markers', 'markers', 'finish', 'finish', 'lose', 'time out', 'expire'] as const
const step = fc.record({
  client: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constant(1) }),
  way,
  does: fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom(...byClients) },
    { weight: 3, arbitrary: fc.constantFrom(...byTheCluster) },
  ),
})
type Does = (typeof byClients)[number] | (typeof byTheCluster)[number]

describe('what may be claimed of a transaction', () => {
  it.each([1, 2] as const)('never contradicts what the coordinator does under version %i', (version) => {
    let committed = 0
    let unknown = 0
    fc.assert(
      fc.property(fc.array(step, { minLength: 30, maxLength: 80, size: 'max' }), fc.boolean(), (steps, isLate) => {
        const coordinator = new Coordinator(version, isLate ? 32_764 : 0)
        const clients = [new Client(coordinator), new Client(coordinator)]
        for (const [write, { client, way, does }] of steps.entries()) {
          take(clients[client]!, coordinator, does, write, way)
          for (const { claims } of clients) {
            for (const [claimed, claim] of claims) {
              const fate = coordinator.fateOf(claimed)
              const isTrue = claim === 'unknown' || (claim === 'committed' ? fate === 'commit' : fate !== 'commit')
              if (!isTrue) throw new Error(`write ${claimed} is said to be ${claim}, and its fate is ${fate}`)
            }
          }
        }
        const all = clients.flatMap(({ claims }) => [...claims.values()])
        committed += all.filter((claim) => claim === 'committed').length
        unknown += all.filter((claim) => claim === 'unknown').length
        // Whoever became the owner is the only one of that epoch.
        expect(new Set(coordinator.owners.map(({ producerId, epoch }) => `${producerId} ${epoch}`)).size).toBe(
          coordinator.owners.length,
        )
      }),
      { numRuns },
    )
    expect(committed).toBeGreaterThan(numRuns / 4)
    expect(unknown).toBeGreaterThan(0)
  })
})

function take(client: Client, coordinator: Coordinator, does: Does, write: number, way: Way): void {
  if (does === 'restart') client.restart()
  else if (does === 'go') client.go(write, way)
  else if (does === 'commit' || does === 'abort') client.end(does, way)
  else if (does === 'markers') coordinator.writeMarkers()
  else if (does === 'finish') coordinator.finishWrite()
  else if (does === 'lose') coordinator.loseWrite()
  else if (does === 'time out') coordinator.timeOut()
  else coordinator.expire()
}
