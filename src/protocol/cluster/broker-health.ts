import type { Connection, Node } from '../../connection/connection.js'
import { RequestError, type RequestFailure } from '../../connection/request-error.js'
import type { Telemetry } from '../../telemetry/guard.js'
import { tell } from '../../telemetry/tell.js'

/** What tells of the broker; the others tell of us or of the question. */
const silences: ReadonlySet<RequestFailure> = new Set([
  'cannot-connect',
  'connection-lost',
  'timed-out',
  'turned-away',
] satisfies RequestFailure[])

/**
 * The same connection, which tells of brokers that do not answer, and when they do again. The addresses that the user gave
 * matter only while no broker is known.
 */
export function withBrokerHealth(
  connection: Connection,
  telemetry: Telemetry,
  knownBrokers: () => readonly number[],
): Connection {
  const silent = new Set<Node>()
  const answered = (node: Node) => {
    if (silent.size === 0) return
    for (const one of [node, 'bootstrap'] as const) {
      if (silent.delete(one)) tell(telemetry, { kind: 'broker-answers', node: one })
    }
  }
  const failed = (node: Node, failure: unknown) => {
    if (!(failure instanceof RequestError) || !silences.has(failure.failure)) return
    if (node === 'bootstrap' && knownBrokers().length > 0) return
    silent.add(node)
    tell(telemetry, { kind: 'broker-silent', node, error: failure })
  }
  return {
    request(node, lane, request, deadline, signal, onTaken) {
      const answer = connection.request(node, lane, request, deadline, signal, onTaken)
      answer.then(
        () => answered(node),
        (failure: unknown) => failed(node, failure),
      )
      return answer
    },
    lastSign: (node, lane) => connection.lastSign(node, lane),
    close: () => connection.close(),
  }
}
