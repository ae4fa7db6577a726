import type { GroupSample } from './sight.js'

/** So many at the most, evenly and with the newest: each look is sent to each page. */
export function thinned(samples: readonly GroupSample[], most: number): readonly GroupSample[] {
  const step = Math.ceil(samples.length / most)
  return step <= 1 ? samples : samples.filter((_, index) => (samples.length - 1 - index) % step === 0)
}
