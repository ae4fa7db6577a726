import { injectedByProxies, nemeses, type Battlefield } from '../faults/nemesis.js'
import { delay } from '../support/waiting.js'
import type { ProofData } from './proof-data.js'

export type Fault = ProofData['faults'][number]

interface Step {
  readonly kind: Fault['kind']
  readonly target: string
  /** Not before; what came before it may take longer. */
  readonly notBeforeMs: number
  readonly inject: (field: ProofField) => Promise<number>
}

export interface ProofField extends Battlefield {
  killConsumers(): void
}

/** What goes on in the background for a while; counts how often the proxies struck. */
const during =
  (name: 'lost-answers' | 'cut', ms: number): Step['inject'] =>
  async (field) => {
    const before = injectedByProxies(field.cluster)
    const stop = nemeses[name].background?.(field)
    await delay(ms)
    stop?.()
    return injectedByProxies(field.cluster) - before
  }

/** The longest last: on a busy machine a broker takes its time to be back and in sync, and the others have all come by then. */
const steps: readonly Step[] = [
  { kind: 'answers-lost', target: '2 % of answers lost', notBeforeMs: 4_000, inject: during('lost-answers', 10_000) },
  { kind: 'cut', target: 'connections cut', notBeforeMs: 17_000, inject: during('cut', 7_000) },
  {
    kind: 'killed',
    target: 'consumers killed',
    notBeforeMs: 26_000,
    inject: async (field) => {
      field.killConsumers()
      await delay(300)
      return 1
    },
  },
  { kind: 'frozen', target: 'leader frozen', notBeforeMs: 31_000, inject: (field) => nemeses.sigstop.inject(field) },
  { kind: 'killed', target: 'leader killed', notBeforeMs: 42_000, inject: (field) => nemeses.sigkill.inject(field) },
]

/** One after the other. What had no time to begin by `lastBeginMs` is left out, and missing in what it gives. */
export async function injectAll(
  field: ProofField,
  now: () => number,
  lastBeginMs: number,
  onBegin: (target: string) => void,
): Promise<readonly Fault[]> {
  const done: Fault[] = []
  for (const { kind, target, notBeforeMs, inject } of steps) {
    await delay(notBeforeMs - now())
    if (now() > lastBeginMs) continue
    onBegin(target)
    const fromMs = now()
    const count = await inject(field)
    done.push({ kind, target, fromMs: Math.round(fromMs), toMs: Math.round(now()), count })
  }
  return done
}
