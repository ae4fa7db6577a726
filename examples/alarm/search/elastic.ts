import { Unavailable } from 'tidemark'
import type { AlertStatus } from '../topics.js'

const index = 'alerts'
const answerMs = 30_000
const json = 'application/json'
/** Else the first tag that looks like a date makes all tags dates, and what is none is refused for good. */
const mappings = { date_detection: false, properties: { begin_time: { type: 'long' } } }

/** What became of one alert in the index; `older`: it has this version, or a later one. */
export type Indexed = 'indexed' | 'older'

/** Alerts in Elasticsearch, by its HTTP interface. Throws `Unavailable` while it is down or has too much to do. */
export class Elastic {
  #isMade = false

  constructor(
    private readonly url: string | URL,
    private readonly headers: Readonly<Record<string, string>> = {},
  ) {}

  /**
   * Under `version_type: external` Elasticsearch takes a document only if its version is higher than what is there: what comes
   * again, or late, changes nothing.
   */
  async index(
    alerts: readonly AlertStatus[],
    signal: AbortSignal,
  ): Promise<(Indexed | { readonly refused: string })[]> {
    const lines = alerts.flatMap((alert) => {
      const action = { index: { _id: alert.alert_id, version: alert.version, version_type: 'external' } }
      return [JSON.stringify(action), JSON.stringify(alert)]
    })
    // Where it is there already, that is refused.
    const make = () => this.#ask('PUT', index, JSON.stringify({ mappings }), json, signal).catch(() => null)
    this.#isMade ||= (await make()) !== null
    const body = `${lines.join('\n')}\n`
    const { status, answer } = await this.#ask('POST', `${index}/_bulk`, body, 'application/x-ndjson', signal)
    // Of several nobody knows which it is: the batch is taken apart.
    if (answer === null && alerts.length > 1) throw new Error(`Elasticsearch answered ${status}`)
    const { items } = (answer ?? { items: [{ index: { status } }] }) as Partial<BulkAnswer>
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
    const { status, answer } = await this.#ask('POST', `${index}/_search`, JSON.stringify(body), json)
    if (answer === null) throw new Error(`Elasticsearch answered ${status}: the query is none`)
    const { hits } = (answer as { hits: { hits: { _source: AlertStatus }[] } }).hits
    return hits.map(({ _source }) => _source)
  }

  /** Its answer is `null` where what was asked is at fault. */
  async #ask(method: string, path: string, body: string, type: string, signal?: AbortSignal) {
    const timeout = AbortSignal.timeout(answerMs)
    const ended = signal ? AbortSignal.any([signal, timeout]) : timeout
    const request = { method, headers: { ...this.headers, 'content-type': type }, body, signal: ended }
    const answer = await fetch(new URL(path, this.url), request).catch((error: unknown) => {
      throw new Unavailable('Elasticsearch does not answer', error)
    })
    const { ok, status } = answer
    const read = await (ok ? answer.json() : answer.body?.cancel())?.catch((error: unknown) => {
      throw new Unavailable('what answers is no Elasticsearch', error)
    })
    if (ok || isAtFault(status)) return { status, answer: ok ? (read as unknown) : null }
    throw new Unavailable(`Elasticsearch answered ${status}`)
  }
}

/** What is asked is wrong, or too large. All else is the fault of the index, or of who may write to it: 403 where it is blocked. */
function isAtFault(status: number): boolean {
  return status === 400 || status === 413
}

interface BulkAnswer {
  readonly items: readonly { readonly index: { readonly status: number; readonly error?: { readonly type: string } } }[]
}
