import { createMiddleware } from 'hono/factory'
import { hasToken, isKnownHost } from '../../health/request-guard.js'

export interface GuardOptions {
  /** Names under which it may be asked, beside `localhost` and every IP address. */
  readonly hosts: readonly string[]
  readonly token: string
  /** What reads needs the token too: it listens where others than this machine can come. */
  readonly readsNeedToken: boolean
}

/**
 * Asked before any route. A page of somebody else, open in the same browser, can send requests here; it must get nothing
 * done and nothing to read:
 *
 * | what it tries | refused, since |
 * |---------------|----------------|
 * | a name of its own that points here (DNS rebinding) | `Host` is no name of ours: 421 |
 * | a request from its own site | `Origin` is not where we are, or the browser says `Sec-Fetch-Site`: 403 |
 * | a form or a picture that writes | writes are JSON by POST: 405, 415 |
 * | any write at all | it does not know the token: 401 |
 */
export function guard({ hosts, token, readsNeedToken }: GuardOptions) {
  return createMiddleware(async (context, next) => {
    const { req } = context
    const host = req.header('host')
    if (host === undefined || !isKnownHost(host, hosts)) {
      return context.text('this name is not served here; start the console with --host-name to add it', 421)
    }
    const isApi = req.path.startsWith('/api/')
    const isNavigation = !isApi && req.method === 'GET' && req.header('sec-fetch-mode') === 'navigate'
    if (!isNavigation && isForeign(req.header('origin'), req.header('sec-fetch-site'), host)) {
      return context.text('requests of other sites are refused', 403)
    }
    const isRead = req.method === 'GET'
    // HEAD of a stream would be answered and never end.
    if (!isRead && req.method !== 'POST') return context.text('GET or POST', 405)
    const needsToken = isApi && (!isRead || readsNeedToken)
    if (needsToken && !hasToken(req.header('authorization'), token)) {
      context.header('www-authenticate', 'Bearer')
      return context.text('needs the token that the console printed at its start', 401)
    }
    if (!isRead && !/^application\/json\b/i.test(req.header('content-type') ?? '')) {
      return context.text('writes are JSON: content-type: application/json', 415)
    }
    return next()
  })
}

function isForeign(origin: string | undefined, site: string | undefined, host: string): boolean {
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true
  return origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`
}
