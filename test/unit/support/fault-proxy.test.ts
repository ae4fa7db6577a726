import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startFaultProxy, type FaultProxy } from '../../support/fault-proxy.js'
import { apiKeys, type ApiName } from '../../support/kafka-frames.js'

/** Answers each request with its own correlation id, and keeps the ids in the order of their coming. */
class EchoBroker {
  readonly seen: number[] = []
  readonly server: Server = createServer((socket) => this.#serve(socket))
  #rest = Buffer.alloc(0)

  async listen(): Promise<number> {
    this.server.listen(0, '127.0.0.1')
    await once(this.server, 'listening')
    return (this.server.address() as AddressInfo).port
  }

  #serve(socket: Socket): void {
    this.#rest = Buffer.alloc(0)
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      this.#rest = Buffer.concat([this.#rest, chunk])
      while (this.#rest.length >= 4 && this.#rest.length >= 4 + this.#rest.readInt32BE(0)) {
        const length = 4 + this.#rest.readInt32BE(0)
        this.seen.push(this.#rest.readInt32BE(8))
        socket.write(answer(this.#rest.readInt32BE(8)))
        this.#rest = this.#rest.subarray(length)
      }
    })
  }
}

function request(api: ApiName, correlationId: number, bodyBytes = 20): Buffer {
  const frame = Buffer.alloc(14 + bodyBytes)
  frame.writeInt32BE(frame.length - 4, 0)
  frame.writeInt16BE(apiKeys[api], 4)
  frame.writeInt32BE(correlationId, 8)
  return frame
}

function answer(correlationId: number): Buffer {
  const frame = Buffer.alloc(20)
  frame.writeInt32BE(16, 0)
  frame.writeInt32BE(correlationId, 4)
  return frame
}

/** What a client hears: correlation ids, until its connection ends. */
class Client {
  readonly heard: number[] = []
  readonly socket: Socket
  readonly closed: Promise<unknown>
  #rest = Buffer.alloc(0)

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1')
    this.socket.on('error', () => undefined)
    this.closed = new Promise((resolve) => this.socket.once('close', resolve))
    this.socket.on('data', (chunk) => {
      this.#rest = Buffer.concat([this.#rest, chunk])
      while (this.#rest.length >= 20) {
        this.heard.push(this.#rest.readInt32BE(4))
        this.#rest = this.#rest.subarray(20)
      }
    })
  }

