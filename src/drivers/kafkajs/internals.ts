import type { ISocketFactory, logCreator, Logger, logLevel } from 'kafkajs'
import { RequestError } from '../../connection/request-error.js'
import { loadPackage } from './package.js'

/** The shape in which kafkajs hands requests to a connection. */
export interface KafkajsExchange<Result> {
  readonly request: {
    readonly apiKey: number
    readonly apiVersion: number
    readonly apiName: string
    encode(): Promise<{ readonly buffer: Buffer }>
  }
  readonly response: {
    decode(payload: Buffer): Promise<unknown>
    parse(decoded: unknown): Promise<Result>
  }
}

/** What kafkajs's authenticators need from a connection. */
export interface KafkajsSaslConnection {
  readonly host: string
  readonly port: number
  /** The authenticator keeps its provider in here. */
  readonly sasl: object
  send<Result>(exchange: KafkajsExchange<Result>): Promise<Result>
}

export type KafkajsVersions = Readonly<Record<number, { readonly minVersion: number; readonly maxVersion: number }>>

interface KafkajsAuthenticator {
  authenticate(): Promise<void>
  /** Milliseconds as text; `0` for a session without an end. */
  readonly sessionLifetime: string
}

/** The parts of kafkajs 2.2.4 below its typed interface that connections are made of. */
export interface KafkajsInternals {
  readonly createSocketFactory: () => ISocketFactory
  readonly createLogger: (options: { level: logLevel; logCreator: logCreator }) => Logger
  readonly SaslAuthenticator: new (
    connection: KafkajsSaslConnection,
    logger: Logger,
    versions: KafkajsVersions,
    supportsSaslAuthenticate: boolean,
  ) => KafkajsAuthenticator
}

let loading: Promise<KafkajsInternals> | undefined

/** @throws RequestError `unsupported` when kafkajs is not installed, or not laid out as 2.2.4 is. */
export function loadInternals(): Promise<KafkajsInternals> {
  loading ??= load()
  return loading
}

async function load(): Promise<KafkajsInternals> {
  await loadPackage()
  try {
    const [socketFactory, saslAuthenticator, loggers] = await Promise.all([
      import('kafkajs/src/network/socketFactory.js'),
      import('kafkajs/src/broker/saslAuthenticator/index.js'),
      import('kafkajs/src/loggers/index.js'),
    ])
    return checkInternals(socketFactory.default, saslAuthenticator.default, loggers.default)
  } catch (error) {
    if (error instanceof RequestError) throw error
    throw mismatch((error as Error).message, error)
  }
}

export function checkInternals(socketFactory: unknown, saslAuthenticator: unknown, loggers: unknown): KafkajsInternals {
  const createLogger = (loggers as { createLogger?: unknown } | undefined)?.createLogger
  const prototype = (saslAuthenticator as { prototype?: { authenticate?: unknown } } | undefined)?.prototype
  if (typeof socketFactory !== 'function') throw mismatch('network/socketFactory is not a function')
  if (typeof createLogger !== 'function') throw mismatch('loggers has no createLogger')
  if (typeof prototype?.authenticate !== 'function') throw mismatch('broker/saslAuthenticator has no authenticate')
  return {
    createSocketFactory: socketFactory as KafkajsInternals['createSocketFactory'],
    createLogger: createLogger as KafkajsInternals['createLogger'],
    SaslAuthenticator: saslAuthenticator as KafkajsInternals['SaslAuthenticator'],
  }
}

function mismatch(found: string, cause?: unknown): RequestError {
  return new RequestError(
    'unsupported',
    'never',
    `expected kafkajs ~2.2.4, found another layout (${found}); install kafkajs@2.2.4 beside tidemark`,
    cause,
  )
}
