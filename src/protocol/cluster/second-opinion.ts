import type { Connection } from '../../connection/connection.js'
import { RequestError } from '../../connection/request-error.js'

/**
 * One broker that turns us away (a credential it does not know yet, a certificate of its own) says nothing about the
 * others, so its request may be tried again; when all of them do, nobody is left to try. Whoever was turned away therefore
 * fails only after the others were asked: as `refused` when none of them takes us, else as it was.
 *
 * @param othersTakeUs asks brokers in turn; rejects with a `RequestError` `refused` when each of them turns us away.
 */
export function withSecondOpinion(connection: Connection, othersTakeUs: () => Promise<void>): Connection {
  return {
    async request(node, lane, request, deadline, signal, onTaken) {
      try {
        return await connection.request(node, lane, request, deadline, signal, onTaken)
      } catch (failure) {
        if (!isAbout(failure, 'turned-away')) throw failure
        throw await othersTakeUs().then(
          () => failure,
          (opinion: unknown) => (isAbout(opinion, 'refused') ? opinion : failure),
        )
      }
    },
    lastSign: (node, lane) => connection.lastSign(node, lane),
    close: () => connection.close(),
  }
}

function isAbout(failure: unknown, what: RequestError['failure']): failure is RequestError {
  return failure instanceof RequestError && failure.failure === what
}
