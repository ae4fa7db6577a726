import { expect, it } from 'vitest'
import type { Connection } from '../../../../src/connection/connection.js'
import type { Request } from '../../../../src/connection/requests/apis.js'
import { createMemoryCluster } from '../../../../src/drivers/memory/memory-cluster.js'
import { seededRandom } from '../../../../src/runtime/random.js'
import { Troubles } from '../../../../src/telemetry/troubles.js'
import { virtualClock } from '../../../../src/testing/time/virtual-clock.js'
import { ConsumerHarness, consumerDefaults } from '../consume/consumer-harness.js'

const { rebalanceTimeoutMs, requestTimeoutMs } = consumerDefaults
const never = new Promise<never>(() => undefined)

function isJoin(asked: Request): boolean {
  return asked.api === 'joinGroup' || (asked.api === 'consumerGroupHeartbeat' && asked.memberEpoch === 0)
}

it.each([
  ['a member that divides', 'classic', 3 * rebalanceTimeoutMs + 3 * requestTimeoutMs],
  ['a member whose coordinator divides', 'consumer', 2 * requestTimeoutMs],
] as const)(
  '%s tells that its way into the group hangs when a join has no end, not while brokers are silent',
  async (_, groupProtocol, requestsMs) => {
    const clock = virtualClock()
    const cluster = createMemoryCluster({ runtime: { clock, random: seededRandom(1) }, latencyMs: 1 })
    cluster.createTopic('t')
    const connection = cluster.connectionFactory().open('member')
    const defect: { state: 'none' | 'hangs' } = { state: 'none' }
    const request: Connection['request'] = (node, lane, asked, deadline, signal) =>
      defect.state === 'hangs' && isJoin(asked)
        ? never // and heeds no deadline
        : connection.request(node, lane, asked, deadline, signal)
    const hanging = new Proxy(connection, {
      get: (target, name) =>
        name === 'request' ? request : (Reflect.get(target, name) as (() => void) | undefined)?.bind(target),
    })
    const troubles = new Troubles(clock)
    const stuck = () => troubles.standing().filter(({ kind }) => kind === 'member-stuck').length
    const member = new ConsumerHarness(hanging, clock, { groupProtocol, troubles })
    await member.start()

    for (const node of [0, 1, 2]) cluster.faults.silence(node)
    await clock.advance(600_000)
    expect(stuck()).toBe(0)
    for (const node of [0, 1, 2]) cluster.faults.endSilence(node)
    await clock.advance(30_000)
    expect(member.consumer.facts().hasAssignment).toBe(true)

    for (const node of [0, 1, 2]) cluster.faults.silence(node)
    defect.state = 'hangs'
    await clock.advance(60_000)
    for (const node of [0, 1, 2]) cluster.faults.endSilence(node)
    await clock.advance(requestsMs)
    expect(member.consumer.facts().hasAssignment).toBe(false)
    expect(stuck()).toBe(0)
    await clock.advance(90_000)
    expect(stuck()).toBe(1)
    void member.consumer.stop(clock.now()) // never ends
  },
)
