import { ConfigError, TidemarkError, type ConfigIssue } from '../errors.js'
import { came } from '../input/came.js'
import { isRecord, isText } from '../input/shapes.js'
import { bearerSasl, defaultTimeoutMs, type OauthSasl } from './bearer.js'
import { noToken, type Token } from './token-source.js'

export interface OauthOptions {
  /** Of the authorization server, for example `https://login.example.com/oauth2/token`. */
  readonly tokenUrl: string
  readonly clientId: string
  /** Or a function that is asked before each request for a token, so that a secret may be exchanged. */
  readonly clientSecret: string | (() => string | Promise<string>)
  readonly scope?: string | undefined
  /**
   * Are `clientId` and `clientSecret` URL-encoded in the `Authorization` header, as RFC 6749 wants it? Default true; false for
   * servers that take them as they are. It makes a difference only where they have other characters than letters, digits and
   * `-_.!~*'()`. Java's `sasl.oauthbearer.header.urlencode`, whose default is false.
   */
  readonly headerUrlencode?: boolean | undefined
  /** What the broker wants to be told beside the token, for example `{ logicalCluster: 'lkc-1' }`. */
  readonly extensions?: Readonly<Record<string, string>> | undefined
  /** For one request. Default 8,000, less than kafkajs's `authenticationTimeout`. */
  readonly timeoutMs?: number | undefined
}

/**
 * OAuth 2 by client credentials, as `sasl` of kafkajs's configuration: `kafkajs({ brokers, ssl: true, sasl: oauth({ … }) })`.
 * A token is shared by all connections of the configuration and asked for anew after 80 % of its life, by one request at a
 * time; while the server fails, the last good token is given as long as it lives. Errors never hold secret or token.
 *
 * @throws ConfigError with every problem of the options
 */
export function oauth(options: OauthOptions): OauthSasl {
  const issues = problemsOf(options)
  if (issues.length > 0) throw new ConfigError('oauth', issues)
  const { timeoutMs = defaultTimeoutMs, extensions } = options
  const ask = (late: AbortSignal) => askServer(options, late)
  return bearerSasl({ ask, timeoutMs, whom: 'the token server of oauth' }, extensions)
}

async function askServer(options: OauthOptions, late: AbortSignal): Promise<Token> {
  const { tokenUrl, clientId, clientSecret, scope } = options
  try {
    const secret = typeof clientSecret === 'function' ? await clientSecret() : clientSecret
    if (!isText(secret)) throw noToken('the function clientSecret of oauth gave no text')
    const written = options.headerUrlencode === false ? String : encodeURIComponent
    const credentials = `${written(clientId)}:${written(secret)}`
    const answer = await fetch(tokenUrl, {
      method: 'POST',
      headers: {
        accept: 'application/json',
        authorization: `Basic ${Buffer.from(credentials).toString('base64')}`,
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: new URLSearchParams({ grant_type: 'client_credentials', ...(scope === undefined ? {} : { scope }) }),
      // Elsewhere the credentials are nobody's business.
      redirect: 'error',
      signal: late,
    })
    return tokenIn(answer.status, await answer.json().catch(() => null))
  } catch (cause) {
    if (cause instanceof TidemarkError) throw cause
    throw noToken('the token server of oauth could not be asked; see its cause', cause)
  }
}

function tokenIn(status: number, answer: unknown): Token {
  const fields = isRecord(answer) ? answer : {}
  const value = fields['access_token']
  if (status !== 200 || !isText(value)) {
    // Only a word of the standard is shown: the rest is the server's.
    const word = fields['error']
    const why = typeof word === 'string' && /^[a-z_]{1,40}$/.test(word) ? `: ${word}` : ''
    throw noToken(
      `the token server of oauth gave no token (status ${status}${why}); check clientId, clientSecret and scope`,
    )
  }
  const seconds = Number(fields['expires_in'])
  return { value, lifetimeMs: seconds > 0 && Number.isFinite(seconds) ? seconds * 1_000 : null }
}

function problemsOf(options: unknown): ConfigIssue[] {
  if (!isRecord(options)) return [{ path: 'options', message: came(options), fix: 'write { tokenUrl, clientId, … }' }]
  const { tokenUrl, clientId, clientSecret, scope, headerUrlencode, timeoutMs } = options
  const issues: ConfigIssue[] = []
  const refuse = (path: string, isBad: boolean, message: string, fix: string) => {
    if (isBad) issues.push({ path, message, fix })
  }
  refuse('tokenUrl', !isHttp(tokenUrl), 'is no http or https URL', 'write the URL of the token endpoint')
  refuse('clientId', !isText(clientId), 'is no text', 'write it as text')
  const isSecret = isText(clientSecret) || typeof clientSecret === 'function'
  refuse('clientSecret', !isSecret, 'is neither text nor a function', 'write it as text, or a function that gives it')
  refuse(
    'scope',
    scope !== undefined && !isText(scope),
    'is no text',
    'write scopes with spaces between, or leave it out',
  )
  const isChoice = headerUrlencode === undefined || typeof headerUrlencode === 'boolean'
  refuse('headerUrlencode', !isChoice, 'is neither true nor false', 'write false for a server that does not decode')
  const isSplit = headerUrlencode === false && isText(clientId) && clientId.includes(':')
  refuse('headerUrlencode', isSplit, 'clientId has a colon, where the server ends it', 'leave it out')
  const isTime = timeoutMs === undefined || (typeof timeoutMs === 'number' && timeoutMs > 0)
  refuse('timeoutMs', !isTime, 'is no time', 'write milliseconds above 0, or leave it out')
  return issues
}

function isHttp(url: unknown): boolean {
  return typeof url === 'string' && URL.canParse(url) && ['http:', 'https:'].includes(new URL(url).protocol)
}
