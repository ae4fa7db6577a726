import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ConfigError, TidemarkError } from '../errors.js'
import { optionIssues, timeLimit, wholeNumber, type Rules } from '../input/option-rules.js'
import type { Messaging } from '../messaging.js'
import type { Clock } from '../runtime/clock.js'
import { withinDeadline } from '../runtime/within-deadline.js'
import { boundConnections } from './connections.js'
import { requireMessaging, watchHealth, type HealthWatch } from './health-watch.js'
import type { Health } from './judge.js'
import { hasToken, refusalOf, targetOf } from './request-guard.js'

/** Options of `healthServer`. */
export interface HealthServerOptions {
  readonly messaging: Messaging
  /** 0 takes a free one, which `port` of the server tells. */
  readonly port: number
  /** The address to listen on. Default `127.0.0.1`: a probe from outside, as Kubernetes', needs `0.0.0.0`. */
  readonly host?: string | undefined
  /** Names under which it may be asked, beside `localhost` and every IP address. */
  readonly hosts?: readonly string[] | undefined
  /** Whoever asks for `/facts` must know it: `Authorization: Bearer …`. At least 16 characters; without it there is no `/facts`. */
  readonly token?: string | undefined
  /** The text of `/metrics`, as prom-client's `registry.metrics()`; awaited for at most 5 s. Without it there is no `/metrics`. */
  readonly metrics?: (() => string | Promise<string>) | undefined
  /** Default the text format of Prometheus. */
  readonly metricsType?: string | undefined
}

/** A server that answers probes. */
export interface HealthServer extends AsyncDisposable {
  readonly port: number
  /**
   * Takes no more requests, lets those under way end for `timeoutMs` (default 1,000), then breaks their connections.
   * Idempotent; the messaging stays open.
   */
  close(options?: { readonly timeoutMs?: number | undefined }): Promise<void>
}

const isText = (value: unknown) => typeof value === 'string' && value !== ''

const rules: Rules<HealthServerOptions> = {
  messaging: { expected: 'what createMessaging returned', accepts: () => true },
  port: wholeNumber(0, 65_535),
  host: { expected: "an address to listen on, as '127.0.0.1'", accepts: isText },
  hosts: {
    expected: "a list of names without a port, as 'billing.internal'",
    accepts: (value) =>
      Array.isArray(value) && value.every((name) => isText(name) && /^[^\s:/]+$/.test(name as string)),
  },
  token: {
    // Others would be refused, or changed on their way.
    expected: 'a text of at least 16 characters, of ASCII and without a space at its ends',
    accepts: (value) => typeof value === 'string' && /^[\x21-\x7e][\x20-\x7e]{14,}[\x21-\x7e]$/.test(value),
  },
  metrics: { expected: 'a function that returns text', accepts: (value) => typeof value === 'function' },
  metricsType: {
    expected: 'a content type, of ASCII',
    accepts: (value) => typeof value === 'string' && /^[\x20-\x7e]+$/.test(value),
  },
}

const closeRules: Rules<{ timeoutMs?: number | undefined }> = { timeoutMs: timeLimit }

const headerBytes = 8_192
const requestMs = 5_000
/** How often connections are looked at whose time is over. */
const checkMs = 1_000
const mostConnections = 64

/**
 * Answers whoever probes, on a port of its own; resolves when it listens. It keeps no process alive by itself.
 *
 * | path | who may ask | answer |
 * |------|-------------|--------|
 * | `/live` | all | 200, or 503 when only a new process can help |
 * | `/ready` | all | 200 when healthy or degraded, else 503 |
 * | `/metrics` | all | the text of `metrics`; 404 without it |
 * | `/facts` | who knows `token` | health with all reasons, and `facts()`; 404 without a token |
 *
 * `/live` and `/ready` name status and codes and nothing else.
 *
 * @throws ConfigError with every problem of the options
 * @throws TidemarkError `cannot-listen` when the address cannot be had
 * @example
 * const server = await healthServer({ messaging, port: 8081, host: '0.0.0.0', token: process.env.FACTS_TOKEN })
 */
