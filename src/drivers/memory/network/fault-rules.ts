import type { ApiName, Request } from '../../../connection/requests/apis.js'
import { fetchedPlaces } from '../broker/fetch.js'
import type { Random } from '../../../runtime/random.js'

/** Which request a fault is meant for; what is left out matches anything. */
export interface RequestMatch {
  readonly api?: ApiName | undefined
  readonly node?: number | undefined
  readonly topic?: string | undefined
  readonly partition?: number | undefined
  readonly groupId?: string | undefined
  readonly transactionalId?: string | undefined
  /** The owner that the connection was opened for. */
  readonly client?: string | undefined
  /**
   * The n-th matching request from now on, whatever other rules do to the ones before. Default 1, the next. Of two rules
   * whose turn has come the older takes the request, and the other takes the next that matches.
   */
  readonly nth?: number | undefined
}

/** Chances of a fault for each request, each in [0, 1]; they exclude one another, so their sum is at most 1. */
export interface RandomFaults {
  /** Where chance comes from; default the cluster's runtime. */
  readonly random?: Random | undefined
  /** Default: every API. */
  readonly apis?: readonly ApiName[] | undefined
  /** The request never arrives; the connection breaks. */
  readonly loseRequest?: number | undefined
  /** The request has its effect; the connection breaks instead of the answer. */
  readonly loseAnswer?: number | undefined
  /** The request arrives late, by up to `maxDelayMs`. */
  readonly delay?: number | undefined
  readonly maxDelayMs?: number | undefined
  /** The request arrives so late (up to `maxHoldMs`) that its client has probably given up, and then has its effect. */
  readonly hold?: number | undefined
  readonly maxHoldMs?: number | undefined
}

/** What happens to one request on its way. */
export type Interference =
  | { readonly kind: 'none' }
  | { readonly kind: 'lose-request' }
  | { readonly kind: 'lose-answer' }
  | { readonly kind: 'refuse'; readonly errorCode: number }
  | { readonly kind: 'throttle'; readonly throttleMs: number }
  | { readonly kind: 'delay'; readonly delayMs: number }
  | { readonly kind: 'random-hold'; readonly delayMs: number }
  | { readonly kind: 'hold'; readonly held: HeldRequest }

export const noInterference: Interference = { kind: 'none' }

/** A request kept on its way until released. Requests behind it on the same connection wait too. */
export class HeldRequest {
  #state: 'waiting' | 'held' | 'released' = 'waiting'
  #deliver: (() => void) | null = null

  /** `waiting` until a request matched, `held` while it is kept, `released` afterwards. */
  get state(): 'waiting' | 'held' | 'released' {
    return this.#state
  }

  /**
   * Lets the request arrive, even when its client gave up on it long ago (not when its broker was stopped meanwhile).
   * Called before a request matched, the rule lets the request pass.
   */
  release(): void {
    this.#state = 'released'
    const deliver = this.#deliver
    this.#deliver = null
    deliver?.()
  }

  /** @internal Called by the connection with how to deliver the request. */
  keep(deliver: () => void): void {
    if (this.#state === 'released') deliver()
    else {
      this.#state = 'held'
      this.#deliver = deliver
    }
  }
}

interface Rule {
  readonly match: RequestMatch
  readonly interference: Interference
  seen: number
}

/** Decides what happens to each request: the first rule whose turn has come, else chance. */
export class FaultRules {
  #rules: Rule[] = []
  #chances: RandomFaults | null = null

  constructor(private readonly defaultRandom: Random) {}

  add(match: RequestMatch, interference: Interference): void {
    this.#rules.push({ match, interference, seen: 0 })
  }

  /** `null` ends random faults. */
  setRandom(chances: RandomFaults | null): void {
    this.#chances = chances
  }

  clear(): void {
    this.#rules = []
    this.#chances = null
  }

  decide(node: number, request: Request, client: string): Interference {
    if (this.#rules.length > 0) {
      const due = this.#ruleDue(node, request, client)
      if (due !== undefined) return due.interference
    }
    return this.#chances === null ? noInterference : this.#draw(this.#chances, request)
  }

  #ruleDue(node: number, request: Request, client: string): Rule | undefined {
    let due: Rule | undefined
    for (const rule of this.#rules) {
      if (!matches(rule.match, node, request, client)) continue
      rule.seen += 1
      if (rule.seen >= (rule.match.nth ?? 1)) due ??= rule
    }
    if (due !== undefined) this.#rules = this.#rules.filter((rule) => rule !== due)
    return due
  }

  /** Always two draws, so that one request's fate does not shift the chances of the next. */
  #draw(chances: RandomFaults, request: Request): Interference {
    const random = chances.random ?? this.defaultRandom
    let chance = random.next()
    const size = random.next()
    if (chances.apis !== undefined && !chances.apis.includes(request.api)) return noInterference
    const hits = (probability: number | undefined) => {
      const hit = chance >= 0 && chance < (probability ?? 0)
      chance -= probability ?? 0
      return hit
    }
    if (hits(chances.loseRequest)) return { kind: 'lose-request' }
    if (hits(chances.loseAnswer)) return { kind: 'lose-answer' }
    if (hits(chances.delay)) return { kind: 'delay', delayMs: size * (chances.maxDelayMs ?? 100) }
    if (hits(chances.hold)) return { kind: 'random-hold', delayMs: size * (chances.maxHoldMs ?? 60_000) }
    return noInterference
  }
}

function matches(match: RequestMatch, node: number, request: Request, client: string): boolean {
  if (match.api !== undefined && match.api !== request.api) return false
  if (match.node !== undefined && match.node !== node) return false
  if (match.client !== undefined && match.client !== client) return false
  if (match.groupId !== undefined && match.groupId !== groupOf(request)) return false
  if (match.transactionalId !== undefined && match.transactionalId !== transactionalIdOf(request)) return false
  if (match.topic === undefined && match.partition === undefined) return true
  return placesOf(request).some(
    ({ topic, partition }) =>
      (match.topic === undefined || match.topic === topic) &&
      (match.partition === undefined || match.partition === partition),
  )
}

function groupOf(request: Request): string | undefined {
  if ('groupId' in request) return request.groupId
  return request.api === 'findCoordinator' && request.keyType === 'group' ? request.key : undefined
}

function transactionalIdOf(request: Request): string | undefined {
  if ('transactionalId' in request) return request.transactionalId ?? undefined
  return request.api === 'findCoordinator' && request.keyType === 'transaction' ? request.key : undefined
}

function placesOf(request: Request): readonly { readonly topic: string; readonly partition?: number }[] {
  switch (request.api) {
    case 'produce':
      return request.batches
    case 'fetch':
      return fetchedPlaces(request)
    case 'listOffsets':
    case 'offsetCommit':
    case 'addPartitionsToTxn':
    case 'txnOffsetCommit':
    case 'describeProducers':
      return request.partitions
    case 'offsetFetch':
      return request.partitions ?? []
    case 'metadata':
      return (request.topics ?? []).map((topic) => ({ topic }))
    case 'describeTopicPartitions':
    case 'deleteTopics':
      return request.topics.map((topic) => ({ topic }))
    case 'createTopics':
    case 'createPartitions':
      return request.topics.map(({ name }) => ({ topic: name }))
    case 'describeConfigs':
      return request.resources.map(({ name }) => ({ topic: name }))
    default:
      return []
  }
}
