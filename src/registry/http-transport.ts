import { request as plainRequest, Agent as PlainAgent, type IncomingMessage, type RequestOptions } from 'node:http'
import { request as tlsRequest, Agent as TlsAgent } from 'node:https'
import type { SecureContextOptions } from 'node:tls'
import { RegistryError } from './registry-error.js'
import type { RegistryAnswer, RegistryRequest, RegistryTransport } from './transport.js'

/** Who asks. */
export type RegistryCredentials =
  | { readonly username: string; readonly password: string }
  /** A bearer token; a function is asked before each request, so that it may renew it. */
  | { readonly token: string | (() => string | Promise<string>) }

/** As `node:tls` takes them. */
export type RegistryTls = SecureContextOptions & { readonly rejectUnauthorized?: boolean | undefined }

export interface HttpSettings {
  readonly credentials: RegistryCredentials | null
  readonly tls: RegistryTls | null
  readonly headers: Readonly<Record<string, string>>
}

const contentType = 'application/vnd.schemaregistry.v1+json'
/** No schema is as large; what answers so much is no registry. */
const mostBytes = 16 * 1024 * 1024

/** One address over HTTP, with connections that stay open for a while. Credentials in the address are taken out of it. */
export class HttpTransport implements RegistryTransport {
  readonly address: string
  readonly #url: URL
  readonly #settings: HttpSettings
  readonly #agent: PlainAgent

  constructor(url: URL, settings: HttpSettings) {
    const credentials =
      url.username === '' && url.password === ''
        ? settings.credentials
        : { username: decodeURIComponent(url.username), password: decodeURIComponent(url.password) }
    this.#url = url
    this.#settings = { ...settings, credentials }
    this.address = `${url.origin}${url.pathname.replace(/\/+$/, '')}`
    const kept = { keepAlive: true, keepAliveMsecs: 10_000, maxSockets: 8, timeout: 30_000 }
    this.#agent = url.protocol === 'https:' ? new TlsAgent({ ...kept, ...settings.tls }) : new PlainAgent(kept)
  }

  async send({ method, path, body }: RegistryRequest, signal: AbortSignal): Promise<RegistryAnswer> {
    const headers: Record<string, string> = { ...this.#settings.headers, accept: `${contentType}, application/json` }
    const authorization = await authorizationOf(this.#settings.credentials)
    if (authorization !== null) headers.authorization = authorization
    if (body !== null) {
      headers['content-type'] = contentType
      headers['content-length'] = String(Buffer.byteLength(body))
    }
    const options: RequestOptions = { method, headers, agent: this.#agent, signal }
    const url = new URL(`${this.address}${path}`)
    const request = this.#url.protocol === 'https:' ? tlsRequest : plainRequest
    return new Promise((resolve, reject) => {
      const sent = request(url, options, (answer) => {
        textOf(answer).then((text) => resolve({ status: answer.statusCode ?? 0, body: text }), reject)
      })
      sent.on('error', reject)
      sent.end(body ?? undefined)
    })
  }
}

async function authorizationOf(credentials: RegistryCredentials | null): Promise<string | null> {
  if (credentials === null) return null
  if (!('token' in credentials)) {
    const pair = Buffer.from(`${credentials.username}:${credentials.password}`, 'utf8').toString('base64')
    return `Basic ${pair}`
  }
  const { token } = credentials
  return `Bearer ${typeof token === 'string' ? token : await token()}`
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of answer as AsyncIterable<Buffer>) {
    bytes += part.length
    if (bytes > mostBytes) {
      answer.destroy()
      throw new RegistryError(
        'registry-failed',
        `an answer of more than ${mostBytes} bytes came where a schema belongs`,
      )
    }
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}
