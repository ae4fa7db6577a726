import { createAdaptorServer, type ServerType } from '@hono/node-server'
import type { AddressInfo } from 'node:net'
import { isIP } from 'node:net'
import { TidemarkError } from '../errors.js'
import type { Messaging } from '../messaging.js'
import type { Random } from '../runtime/random.js'
import { Redrives } from './letters/redrives.js'
import type { Diagnosis } from './model/topic-view.js'
import { appOf } from './server/app.js'
import type { Assets } from './server/assets.js'
import { ClusterWatch } from './watch/cluster-watch.js'

export interface ConsoleOptions {
  readonly messaging: Messaging
  readonly assets: Assets
  readonly diagnose: () => Promise<Diagnosis>
  readonly random: Pick<Random, 'uuid'>
  readonly port: number
  readonly host: string
  readonly hosts: readonly string[]
  readonly everyMs: number
  readonly timeoutMs: number
  readonly members: readonly URL[]
  readonly factsToken: string | undefined
  readonly redriveTo: readonly string[]
  readonly allowPayloads: boolean
  readonly audit: (line: string) => void
  /** How long a request may take to come, ms. Default 10,000. */
  readonly requestMs?: number | undefined
}

/** More than all browsers of a team have open. */
const mostConnections = 512

export interface Console {
  readonly url: string
  /** For writes, and off this machine for everything. */
  readonly token: string
  /** Ends what runs in order, and breaks the connections. Idempotent. */
  close(): Promise<void>
}

/**
 * Serves the page until it is closed.
 *
 * @throws TidemarkError `cannot-listen` when the address cannot be had
 */
export async function startConsole(options: ConsoleOptions): Promise<Console> {
  const {
    messaging,
    random,
    host,
    port,
    timeoutMs,
    members,
    factsToken,
    everyMs,
    redriveTo,
    requestMs = 10_000,
  } = options
  const token = random.uuid().replaceAll('-', '')
  const stop = new AbortController()
  const listeners = new Set<() => void>()
  const watch = new ClusterWatch({ messaging, everyMs, timeoutMs, members, factsToken })
  const redrives = new Redrives(messaging, redriveTo, random, () => {
    for (const listener of [...listeners]) listener()
  })
  const onRedrive = (listener: () => void) => {
    listeners.add(listener)
    return () => void listeners.delete(listener)
  }
  const reading = { messaging, timeoutMs, signal: stop.signal }
  const readsNeedToken = !isLoopback(host)
  const app = appOf({ ...options, token, readsNeedToken, watch, redrives, onRedrive, reading })
  const server = createAdaptorServer({
    fetch: app.fetch,
    overrideGlobalObjects: false,
    // Who sends a request byte by byte, or none, holds a connection no longer than that; an answer may take as long as it does.
    serverOptions: { headersTimeout: requestMs, requestTimeout: requestMs, connectionsCheckingInterval: requestMs / 4 },
  })
  server.maxConnections = mostConnections
  await listening(server, host, port)
  const { port: taken } = server.address() as AddressInfo
  const shown = isIP(host) === 6 ? `[${host}]` : host
  let closing: Promise<void> | null = null
  const close = async () => {
    stop.abort()
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    await redrives.close()
    await watch.close()
    if ('closeAllConnections' in server) server.closeAllConnections()
    await closed
  }
  return { url: `http://${shown}:${taken}/`, token, close: () => (closing ??= close()) }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

function listening(server: ServerType, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: Error) => {
      const message = `the console cannot listen on ${host}, port ${port}; choose another --port or --host`
      reject(new TidemarkError('cannot-listen', message, { cause }))
    })
    server.listen(port, host, () => resolve())
  })
}
