import type { Arrival } from '../access/arrivals.js'
import type { ConvergeBook } from '../converge/converge-rules.js'
import { rawEventId } from '../ids.js'
import type { Rule, Severity } from '../rules.js'
import type { RawEvent } from '../topics.js'
import { randomBy } from './random.js'

const bizId = 50
/** 2023-11-14, and a storm of ten seconds that no window cuts in two. */
const beginSeconds = 1_700_000_000
const stormSeconds = 10
const rack = 'rack-7'

export interface Storm {
  readonly rules: readonly Rule[]
  readonly folding: ConvergeBook
  readonly arrivals: readonly Arrival[]
  /** What the others come of. */
  readonly cause: string
  readonly alerts: number
  /** At most so many may be told: `count` of them, and a summary. */
  readonly notices: number
}

/** W3: the hosts of a rack go silent within ten seconds, in some order, the rack among them; each tenth tells it twice. */
export function storm(hosts: number, seed: number): Storm {
  const random = randomBy(seed)
  const targets = [rack, ...Array.from({ length: hosts }, (_, host) => `host-${host}`)]
  const arrivals = targets.flatMap((target, index): Arrival[] => {
    const at = beginSeconds + Math.floor(random() * stormSeconds)
    const told = { at, event: lost(target, at, index) }
    return index % 10 === 0 ? [told, { ...told, at: at + 1 }] : [told]
  })
  const count = 2
  return {
    rules: targets.map((target, index) => ruleOf(target, 100 + index, target === rack ? 1 : 2)),
    folding: {
      convergeRules: [
        {
          ...{ name: 'by-rack', func: 'collect', match: {}, by: ['bk_biz_id'], windowSeconds: 300, count },
          receivers: [{ receiver: 'on-call', channel: 'pager' }],
        },
      ],
      inhibitions: [],
      topology: Object.fromEntries(targets.slice(1).map((host) => [host, [rack]])),
    },
    arrivals: arrivals.sort((one, other) => one.at - other.at),
    cause: rack,
    alerts: targets.length,
    notices: count + 1,
  }
}

function lost(target: string, timestamp: number, index: number): RawEvent {
  return {
    event_id: rawEventId('w3', index + 1),
    event_type: 'event',
    raw_data: { metric: `lost.${target}`, value: 1, dimensions: { target } },
    timestamp,
    bk_biz_id: bizId,
    event_source: 'w3',
    priority: 1,
  }
}

function ruleOf(target: string, strategyId: number, severity: Severity): Rule {
  return {
    ...{ strategyId, itemId: 1, version: 1, name: 'heartbeat lost', bizId, metric: `lost.${target}`, unitSeconds: 60 },
    ...{ category: 'host', targetType: 'HOST', target },
    levels: [
      {
        severity,
        connector: 'and',
        algorithms: [{ type: 'Happened' }],
        trigger: { window: 1, count: 1 },
        recovery: { window: 5 },
      },
    ],
  }
}
