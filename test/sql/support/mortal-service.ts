import { MysqlDriver, PostgresDriver, type CompiledQuery, type DatabaseConnection } from 'kysely'
import type { Request } from '../../../src/connection/requests/apis.js'
import { SocketLane } from '../../../src/drivers/kafkajs/socket-lane.js'

/** Where a service is to die by SIGKILL, the `nth` time it comes there. */
export type DeathPlace =
  /** Its request is written (`sent`), or is to be (`before`), or was answered (`after`). */
  | {
      readonly kafka: Request['api']
      readonly topic?: string
      readonly when: 'before' | 'sent' | 'after'
      readonly nth: number
    }
  /** A statement that matches, or the commit of a transaction that has one. */
  | { readonly sql: string; readonly when: 'before' | 'before-commit' | 'after-commit'; readonly nth: number }
  /** Whoever is told by HTTP has answered. */
  | { readonly http: true; readonly when: 'after'; readonly nth: number }

const place = JSON.parse(process.env['DEATH_PLACE'] ?? 'null') as DeathPlace | null
let times = 0
const die = (): void => {
  times += 1
  if (times === place?.nth) process.kill(process.pid, 'SIGKILL')
}

if (place && 'kafka' in place) {
  const { kafka: api, topic, when } = place
  const isIt = (request: Request): boolean =>
    request.api === api && (topic === undefined || JSON.stringify(topicsOf(request)).includes(`"${topic}"`))

  const original = SocketLane.prototype.request
  SocketLane.prototype.request = function (this: SocketLane, request, ...rest) {
    if (!isIt(request)) return original.call(this, request, ...rest) as never
    if (when === 'before') die()
    const answer = original.call(this, request, ...rest)
    if (when === 'sent') setImmediate(die)
    return (when === 'after' ? answer.then((answered) => (die(), answered)) : answer) as never
  }
}

if (place && 'sql' in place) {
  const { when } = place
  const pattern = new RegExp(place.sql)
  for (const driver of [MysqlDriver, PostgresDriver]) {
    const original = driver.prototype.acquireConnection
    const watched = new WeakSet<DatabaseConnection>()
    driver.prototype.acquireConnection = async function (this: never) {
      const connection = (await original.call(this)) as DatabaseConnection
      if (watched.has(connection)) return connection
      watched.add(connection)
      const execute = connection.executeQuery.bind(connection)
      let isInTransaction = false
      connection.executeQuery = async <Row>(query: CompiledQuery) => {
        const isCommit = query.sql === 'commit'
        if (query.sql === 'begin') isInTransaction = false
        if (!isCommit && pattern.test(query.sql)) {
          isInTransaction = true
          if (when === 'before') die()
        }
        const isDue = isCommit && isInTransaction
        if (isDue && when === 'before-commit') die()
        const result = await execute<Row>(query)
        if (isDue && when === 'after-commit') die()
        return result
      }
      return connection
    }
  }
}

if (place && 'http' in place) {
  const original = globalThis.fetch
  globalThis.fetch = async (...given) => {
    const answer = await original(...given)
    die()
    return answer
  }
}

// The service itself knows nothing of it.
await import('../../../examples/alarm/main.js')

function topicsOf(request: Request): unknown {
  if (request.api === 'produce') return request.batches.map(({ topic }) => topic)
  return request.api === 'offsetCommit' ? request.partitions.map(({ topic }) => topic) : []
}
