import { createMemoryCluster } from 'tidemark/memory'
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
      'billing    5       -  ok                -           2                    2       -\n',
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
      'billing  orders            0          5    8    3       -  ok',
      'billing  orders            1          2    4    2       -  ok',
      'billing  payments          0          -    2    2       -  never-committed',
      'billing  refunds           -          -    -    -       -  not-there\n',
    ].join('\n'),
  )
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

it('says that there is no group', async () => {
  const cluster = createMemoryCluster()
  expect(await tidemark(cluster, 'lag')).toMatchObject({ exit: 0, out: 'There is no group.\n' })
  await cluster.close()
})
