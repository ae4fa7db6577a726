import { createMessaging, defineTopic, string } from 'tidemark'
import { createMemoryCluster, memory } from 'tidemark/memory'
import { expect, it } from 'vitest'
import { put } from '../consumer/simulated.js'
import { billing, tidemark } from './command-line.js'

const withoutTime = (text: string) => text.replace(/^\d{4}-\S+Z\n/gm, '')

it('tells how far groups are behind, and finds one that is too far', async () => {
  const cluster = await billing()
  const { exit, out } = await tidemark(cluster, 'lag')
  expect(withoutTime(out)).toBe(
    [
      'GROUP    LAG  OLDEST  TREND  CAUGHT UP IN  PARTITIONS  INSTANCES THAT HELP  UNSEEN',
      'billing    5  > 7 d   ok                -           2                    2       -\n',
    ].join('\n'),
  )
  expect(exit).toBe(0)
  expect((await tidemark(cluster, 'lag --threshold 5')).exit).toBe(1)
  const { value } = await tidemark(cluster, 'lag billing --json')
  expect(value).toMatchObject([{ group: 'billing', lag: 5, partitions: [{ lag: 3 }, { lag: 2 }] }])
  await cluster.close()
})

it('finds partitions that nobody has committed, and a topic that is not there', async () => {
  const cluster = await billing()
  cluster.createTopic('payments')
  put(cluster, ['x'], 'payments')
  const { exit, out } = await tidemark(cluster, 'lag billing --partitions --topic payments --topic refunds')
  expect(exit).toBe(1)
  expect(withoutTime(out)).toBe(
    [
      'GROUP    TOPIC     PARTITION  COMMITTED  END  LAG  OLDEST  TREND',
      'billing  orders            0          5    8    3  > 7 d   ok',
      'billing  orders            1          2    4    2  > 7 d   ok',
      'billing  payments          0          -    2    2  > 7 d   never-committed',
      'billing  refunds           -          -    -    -  -       not-there\n',
    ].join('\n'),
  )
  await cluster.close()
})

it('tells by one look how old the next record is at the least, the oldest first, and leaves out who has read all', async () => {
  const cluster = await billing()
  const now = cluster.runtime.clock.wallTime()
  cluster.createTopic('aged', { partitions: 4 })
  const aged = defineTopic({ name: 'aged', value: string() })
  const messaging = createMessaging({ driver: memory({ cluster }), durability: 'off', logger: 'silent' })
  const producer = messaging.producer()
  for (const [partition, ageMs] of [30_000, 120_000, 7_200_000, 30_000].entries()) {
    await producer.send(aged, 'old', { partition, timestamp: now - ageMs })
    await producer.send(aged, 'new', { partition, timestamp: now })
  }
  const offsets = [0, 0, 0, 2].map((offset, partition) => ({ topic: 'aged', partition, offset }))
  await messaging.admin.setOffsets('late', offsets)
  await messaging.admin.setOffsets('later', offsets.slice(0, 2))
  await messaging.admin.setOffsets('done', [{ topic: 'aged', partition: 3, offset: 2 }])
  await messaging.close()
  const { out } = await tidemark(cluster, 'lag late later done --behind')
  expect(withoutTime(out).replace(/ {2,}/g, ' ')).toMatch(/^GROUP .*\nlate 6 > 1 h .*\nlater 4 > 1 min .*\n$/)
  const { value } = await tidemark(cluster, 'lag late --behind --partitions --json')
  expect(value).toMatchObject([
    {
      olderThanMs: 3_600_000,
      partitions: [
        { partition: 2, olderThanMs: 3_600_000 },
        { partition: 1, olderThanMs: 60_000 },
        { partition: 0, olderThanMs: 0 },
      ],
    },
  ])
  expect((await tidemark(cluster, 'lag done --behind')).out).toMatch(/Nothing is left to read/)
  await cluster.close()
})

it('looks again and again, one line of data each, and ends by its last look', async () => {
  const cluster = await billing()
  const looks: number[] = []
  const onOut = (text: string) => {
    looks.push((JSON.parse(text) as [{ readonly lag: number }])[0].lag)
    put(cluster, ['more'], 'orders', 0)
  }
  const { exit } = await tidemark(cluster, 'lag --watch --looks 3 --every 1ms --threshold 9 --json', { onOut })
  expect(looks).toEqual([5, 7, 9])
  expect(exit).toBe(1)
  await cluster.close()
})

it('says of a name that no coordinator knows that it may be mistyped, beside what it tells of others', async () => {
  const cluster = await billing()
  const { exit, err, value } = await tidemark(cluster, 'lag billing biling --json')
  expect([exit, value]).toMatchObject([
    1,
    [
      { group: 'billing', lag: 5 },
      { group: 'biling', lag: 0 },
    ],
  ])
  expect(err).toBe('{"note":"no coordinator knows group biling; correct its name"}\n')
  expect((await tidemark(cluster, 'lag billing')).err).toBe('')
  await cluster.close()
})

it('says that there is no group', async () => {
  const cluster = createMemoryCluster()
  expect(await tidemark(cluster, 'lag')).toMatchObject({ exit: 0, out: 'There is no group.\n' })
  await cluster.close()
})
