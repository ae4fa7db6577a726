import type * as signing from '@smithy/signature-v4'
import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto'
import { ConfigError } from '../errors.js'
import { missingOptions, optionIssues, type Rules } from '../input/option-rules.js'
import { isRecord, isText } from '../input/shapes.js'
import { systemClock, type Clock } from '../runtime/clock.js'
import { bearerSasl, defaultTimeoutMs, type OauthSasl } from './bearer.js'
import { noToken, type Token } from './token-source.js'

/** As the AWS SDK gives them. */
export interface AwsCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string | undefined
  readonly expiration?: Date | undefined
}

/** What `mskIam` is given. */
export interface MskIamOptions {
  /** Of the cluster, for example `eu-central-1`. */
  readonly region: string
  /**
   * Asked before each token: what `fromNodeProviderChain()` of `@aws-sdk/credential-providers` gives, or any function that
   * gives credentials.
   */
  readonly credentials: () => AwsCredentials | Promise<AwsCredentials>
  /** For the credentials. Default 8,000, less than kafkajs's `authenticationTimeout`. */
  readonly timeoutMs?: number | undefined
}

const rules: Rules<MskIamOptions> = {
  region: { expected: "the cluster's region, as 'eu-central-1'", accepts: isRegion },
  credentials: {
    expected: 'a function that gives credentials, as fromNodeProviderChain() of @aws-sdk/credential-providers',
    accepts: (value) => typeof value === 'function',
  },
  timeoutMs: {
    expected: 'milliseconds above 0, or leave it out',
    accepts: (value) => typeof value === 'number' && value > 0,
  },
}

/**
 * Amazon MSK with IAM, as `sasl` of kafkajs's configuration: `kafkajs({ brokers, ssl: true, sasl: mskIam({ … }) })`, for the
 * listener of IAM (port 9098, 9198 from outside). Signs by the package `@smithy/signature-v4`, which must be installed. A
 * token is shared by all connections of the configuration and lives 15 minutes, or as long as its credentials; it is made
 * anew after 80 % of its life, and while that fails the last one is given as long as it lives. Errors never hold credentials.
 *
 * @throws ConfigError with every problem of the options
 */
export function mskIam(options: MskIamOptions): OauthSasl {
  return mskIamAt(options, systemClock)
}

/** @internal */
export function mskIamAt(options: MskIamOptions, clock: Clock): OauthSasl {
  const issues = [...missingOptions(options, rules, ['region', 'credentials']), ...optionIssues(options, rules)]
  if (issues.length > 0) throw new ConfigError('mskIam', issues)
  const { timeoutMs = defaultTimeoutMs } = options
  const ask = () => signedToken(options, clock)
  return bearerSasl({ ask, timeoutMs, whom: 'the function for the credentials of mskIam' }, undefined, clock)
}

/** What MSK takes at the most. */
const longestLifeS = 900

async function signedToken(options: MskIamOptions, clock: Clock): Promise<Token> {
  const { region } = options
  const { keys, goodUntil } = await credentialsOf(options)
  const now = clock.wallTime()
  const lifeS = Math.min(longestLifeS, Math.floor((goodUntil - now) / 1_000))
  if (!(lifeS > 0))
    throw noToken('the credentials that mskIam was given have expired; its function must give valid ones')
  const { SignatureV4 } = await loadSigner()
  const signer = new SignatureV4({
    service: 'kafka-cluster',
    region,
    credentials: keys,
    sha256: Sha256,
    applyChecksum: false,
  })
  const hostname = `kafka.${region}.amazonaws.com`
  const request = {
    method: 'GET',
    protocol: 'https:',
    hostname,
    path: '/',
    headers: { host: hostname },
    query: { Action: 'kafka-cluster:Connect' },
  }
  const { query = {} } = await signer.presign(request, { signingDate: new Date(now), expiresIn: lifeS })
  // Not signed, as with Amazon's own signers: it is for the logs of the brokers.
  const parts = Object.entries({ ...query, 'User-Agent': 'tidemark' }).map(
    ([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`,
  )
  const url = `https://${hostname}/?${parts.join('&')}`
  return { value: Buffer.from(url).toString('base64url'), lifetimeMs: lifeS * 1_000 }
}

async function credentialsOf({ credentials }: MskIamOptions) {
  let given: unknown
  try {
    given = await credentials()
  } catch (cause) {
    throw noToken('the function for the credentials of mskIam failed; see its cause', cause)
  }
  if (!isRecord(given) || !isText(given['accessKeyId']) || !isText(given['secretAccessKey'])) {
    throw noToken('the function for the credentials of mskIam gave no accessKeyId and secretAccessKey')
  }
  const { accessKeyId, secretAccessKey, sessionToken, expiration } = given as unknown as AwsCredentials
  const keys = { accessKeyId, secretAccessKey, ...(isText(sessionToken) ? { sessionToken } : {}) }
  return { keys, goodUntil: expiration === undefined ? Infinity : Number(expiration) }
}

/** An optional peer: nothing imports it before somebody needs it. */
async function loadSigner(): Promise<typeof signing> {
  try {
    return await import('@smithy/signature-v4')
  } catch (cause) {
    throw noToken(
      'mskIam signs by the package @smithy/signature-v4, which could not be loaded: npm install @smithy/signature-v4',
      cause,
    )
  }
}

/** The hash that the signer asks for: with a secret it is an HMAC. */
class Sha256 {
  readonly #secret: string | ArrayBuffer | ArrayBufferView | undefined
  #hash: Hash | Hmac

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#secret = secret
    this.#hash = this.#begun()
  }

  update(data: Uint8Array): void {
    this.#hash.update(data)
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest())
  }

  reset(): void {
    this.#hash = this.#begun()
  }

  #begun(): Hash | Hmac {
    const secret = this.#secret
    if (secret === undefined) return createHash('sha256')
    return createHmac(
      'sha256',
      secret instanceof ArrayBuffer ? new Uint8Array(secret) : (secret as NodeJS.ArrayBufferView),
    )
  }
}

function isRegion(value: unknown): boolean {
  return typeof value === 'string' && /^[a-z]{2}(-[a-z]+)+-\d$/.test(value)
}
