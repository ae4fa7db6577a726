import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface HttpProxy {
  /** The target's path at this proxy's address. */
  readonly url: string
  /** Requests wait from now on, until the returned function passes them on. */
  hold(): () => void
  /** Requests so far, as `GET /schemas/ids/1` below the path of the target. */
  readonly requests: readonly string[]
  close(): Promise<void>
}

/** Before one HTTP server. What the server does not answer is answered by an end of the connection. */
export async function startHttpProxy(target: string): Promise<HttpProxy> {
  const to = new URL(target)
  const requests: string[] = []
  let released = Promise.resolve()
  const pass = (asked: IncomingMessage, answer: ServerResponse) => {
    const { method = 'GET', headers, url: path = '/' } = asked
    requests.push(`${method} ${path.slice(to.pathname.length)}`)
    const passed = request({ host: to.hostname, port: to.port, method, path, headers: { ...headers, host: to.host } })
    passed.on('response', (given) => {
      answer.writeHead(given.statusCode ?? 502, given.headers)
      given.pipe(answer)
    })
    passed.on('error', () => answer.destroy())
    asked.pipe(passed)
  }
  const server = createServer((asked, answer) => void released.then(() => pass(asked, answer)))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}${to.pathname}`,
    hold() {
      let release: () => void = () => undefined
      released = new Promise((resolve) => (release = resolve))
      return release
    },
    requests,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}
