import { appendFileSync } from 'node:fs'
import { logLevel } from 'kafkajs'
import { controlTopic, levelWatcher } from '../../src/degrade.js'
import { createMessaging } from '../../src/index.js'
import { kafkajs } from '../../src/kafkajs.js'
import { lagMonitor } from '../../src/lag.js'
import { delay } from './waiting.js'

/**
 * Watches a group for ever and tells its level, with a line `told <level>` for each look. What was raised it never clears, so
 * only its death ends a level.
 */
const [brokers = '', name = '', file = '', raiseAt = '', lastsMs = ''] = process.argv.slice(2)
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
  clearAfter: Number.MAX_SAFE_INTEGER,
  lastsMs: Number(lastsMs),
})
for (;;) {
  const told = await watcher.look().catch((error: Error) => `${error.name}: ${error.message}`)
  appendFileSync(file, `told ${told}\n`)
  await delay(200)
}
