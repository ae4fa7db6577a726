import { createServer, type Server, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'
import type { KafkaConfig } from 'kafkajs'
import { afterEach, describe, expect, it } from 'vitest'
import type { Connection, Lane, Node } from '../../../../src/connection/connection.js'
import { RequestError } from '../../../../src/connection/request-error.js'
import type { Request } from '../../../../src/connection/requests/apis.js'
import type { MetadataAnswer } from '../../../../src/connection/requests/metadata.js'
import type { ProduceRequest } from '../../../../src/connection/requests/produce.js'
import { kafkajsConnections } from '../../../../src/drivers/kafkajs/connections.js'
import { createProtocolDriver } from '../../../../src/protocol/driver.js'
import type { ClientEvent } from '../../../../src/telemetry/events.js'
import { kafkajs as kafkajsDriver } from '../../../../src/drivers/kafkajs/driver.js'
import { createMessaging } from '../../../../src/messaging.js'
import { defineTopic } from '../../../../src/topic/define-topic.js'
import { string } from '../../../../src/serde/string.js'
import { systemClock, type Clock } from '../../../../src/runtime/clock.js'
import { seededRandom } from '../../../../src/runtime/random.js'
import { batchOf } from '../../wire/batches.js'
import { eventually, ScriptedBroker, type Seen } from './scripted-broker.js'

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function start(script?: (request: Seen, broker: ScriptedBroker) => void): Promise<ScriptedBroker> {
  const broker = await ScriptedBroker.start(script)
  cleanups.push(() => broker.stop())
  return broker
}

function open(broker: ScriptedBroker | string, config: Partial<KafkaConfig> = {}, clock = systemClock): Connection {
  const brokers = [typeof broker === 'string' ? broker : broker.address]
  const runtime = { clock, random: seededRandom(1) }
  const connection = kafkajsConnections({ brokers, connectionTimeout: 10_000, ...config }, {}, runtime).open('test')
  cleanups.push(() => connection.close())
  return connection
}

async function portOf(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanups.push(() => new Promise((resolve) => server.close(resolve)))
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A deadline that is not what a test is about: far off, however busy the machine. */
const soon = () => systemClock.now() + 20_000
const failure = (promise: Promise<unknown>): Promise<RequestError> =>
  promise.then(
    () => {
      throw new Error('expected it to fail')
    },
    (error: RequestError) => {
      expect(error).toBeInstanceOf(RequestError)
      return error
    },
  )

const longMs = 30_000

/** The system's clock, but long timers go off when the test says, and then the clock shows that they were long. */
function skippingClock() {
  const long: { delayMs: number; callback: () => void }[] = []
  let skippedMs = 0
  const clock: Clock = {
    ...systemClock,
    now: () => systemClock.now() + skippedMs,
    setTimer(delayMs, callback) {
      // Some of the time to a deadline may have gone by when its timer is set.
      if (delayMs < longMs / 2) return systemClock.setTimer(delayMs, callback)
      const timer = { delayMs, callback }
      long.push(timer)
      return { cancel: () => void (long.includes(timer) && long.splice(long.indexOf(timer), 1)) }
    },
  }
  return {
    clock,
    in: (ms: number) => clock.now() + ms,
    waiting: () => long.map(({ delayMs }) => delayMs).sort((a, b) => a - b),
    skip(ms: number) {
      skippedMs += ms
      for (const timer of [...long]) {
        timer.delayMs -= ms
        if (timer.delayMs > 0) continue
        long.splice(long.indexOf(timer), 1)
        timer.callback()
      }
    },
  }
}

const metadata: Request = { api: 'metadata', topics: [] }
const heartbeat: Request = { api: 'heartbeat', groupId: 'g', generationId: 1, memberId: 'm', groupInstanceId: null }
const cluster = (...ports: number[]): MetadataAnswer => ({
  throttleTimeMs: 0,
  brokers: ports.map((port, index) => ({ nodeId: index + 1, host: '127.0.0.1', port, rack: null })),
  clusterId: 'c',
  controllerId: 1,
  topics: [],
})
const ok = { throttleTimeMs: 0, errorCode: 0 }
const produce = (acks: -1 | 0 = -1): ProduceRequest => ({
  api: 'produce',
  acks,
  timeoutMs: 500,
  transactionalId: null,
  batches: [batchOf([{ value: Buffer.from('v') }])],
})

describe('requests', () => {
  it('are answered, over one socket for each node and lane', async () => {
    const broker = await start((request, self) => {
      if (request.api === 'metadata') self.answer<'metadata'>(request, cluster(self.port))
      if (request.api === 'heartbeat') self.answer<'heartbeat'>(request, ok)
    })
    const connection = open(broker, { clientId: 'me' })
    expect(await connection.request('bootstrap', 'main', metadata, soon())).toEqual(cluster(broker.port))
    const answers = await Promise.all([
      connection.request(1, 'group', heartbeat, soon()),
      connection.request(1, 'group', heartbeat, soon()),
      connection.request(1, 'main', metadata, soon()),
    ])
    expect(answers[0]).toEqual(ok)
    expect(broker.sockets).toHaveLength(3)
    expect(new Set(broker.seen.map(({ clientId }) => clientId))).toEqual(new Set(['me']))
  })

  it('tell brokers the client id of the messaging exactly as given: quotas and permissions hang on it', async () => {
    const broker = await start((request, self) => {
      if (request.api === 'metadata') self.answer<'metadata'>(request, cluster(self.port))
    })
    const driver = kafkajsDriver({ brokers: [broker.address], logLevel: 0 })
    const messaging = createMessaging({ driver, clientId: 'orders', logger: 'silent' })
    await Promise.all([messaging.producer().connect(), messaging.producer().connect()])
    expect(new Set(broker.seen.map(({ clientId }) => clientId))).toEqual(new Set(['orders']))
    await messaging.close()
  })

  it('never go to the address that their node had while the socket was being opened', async () => {
    const handshakes: Seen[] = []
    const before = await start((request) => {
      if (request.api === 'apiVersions') handshakes.push(request)
    })
    before.silentHandshake = true
    const now = await start((request, self) => {
      if (request.api === 'heartbeat') self.answer<'heartbeat'>(request, ok)
    })
    const told = [before.port, now.port]
    const seed = await start((request, self) => {
      if (request.api === 'metadata') self.answer<'metadata'>(request, cluster(told.shift() as number))
    })
    const connection = open(seed)
    await connection.request('bootstrap', 'metadata', metadata, soon())
    const sent = connection.request(1, 'group', heartbeat, soon())
    await eventually(() => handshakes.length === 1, 'the old address was dialled')
    await connection.request('bootstrap', 'metadata', metadata, soon())
    before.answerVersions(handshakes[0]!)
    expect(await sent).toEqual(ok)
    expect(before.requests).toEqual([])
    await eventually(() => before.live === 0, 'the socket to the old address is gone')
  })

  it('of one lane are written in the order of the calls, also when some take long to encode', async () => {
    const broker = await start((request, self) => {
      if (request.api === 'produce') self.answer<'produce'>(request, { throttleTimeMs: 0, partitions: [] })
      if (request.api === 'heartbeat') self.answer<'heartbeat'>(request, ok)
    })
    const connection = open(broker)
    const packed = { ...produce(), batches: [batchOf([{ value: Buffer.alloc(500_000, 3) }], { compression: 'gzip' })] }
    await Promise.all([
      connection.request('bootstrap', 'main', heartbeat, soon()),
      connection.request('bootstrap', 'main', packed, soon()),
      connection.request('bootstrap', 'main', produce(), soon()),
      connection.request('bootstrap', 'main', heartbeat, soon()),
    ])
    expect(broker.requests.map(({ api }) => api)).toEqual(['heartbeat', 'produce', 'produce', 'heartbeat'])
    expect(broker.requests[1]!.body.length).not.toBe(broker.requests[2]!.body.length)
  })

  it('whose answer came in time are answered, also when this process stood still past their deadline', async () => {
    const time = skippingClock()
    const broker = await start((request, self) => {
      if (request.api !== 'heartbeat') return
      self.answer<'heartbeat'>(request, ok)
      // After a pause timers are looked at before sockets are.
      if (self.requests.length === 2) setImmediate(() => time.skip(longMs))
    })
    const connection = open(broker, {}, time.clock)
    await connection.request('bootstrap', 'main', heartbeat, time.in(longMs))
    expect(await connection.request('bootstrap', 'main', heartbeat, time.in(longMs))).toEqual(ok)
    expect(broker.sockets).toHaveLength(1)
  })

  it('that come while the socket is being opened share that one', async () => {
    const broker = await start((request, self) => {
      if (request.api === 'heartbeat') self.answer<'heartbeat'>(request, ok)
    })
    const connection = open(broker)
    const all = Array.from({ length: 20 }, () => connection.request('bootstrap', 'main', heartbeat, soon()))
    await Promise.all(all)
    expect(broker.sockets).toHaveLength(1)
  })

  it('are matched with their answers by correlation id, whatever the order', async () => {
    const held: Seen[] = []
    const broker = await start((request, self) => {
      if (request.api !== 'heartbeat') return
      held.push(request)
      if (held.length === 3) {
        held.reverse().forEach((each) => self.answer<'heartbeat'>(each, { ...ok, errorCode: each.correlationId }))
      }
    })
    const connection = open(broker)
    const answers = await Promise.all([1, 2, 3].map(() => connection.request('bootstrap', 'main', heartbeat, soon())))
    expect(answers.map((answer) => (answer as typeof ok).errorCode)).toEqual(
      held.map(({ correlationId }) => correlationId).sort((a, b) => a - b),
    )
  })

  it('with acks 0 resolve when the bytes are written, without an answer', async () => {
    const broker = await start()
    const connection = open(broker)
    expect(await connection.request('bootstrap', 'main', produce(0), soon())).toEqual({
      throttleTimeMs: 0,
      partitions: [],
    })
    await eventually(() => broker.requests.length === 1, 'the broker sees the request')
  })

  it('to a node nobody has named are refused unsent', async () => {
    const broker = await start()
    expect(await failure(open(broker).request(7, 'main', metadata, soon()))).toMatchObject({
      failure: 'unknown-node',
      sent: 'never',
    })
  })

  it('go to where the answers say the nodes are', async () => {
    const second = await start((request, self) => {
      if (request.api === 'heartbeat') self.answer<'heartbeat'>(request, { ...ok, errorCode: 42 })
    })
    const first = await start((request, self) => {
      if (request.api === 'metadata') self.answer<'metadata'>(request, cluster(self.port))
      if (request.api === 'findCoordinator') {
        self.answer<'findCoordinator'>(request, { ...ok, nodeId: 2, host: '127.0.0.1', port: second.port })
      }
    })
    const connection = open(first)
    await connection.request('bootstrap', 'main', metadata, soon())
    await connection.request(1, 'main', { api: 'findCoordinator', key: 'g', keyType: 'group' }, soon())
    expect(await connection.request(2, 'group', heartbeat, soon())).toMatchObject({ errorCode: 42 })
  })

  it('follow a node that moved to another address', async () => {
    const second = await start((request, self) => {
      if (request.api === 'heartbeat') self.answer<'heartbeat'>(request, ok)
    })
    let moved = false
    const first = await start((request, self) => {
      if (request.api === 'metadata') self.answer<'metadata'>(request, cluster(moved ? second.port : self.port))
      if (request.api === 'heartbeat') self.answer<'heartbeat'>(request, ok)
    })
    const connection = open(first)
    await connection.request('bootstrap', 'main', metadata, soon())
    await connection.request(1, 'group', heartbeat, soon())
    moved = true
    await connection.request('bootstrap', 'main', metadata, soon())
    await connection.request(1, 'group', heartbeat, soon())
    expect(second.requests).toHaveLength(1)
  })

  it('never go to the brokers of another cluster, whose answers name nodes of the same numbers', async () => {
    const foreign = await start((request, self) => {
      if (request.api === 'metadata') {
        self.answer<'metadata'>(request, { ...cluster(self.port, self.port), clusterId: 'another' })
      }
      if (request.api === 'heartbeat') self.answer<'heartbeat'>(request, ok)
    })
    const first = await start((request, self) => {
      if (request.api === 'metadata') self.answer<'metadata'>(request, cluster(self.port, foreign.port))
      if (request.api === 'heartbeat') self.answer<'heartbeat'>(request, ok)
    })
    const connection = open(first)
    await connection.request('bootstrap', 'metadata', metadata, soon())
    expect(await connection.request(2, 'metadata', metadata, soon())).toMatchObject({ clusterId: 'another' })
    await connection.request(1, 'group', heartbeat, soon())
    expect(foreign.requests.map(({ api }) => api)).toEqual(['metadata'])
  })

  it('that were on their way when the broker asked for silence take no socket with them, and their late answer is dropped', async () => {
    const held: Seen[] = []
    const broker = await start((request, self) => {
      if (request.api !== 'heartbeat') return
      if (self.requests.length === 1) self.answer<'heartbeat'>(request, { throttleTimeMs: 3 * longMs, errorCode: 0 })
      else if (self.requests.length === 2) held.push(request)
      else self.answer<'heartbeat'>(request, ok)
    })
    const time = skippingClock()
    const connection = open(broker, {}, time.clock)
    const first = connection.request('bootstrap', 'main', heartbeat, time.in(longMs))
    const muted = failure(connection.request('bootstrap', 'main', heartbeat, time.in(longMs)))
    await first
    expect(connection.lastSign('bootstrap', 'main')).toBeGreaterThan(time.in(longMs))
    await eventually(() => held.length === 1, 'the broker has it')
    time.skip(longMs)
    expect(await muted).toMatchObject({ failure: 'timed-out', sent: 'maybe' })
    const after = connection.request('bootstrap', 'main', heartbeat, time.in(3 * longMs))
    time.skip(2 * longMs)
    broker.answer<'heartbeat'>(held[0]!, { ...ok, errorCode: 42 })
    expect(await after).toEqual(ok)
    expect([broker.sockets.length, broker.live]).toEqual([1, 1])
  })

  it('keep their socket while brokers disagree on the address of its node', async () => {
    const second = await start((request, self) => {
      if (request.api === 'heartbeat') self.answer<'heartbeat'>(request, ok)
    })
    let answers = 0
    const first = await start((request, self) => {
      const port = (answers += 1) % 2 === 0 ? second.port : self.port
      if (request.api === 'metadata') self.answer<'metadata'>(request, cluster(port))
      if (request.api === 'heartbeat') self.answer<'heartbeat'>(request, ok)
    })
    const connection = open(first)
    for (let round = 0; round < 6; round += 1) {
      await connection.request('bootstrap', 'metadata', metadata, soon())
      await connection.request(1, 'group', heartbeat, soon())
    }
    // The first other address is taken for a move.
    expect([first.sockets.length, second.sockets.length]).toEqual([2, 1])
  })

  it('wait out the silence a broker asks for, and only of that lane', async () => {
    const broker = await start((request, self) => {
      if (request.api === 'heartbeat') self.answer<'heartbeat'>(request, { throttleTimeMs: 3 * longMs, errorCode: 0 })
    })
    const time = skippingClock()
    const connection = open(broker, {}, time.clock)
    await connection.request('bootstrap', 'main', heartbeat, time.in(longMs))
    const late = failure(connection.request('bootstrap', 'main', heartbeat, time.in(longMs)))
    time.skip(longMs)
    expect(await late).toMatchObject({ failure: 'timed-out', sent: 'never' })
    expect((await late).message).toMatch(/asked for silence/)
    const waiting = connection.request('bootstrap', 'main', heartbeat, time.in(3 * longMs))
    await connection.request('bootstrap', 'group', heartbeat, time.in(longMs))
    expect(broker.requests).toHaveLength(2)
    time.skip(2 * longMs)
    await waiting
    expect(broker.sockets).toHaveLength(2)
  })
})

describe('a request past its deadline', () => {
  it('has its socket destroyed before it rejects; the others on it may have been carried out', async () => {
    const broker = await start()
    const time = skippingClock()
    const connection = open(broker, {}, time.clock)
    const other = failure(connection.request('bootstrap', 'main', heartbeat, time.in(2 * longMs)))
    const late = failure(connection.request('bootstrap', 'main', heartbeat, time.in(longMs)))
    await eventually(() => broker.requests.length === 2, 'both are out')
    time.skip(longMs)
    expect(await late).toMatchObject({ failure: 'timed-out', sent: 'maybe' })
    await eventually(() => broker.live === 0, 'the socket is gone')
    expect(await other).toMatchObject({ failure: 'connection-lost', sent: 'maybe' })
  })

  it('and not yet written is told so, and never written later', async () => {
    const broker = await start()
    broker.silentHandshake = true
    const time = skippingClock()
    const connection = open(broker, { connectionTimeout: 3 * longMs }, time.clock)
    const late = failure(connection.request('bootstrap', 'main', heartbeat, time.in(longMs)))
    await eventually(() => broker.seen.length === 1, 'it connects')
    time.skip(longMs)
    expect(await late).toMatchObject({ failure: 'timed-out', sent: 'never' })
    time.skip(2 * longMs)
    await eventually(() => broker.live === 0, 'the attempt to connect ends by itself')
    expect(broker.requests).toHaveLength(0)
  })

  it('and not yet written can be taken back, and takes no socket with it; what was written cannot', async () => {
    const broker = await start()
    broker.silentHandshake = true
    const connection = open(broker)
    const taken: (() => boolean)[] = []
    const ask = () =>
      connection.request('bootstrap', 'main', metadata, soon(), undefined, (takeBack) => taken.push(takeBack))
    const [first, other] = [failure(ask()), failure(ask())]
    await eventually(() => broker.seen.length === 1, 'it connects')
    expect([taken[0]?.(), taken[0]?.()], 'it stays so').toEqual([true, true])
    expect(await first).toMatchObject({ failure: 'aborted', sent: 'never' })
    expect(broker.live).toBe(1)
    await connection.close()
    expect(await other).toMatchObject({ failure: 'closed', sent: 'never' })

    const answering = await start()
    const writing = open(answering)
    let takeBack = () => true
    const written = failure(
      writing.request('bootstrap', 'main', heartbeat, soon(), undefined, (given) => (takeBack = given)),
    )
    await eventually(() => answering.requests.length === 1, 'it came')
    expect(takeBack()).toBe(false)
    await writing.close()
    expect(await written).toMatchObject({ failure: 'closed', sent: 'maybe' })
  })

  it('ends like that by its signal too', async () => {
    const broker = await start()
    const connection = open(broker)
    const abort = new AbortController()
    const aborted = failure(connection.request('bootstrap', 'main', heartbeat, soon(), abort.signal))
    await eventually(() => broker.requests.length === 1, 'the request is out')
    abort.abort()
    expect(await aborted).toMatchObject({ failure: 'aborted', sent: 'maybe' })
    expect(await failure(connection.request('bootstrap', 'main', heartbeat, soon(), abort.signal))).toMatchObject({
      failure: 'aborted',
      sent: 'never',
    })
    await eventually(() => broker.live === 0, 'the socket is gone')
  })

  it('leaves a lane that works again with the next request', async () => {
    let silent = true
    const broker = await start((request, self) => {
      if (request.api === 'heartbeat' && !silent) self.answer<'heartbeat'>(request, ok)
    })
    const time = skippingClock()
    const connection = open(broker, {}, time.clock)
    const late = failure(connection.request('bootstrap', 'main', heartbeat, time.in(longMs)))
    await eventually(() => broker.requests.length === 1, 'it is out')
    time.skip(longMs)
    await late
    silent = false
    expect(await connection.request('bootstrap', 'main', heartbeat, time.in(longMs))).toEqual(ok)
    expect(broker.sockets).toHaveLength(2)
  })
})

describe('a connection that is lost', () => {
  it('fails what was out on it as maybe carried out, and is opened once by those who come next', async () => {
    let kill = true
    const broker = await start((request, self) => {
      if (request.api !== 'heartbeat') return
      if (kill) request.socket.destroy()
      else self.answer<'heartbeat'>(request, ok)
    })
    const connection = open(broker)
    const lost = await Promise.all(
      [1, 2, 3].map(() => failure(connection.request('bootstrap', 'main', heartbeat, soon()))),
    )
    for (const error of lost)
      expect(error).toMatchObject({ failure: 'connection-lost', sent: 'maybe', retriable: true })
    expect(lost[0]!.message).toMatch(/does this listener need config.sasl/)
    kill = false
    await Promise.all([1, 2, 3].map(() => connection.request('bootstrap', 'main', heartbeat, soon())))
    expect(broker.sockets).toHaveLength(2)
  })

  it('takes another of the given brokers the next time', async () => {
    const brokers = await Promise.all([start(), start()])
    const time = skippingClock()
    const connection = open('', { brokers: brokers.map(({ address }) => address) }, time.clock)
    for (let attempt = 1; attempt <= 2; attempt++) {
      const late = failure(connection.request('bootstrap', 'main', heartbeat, time.in(longMs)))
      await eventually(() => brokers.flatMap(({ requests }) => requests).length === attempt, 'it is out')
      time.skip(longMs)
      await late
    }
    expect(brokers.map(({ sockets }) => sockets.length)).toEqual([1, 1])
  })
})

describe('a socket that is not used', () => {
  async function world(script: (request: Seen, self: ScriptedBroker) => void = () => undefined) {
    const broker = await start((request, self) => {
      if (request.api === 'metadata') self.answer<'metadata'>(request, cluster(self.port))
      else if (request.api === 'heartbeat') script(request, self)
    })
    const time = skippingClock()
    const runtime = { clock: time.clock, random: seededRandom(1) }
    const connection = kafkajsConnections({ brokers: [broker.address] }, {}, runtime).open('test')
    cleanups.push(() => connection.close())
    const ask = (node: Node, lane: Lane, request: Request) =>
      connection.request(node, lane, request, time.clock.now() + 5_000)
    return { broker, time, connection, ask }
  }
  const beat = (request: Seen, self: ScriptedBroker) => self.answer<'heartbeat'>(request, ok)

  it('is closed after a minute when it was for metadata, before ten minutes else, so that a quiet client keeps none', async () => {
    const { broker, time, ask } = await world(beat)
    await ask('bootstrap', 'metadata', metadata)
    await ask(1, 'metadata', metadata)
    await ask(1, 'main', heartbeat)
    time.skip(59_000)
    expect(broker.live).toBe(3)
    time.skip(2_000)
    await eventually(() => broker.live === 1, 'only the socket of main is left')
    time.skip(9 * 60_000)
    await eventually(() => broker.live === 0, 'none is left')
    expect(time.waiting()).toEqual([])
    expect(await ask(1, 'main', heartbeat)).toEqual(ok)
    expect(broker.live).toBe(1)
  })

  it('stays while requests go over it, and while an answer is awaited', async () => {
    const held: Seen[] = []
    const { broker, time, ask } = await world((request) => void held.push(request))
    await ask('bootstrap', 'metadata', metadata)
    for (let round = 0; round < 5; round += 1) {
      time.skip(40_000)
      await ask('bootstrap', 'metadata', metadata)
    }
    expect(broker.sockets).toHaveLength(1)
    const parked = ask('bootstrap', 'group', heartbeat)
    await eventually(() => held.length === 1, 'it is out')
    time.skip(20 * 60_000)
    beat(held[0]!, broker)
    expect(await parked).toEqual(ok)
  })

  it('leaves no timer behind when the connection is closed', async () => {
    const { time, connection, ask } = await world(beat)
    await ask('bootstrap', 'metadata', metadata)
    await ask('bootstrap', 'main', heartbeat)
    expect(time.waiting()).toHaveLength(2)
    await connection.close()
    expect(time.waiting()).toEqual([])
  })
})

describe('an answer', () => {
  it.each<[string, (request: Seen, broker: ScriptedBroker) => void]>([
    ['that is too short', (request, broker) => broker.reply(request, withId(request, Buffer.alloc(3)))],
    ['that is too long', (request, broker) => broker.reply(request, withId(request, Buffer.alloc(7)))],
    ['to a request nobody sent', (request, broker) => broker.reply(request, Buffer.from([0x7f, 0, 0, 0, 0, 0]))],
    ['of a length below zero', ({ socket }) => socket.write(Buffer.from([0xff, 0xff, 0xff, 0xff]))],
    ['of two gigabytes', ({ socket }) => socket.write(Buffer.from([0x7f, 0xff, 0xff, 0xff]))],
  ])('%s destroys its socket and fails everything on it', async (_name, script) => {
    const broker = await start((request, self) => {
      if (request.api === 'heartbeat') script(request, self)
    })
    const connection = open(broker)
    const silent = failure(connection.request('bootstrap', 'main', metadata, soon()))
    const error = await failure(connection.request('bootstrap', 'main', heartbeat, soon()))
    expect(error).toMatchObject({ failure: 'unreadable-answer', sent: 'maybe' })
    expect((await silent).sent).toBe('maybe')
    await eventually(() => broker.live === 0, 'the socket is gone')
  })

  it('in many small pieces, and many answers in one piece, are put together', async () => {
    const answer = cluster(...Array.from({ length: 2_000 }, (_, index) => index + 1))
    const broker = await start((request) => {
      if (request.api !== 'metadata') return
      const broker2 = { write: [] as Buffer[] }
      const whole = frameOf(request, answer)
      const twice = Buffer.concat([whole, frameOf({ ...request, correlationId: request.correlationId + 1 }, answer)])
      if (request.correlationId % 2 === 1) return
      for (let at = 0; at < twice.length; at += 777) broker2.write.push(twice.subarray(at, at + 777))
      void trickle(request.socket, broker2.write)
    })
    const connection = open(broker)
    const both = await Promise.all([1, 2].map(() => connection.request('bootstrap', 'main', metadata, soon())))
    expect(both).toEqual([answer, answer])
  })
})

function withId({ correlationId }: Seen, body: Buffer): Buffer {
  const id = Buffer.alloc(4)
  id.writeInt32BE(correlationId)
  return Buffer.concat([id, body])
}

function frameOf(request: Seen, answer: MetadataAnswer): Buffer {
  const written: Buffer[] = []
  const socket = { write: (bytes: Buffer) => written.push(bytes) } as unknown as Socket
  ScriptedBroker.prototype.answer<'metadata'>({ ...request, socket }, answer)
  return Buffer.concat(written)
}

async function trickle(socket: Socket, parts: readonly Buffer[]): Promise<void> {
  for (const part of parts) {
    socket.write(part)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

describe('whoever is at the port', () => {
  const bounded = async (connection: Connection) => {
    const startedAt = Date.now()
    const error = await failure(connection.request('bootstrap', 'main', metadata, soon()))
    expect(Date.now() - startedAt).toBeLessThan(10_000)
    expect(error).toMatchObject({ sent: 'never' })
    return error
  }
  const server = async (serve: (socket: Socket) => void) => {
    const sockets: Socket[] = []
    const address = await portOf(
      createServer((socket) => {
        sockets.push(socket)
        socket.on('error', () => {})
        socket.resume()
        serve(socket)
      }),
    )
    cleanups.push(async () => sockets.forEach((socket) => socket.destroy()))
    return { address, sockets }
  }

  it('nobody: says so', async () => {
    const broker = await ScriptedBroker.start()
    const { address } = broker
    await broker.stop()
    const error = await bounded(open(address))
    expect(error.failure).toBe('cannot-connect')
    expect(error.message).toMatch(new RegExp(`cannot connect to broker ${address}: .*ECONNREFUSED.*listening there`))
  })

  it('nobody, at a name with several addresses: says so', async () => {
    const error = await bounded(open('localhost:1'))
    expect(error.message).toMatch(/cannot connect to broker localhost:1: .*ECONNREFUSED.*listening there/)
  })

  it('nobody, because the name does not exist: says so', async () => {
    const error = await bounded(open('no-such-broker.invalid:9092'))
    expect(error).toMatchObject({ failure: 'cannot-connect' })
    expect(error.message).toMatch(/no-such-broker.invalid:9092/)
  })

  it('an HTTP server: is called one, and nothing of the size its text would mean is allocated', async () => {
    const { address, sockets } = await server((socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'))
    const error = await bounded(open(address))
    expect(error.failure).toBe('cannot-connect')
    expect(error.message).toMatch(/the port speaks HTTP/)
    await eventually(() => sockets.every((socket) => socket.destroyed), 'the socket is gone')
  })

  it('a TLS listener: config.ssl is named', async () => {
    const { address } = await server((socket) => socket.write(Buffer.from('15030300020246', 'hex')))
    expect((await bounded(open(address))).message).toMatch(/speaks TLS; set config.ssl/)
  })

  it('somebody who hangs up: config.ssl is named', async () => {
    const { address } = await server((socket) => socket.end())
    expect((await bounded(open(address))).message).toMatch(/closed the connection; does this listener need config.ssl/)
  })

  it('somebody silent: ends after connectionTimeout and leaves no socket', async () => {
    const { address, sockets } = await server(() => {})
    const error = await bounded(open(address, { connectionTimeout: 200 }))
    expect(error.failure).toBe('cannot-connect')
    expect(error.message).toMatch(/did not answer within 200 ms; is this the port of a Kafka listener/)
    await eventually(() => sockets.every((socket) => socket.destroyed), 'the socket is gone')
  })

  it('somebody silent, or who hangs up, while config.ssl is set: is asked about TLS', async () => {
    const silent = await server(() => {})
    const error = await bounded(open(silent.address, { ssl: true, connectionTimeout: 200 }))
    expect(error.message).toMatch(/no connection within 200 ms; .*does this listener speak TLS/)
    const hangsUp = await server((socket) => socket.destroy())
    expect((await bounded(open(hangsUp.address, { ssl: true }))).message).toMatch(/does this listener speak TLS/)
  })

  it('a plain text listener while config.ssl is set: is named', async () => {
    const { address } = await server((socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'))
    const error = await bounded(open(address, { ssl: true }))
    expect(error.message).toMatch(/does this listener speak TLS/)
  })

  it('a broker older than Kafka 2.4: is told apart from one that cannot be reached', async () => {
    const broker = await start((request, self) => self.answerVersions(request, 2))
    const error = await bounded(open(broker))
    expect(error).toMatchObject({ failure: 'unsupported', retriable: false })
    expect(error.message).toMatch(/too old.*Kafka 2.4 or newer/)
    expect(broker.seen.map(({ api, version }) => [api, version])).toEqual([
      ['apiVersions', 3],
      ['apiVersions', 0],
    ])
  })
})

describe('close', () => {
  it('destroys every socket at once, whatever is out, and fails what was pending', async () => {
    const broker = await start()
    const slow = await start()
    slow.silentHandshake = true
    const connection = open(broker)
    const connecting = open(slow)
    const out = failure(connection.request('bootstrap', 'main', heartbeat, soon()))
    const waiting = failure(connecting.request('bootstrap', 'main', heartbeat, soon()))
    await eventually(() => broker.requests.length === 1 && slow.seen.length === 1, 'both are on their way')
    await Promise.all([connection.close(), connecting.close()])
    expect(await out).toMatchObject({ failure: 'closed', sent: 'maybe' })
    expect(await waiting).toMatchObject({ failure: 'closed', sent: 'never' })
    expect(await failure(connection.request('bootstrap', 'main', heartbeat, soon()))).toMatchObject({
      failure: 'closed',
      sent: 'never',
    })
    await eventually(() => broker.live === 0 && slow.live === 0, 'the sockets are gone')
    await connection.close()
  })
})

describe('what the configuration of kafkajs means', () => {
  it('brokers may be a function, asked for each connection', async () => {
    const broker = await start()
    let calls = 0
    const connection = open('', { brokers: () => (calls++, Promise.resolve([broker.address])) })
    for (let asked = 1; asked <= 2; asked += 1) {
      const lost = failure(connection.request('bootstrap', 'main', heartbeat, soon()))
      await eventually(() => broker.requests.length === asked, 'it is out')
      broker.sockets.at(-1)?.destroy()
      await lost
    }
    expect(calls).toBe(2)
  })

  it('a function that throws, hangs or gives nonsense is a clear and bounded error', async () => {
    const ask = async (brokers: KafkaConfig['brokers']) => {
      const connection = kafkajsConnections({ brokers, connectionTimeout: 100 }).open('test')
      const error = await failure(connection.request('bootstrap', 'main', metadata, soon()))
      await connection.close()
      return error
    }
    expect((await ask(() => Promise.reject(new Error('no registry')))).message).toMatch(
      /config.brokers threw Error; see its cause/,
    )
    expect((await ask(() => new Promise(() => {}))).message).toMatch(/gave no list within 100 ms/)
    expect((await ask(() => ['nonsense'])).message).toMatch(/expected a list of 'host:port', got text without a port/)
    expect((await ask(() => [])).message).toMatch(/got an empty list/)
  })

  it('the socketFactory makes every socket', async () => {
    const { connect } = await import('node:net')
    const broker = await start((request, self) => {
      if (request.api === 'heartbeat') self.answer<'heartbeat'>(request, ok)
    })
    const made: string[] = []
    const connection = open(broker, {
      socketFactory: ({ host, port, onConnect }) => {
        made.push(`${host}:${port}`)
        return connect({ host, port }, onConnect)
      },
    })
    await connection.request('bootstrap', 'main', heartbeat, soon())
    expect(made).toEqual([broker.address])
  })

  it('everything wrong with it is said at once', () => {
    const config = { brokers: ['no-port', 'ok:1'], sasl: { mechanism: 'magic' }, connectionTimeout: -1 }
    expect(() => kafkajsConnections(config as unknown as KafkaConfig)).toThrow(
      /3 invalid[\s\S]*brokers.0[\s\S]*sasl.mechanism[\s\S]*connectionTimeout/,
    )
    expect(() => kafkajsConnections({ brokers: [] })).toThrow(/expected a list of brokers/)
  })

  it('IPv6 brokers in brackets are understood', async () => {
    const connection = open('[::1]:1')
    expect((await failure(connection.request('bootstrap', 'main', metadata, soon()))).message).toMatch(
      /cannot connect to broker \[::1\]:1/,
    )
  })
})

describe('an address that came from the cluster', () => {
  it('says so when nobody was ever reached there, and names advertised.listeners', async () => {
    const gone = await start()
    const { port } = gone
    await gone.stop()
    const broker = await start((request, self) => {
      if (request.api === 'metadata') self.answer<'metadata'>(request, cluster(port, self.port))
      if (request.api === 'heartbeat') self.answer<'heartbeat'>(request, ok)
    })
    const connection = open(broker)
    await connection.request('bootstrap', 'metadata', metadata, soon())
    const error = await failure(connection.request(1, 'main', heartbeat, soon()))
    expect(error.failure).toBe('cannot-connect')
    expect(error.message).toMatch(/ECONNREFUSED.*came from the cluster.*advertised\.listeners of broker 1$/)
    await connection.request(2, 'main', heartbeat, soon())
    await broker.stop()
    const own = await failure(connection.request(2, 'group', heartbeat, soon()))
    expect(own.message).toMatch(/ECONNREFUSED/)
    expect(own.message).not.toMatch(/advertised/)
  })

  it('says nothing of the kind once a broker was reached there', async () => {
    const other = await start((request, self) => {
      if (request.api === 'heartbeat') self.answer<'heartbeat'>(request, ok)
    })
    const otherPort = other.port
    const broker = await start((request, self) => {
      if (request.api === 'metadata') self.answer<'metadata'>(request, cluster(otherPort))
    })
    const connection = open(broker)
    await connection.request('bootstrap', 'metadata', metadata, soon())
    await connection.request(1, 'main', heartbeat, soon())
    await other.stop()
    const error = await failure(connection.request(1, 'group', heartbeat, soon()))
    expect(error.message).toMatch(/ECONNREFUSED/)
    expect(error.message).not.toMatch(/advertised/)
  })

  // Each takes the time until it is told that a broker does not answer, so they wait for it together.
  it('shows in what a caller is told: of a send, a start and an admin call', async () => {
    await Promise.all((['send', 'start', 'committedOffsets'] as const).map(namesTheListener))
  })

  async function namesTheListener(call: 'send' | 'start' | 'committedOffsets'): Promise<void> {
    const gone = await start()
    const { port } = gone
    await gone.stop()
    const partition = { errorCode: 0, partition: 0, leader: 1, leaderEpoch: 0, replicas: [1], isr: [1] }
    const topic = { errorCode: 0, name: 't', topicId: null, isInternal: false, partitions: [partition] }
    const broker = await start((request, self) => {
      const answer = { ...cluster(port), topics: [topic] }
      if (request.api === 'metadata') self.answer<'metadata'>(request, answer)
      const coordinator = { ...ok, errorMessage: null, nodeId: 1, host: '127.0.0.1', port }
      if (request.api === 'findCoordinator') self.answer<'findCoordinator'>(request, coordinator)
    })
    const time = skippingClock()
    const runtime = { clock: time.clock, random: seededRandom(1) }
    const config = { brokers: [broker.address], connectionTimeout: 10_000 }
    const driver = createProtocolDriver(kafkajsConnections(config, {}, runtime), runtime)
    let isRefused = false
    const onEvent = ({ kind }: ClientEvent) => (isRefused ||= kind === 'broker-silent')
    const messaging = createMessaging({ driver, onEvent })
    cleanups.push(() => messaging.close({ force: true }).catch(() => undefined))
    const t = defineTopic({ name: 't', value: string() })
    const timeoutMs = 2 * longMs
    const limits = { deliveryTimeoutMs: timeoutMs, requestTimeoutMs: longMs }
    const calls = {
      send: () => messaging.producer({ ...limits, profile: 'ap' }).send(t, 'a'),
      start: () => messaging.consumer({ group: 'g', topics: [t], handle: () => undefined }).start({ timeoutMs }),
      committedOffsets: () => messaging.admin.committedOffsets('g', null, { timeoutMs }),
    }
    const error = calls[call]().then(
      () => null,
      (thrown: Error) => thrown,
    )
    await eventually(() => isRefused, 'the address refuses')
    time.skip(timeoutMs)
    expect((await error)?.message, call).toMatch(/advertised\.listeners of broker 1/)
  }
})
