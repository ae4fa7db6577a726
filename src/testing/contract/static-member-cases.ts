import assert from 'node:assert/strict'
import { FencedError } from '../../errors.js'
import type { ContractCase } from './contract-case.js'
import { heartbeatIntervalMs, partitionsOf, share } from './group-of-members.js'

const group = 'rebalancing'

export const staticMemberCases: readonly ContractCase[] = [
  ...(['follower', 'leader'] as const).map((role): ContractCase => ({
    group,
    name: `a static member that restarts keeps its partitions, and nobody else notices (it was the ${role})`,
    async run(world) {
      const topic = await world.topic(4)
      const settings = { groupId: world.name('group'), heartbeatIntervalMs, sessionTimeoutMs: 10_000 }
      const leader = world.consumer(topic, { ...settings, groupInstanceId: 'a' })
      await leader.start()
      const follower = world.consumer(topic, { ...settings, groupInstanceId: 'b' })
      await follower.start()
      await share(world, [leader, follower], partitionsOf(topic, 4))
      const [restarted, other] = role === 'leader' ? [leader, follower] : [follower, leader]
      const before = restarted.held()
      const unchanged = other.news.length
      await restarted.stop()
      const again = world.consumer(topic, { ...settings, groupInstanceId: restarted.settings.groupInstanceId })
      await again.start()
      assert.deepEqual(again.held(), before)
      await world.sleep(3 * heartbeatIntervalMs)
      assert.deepEqual(other.news.slice(unchanged), [])
      await world.write(topic, Number(before[0]?.split('-').at(-1)), ['x'])
      await world.until('it reads on', () => again.count() >= 1)
    },
  })),
  {
    group,
    name: 'partitions added while the static member that leads was away are handed out after it came back',
    async run(world) {
      const topic = await world.topic(2)
      const settings = { groupId: world.name('group'), heartbeatIntervalMs, sessionTimeoutMs: 10_000 }
      const leader = world.consumer(topic, { ...settings, groupInstanceId: 'a', metadataMaxAgeMs: 60_000 })
      await leader.start()
      const follower = world.consumer(topic, { ...settings, groupInstanceId: 'b', metadataMaxAgeMs: 300 })
      await follower.start()
      await share(world, [leader, follower], partitionsOf(topic, 2))
      await leader.stop()
      await world.admin().createPartitions(topic, 6, world.deadline())
      const again = world.consumer(topic, { ...settings, groupInstanceId: 'a', metadataMaxAgeMs: 300 })
      await again.start()
      await share(world, [again, follower], partitionsOf(topic, 6))
    },
  },
  {
    group,
    name: 'a static id in use twice fences the first member, visibly',
    async run(world) {
      const topic = await world.topic(2)
      const settings = { groupId: world.name('group'), heartbeatIntervalMs, groupInstanceId: 'same' }
      const first = world.consumer(topic, settings)
      await first.start()
      const second = world.consumer(topic, settings)
      await second.start()
      await world.until('the first fails', () => first.newsOf('failed').length > 0)
      const [news] = first.newsOf('failed')
      assert.ok(news?.kind === 'failed' && news.error instanceof FencedError, 'the error is a FencedError')
      assert.equal(news.error.code, 'fenced-instance-id')
      assert.equal(first.newsOf('lost').length, 1, 'it was told that its partitions are gone')
      assert.deepEqual(first.held(), [])
      await world.write(topic, 0, ['x'])
      await world.until('the second reads', () => second.count() >= 1)
      assert.equal(first.count(), 0)
    },
  },
]
