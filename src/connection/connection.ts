import type { Logger } from '../telemetry/logger.js'
import type { AnswerTo, Request } from './requests/apis.js'
import type { Compression } from './requests/produce.js'

/** A broker by its id, or any of the addresses the user gave while no broker is known yet. */
export type Node = number | 'bootstrap'

/**
 * Requests of one lane to one node share one socket and are answered in order, and one that is given up takes its socket
 * with it. So what waits long at the broker, and what is given up early, has a lane of its own:
 *
 * | lane     | what goes by it                                                            | may be parked for    |
 * |----------|----------------------------------------------------------------------------|----------------------|
 * | metadata | what any broker can tell: Metadata, FindCoordinator, InitProducerId, configs | not at all; given up after 1 s |
 * | main     | what one broker must do: Produce, ListOffsets, changes of topics           | acks=all: the request timeout  |
 * | fetch    | Fetch                                                                      | `maxWaitMs`          |
 * | group    | heartbeats, committed offsets                                              | not at all           |
 * | join     | the way into a generation: JoinGroup, SyncGroup                            | the rebalance timeout |
 */
export type Lane = 'metadata' | 'main' | 'fetch' | 'group' | 'join'

/**
 * What Kafka's protocol needs from a network; everything about state (metadata, sequences, groups, retries) lives above.
 *
 * Contract:
 * - Requests of one (node, lane) are written in the order of the calls and never twice.
 * - A request that fails rejects with a `RequestError` that says whether its bytes may have reached the broker.
 * - A request that passes its deadline, or whose answer cannot be parsed, destroys its socket before it rejects, so its
 *   bytes can never be sent later and its answer can never be taken for another's. Other requests out on that socket
 *   reject with `sent: 'maybe'`. Not so while the broker is known to be alive: it asked for silence (a quota), or bytes are
 *   still going out to it. The socket then stays, for the others; the request rejects and its answer, when it comes, is dropped.
 * - A lost connection is opened again by the next request (single flight per node and lane). The connection never retries.
 * - Addresses of nodes are learnt from the metadata and coordinator answers that pass through. An unknown node rejects
 *   with `sent: 'never'`.
 * - Throttle times are obeyed: the next request of that (node, lane) is written after them.
 */
export interface Connection {
  /**
   * @param deadline absolute time in milliseconds (`clock.now()` scale); passing it is a `RequestError`.
   * @param signal ends the wait early, like a deadline.
   * @param onTaken called at once with a way to take the request back: true when nothing of it was written to a socket, and
   *   then nothing will be; it rejects soon, with `sent: 'never'`, and that costs nobody else anything.
   */
  request<R extends Request>(
    node: Node,
    lane: Lane,
    request: R,
    deadline: number,
    signal?: AbortSignal,
    onTaken?: (takeBack: () => boolean) => void,
  ): Promise<AnswerTo<R>>
  /**
   * The last moment, by `clock.now()`, at which this node gave a sign of life on this lane: bytes came, or bytes of a large
   * request went out. In the future while the broker asked for silence. `-Infinity` when there was none.
   */
  lastSign(node: Node, lane: Lane): number
  /** Destroys every socket. Pending requests reject. Idempotent, and never waits for an answer. */
  close(): Promise<void>
}

/** Opens connections; one for each producer, consumer and admin client, never shared between them. */
export interface ConnectionFactory {
  /** Why batches cannot be written with this compression, and what to do; `null` when they can. Missing: all can. */
  readonly compressionProblem?: ((compression: Compression) => string | null) | undefined
  /** Name of the implementation for messages, for example `kafkajs`. */
  readonly name: string
  /**
   * @param owner who uses it, for log lines, for example `detect-producer-1`.
   * @param clientId what brokers are told, exactly so: quotas hang on it. Missing: the owner.
   * @param logger of who uses it; never throws. Missing: lines go nowhere.
   */
  open(owner: string, clientId?: string, logger?: Logger): Connection
}