export async function healthServer(options: HealthServerOptions): Promise<HealthServer> {
  const issues = optionIssues(options, rules)
  if (issues.length > 0) throw new ConfigError('healthServer', issues)
  requireMessaging('healthServer', options.messaging)
  if (options.port === undefined) {
    throw new ConfigError('healthServer', [
      { path: 'port', message: 'is missing', fix: 'write a port, or 0 for a free one' },
    ])
  }
  const watch = watchHealth(options.messaging)
  const clock = options.messaging.clock
  const limits = {
    maxHeaderSize: headerBytes,
    headersTimeout: requestMs,
    requestTimeout: requestMs,
    keepAliveTimeout: requestMs,
    connectionsCheckingInterval: checkMs,
  }
  const server = createServer(
    limits,
    (request, response) => void answer(request, response, options, watch, clock), // never rejects
  )
  boundConnections(server, mostConnections)
  server.on('connection', (socket) => socket.unref())
  try {
    await listening(server, options)
  } catch (cause) {
    watch.close()
    throw cause
  }
  server.unref()
  // A connection that cannot be taken, as for want of file descriptors, is no end of the process.
  server.on('error', () => undefined)
  let closing: Promise<void> | null = null
  const close: HealthServer['close'] = ({ timeoutMs = 1_000 } = {}) => {
    const closeIssues = optionIssues({ timeoutMs }, closeRules)
    if (closeIssues.length > 0) return Promise.reject(new ConfigError('close', closeIssues))
    watch.close()
    closing ??= ended(server, clock, timeoutMs)
    return closing
  }
  const { port } = server.address() as AddressInfo
  return { port, close, [Symbol.asyncDispose]: () => close() }
}

function listening(server: Server, { host = '127.0.0.1', port }: HealthServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (cause: NodeJS.ErrnoException) => {
      const why = cause.code === undefined ? '' : ` (${cause.code})`
      const message = `the health server cannot listen on ${host}, port ${port}${why}; choose another port or host`
      reject(new TidemarkError('cannot-listen', message, { cause }))
    }
    server.once('error', failed)
    server.listen(port, host, () => {
      server.off('error', failed)
      resolve()
    })
  })
}

async function ended(server: Server, clock: Clock, timeoutMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeIdleConnections()
  const onLate = () => server.closeAllConnections()
  await withinDeadline(closed, { clock, deadline: clock.now() + timeoutMs, onLate })
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: HealthServerOptions,
  watch: HealthWatch,
  clock: Clock,
): Promise<void> {
  const refusal = refusalOf(request, options.hosts ?? [])
  if (refusal !== null) {
    // What is left of the request is not read.
    response.setHeader('connection', 'close')
    return write(response, clock, refusal.status, refusal.text)
  }
  const { path } = targetOf(request)
  try {
    if (path === '/live') return writeHealth(response, clock, watch.health(), ({ status }) => status !== 'not-live')
    if (path === '/ready') {
      return writeHealth(response, clock, watch.health(), ({ status }) => status === 'healthy' || status === 'degraded')
    }
    if (path === '/metrics' && options.metrics !== undefined) return await writeMetrics(response, options, clock)
    if (path === '/facts' && options.token !== undefined) {
      if (!hasToken(request.headers.authorization, options.token)) {
        response.setHeader('www-authenticate', 'Bearer')
        return write(response, clock, 401, 'needs the token: Authorization: Bearer …')
      }
      const told = { health: watch.health(), facts: options.messaging.facts() }
      return write(response, clock, 200, JSON.stringify(told), 'application/json')
    }
    write(response, clock, 404, 'there are /live, /ready, and /metrics and /facts where they are set up')
  } catch {
    // What foreign code throws may show what it should not.
    write(response, clock, 500, 'it failed; look at the function that was given as metrics')
  }
}

async function writeMetrics(response: ServerResponse, options: HealthServerOptions, clock: Clock): Promise<void> {
  const { metrics, metricsType = 'text/plain; version=0.0.4; charset=utf-8' } = options
  const told = Promise.resolve().then(() => metrics?.() ?? '')
  const text = await withinDeadline<string, null>(told, {
    clock,
    deadline: clock.now() + requestMs,
    onLate: () => null,
  })
  if (text === null) return write(response, clock, 503, 'the metrics were not there in time')
  write(response, clock, 200, text, metricsType)
}

function writeHealth(
  response: ServerResponse,
  clock: Clock,
  health: Health,
  isWell: (health: Health) => boolean,
): void {
  const told = { status: health.status, reasons: [...new Set(health.reasons.map(({ code }) => code))] }
  write(response, clock, isWell(health) ? 200 : 503, JSON.stringify(told), 'application/json')
}

function write(
  response: ServerResponse,
  clock: Clock,
  status: number,
  text: string,
  type = 'text/plain; charset=utf-8',
): void {
  if (response.headersSent || response.destroyed) return
  // Who does not read it does not keep it.
  const late = clock.setTimer(requestMs, () => response.destroy())
  late.unref?.()
  response.once('close', () => late.cancel())
  response.writeHead(status, {
    'content-type': type,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'content-length': Buffer.byteLength(text),
  })
  response.end(response.req.method === 'HEAD' ? undefined : text)
}
