import { expect, test } from 'vitest'
import { start, topic } from './scripted-driver.js'

test('of a batch that is parted each send is told when its own part has its end, and not with the last', async () => {
  const { driver, producer, run } = await start()
  const told: string[] = []
  for (const value of ['1:a', '1:bad', '1:c', '1:d']) {
    producer.send(topic, value).then(
      ({ offset }) => told.push(`${value} at ${offset}`),
      (error: { code: string }) => told.push(`${value}: ${error.code}`),
    )
  }
  await run()
  driver.last.fail('not-stored', 'invalid-record')
  await run()
  expect(driver.last.values).toEqual(['1:a', '1:bad'])
  driver.last.fail('not-stored', 'invalid-record')
  await run()
  driver.last.store(7)
  await run()
  expect(told).toEqual(['1:a at 7'])
  driver.last.fail('not-stored', 'invalid-record')
  await run()
  expect(told).toEqual(['1:a at 7', '1:bad: invalid-record'])
  driver.last.store(8)
  await run()
  expect(told).toEqual(['1:a at 7', '1:bad: invalid-record', '1:c at 8', '1:d at 9'])
  expect(await producer.close()).toEqual({ unsent: 0, unknown: 0 })
})

test('sends of every kind share a batch, and each has its own receipt', async () => {
  const { driver, producer, run } = await start()
  const sent = Promise.all([
    producer.send(topic, '1:a'),
    producer.send(topic, '1:b', { timestamp: 5 }),
    producer.sendMany(topic, ['1:c', '2:x', '1:d']),
    producer.send(topic, '1:e', { timeoutMs: 60_000, timestamp: 6 }),
    producer.send(topic, '1:f', { timestamp: 7 }),
  ])
  await run()
  expect(driver.handedOver.map(({ values }) => values)).toEqual([['1:a', '1:b', '1:c', '1:d', '1:e', '1:f'], ['2:x']])
  driver.handedOver[0]?.store(10)
  driver.handedOver[1]?.store(3)
  await run()
  expect(await sent).toMatchObject([
    { offset: 10 },
    { offset: 11, timestamp: 5 },
    [{ offset: 12 }, { partition: 2, offset: 3 }, { offset: 13 }],
    { offset: 14, timestamp: 6 },
    { offset: 15, timestamp: 7 },
  ])
})

test('what fails together counts for each send, and each is told', async () => {
  const { driver, producer, run } = await start()
  const ends = ['1:a', '1:b', '1:c'].map((value) => producer.send(topic, value).catch((error: unknown) => error))
  await run()
  const closing = producer.close({ timeoutMs: 10 })
  await run(10)
  driver.last.fail('unknown')
  expect(await Promise.all(ends)).toMatchObject([
    { outcome: 'unknown' },
    { outcome: 'unknown' },
    { outcome: 'unknown' },
  ])
  expect(await closing).toEqual({ unsent: 0, unknown: 3 })
})