  async hears(...ids: number[]): Promise<void> {
    await expect.poll(() => this.heard, { timeout: 3_000, interval: 5 }).toEqual(ids)
  }
}

let broker: EchoBroker
let proxy: FaultProxy
let clients: Client[]
const client = (): Client => {
  const made = new Client(proxy.port)
  clients.push(made)
  return made
}

beforeEach(async () => {
  broker = new EchoBroker()
  clients = []
  proxy = await startFaultProxy({ host: '127.0.0.1', port: await broker.listen() })
})

afterEach(async () => {
  for (const { socket } of clients) socket.destroy()
  await proxy.close()
  await new Promise((resolve) => broker.server.close(resolve))
})

describe('the fault proxy', () => {
  it('passes requests and answers, however the bytes are cut', async () => {
    const one = client()
    const bytes = Buffer.concat([request('Produce', 1), request('Fetch', 2, 3_000), request('Metadata', 3)])
    for (let at = 0; at < bytes.length; at += 7) {
      one.socket.write(bytes.subarray(at, at + 7))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await one.hears(1, 2, 3)
    expect(proxy.counts).toMatchObject({ connections: 1, requests: 3, answers: 3, answersLost: 0 })
  })

  it('loses the n-th answer of an API after the broker gave it, and ends that connection', async () => {
    const trap = proxy.loseAnswer({ api: 'Produce', nth: 2 })
    const one = client()
    one.socket.write(
      Buffer.concat([request('Produce', 1), request('Metadata', 2), request('Produce', 3), request('Produce', 4)]),
    )
    await trap.struck
    await one.closed
    expect(one.heard).toEqual([1, 2])
    expect(broker.seen).toContain(3)
    expect(proxy.counts.answersLost).toBe(1)
    const two = client()
    two.socket.write(request('Produce', 5))
    await two.hears(5)
  })

  it('holds a request and all behind it until release', async () => {
    const held = proxy.hold({ api: 'Produce' })
    const one = client()
    one.socket.write(Buffer.concat([request('Metadata', 1), request('Produce', 2), request('Metadata', 3)]))
    await held.struck
    await one.hears(1)
    expect(broker.seen).toEqual([1])
    held.release()
    await one.hears(1, 2, 3)
  })

  it('delivers a held request late, after its client has gone', async () => {
    const held = proxy.hold({ api: 'Produce' })
    const one = client()
    one.socket.write(request('Produce', 1))
    await held.struck
    one.socket.destroy()
    await one.closed
    const two = client()
    two.socket.write(request('Produce', 2))
    await two.hears(2)
    held.release()
    await expect.poll(() => broker.seen).toEqual([2, 1])
  })

  it('delays both ways and keeps the order', async () => {
    proxy.delay(40)
    const one = client()
    const startedAt = performance.now()
    for (let id = 1; id <= 20; id++) one.socket.write(request('Metadata', id))
    await one.hears(...Array.from({ length: 20 }, (_, index) => index + 1))
    expect(performance.now() - startedAt).toBeGreaterThan(79)
  })

  it('cuts every connection', async () => {
    const [one, two] = [client(), client()]
    for (const each of [one, two]) each.socket.write(request('Metadata', 1))
    await one.hears(1)
    await two.hears(1)
    proxy.cut()
    await Promise.all([one.closed, two.closed])
    expect(proxy.counts.connectionsCut).toBe(2)
    expect(proxy.openConnections).toBe(0)
  })

  it('swallows as a black hole, and resets what swallowed when healed', async () => {
    const one = client()
    one.socket.write(request('Metadata', 1))
    await one.hears(1)
    proxy.blackHole()
    const two = client()
    one.socket.write(request('Metadata', 2))
    two.socket.write(request('Metadata', 3))
    await expect.poll(() => proxy.counts.requestsSwallowed).toBe(2)
    proxy.heal()
    await Promise.all([one.closed, two.closed])
    expect(broker.seen).toEqual([1])
    const three = client()
    three.socket.write(request('Metadata', 4))
    await three.hears(4)
  })

  it('resets the client when the broker cannot be reached', async () => {
    broker.server.close()
    const one = client()
    await one.closed
    expect(one.heard).toEqual([])
  })

  it('draws the same losses from the same seed', async () => {
    const lossesOf = async (seed: number): Promise<number> => {
      const stop = proxy.random({ seed, loseAnswers: 0.1 })
      const one = client()
      for (let id = 1; id <= 100; id++) one.socket.write(request('Metadata', id))
      await one.closed
      stop()
      return one.heard.length
    }
    expect(await lossesOf(7)).toBe(await lossesOf(7))
  })

  const offset42 = `${'00000003'}0000${'000000000000002a'}${'f'.repeat(16)}${'0'.repeat(16)}`
  it.each([
    [7, `00000001${'0001'}74${'00000001'}${offset42}00000000`],
    // With a message, a leader in a tagged field, and the tags of every level.
    [12, `00${'02'}0274${'02'}${offset42}${'01'}00${'01000a'}${'00'.repeat(10)}00${'00000000'}00`],
  ])('notes what the broker confirmed in Produce %d, heard by the client or not', async (version, hex) => {
    const confirmed: unknown[] = []
    proxy.watchConfirmed((batch) => confirmed.push(batch))
    proxy.loseAnswer({ api: 'Produce' })
    const body = Buffer.from(hex, 'hex')
    broker.server.removeAllListeners('connection')
    broker.server.on('connection', (socket) => {
      socket.on('error', () => undefined)
      const head = Buffer.alloc(8)
      head.writeInt32BE(4 + body.length, 0)
      head.writeInt32BE(9, 4)
      socket.on('data', () => {
        socket.write(head)
        setTimeout(() => socket.write(body), 10)
      })
    })
    const one = client()
    const produce = request('Produce', 9)
    produce.writeInt16BE(version, 6)
    one.socket.write(produce)
    await one.closed
    await expect.poll(() => confirmed).toEqual([{ topic: 't', partition: 3, baseOffset: 42 }])
    expect(one.heard).toEqual([])
  })
})
