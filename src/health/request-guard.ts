import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'

/** An answer that refuses. */
export interface Refusal {
  readonly status: number
  readonly text: string
}

/**
 * What is asked before anything is answered. A page in somebody's browser can make a name of its own point here (DNS
 * rebinding) and then read what is answered, but it cannot make the browser send another `Host` than that name: numbers and
 * `localhost` are safe, other names are taken from `hosts` alone.
 */
export function refusalOf(request: IncomingMessage, hosts: readonly string[]): Refusal | null {
  const { host = request.headers.host } = targetOf(request)
  if (host === undefined || !isKnownHost(host, hosts)) {
    return { status: 421, text: 'this name is not served here; add it to hosts' }
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') return { status: 405, text: 'GET or HEAD' }
  const hasBody =
    request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0
  return hasBody ? { status: 413, text: 'a request without a body' } : null
}

/** What is asked for. A whole address, as `http://localhost/live`, takes the place of `Host` (RFC 9112, 3.2.2). */
export function targetOf({ url = '' }: IncomingMessage): { readonly path: string; readonly host?: string } {
  const [, host, path = url] = /^https?:\/\/([^/?]*)(.*)$/is.exec(url) ?? []
  const bare = path.split('?', 1)[0] as string
  return host === undefined ? { path: bare } : { path: bare === '' ? '/' : bare, host }
}

/** Numbers, `localhost`, and the names of `hosts`. */
export function isKnownHost(header: string, hosts: readonly string[]): boolean {
  const name = header.replace(/:\d*$/, '').toLowerCase()
  const bare = name.startsWith('[') && name.endsWith(']') ? name.slice(1, -1) : name
  return isIP(bare) !== 0 || name === 'localhost' || hosts.some((host) => host.toLowerCase() === name)
}

/** Of a header `Authorization`. Takes as long whatever was given. */
export function hasToken(authorization: string | undefined, token: string): boolean {
  const given = /^Bearer (.+)$/i.exec(authorization ?? '')?.[1] ?? ''
  return timingSafeEqual(digest(given), digest(token))
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
