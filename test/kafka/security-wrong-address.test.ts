import { createServer as createHttpServer } from 'node:http'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import type { KafkaConfig } from 'kafkajs'
import { afterEach, describe, expect, it } from 'vitest'
import { failuresOf } from '../support/client-probe.js'
import { freePorts } from '../support/free-ports.js'

const PASSWORD = 'a-password-nobody-may-see'
const sasl = { mechanism: 'plain', username: 'alice', password: PASSWORD } as const
/** Long enough for a first attempt, which tells the reason, on a machine that does much else. */
const WITHIN_MS = 3_500

const servers: { readonly server: Server; readonly sockets: Set<Socket> }[] = []
afterEach(async () => {
  for (const { server, sockets } of servers.splice(0)) {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  }
})

async function listen(server: Server): Promise<string> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    // Reads on, else it would never see that the client is gone.
    socket.resume()
    socket.on('close', () => sockets.delete(socket)).on('error', () => undefined)
  })
  servers.push({ server, sockets })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

const silent = () => listen(createServer(() => undefined))
const hangingUp = () => listen(createServer((socket) => socket.destroy()))
const http = () => listen(createHttpServer((_request, response) => response.end('hello')))
const nobody = async () => `127.0.0.1:${(await freePorts(1))[0]}`

type Ways = readonly [what: string, config: Partial<KafkaConfig>][]
const ways: Ways = [
  ['in plain text', {}],
  ['with TLS and SASL', { ssl: true, sasl }],
]

/** Every kind of client says the same about it: after all its time, because it may get better. */
async function expectUnreachable(address: string, config: Partial<KafkaConfig>, reason: RegExp): Promise<void> {
  const failures = await failuresOf({ ...config, brokers: [address] }, { withinMs: WITHIN_MS, secrets: [PASSWORD] })
  for (const { role, error, elapsedMs } of failures) {
    expect(error, role).toMatchObject({ name: 'DriverError', code: 'cluster-unreachable', retriable: true })
    expect(error.message, role).toContain(`cannot connect to broker ${address}`)
    expect(error.message, role).toMatch(reason)
    expect(elapsedMs, role).toBeGreaterThan(WITHIN_MS - 1_500)
  }
}

describe.each(ways)('a client %s that was given the wrong address', (_what, config) => {
  it('says that nobody listens there', async () => {
    await expectUnreachable(await nobody(), config, /ECONNREFUSED.*; is a broker listening there\?/)
  })

  it('says that a port is silent', async () => {
    const reason = config.ssl
      ? /no connection within 1000 ms; is the address right, and does this listener speak TLS\?/
      : /it took the connection, but did not answer within 1000 ms; is this the port of a Kafka listener, and does it need config\.ssl\?/
    await expectUnreachable(await silent(), config, reason)
  })

  it('says that a port hangs up', async () => {
    const reason = config.ssl
      ? /; does this listener speak TLS\?/
      : /closed the connection.*; does this listener need config\.ssl\?/
    await expectUnreachable(await hangingUp(), config, reason)
  })

  it('says that a port speaks HTTP', async () => {
    await expectUnreachable(await http(), config, config.ssl ? /; does this listener speak TLS\?/ : /HTTP/)
  })
})

it('says of a name with several addresses that nobody listens at any', async () => {
  const port = (await freePorts(1))[0]
  await expectUnreachable(`localhost:${port}`, {}, /ECONNREFUSED/)
})
