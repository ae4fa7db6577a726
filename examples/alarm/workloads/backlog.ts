import { rawEventId } from '../ids.js'
import type { Rule, Severity } from '../rules.js'
import type { RawEvent } from '../topics.js'
import { randomBy } from './random.js'

const unitSeconds = 300
const beginSeconds = 1_700_000_000
const tenants = 8
const severities: readonly Severity[] = [1, 2, 3]
/** Each host is wrong for some periods in so many. */
const [cycle, wrongFor] = [100, 6]
const trigger = { window: 5, count: 3 }
/** So many without fault end every alert. */
export const calmPeriods = 20

/** Hosts that go wrong again and again, a third of them fatally; any number of periods of them. */
export interface Backlog {
  readonly rules: readonly Rule[]
  /** @param isCalm nothing is wrong in it */
  rowsOf(period: number, isCalm: boolean): RawEvent[]
  timeOf(period: number): number
  /** How often each host whose alerts are fatal goes wrong in the periods before this one, by its name: so many alerts are owed. */
  fatal(periods: number): ReadonlyMap<string, number>
}

export function backlogOf(hosts: number, seed: number): Backlog {
  const random = randomBy(seed)
  const phases = Array.from({ length: hosts }, () => Math.floor(random() * cycle))
  const isWrong = (host: number, period: number): boolean => (period + (phases[host] ?? 0)) % cycle < wrongFor
  const timeOf = (period: number): number => beginSeconds + period * unitSeconds
  return {
    rules: severities.flatMap((severity) => Array.from({ length: tenants }, (_, tenant) => ruleOf(tenant, severity))),
    timeOf,
    rowsOf: (period, isCalm) =>
      phases.map((_, host): RawEvent => {
        const value = !isCalm && isWrong(host, period) ? 10 : 1 + random()
        const severity = severityOf(host)
        return {
          event_id: rawEventId(`w7/${host}`, period + 1),
          event_type: 'metric',
          raw_data: { metric: `load.${severity}`, value, dimensions: { instance: nameOf(host) } },
          timestamp: timeOf(period),
          bk_biz_id: bizOf(host),
          event_source: 'w7',
          priority: severity,
        }
      }),
    fatal: (periods) => {
      const owed = new Map<string, number>()
      for (let host = 0; host < hosts; host += severities.length) {
        let [times, running] = [0, 0]
        for (let period = 0; period < periods; period += 1) {
          running = isWrong(host, period) ? running + 1 : 0
          if (running === trigger.count) times += 1
        }
        owed.set(nameOf(host), times)
      }
      return owed
    },
  }
}

const nameOf = (host: number): string => `host-${host}`
const severityOf = (host: number): Severity => severities[host % severities.length] ?? 3
const bizOf = (host: number): number => 60 + (host % tenants)

function ruleOf(tenant: number, severity: Severity): Rule {
  return {
    ...{ strategyId: 10 * tenant + severity, itemId: 1, version: 1, name: 'load high', bizId: bizOf(tenant) },
    ...{ metric: `load.${severity}`, unitSeconds, category: 'host', targetType: 'HOST', target: `tenant-${tenant}` },
    levels: [
      {
        severity,
        connector: 'and',
        algorithms: [{ type: 'Threshold', groups: [[{ method: 'gte', threshold: 5 }]] }],
        trigger,
        recovery: { window: 5 },
      },
    ],
  }
}
