import { ConfigError, TidemarkError } from '../errors.js'
import { flag, missingOptions, optionIssues, type Rules } from '../input/option-rules.js'
import { isRecord, isText } from '../input/shapes.js'
import { bearerSasl, defaultTimeoutMs, type OauthSasl } from './bearer.js'
import { noToken, type Token } from './token-source.js'

/** What `oauth` is given. */
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

const rules: Rules<OauthOptions> = {
  tokenUrl: { expected: 'the URL of the token endpoint, with http:// or https://', accepts: isHttp },
  clientId: { expected: 'it as text', accepts: isText },
  clientSecret: {
    expected: 'it as text, or a function that gives it',
    accepts: (value) => isText(value) || typeof value === 'function',
  },
  scope: { expected: 'scopes with spaces between, or leave it out', accepts: isText },
  extensions: {
    expected: "names of letters, but auth, and their texts, for example { logicalCluster: 'lkc-1' }",
    accepts: areExtensions,
  },
  headerUrlencode: { expected: 'false for a server that does not decode, or leave it out', accepts: flag.accepts },
  timeoutMs: {
    expected: 'milliseconds above 0, or leave it out',
    accepts: (value) => typeof value === 'number' && value > 0,
  },
}

/**
 * OAuth 2 by client credentials, as `sasl` of kafkajs's configuration: `kafkajs({ brokers, ssl: true, sasl: oauth({ … }) })`.
 * A token is shared by all connections of the configuration and asked for anew after 80 % of its life, by one request at a
 * time; while the server fails, the last good token is given as long as it lives. Errors never hold secret or token.
 *
 * @throws ConfigError with every problem of the options
 */
export function oauth(options: OauthOptions): OauthSasl {
  const required = ['tokenUrl', 'clientId', 'clientSecret'] as const
  const issues = [...missingOptions(options, rules, required), ...optionIssues(options, rules)]
  if (issues.length === 0 && options.headerUrlencode === false && options.clientId.includes(':')) {
    issues.push({
      path: 'headerUrlencode',
      message: 'clientId has a colon, where the server ends it',
      fix: 'leave it out',
    })
  }
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
    throw noToken(
      `the token server of oauth could not be asked${codeOf(cause)}; check tokenUrl, and see its cause`,
      cause,
    )
  }
}

function tokenIn(status: number, answer: unknown): Token {
  const fields = isRecord(answer) ? answer : {}
  const value = fields['access_token']
  if (status !== 200 || !isText(value)) {
    // Only a word of the standard is shown: the rest is the server's.
    const word = fields['error']
    const why = typeof word === 'string' && /^[a-z_]{1,40}$/.test(word) ? `: ${word}` : ''
    // A page, or the answer of another service: nobody there has looked at our credentials.
    const check = status === 404 || (why === '' && status < 400) ? 'tokenUrl' : 'clientId, clientSecret and scope'
    throw noToken(`the token server of oauth gave no token (status ${status}${why}); check ${check}`)
  }
  const seconds = Number(fields['expires_in'])
  return { value, lifetimeMs: seconds > 0 && Number.isFinite(seconds) ? seconds * 1_000 : null }
}

/** Node's word for what was in the way of `fetch`, which says that itself in a cause of its own. */
function codeOf(failure: unknown): string {
  const { code } = ((failure as { readonly cause?: unknown }).cause ?? {}) as { readonly code?: unknown }
  return typeof code === 'string' ? ` (${code})` : ''
}

function isHttp(url: unknown): boolean {
  return typeof url === 'string' && URL.canParse(url) && ['http:', 'https:'].includes(new URL(url).protocol)
}

/** As SASL takes them: `auth` is where the token goes, and a control character ends each. */
function areExtensions(value: unknown): boolean {
  if (!isRecord(value)) return false
  return Object.entries(value).every(
    ([name, text]) => /^[a-z]+$/i.test(name) && name !== 'auth' && typeof text === 'string' && !text.includes('\x01'),
  )
}
