import { appendFileSync } from 'node:fs'
import { logLevel } from 'kafkajs'
import { controlTopic, levelWatcher } from '../../src/degrade.js'
import { createMessaging } from '../../src/index.js'
import { kafkajs } from '../../src/kafkajs.js'
import { lagMonitor } from '../../src/lag.js'
import { delay } from './waiting.js'

/**
 * Watches a group for ever and tells its level, with a line `told <level>` for each look. Without `clearAfter` it never clears
 * what it raised, so only its death ends a level.
 */
const [brokers = '', name = '', file = '', raiseAt = '', lastsMs = '', clearAfter = String(Number.MAX_SAFE_INTEGER)] =
  process.argv.slice(2)
const messaging = createMessaging({
  driver: kafkajs({ brokers: brokers.split(','), logLevel: logLevel.NOTHING }),
  logger: 'silent',
  durability: 'off',
})
const lag = Number(raiseAt)
const watcher = levelWatcher(messaging, {
  monitor: lagMonitor(messaging, { groups: [{ group: name, topics: [name] }] }),
  topic: controlTopic(`${name}.control`),
  raiseAt: [lag, lag * 1_000, lag * 2_000],
  raiseAfter: 1,
  clearAfter: Number(clearAfter),
  lastsMs: Number(lastsMs),
})
for (;;) {
  const told = await watcher.look().catch((error: Error) => `${error.name}: ${error.message}`)
  appendFileSync(file, `told ${told}\n`)
  await delay(200)
}
