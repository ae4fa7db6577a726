import { Unavailable } from 'tidemark'
import type { AlertStatus } from '../topics.js'

const index = 'alerts'
const answerMs = 30_000

/** What became of one alert in the index; `older`: it has this version, or a later one. */
export type Indexed = 'indexed' | 'older' | { readonly refused: string }

/** Alerts in Elasticsearch, by its HTTP interface. Throws `Unavailable` while it is down or has too much to do. */
export class Elastic {
  constructor(private readonly url: string) {}

  /**
   * Under `version_type: external` Elasticsearch takes a document only if its version is higher than what is there: what comes
   * again, or late, changes nothing.
   */
  async index(alerts: readonly AlertStatus[], signal: AbortSignal): Promise<Indexed[]> {
    const lines = alerts.flatMap((alert) => {
      const action = { index: { _id: alert.alert_id, version: alert.version, version_type: 'external' } }
      return [JSON.stringify(action), JSON.stringify(alert)]
    })
    const answer = await this.#ask(`${index}/_bulk`, `${lines.join('\n')}\n`, 'application/x-ndjson', signal).catch(
      (error: unknown) => {
        // Of several nobody knows which it is: the batch is taken apart.
        if (alerts.length === 1 && error instanceof Refused) return { items: [{ index: { status: error.status } }] }
        throw error
      },
    )
    const { items } = answer as Partial<BulkAnswer>
    if (items?.length !== alerts.length) throw new Unavailable('what answers is no Elasticsearch')
    return items.map(({ index: { status, error } }) => {
      if (status < 300) return 'indexed'
      if (status === 409) return 'older'
      if (isAtFault(status)) return { refused: error?.type ?? `status ${status}` }
      throw new Unavailable(`Elasticsearch answered ${status} for an alert`)
    })
  }

  /** Alerts that match a query of Lucene's, such as `status:ABNORMAL AND severity:1`, the newest first. */
  async find(query: string, size = 20): Promise<AlertStatus[]> {
    const body = { size, query: { query_string: { query } }, sort: [{ begin_time: 'desc' }] }
    const answer = await this.#ask(`${index}/_search`, JSON.stringify(body), 'application/json')
    return (answer as SearchAnswer).hits.hits.map(({ _source }) => _source)
  }

  async #ask(path: string, body: string, type: string, signal?: AbortSignal): Promise<unknown> {
    const timeout = AbortSignal.timeout(answerMs)
    const ended = signal ? AbortSignal.any([signal, timeout]) : timeout
    const request = { method: 'POST', headers: { 'content-type': type }, body, signal: ended }
    const answer = await fetch(new URL(path, this.url), request).catch((error: unknown) => {
      throw new Unavailable('Elasticsearch does not answer', error)
    })
    if (answer.ok) {
      return answer.json().catch((error: unknown) => {
        throw new Unavailable('what answers is no Elasticsearch', error)
      })
    }
    await answer.body?.cancel()
    const { status } = answer
    throw isAtFault(status) ? new Refused(status) : new Unavailable(`Elasticsearch answered ${status}`)
  }
}

/** What is asked is wrong, or too large. All else is the fault of the index, or of who may write to it: 403 where it is blocked. */
function isAtFault(status: number): boolean {
  return status === 400 || status === 413
}

class Refused extends Error {
  constructor(readonly status: number) {
    super(`Elasticsearch answered ${status}`)
  }
}

interface BulkAnswer {
  readonly items: readonly { readonly index: { readonly status: number; readonly error?: { readonly type: string } } }[]
}

interface SearchAnswer {
  readonly hits: { readonly hits: readonly { readonly _source: AlertStatus }[] }
}
