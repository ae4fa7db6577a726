import type { KafkaConfig } from 'kafkajs'
import type { Node } from '../../connection/connection.js'
import { RequestError } from '../../connection/request-error.js'
import type { AnswerTo, Request } from '../../connection/requests/apis.js'
import type { Random } from '../../runtime/random.js'

export interface Address {
  readonly host: string
  readonly port: number
}

export function addressText({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** `host:port`, IPv6 in brackets; `undefined` when it is not that. */
export function parseAddress(text: unknown): Address | undefined {
  if (typeof text !== 'string') return undefined
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text.trim())
  const port = Number(match?.[3])
  const host = match?.[1] ?? match?.[2]
  return host === undefined || port < 1 || port > 65_535 ? undefined : { host, port }
}

/** Where nodes are: what the answers said, and the user's brokers one after another for `bootstrap`. */
export class Addresses {
  readonly #brokers: KafkaConfig['brokers']
  readonly #byNode = new Map<number, Address>()
  #next: number

  constructor(brokers: KafkaConfig['brokers'], random: Random) {
    this.#brokers = brokers
    // A random start spreads the clients of a fleet over the brokers.
    this.#next = Math.floor(random.next() * 1_000)
  }

  /** Takes addresses from answers that carry some; returns the nodes whose address is another now. */
  learn<R extends Request>(request: R, answer: AnswerTo<R>): number[] {
    return heard(request, answer)
      .filter(({ nodeId, host, port }) => {
        const before = this.#byNode.get(nodeId)
        if (before?.host === host && before.port === port) return false
        this.#byNode.set(nodeId, { host, port })
        return before !== undefined
      })
      .map(({ nodeId }) => nodeId)
  }

  knows(node: Node): boolean {
    return node === 'bootstrap' || this.#byNode.has(node)
  }

  /** For `bootstrap` another broker each time. */
  async find(node: Node): Promise<Address> {
    if (node !== 'bootstrap') {
      const address = this.#byNode.get(node)
      if (address === undefined) throw unknownNode(node)
      return address
    }
    const brokers = typeof this.#brokers === 'function' ? await this.#ask(this.#brokers) : this.#brokers
    const text = brokers[this.#next++ % brokers.length]
    const address = parseAddress(text)
    if (address !== undefined) return address
    const found = text === undefined ? 'an empty list' : JSON.stringify(text)
    throw new RequestError('refused', 'never', `config.brokers: expected a list of 'host:port', got ${found}`)
  }

  async #ask(brokers: () => string[] | Promise<string[]>): Promise<string[]> {
    let list: unknown
    try {
      list = await brokers()
    } catch (error) {
      throw new RequestError('cannot-connect', 'never', `config.brokers threw: ${(error as Error).message}`, error)
    }
    if (Array.isArray(list)) return list as string[]
    throw new RequestError('refused', 'never', `config.brokers: expected a list of 'host:port', got ${typeof list}`)
  }
}

export function unknownNode(node: Node): RequestError {
  return new RequestError('unknown-node', 'never', `no metadata answer has named the address of broker ${node}`)
}

function heard<R extends Request>(request: R, answer: AnswerTo<R>): readonly (Address & { nodeId: number })[] {
  if (request.api === 'metadata') return (answer as AnswerTo<Extract<Request, { api: 'metadata' }>>).brokers
  if (request.api !== 'findCoordinator') return []
  const coordinator = answer as AnswerTo<Extract<Request, { api: 'findCoordinator' }>>
  return coordinator.errorCode === 0 ? [coordinator] : []
}
