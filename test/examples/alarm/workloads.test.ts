import { createMessaging } from 'tidemark'
import { memory } from 'tidemark/memory'
import { expect, it } from 'vitest'
import { jsonTopics } from '../../../examples/alarm/topics.js'
import { requireEmptyTopics } from '../../../examples/alarm/workloads/fresh.js'

it('a workload refuses a Kafka with records of another run, whose events it would count as its own', async () => {
  const driver = memory()
  const messaging = createMessaging({ driver, logger: 'silent' })
  await requireEmptyTopics(driver)
  await messaging.ensureTopics([jsonTopics.rawEvents, jsonTopics.notices])
  await requireEmptyTopics(driver)
  await messaging.producer().send(jsonTopics.rawEvents, {
    ...{ event_id: 'e', event_type: 'metric', timestamp: 1, bk_biz_id: 7, event_source: 'test', priority: 1 },
    raw_data: { metric: 'm', value: 1, dimensions: {} },
  })
  await expect(requireEmptyTopics(driver)).rejects.toThrow(/it has some in raw_events: delete these topics/)
  await messaging.close()
})
