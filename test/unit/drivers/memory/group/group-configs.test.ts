import { expect, it } from 'vitest'
import { memberEpochs } from '../../../../../src/connection/requests/consumer-groups.js'
import { setUp } from '../fixture.js'

it('has members of a group beat, and keeps those that are silent, for as long as the group is set to, and no other group', async () => {
  const { cluster, clock, ask } = await setUp()
  cluster.createTopic('t')
  const changes = [
    { name: 'consumer.heartbeat.interval.ms', value: '15000' },
    { name: 'consumer.session.timeout.ms', value: '60000' },
  ]
  await ask(0, { api: 'incrementalAlterConfigs', type: 'group', name: 'patient', changes, validateOnly: false })
  const join = (groupId: string) =>
    ask(cluster.coordinatorOf(groupId), {
      api: 'consumerGroupHeartbeat',
      ...{ groupId, memberId: groupId, memberEpoch: memberEpochs.joins, groupInstanceId: null, rackId: null },
      ...{
        rebalanceTimeoutMs: 30_000,
        subscribedTopics: ['t'],
        subscribedTopicRegex: null,
        serverAssignor: null,
        partitions: [],
      },
    })
  const [patient, usual] = [await join('patient'), await join('usual')]
  expect([patient.heartbeatIntervalMs, usual.heartbeatIntervalMs]).toEqual([15_000, 5_000])
  const members = (groupId: string) => cluster.group(groupId)?.members.length
  await clock.runUntil(clock.sleep(50_000))
  expect([members('patient'), members('usual')]).toEqual([1, 0])
  await clock.runUntil(clock.sleep(15_000))
  expect(members('patient')).toBe(0)
})
