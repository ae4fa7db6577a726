import type { DriverConsumer } from '../../driver/consumer.js'

/** Topics that were read and are gone: nothing of them is left to be fetched. That is told where it is met. */
export function deletedTopics(driver: Pick<DriverConsumer, 'facts'>): ReadonlySet<string> {
  const { unavailableTopics = [] } = driver.facts()
  return new Set(unavailableTopics.filter(({ why }) => why === 'deleted').map(({ topic }) => topic))
}
