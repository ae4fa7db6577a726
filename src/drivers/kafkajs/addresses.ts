import type { KafkaConfig } from 'kafkajs'
import type { Node } from '../../connection/connection.js'
import { RequestError } from '../../connection/request-error.js'
import type { AnswerTo, Request } from '../../connection/requests/apis.js'
import type { Random } from '../../runtime/random.js'

export interface Address {
  readonly host: string
  readonly port: number
}

/** Where a lane's node is. */
export interface Whereabouts {
  /** Where to try, in order. */
  find(): Promise<readonly [Address, ...Address[]]>
  /** A broker answered there. */
  reached(address: Address): void
  /** What to add when nobody did. */
  hint(): string
}

export function addressText({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** What an address is instead, in words: it may be a URL with a password, so none of it is shown. */
export function addressCame(text: unknown): string {
  if (typeof text !== 'string') return text === null ? 'null' : `a ${typeof text}`
  if (text.trim() === '') return 'empty text'
  if (/[@/?#]/.test(text)) return 'what looks like a URL (leave out scheme, user and path)'
  return /:\d+\s*$/.test(text) ? 'a host or port that there cannot be' : 'text without a port'
}

/** `host:port`, IPv6 in brackets; `undefined` when it is not that. */
export function parseAddress(text: unknown): Address | undefined {
  if (typeof text !== 'string') return undefined
  const match = /^(?:\[([^\]\s@/?#]+)\]|([^:\s@/?#[\]]+)):(\d{1,5})$/.exec(text.trim())
  const port = Number(match?.[3])
  const host = match?.[1] ?? match?.[2]
  return host === undefined || port < 1 || port > 65_535 ? undefined : { host, port }
}

const mostHeard = 4

function requireAddress(text: string): Address {
  const address = parseAddress(text)
  if (address !== undefined) return address
  const message = `config.brokers: expected a list of 'host:port', got ${addressCame(text)}`
  throw new RequestError('refused', 'never', message)
}

/** Where nodes are: what the answers said, and the user's brokers one after another for `bootstrap`. */
export class Addresses {
  readonly #brokers: KafkaConfig['brokers']
  readonly #byNode = new Map<number, Address>()
  /** What the user gave, and where a broker was reached: nothing is said about these. */
  readonly #trusted = new Set<string>()
  /** The last addresses of each node, as text. */
  readonly #heard = new Map<number, readonly string[]>()
  /** That was told first: what another one tells of its brokers is not for us. */
  #clusterId: string | null = null
  #next: number

  constructor(brokers: KafkaConfig['brokers'], random: Random) {
    this.#brokers = brokers
    // A random start spreads the clients of a fleet over the brokers.
    this.#next = Math.floor(random.next() * 1_000)
  }

  /** The same for one node. */
  of(node: Node): Whereabouts {
    return {
      find: () => this.find(node),
      reached: (address) => void this.#trusted.add(addressText(address)),
      hint: () => this.#hint(node),
    }
  }

  /** Takes addresses from answers that carry some; returns the nodes whose address is another now. */
  learn<R extends Request>(request: R, answer: AnswerTo<R>): number[] {
    const told = this.#isOfAnotherCluster(request, answer) ? nowhere : heard(request, answer)
    if (told.length === 0) return []
    return told
      .filter(({ nodeId, host, port }) => {
        const before = this.#byNode.get(nodeId)
        if (before?.host === host && before.port === port) return false
        this.#byNode.set(nodeId, { host, port })
        return this.#isNew(nodeId, addressText({ host, port })) && before !== undefined
      })
      .map(({ nodeId }) => nodeId)
  }

  /** Its nodes have the numbers of ours, and requests for ours must not go there. */
  #isOfAnotherCluster<R extends Request>(request: R, answer: AnswerTo<R>): boolean {
    if (request.api !== 'metadata') return false
    const { clusterId } = answer as AnswerTo<Extract<Request, { api: 'metadata' }>>
    this.#clusterId ??= clusterId
    return clusterId !== null && clusterId !== this.#clusterId
  }

  /**
   * An address that was heard before is no move: brokers that disagree would have every socket of the node closed at each
   * answer. One that moved back closes the old ones itself.
   */
  #isNew(nodeId: number, text: string): boolean {
    const heardOf = this.#heard.get(nodeId) ?? []
    if (heardOf.includes(text)) return false
    this.#heard.set(nodeId, [...heardOf.slice(1 - mostHeard), text])
    return true
  }

  knows(node: Node): boolean {
    return node === 'bootstrap' || this.#byNode.has(node)
  }

  /** Where to try, in order: for `bootstrap` all that the user gave, beginning with another one each time. */
  async find(node: Node): Promise<readonly [Address, ...Address[]]> {
    if (node !== 'bootstrap') {
      const address = this.#byNode.get(node)
      if (address === undefined) throw unknownNode(node)
      return [address]
    }
    const brokers = typeof this.#brokers === 'function' ? await this.#ask(this.#brokers) : this.#brokers
    for (const broker of brokers) this.#trusted.add(broker.trim())
    const first = this.#next++ % Math.max(1, brokers.length)
    const [one, ...others] = [...brokers.slice(first), ...brokers.slice(0, first)].map(requireAddress)
    if (one !== undefined) return [one, ...others]
    throw new RequestError('refused', 'never', "config.brokers: expected a list of 'host:port', got an empty list")
  }

  /** Of two addresses of a broker the wrong one is often the one that it gives itself. */
  #hint(node: Node): string {
    const address = node === 'bootstrap' ? undefined : this.#byNode.get(node)
    if (address === undefined || this.#trusted.has(addressText(address))) return ''
    return (
      `; that address came from the cluster, not from config.brokers: if it cannot be reached from here, mend ` +
      `advertised.listeners of broker ${node}`
    )
  }

  async #ask(brokers: () => string[] | Promise<string[]>): Promise<string[]> {
    let list: unknown
    try {
      list = await brokers()
    } catch (error) {
      // Its text may tell the way to a registry, password and all.
      const name = error instanceof Error ? error.name : typeof error
      throw new RequestError('cannot-connect', 'never', `config.brokers threw ${name}; see its cause`, error)
    }
    if (Array.isArray(list)) return list as string[]
    throw new RequestError('refused', 'never', `config.brokers: expected a list of 'host:port', got ${typeof list}`)
  }
}

export function unknownNode(node: Node): RequestError {
  return new RequestError('unknown-node', 'never', `no metadata answer has named the address of broker ${node}`)
}

const nowhere: readonly (Address & { nodeId: number })[] = []

function heard<R extends Request>(request: R, answer: AnswerTo<R>): readonly (Address & { nodeId: number })[] {
  if (request.api === 'metadata') return (answer as AnswerTo<Extract<Request, { api: 'metadata' }>>).brokers
  if (request.api === 'produce' || request.api === 'fetch') {
    return (answer as AnswerTo<Extract<Request, { api: 'produce' | 'fetch' }>>).nodeEndpoints ?? nowhere
  }
  if (request.api !== 'findCoordinator') return nowhere
  const coordinator = answer as AnswerTo<Extract<Request, { api: 'findCoordinator' }>>
  return coordinator.errorCode === 0 ? [coordinator] : []
}
