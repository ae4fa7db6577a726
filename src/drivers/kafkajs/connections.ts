import type { Connection, ConnectionFactory, Lane as LaneName, Node } from '../../connection/connection.js'
import { RequestError } from '../../connection/request-error.js'
import type { AnswerTo, Request } from '../../connection/requests/apis.js'
import { systemRuntime, type Runtime } from '../../runtime/runtime.js'
import { guarded } from '../../telemetry/guard.js'
import { silentLogger, type Logger } from '../../telemetry/logger.js'
import { noMetrics } from '../../telemetry/metrics.js'
import { Addresses, unknownNode } from './addresses.js'
import { kafkajsCodecProblem, kafkajsCodecs } from './codecs.js'
import { checkConfig, checkOptions, type KafkajsOptions } from './config.js'
import { loadInternals } from './internals.js'
import { kafkajsLogger, onlyDebug } from './logging.js'
import { createOpener } from './opener.js'
import { secretMask } from './secrets.js'
import type { SessionSettings } from './session-settings.js'
import { SocketLane } from './socket-lane.js'
import type { ConnectionConfig } from './tls-options.js'

/** kafkajs's defaults. */
const CONNECTION_TIMEOUT_MS = 1_000
const AUTHENTICATION_TIMEOUT_MS = 10_000

/**
 * How long a socket may be of no use. Brokers close theirs after ten minutes (`connections.max.idle.ms`); we go first, or
 * a batch could be written to a socket that is being closed, which would put it into doubt. Metadata is asked for at another broker each
 * time and seldom, so its sockets would add up.
 */
const IDLE_LIMIT_MS: Readonly<Record<LaneName, number>> = {
  metadata: 60_000,
  main: 540_000,
  fetch: 540_000,
  group: 540_000,
  join: 60_000,
}

/**
 * Connections with the sockets, TLS and authentication of kafkajs, configured as kafkajs is.
 *
 * @throws ConfigError with every problem of the configuration that can be seen without a broker.
 */
export function kafkajsConnections(
  config: ConnectionConfig,
  options: KafkajsOptions = {},
  runtime: Runtime = systemRuntime,
): ConnectionFactory {
  checkConfig(config)
  checkOptions(options)
  const { logger } = options
  return {
    name: 'kafkajs',
    compressionProblem: (compression) => kafkajsCodecProblem(compression),
    open: (owner, clientId = owner, ofOwner = silentLogger) => {
      const lines = logger === undefined ? onlyDebug(ofOwner) : guarded(logger, noMetrics, owner).logger
      return new KafkajsConnection(config, owner, clientId, lines, runtime)
    },
  }
}

class KafkajsConnection implements Connection {
  readonly #config: ConnectionConfig
  readonly #owner: string
  readonly #clientId: string
  readonly #logger: Logger
  readonly #runtime: Runtime
  readonly #addresses: Addresses
  readonly #settings: () => Promise<SessionSettings>
  readonly #lanes = new Map<string, SocketLane>()
  #state: 'open' | 'closed' = 'open'

  constructor(config: ConnectionConfig, owner: string, clientId: string, logger: Logger, runtime: Runtime) {
    this.#config = config
    this.#owner = owner
    this.#clientId = config.clientId ?? clientId
    this.#logger = logger
    this.#runtime = runtime
    this.#addresses = new Addresses(config.brokers, runtime.random)
    let settings: Promise<SessionSettings> | undefined
    this.#settings = () => (settings ??= sessionSettings(config, this.#clientId, logger, runtime))
  }

  request<R extends Request>(
    node: Node,
    lane: LaneName,
    request: R,
    deadline: number,
    signal?: AbortSignal,
    onTaken?: (takeBack: () => boolean) => void,
  ): Promise<AnswerTo<R>> {
    const refusal = this.#refusal(node, request, deadline, signal)
    if (refusal === null) return this.#lane(node, lane).request(request, deadline, signal, onTaken)
    onTaken?.(() => true)
    return Promise.reject(refusal)
  }

  lastSign(node: Node, lane: LaneName): number {
    return this.#lanes.get(`${node}/${lane}`)?.lastSign ?? -Infinity
  }

  close(): Promise<void> {
    this.#state = 'closed'
    for (const lane of this.#lanes.values()) lane.close()
    this.#lanes.clear()
    return Promise.resolve()
  }

  /** What can be said before anything is done. */
  #refusal(node: Node, { api }: Request, deadline: number, signal: AbortSignal | undefined): RequestError | null {
    if (this.#state === 'closed')
      return new RequestError('closed', 'never', `the connection of ${this.#owner} is closed`)
    if (!this.#addresses.knows(node)) return unknownNode(node)
    if (signal?.aborted) return new RequestError('aborted', 'never', `${api} was aborted before it was sent`)
    if (deadline > this.#runtime.clock.now()) return null
    return new RequestError('timed-out', 'never', `the deadline of ${api} had passed before it was sent`)
  }

  #lane(node: Node, name: LaneName): SocketLane {
    const key = `${node}/${name}`
    const known = this.#lanes.get(key)
    if (known !== undefined) return known
    const { clock } = this.#runtime
    const lane = new SocketLane({
      name: node === 'bootstrap' ? 'the bootstrap broker' : `broker ${node}`,
      clientId: this.#clientId,
      opener: createOpener(this.#settings, this.#addresses.of(node), clock),
      codecs: kafkajsCodecs,
      clock,
      idleLimitMs: IDLE_LIMIT_MS[name],
      hintAtRefusal: this.#config.sasl ? '' : '; does this listener need config.sasl?',
      onAnswer: (request, answer) => this.#learn(request, answer),
      onLost: (error) => this.#logger.debug({ owner: this.#owner, node, lane: name }, error.message),
    })
    this.#lanes.set(key, lane)
    return lane
  }

  #learn<R extends Request>(request: R, answer: AnswerTo<R>): void {
    for (const node of this.#addresses.learn(request, answer)) {
      for (const [key, lane] of this.#lanes) if (key.startsWith(`${node}/`)) lane.moved()
    }
  }
}

async function sessionSettings(
  config: ConnectionConfig,
  clientId: string,
  logger: Logger,
  { clock }: Runtime,
): Promise<SessionSettings> {
  const internals = await loadInternals()
  const mask = secretMask(config.sasl)
  return {
    config,
    clientId,
    clock,
    connectionTimeoutMs: config.connectionTimeout ?? CONNECTION_TIMEOUT_MS,
    authenticationTimeoutMs: config.authenticationTimeout ?? AUTHENTICATION_TIMEOUT_MS,
    internals,
    socketFactory: config.socketFactory ?? internals.createSocketFactory(),
    kafkajsLogger: kafkajsLogger(config, logger, internals, mask),
    mask,
  }
}
